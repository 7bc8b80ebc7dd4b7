"""An erasure leaves nothing that shows, names or recognises a student: not in a row, a file, a log, the cache, the
broker, or a deleted page of the database and its log. Votes, trainings, services and workbooks are real; the faces are
those of `tests.faults.fake_vision`.
"""

import base64
import io
import json
import logging
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.urls import reverse

from campus.academics.import_models import FileImport
from campus.academics.models import Course, Student
from campus.accounts.roles import Role
from campus.api.models import IdempotencyKey
from campus.attendance import overrides
from campus.attendance.excuses import create_excuse
from campus.attendance.models import AttendanceChange, Report
from campus.attendance.recording_review import remove_recording
from campus.attendance.reports import write_lecture_report, write_register_report
from campus.attendance.student_merge import merge_guest
from campus.biometrics import services
from campus.biometrics.models import Embedding, FacePhoto, Gallery, LectureFace, PhotoImport
from campus.common import jobs
from campus.common.encryption import DecryptionError
from campus.common.storage import media, read_media, reports
from campus.consent.links import renew_student_link
from campus.outbox.services import queue_email
from campus.privacy import erasure
from campus.privacy.erasure_steps import clean_database
from campus.privacy.models import Erasure
from campus.recordings.models import Upload
from campus.recordings.uploads import create_upload, part_path
from recognition.identification.gallery import Gallery as GalleryFile
from tests.campus import factories
from tests.faults import fake_vision
from tests.faults.conftest import Valkey, valkey
from tests.workers.classroom import add_photos, train_gallery
from tests.workers.test_aggregate import create_processed_recording, run_vote
from tests.workers.test_learning import fake_faces, learn, sign_off
from workers.aggregate import aggregate
from workers.erasures import erase
from workers.leased_task import run_attempt
from workers.maintenance import sweep
from workers.training import train

__all__ = ["fake_faces", "valkey"]
pytestmark = pytest.mark.django_db(transaction=True)

PERSON = {
    "number": "Q7734-81",
    "name": "Zoë Quentin-Möller",
    "surname": "Quentin-Möller",
    "email": "zoe.qm@students.example.org",
    "guardian_phone": "+49 171 5550199",
}
OTHER = "Bob Unerased"


class Elsewhere:
    """Where things may be that are in no table and no folder of files."""

    log: Path
    socket: str


@pytest.fixture(autouse=True)
def elsewhere(valkey: Valkey, tmp_path: Path, settings: Any) -> Iterator[None]:
    """A log file, and a real server for the broker's messages and the cache."""
    valkey.client.flushall()
    Elsewhere.log = tmp_path / "rollcall.log"
    Elsewhere.socket = valkey.client.connection_pool.connection_kwargs["path"]
    settings.BROKER_URL = valkey.url
    address = f"unix://{Elsewhere.socket}?db=1"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": address}}
    jobs.producer.cache_clear()
    handler = logging.FileHandler(Elsewhere.log)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield
    root.setLevel(level)
    root.removeHandler(handler)
    handler.close()
    jobs.producer.cache_clear()


