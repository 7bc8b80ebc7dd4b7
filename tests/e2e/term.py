"""A class in the middle of its term: names, sentences and numbers as they are in life, in every state that a page
can show."""

from datetime import timedelta

from django.utils import timezone

from campus.academics.models import Course, Student
from campus.attendance.models import AttendanceChange, AttendanceRecord, Sighting, SignOff, Status, UnknownPerson
from campus.attendance.proposals import recount_lecture
from campus.biometrics.models import FacePhoto, Gallery
from campus.outbox.models import Delivery
from campus.recordings.models import Recording
from recognition.messages import Message
from tests.campus import factories
from tests.campus.conftest import World
from tests.campus.web.admin_tools import picture

PEOPLE = [
    "Maximiliane-Alexandra von und zu Hohenstein-Wartenberg",
    "Nguyễn Thị Minh Khai",
    "Li Wei",
    "Zoë Åberg",
    "Oluwaseun Adebayo-Okonkwo",
    "María del Carmen Fernández Rodríguez",
    "Björn Þorvaldsson",
    "Anna Müller",
    "Wolfeschlegelsteinhausenbergerdorff",
]
STATUSES = [Status.PRESENT, Status.LATE, Status.LEFT_EARLY, Status.ABSENT, Status.TO_CONFIRM]
RATES = {name: {"fpir": 0.00098, "miss": 0.021, "threshold": 0.957} for name in ("strict", "balanced", "lenient")}
CURVES = {"genuine": [0, 0, 3, 9], "impostor": [500, 90, 1, 0], "edges": [0.8, 0.85, 0.9, 0.95, 1.0]}
LEARNING_CURVE = [
    {"photos": 1, "students": 40, "miss": 0.28, "low": 0.167, "high": 0.417},
    {"photos": 10, "students": 3, "miss": None, "low": None, "high": None},
]
REASON = "Doctor's note; handed in at the office on Monday, and copied to the coordinator of the programme"


def students(world: World) -> list[Student]:
    """Those of the class, and as many more as there are names. Each has photos of every verdict."""
    for _ in range(len(PEOPLE) - world.course.students.count()):
        factories.enrol(world.course, factories.student())
    everybody = list(world.course.students.order_by("pk"))
    for student, name in zip(everybody, PEOPLE, strict=True):
        student.name, student.email = name, f"{student.number.lower()}@students.example.org"
        student.save()
    verdicts = {
        "red": (FacePhoto.Verdict.WARNING, Message("The face is turned away (34°).")),
        "blue": (FacePhoto.Verdict.REJECTED, Message("No face was found.")),
    }
    for colour, (state, reason) in verdicts.items():
        name = "IMG_20260914_102233_portrait_original.jpeg"
        factories.photo(everybody[0], content=picture(colour), state=state, reason=reason, original_name=name)
    return everybody


def lived_in(world: World) -> Recording:
    """The world's class gets older; what is being worked on is given back."""
    everybody, now = students(world), timezone.now()
    Course.objects.filter(pk=world.course.pk).update(
        name="Introduction to Theoretical Computer Science and Discrete Mathematics"
    )
    crop = {**world.sighting.crops[0], "box": [10, 20, 60, 80]}
    seen = {"seconds": 118.0, "share": 0.98, "confidence": 0.93, "crops": [crop], "intervals": [[0, 40], [61, 118]]}
    Sighting.objects.filter(pk=world.sighting.pk).update(**seen)
    Sighting.objects.exclude(pk=world.sighting.pk).delete()
    Sighting.objects.bulk_create(
        Sighting(recording=world.recording, student=student, present=n % 2 == 0, to_confirm=n % 2 == 1, **seen)
        for n, student in enumerate(everybody[:-1])
        if student != world.student
    )
    UnknownPerson.objects.create(
        recording=world.recording, index=1, is_static=True, seconds=118.0, crops=[crop], intervals=[[0, 118]]
    )
    recount_lecture(lecture=world.lecture)

    for week in range(1, 9):
        starts = now - timedelta(weeks=week)
        lecture = factories.lecture(
            world.course, title="Loops, and what they are for" if week % 2 else "", starts_at=starts
        )
        AttendanceRecord.objects.bulk_create(
            AttendanceRecord(
                lecture=lecture,
                student=student,
                machine_status=STATUSES[(n + week) % len(STATUSES)],
                override_status="excused" if n == week else "",
                first_seen=starts,
                last_seen=starts + timedelta(minutes=80),
                seconds=4800,
                share=0.89,
                confidence=0.97,
            )
            for n, student in enumerate(everybody)
        )
    days = {"first_day": (now - timedelta(weeks=5)).date(), "last_day": now.date()}
    for student in everybody[1:4]:
        factories.excuse(student, course=world.course, reason="Conference of the students' union in Kraków", **days)
    SignOff.objects.create(lecture=lecture, user=world.own, user_name="own")
    record = AttendanceRecord.objects.get(lecture=world.lecture, student=everybody[0])
    AttendanceChange.objects.create(
        lecture=world.lecture,
        record=record,
        old_status="absent",
        new_status="excused",
        reason=REASON,
        user=world.own,
        user_name="own",
    )
    today = factories.lecture(world.course, title="Recursion", room="B 12", starts_at=now - timedelta(minutes=30))
    factories.lecture(world.course, title="Cancelled", starts_at=now + timedelta(hours=3), cancelled=True)

    pair = [str(student.pk) for student in everybody[:2]]
    photo = everybody[0].photos.latest("created_at").pk
    FacePhoto.objects.filter(student=everybody[0]).exclude(pk=photo).update(confirmed_at=now, confirmed_by="registrar")
    suspect = {
        "photo": str(photo),
        "similarity": 0.891,
        "nearest": pair[1],
        "nearest_similarity": 0.935,
        "by_network": {"facenet-20180408": [0.61, 0.4]},
    }
    report = {
        "rates": RATES,
        "curves": CURVES,
        "learning_curve": {"balanced": LEARNING_CURVE},
        "suspect_photos": {pair[0]: [suspect]},
        "too_alike": [[*pair, 0.96]],
        "few_photos": pair,
        "without_photos": pair,
    }
    Gallery.objects.filter(pk=world.gallery.pk).update(report=report, students=9, photos=45)
    factories.gallery(
        world.course,
        active=False,
        state=Gallery.State.FAILED,
        error=Message("Nobody of this class has a usable photo yet."),
    )
    Delivery.objects.create(
        to="m.hohenstein-wartenberg@students.example.org",
        event="absent",
        subject="You were absent in CS101 on 16 November",
        body="Good morning",
        key="letter",
        state=Delivery.State.FAILED,
        error=Message("The mail server refused the message: 550 5.1.1 mailbox unavailable"),
    )
    work = factories.planned(today, segments=12, original_name="GH010042_lecture_hall_west_wing_camera_2.MP4")
    work.segments.filter(index__lt=5).update(
        state="done", progress=1, recognised_students=[student.pk for student in everybody[:4]]
    )
    work.segments.filter(index=5).update(state="failed", error=Message("The file is damaged here."))
    return work
