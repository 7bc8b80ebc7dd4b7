"""How well students are recognised: known lectures give known numbers."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import binomtest

from campus.academics.models import Course, Lecture, Student
from campus.attendance.face_overrides import name_unknown_person, reject_match
from campus.attendance.models import FaceOverride, Sighting, SignOff, UnknownPerson
from campus.attendance.overrides import set_override
from campus.attendance.proposals import recount_lecture
from campus.privacy.fairness import COLUMNS, ROWS, Fairness, Line, Rate, Table, measure_fairness
from campus.recordings.models import Recording
from tests.campus import factories

FRONT, BACK, MIDDLE = [20, 20, 100, 120], [1200, 650, 1230, 690], [600, 300, 640, 350]  # of 1280 x 720 pixels


@given(st.integers(0, 3000), st.integers(0, 3000))
@example(0, 0)
@example(1, 0)
def test_the_interval_is_that_of_wilson(count: int, others: int) -> None:
    rate = Rate(count, count + others)
    low, high = rate.interval
    assert 0 <= low <= rate.share <= high <= 1
    if rate.total:
        wanted = binomtest(count, rate.total).proportion_ci(0.95, method="wilson")
        assert (low, high) == pytest.approx((wanted.low, wanted.high), abs=1e-6)


def line(label: str, missed: int, total: int) -> Line:
    return Line(label, students={1}, missed=Rate(missed, total))


def test_a_difference_is_named_only_where_chance_hardly_makes_it() -> None:
    assert not Rate(1, 5).says_something
    small = Table([line("one", 18, 20), line("ten", 0, 40)])
    assert len(small.sufficient) == 2
    assert Rate(2, 200).says_something
    few = Table([line("one", 3, 4), line("ten", 0, 4)])
    assert few.sufficient == []
    assert few.contrast is None
    alike = Table([line("one", 20, 200), line("ten", 16, 200)])
    assert len(alike.sufficient) == 2
    assert alike.contrast is None
    apart = Table([line("one", 60, 200), line("three", 20, 200), line("ten", 2, 200)]).contrast
    assert apart is not None
    assert [each.label for each in apart] == ["one", "ten"]


def seen(recording: Recording, student: Student, box: list[int], **fields: Any) -> Sighting:
    intervals = {"intervals": [[0, 118]], "seconds": 118.0, "share": 1.0, "confidence": 0.9}
    return Sighting.objects.create(
        recording=recording, student=student, face_positions=[[5.0, box]], **{"present": True} | intervals | fields
    )


def not_seen(recording: Recording, *students: Student, **fields: Any) -> None:
    for student in students:
        Sighting.objects.create(recording=recording, student=student, present=False, **fields)


def recorded(course: Course) -> tuple[Lecture, Recording]:
    lecture = factories.lecture(course, room="B 12")
    return lecture, factories.planned(lecture, state=Recording.State.DONE)


def signed_off(lecture: Lecture) -> None:
    SignOff.objects.create(lecture=lecture, user_name="lecturer")


@pytest.fixture
def course(db: None) -> Course:
    """Six students: of two signed-off lectures and one that is not."""
    course, registrar = factories.course(students=6), factories.registrar()
    ada, ben, cem, dan, eva, foo = course.students.order_by("pk")
    for student, photos in ((ada, 10), (ben, 1), (cem, 1), (dan, 4), (eva, 4)):
        for _ in range(photos):
            factories.photo(student)

    lecture, recording = recorded(course)
    seen(recording, ada, FRONT)
    not_seen(recording, ben, eva)
    unknown = UnknownPerson.objects.create(
        recording=recording, index=0, intervals=[[0, 118]], seconds=118, face_positions=[[5.0, BACK]]
    )
    seen(recording, cem, MIDDLE, present=False, to_confirm=True)
    wrong = seen(recording, dan, MIDDLE)
    not_seen(recording, foo, recognisable=False)
    recount_lecture(lecture=lecture)
    name_unknown_person(person=unknown, student=ben, user=registrar)
    set_override(record=lecture.records.get(student=cem), status="present", reason="", user=registrar)
    reject_match(sighting=wrong, user=registrar)
    signed_off(lecture)

    lecture, recording = recorded(course)
    seen(recording, ada, FRONT)
    seen(recording, ben, BACK)
    not_seen(recording, cem, dan, eva)
    not_seen(recording, foo, recognisable=False)
    recount_lecture(lecture=lecture)
    set_override(record=lecture.records.get(student=cem), status="late", reason="", user=registrar)
    signed_off(lecture)

    lecture, recording = recorded(course)
    not_seen(recording, ada, ben)
    recount_lecture(lecture=lecture)
    return course


def measured(course: Course, **options: Any) -> Fairness:
    return measure_fairness(Course.objects.filter(pk=course.pk), **options)


def counts(line: Line) -> tuple[int, ...]:
    return (line.missed.count, line.missed.total, line.asked.count, line.wrong.count, line.wrong.total)


def test_known_lectures_give_known_numbers(course: Course) -> None:
    report = measured(course)
    assert (report.lectures, report.not_recognisable) == (2, 2)
    assert counts(report.total) == (2, 6, 1, 1, 4)
    assert len(report.total.students) == 5
    by_photos = {line.label: counts(line) for line in report.by_photos.lines}
    assert by_photos == {"1": (2, 4, 1, 0, 1), "3-4": (0, 0, 0, 1, 1), "10+": (0, 2, 0, 0, 2)}
    by_size = {line.label: counts(line) for line in report.by_size.lines}
    # Cem was not found at all in the second lecture: the height is that of the first one.
    assert by_size == {"40-59": (2, 4, 1, 1, 2), "90+": (0, 2, 0, 0, 2)}
    assert measured(course, since=factories.STARTS.date().replace(year=2027)).lectures == 0
    assert measured(factories.course(students=1)).total.students == set()


def test_the_map_says_where_people_are_missed(course: Course) -> None:
    [room] = measured(course).maps
    assert room.view == ("B 12", None)
    assert len(room.cells) == ROWS * COLUMNS
    front, back, middle = room.cells[0], room.cells[-1], room.cells[1 * COLUMNS + 2]
    assert (front.height, front.missed.count, front.missed.total) == (100, 0, 2)
    assert (back.height, back.missed.count, back.missed.total) == (40, 1, 2)
    # Asked about in the first lecture; in the second one not found, and so missed where the student usually sits.
    assert (middle.height, middle.missed.count, middle.missed.total) == (50, 1, 2)


def test_a_rejected_face_is_placed_by_the_footage_file_of_its_camera(course: Course) -> None:
    footage = factories.footage_file(factories.camera("B 12"), factories.STARTS)
    FaceOverride.objects.create(
        recording=course.lectures.order_by("starts_at")[0].recordings.get(),
        action=FaceOverride.Action.REJECTED,
        student=course.students.order_by("pk")[4],
        face_positions=[[str(footage.pk), 0, 5.0, [0.0, 0.0, 0.1, 0.1]]],
    )
    assert sorted(measured(course).maps[0].cells[0].heights) == [72, 100, 100]


def test_groups_are_compared_only_where_they_are_large_enough(course: Course) -> None:
    students = list(course.students.order_by("pk").values_list("pk", flat=True))
    report = measured(course, groups=dict.fromkeys(students, "all"))
    assert report.by_group is not None
    assert [(str(line.label), counts(line)) for line in report.by_group.lines] == [("all", (2, 6, 1, 1, 4))]
    report = measured(course, groups=dict.fromkeys(students[1:], "four") | {students[0]: "one"})
    assert report.by_group is not None
    assert (report.by_group.lines, report.hidden_groups) == ([], 2)
    assert measured(course).by_group is None


def test_the_page_reads_a_list_of_groups(client: Client, course: Course) -> None:
    client.force_login(factories.registrar())
    address = f"/classes/{course.pk}/recognition/"
    page = client.get(address).content.decode()
    assert "These numbers say nothing yet" in page
    assert 'class="plot room-map"' in page

    def send(content: bytes) -> tuple[int, str]:
        response = client.post(address, {"groups": SimpleUploadedFile("groups.csv", content)})
        return response.status_code, response.content.decode()

    numbers = course.students.values_list("number", flat=True)
    table = "\n".join(["number;group", *(f"{number.lower()};<b>Ä</b>" for number in numbers)])
    for content in (table.encode(), table.encode("utf-8-sig"), table.encode("cp1252")):
        status, page = send(content)
        assert status == 200
        assert "&lt;b&gt;Ä&lt;/b&gt;" in page
    for content in (b"nothing", b'"' + b"x" * 200_000, b"\x00" * 10, b"a;1\n" * 300_000):
        status, page = send(content)
        assert status == 400
        assert "student number and" in page
    client.force_login(factories.user())
    assert client.get(address).status_code == 403