@pytest.fixture
def course() -> Course:
    """A class in which somebody left all the traces that a student can leave."""
    course = factories.course(code="LAW-204")
    student = factories.student(**PERSON)
    for person, row in enumerate((student, factories.student(name=OTHER))):
        factories.enrol(course, row)
        add_photos(row, person)
    train_gallery(course)
    registrar = factories.registrar()
    lecture = run_vote(create_processed_recording(course, [[0, 1], [0, 9]])).lecture
    record = lecture.records.get(student=student)
    overrides.set_override(record=record, status="late", reason="Zoë Quentin-Möller wrote to me", user=registrar)
    sign_off(lecture)
    assert set(learn(course)) == {PERSON["name"], OTHER}
    run_vote(create_processed_recording(course, [[0, 1]]))
    write_lecture_report(lecture=lecture)
    write_register_report(course=course)
    reports().write(f"Report_for_OLD-CODE_2026_{lecture.pk}.xlsx", PERSON["name"].encode())
    day = lecture.starts_at.date()
    letter = ContentFile(b"%PDF-1.4 zoe.qm@students.example.org", "zoe.pdf")
    create_excuse(
        student=student,
        course=None,
        first_day=day,
        last_day=day,
        reason="Zoë is ill",
        user=registrar,
        document=letter,
    )
    renew_student_link(student=student, user=registrar)
    queue_email(to=PERSON["email"], event="photos", key="a", subject="Your photos", body="Hello")
    queue_email(
        to="own@example.org", event="absent", key="b", subject="Absent", body=f"{student} and {OTHER} were absent."
    )
    kind = ContentType.objects.get_for_model(Student)
    log = {"user": registrar, "content_type": kind, "object_id": student.pk, "action_flag": CHANGE}
    LogEntry.objects.create(object_repr=str(student), change_message=json.dumps([{"n": PERSON["name"]}]), **log)
    table = f"{PERSON['name']};{OTHER}".encode()
    FileImport.objects.create(
        user=registrar, kind="roster", state="ready", file=ContentFile(table, "a"), original_name="a.csv", content=table
    )
    PhotoImport.objects.create(
        user=registrar, state="done", original_name="a.zip", skipped=[["Zoë Quentin-Möller/1.jpg", PERSON["name"], ""]]
    )
    answer = IdempotencyKey(user=registrar, key="k", fingerprint="f", status=201)
    answer.save()
    answer.body = json.dumps({"name": PERSON["name"]})
    answer.save()
    guest = factories.student(name=PERSON["name"], number="guest-77", guest=True)
    factories.enrol(course, guest)
    merge_guest(guest=guest, student=student, user=registrar)
    visit_pages(registrar, student)
    return course


def visit_pages(registrar: User, student: Student) -> None:
    """Whatever pages keep for the next one has the person in it now."""
    client, lecture = Client(), student.records.first().lecture
    client.force_login(registrar)
    for address in (
        reverse("student", args=[student.pk]),
        reverse("course-students", args=[student.courses.get().pk]),
        reverse("lecture", args=[lecture.pk]),
        reverse("register", args=[lecture.course_id]),
        f"{reverse('search')}?q={PERSON['surname']}",
    ):
        assert PERSON["number"] in client.get(address).content.decode(), address


@pytest.fixture
def student(course: Course) -> Student:
    return course.students.get(number=PERSON["number"])


JOBS = ((jobs.TRAIN, train), (jobs.AGGREGATE, aggregate), (jobs.ERASE, erase))


def work(row: Erasure) -> str:
    """As workers and the sweeper would, until the erasure is done; returns its state."""
    for attempt in range(8):
        sweep()
        Erasure.objects.filter(lease_owner="").update(lease_until=None)  # a pause is over
        for job, function in JOBS:
            for waiting in job.waiting():
                if held := job.claim(waiting.pk, f"worker {attempt}"):
                    run_attempt(job, function, held)
        row.refresh_from_db()
        if row.state != "queued":
            break
    return row.state


def contents() -> Iterator[tuple[str, bytes]]:
    """All that is stored, decrypted and unpacked: the database with its free pages and its log, media, workbooks, what
    Redis holds, and the log of the program.
    """
    yield "program's log", Elsewhere.log.read_bytes()
    yield from in_redis()
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        yield "database", connection.connection.serialize()
        database = Path(connection.settings_dict["NAME"])
        for path in database.parent.glob(f"{database.name}*"):
            yield path.name, path.read_bytes()
    else:
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                cursor.execute(f'SELECT t::text FROM "{table}" t')  # noqa: S608
                yield table, "\n".join(text for (text,) in cursor.fetchall()).encode()
    for file in media().walk():
        try:
            yield file.name, read_media(file.name)
        except (DecryptionError, OSError):
            yield file.name, media().read(file.name)
    for file in reports().walk():
        content = reports().read(file.name)
        yield file.name, content
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as book:
                yield from ((f"{file.name}/{name}", book.read(name)) for name in book.namelist())
    for row in IdempotencyKey.objects.all():
        yield "answers", row.body.encode()


def in_redis() -> Iterator[tuple[str, bytes]]:
    """All keys with their values, the bodies of messages decoded."""
    for database in (0, 1):
        client: Any = redis.Redis(unix_socket_path=Elsewhere.socket, db=database)
        for key in client.scan_iter():
            values = {
                b"string": lambda client, key: [client.get(key)],
                b"list": lambda client, key: client.lrange(key, 0, -1),
                b"set": lambda client, key: client.smembers(key),
                b"zset": lambda client, key: client.zrange(key, 0, -1),
                b"hash": lambda client, key: [part for pair in client.hgetall(key).items() for part in pair],
            }
            for value in values[client.type(key)](client, key):
                yield f"redis {key!r}", key + value
                if value.startswith(b"{") and b'"body"' in value:
                    yield f"redis {key!r}", base64.b64decode(json.loads(value)["body"])


def find(*needles: bytes) -> set[str]:
    return {place for place, content in contents() for needle in needles if needle in content}


def traces(student_files: list[str]) -> set[str]:
    """Where anything names the person, or is of a face like the person's."""
    words = [word.encode() for word in PERSON.values()] + [json.dumps(PERSON["name"])[1:-1].encode()]
    found = find(*words, *(name.encode() for name in student_files), b"zoe.pdf")
    own_face = fake_vision.face(0, 1)
    for file in media().walk("galleries"):
        if (GalleryFile.from_bytes(read_media(file.name)).templates @ own_face).max() > 0.8:
            found.add(file.name)
    vectors = [row.vector for row in Embedding.objects.all()] + [row.vector for row in LectureFace.objects.all()]
    if any(np.frombuffer(bytes(vector), "<f4") @ own_face > 0.8 for vector in vectors if vector):
        found.add("embeddings")
    return found


def hashes(student: Student) -> list[str]:
    return list(FacePhoto.objects.filter(student=student).values_list("sha256", flat=True))


def test_nothing_is_left_of_an_erased_student(course: Course, student: Student) -> None:
    of_photos = hashes(student)
    before = traces(of_photos)
    assert {"embeddings", "answers"} < before
    logs = {place for place in before - {"django_admin_log"} if "log" in place or "redis" in place}
    assert not logs, "nothing ever names anybody there"
    assert list(in_redis()), "messages and cached values"
    if connection.vendor == "sqlite":
        assert Path(connection.settings_dict["NAME"]).name + "-wal" in before
    assert any(place.startswith("galleries/") for place in before)
    assert any(place.endswith("sharedStrings.xml") or "sheet" in place for place in before)
    row = erasure.request_student_erasure(student=student, user=factories.registrar())
    assert traces(of_photos) & {"embeddings"} == set(), "from the request on, nothing can recognise the student"
    assert work(row) == "done"
    assert traces(of_photos) == set()
    student.refresh_from_db()
    assert (student.number, student.name) == (f"erased-{student.pk}", f"Erased student {student.pk}")
    assert student.records.get(lecture__sign_off__isnull=False).status == "late", "that somebody came late stays"
    assert AttendanceChange.objects.filter(record__student=student).exists()
    assert any(place.startswith("LAW-204/Report_for") for place in find(OTHER.encode())), "others are not touched"
    assert {"photos": 4, "excuses": 1}.items() <= row.removed.items()
    assert row.terms == ""
    gallery = course.galleries.get(active=True)
    assert list(gallery.members.all()) == [course.students.get(name=OTHER)]
    assert not gallery.photos_deleted, "the class was trained again, without these photos"


def test_an_erasure_that_is_killed_after_each_step_ends_the_same(
    course: Course, student: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_photos, killed = hashes(student), set()

    def killed_after(name: str, step: erasure.Step) -> erasure.Step:
        def run(subject: int, terms: Any) -> int:
            removed = step(subject, terms)
            if name not in killed:
                killed.add(name)
                raise KeyboardInterrupt
            return removed

        return run

    steps = {name: killed_after(name, step) for name, step in erasure.STUDENT_STEPS.items()}
    monkeypatch.setitem(erasure.STEPS, Erasure.Kind.STUDENT, steps)
    row = erasure.request_student_erasure(student=student, user=factories.registrar())
    for attempt in range(len(steps)):
        held = jobs.ERASE.claim(row.pk, f"killed {attempt}")
        with pytest.raises(KeyboardInterrupt):
            erasure.erase(erasure=held)
        Erasure.objects.filter(pk=row.pk).update(lease_owner="", lease_until=None, attempts=0)
    assert killed == set(steps)
    assert work(row) == "done"
    assert traces(of_photos) == set()
    student.refresh_from_db()
    assert student.records.get(lecture__sign_off__isnull=False).status == "late"


def test_what_is_in_work_meanwhile_brings_nobody_back(course: Course, student: Student) -> None:
    of_photos = hashes(student)
    recording = create_processed_recording(course, [[0, 1]])
    training = jobs.TRAIN.claim(services.request_training(course=course).pk, "slow")
    row = erasure.request_student_erasure(student=student, user=factories.registrar())
    held = jobs.ERASE.claim(row.pk, "early")
    run_attempt(jobs.ERASE, erase, held)
    row.refresh_from_db()
    assert row.state == "queued", "it waits for them"
    run_vote(recording)
    Gallery.objects.filter(pk=training.pk).update(lease_until=None, lease_owner="")
    assert work(row) == "done"
    recording.refresh_from_db()
    assert recording.state == "done"
    assert traces(of_photos) == set()


def test_two_people_at_once(course: Course, student: Student) -> None:
    other = course.students.get(name=OTHER)
    of_photos = hashes(student)
    registrar = factories.registrar()
    rows = [erasure.request_student_erasure(student=person, user=registrar) for person in (student, other)]
    assert erasure.request_student_erasure(student=student, user=registrar) == rows[0], "asked for twice, done once"
    claimed = [jobs.ERASE.claim(row.pk, f"worker {row.pk}") for row in rows]

    def run(held: Erasure) -> None:
        try:
            run_attempt(jobs.ERASE, erase, held)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(held,)) for held in claimed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [work(row) for row in rows] == ["done", "done"]
    assert traces(of_photos) == set() == find(OTHER.encode())
    assert not list(media().walk("galleries")), "nobody is left whom the class could recognise"


def test_a_student_who_was_never_counted_is_gone_as_a_row(course: Course) -> None:
    student = factories.student(**PERSON | {"number": "Q1", "email": "q@example.org"})
    row = erasure.request_student_erasure(student=student, user=factories.registrar())
    assert work(row) == "done"
    assert not Student.objects.filter(pk=student.pk).exists()


def test_a_class_is_erased_with_all_that_was_done_in_it(course: Course, student: Student) -> None:
    upload = create_upload(
        lecture=course.lectures.first(), user=factories.registrar(), name="late.mp4", size=10**6, sha256=""
    )
    part_path(upload).parent.mkdir(parents=True, exist_ok=True)
    part_path(upload).write_bytes(b"half")
    row = erasure.request_course_erasure(course=course, user=factories.registrar())
    assert not Upload.objects.exists(), "from the request on nobody can send more of it"
    assert not part_path(upload).exists()
    assert work(row) == "done"
    assert not Course.objects.exists()
    assert not Report.objects.exists()
    assert not list(reports().walk())
    kept = {file.name.split("/")[0] for file in media().walk()}
    assert not kept & {"recordings", "galleries", "tracks", "snapshots"}
    assert find(b"LAW-204") == set()
    assert Student.objects.count() == 2, "its students are in other classes too"


def test_only_registrars_erase(course: Course, student: Student) -> None:
    with pytest.raises(PermissionDenied):
        erasure.request_student_erasure(student=student, user=factories.person(Role.LECTURER))
    with pytest.raises(PermissionDenied):
        erasure.request_course_erasure(course=course, user=factories.person(Role.LECTURER))
    assert not Erasure.objects.exists()


def test_nothing_is_left_of_a_deleted_photo(course: Course, student: Student) -> None:
    photo = student.photos.first()
    content, before = photo.file.read(), {file.name for file in media().walk("galleries")}
    services.delete_photo(photo=photo)
    train_gallery(course)
    clean_database()  # its own log would forget a little later
    assert find(photo.sha256.encode(), content) == set()
    assert not [file.name for file in media().walk() if str(photo.pk) in file.name]
    assert not before & {file.name for file in media().walk("galleries")}, "no gallery that was made of it is left"


def test_nothing_is_left_of_a_deleted_recording(course: Course) -> None:
    recording = course.lectures.first().recordings.get()
    content, crops = recording.file.read(), list(recording.sightings.values_list("crops", flat=True))
    remove_recording(recording=recording, user=factories.registrar())
    clean_database()
    assert find(recording.sha256.encode(), content) == set()
    names = [crop["file"].encode() for row in crops for crop in row]
    assert names
    assert find(*names) == set()
    assert not [file.name for file in media().walk() if str(recording.pk) in file.name]
