"""What the small program that Rollcall grew out of got wrong and no other test here asks.

Elsewhere: a stranger makes nobody present (recognition/test_voting), a face at the border stops nobody else
(recognition/test_detector), open routes, open redirect, logout by GET, self-registration, an upload that was never
kept, keys and debug mode in the code (campus/test_web_*), fixed standardisation (recognition/test_embedders_facenet).
"""

from pathlib import Path

import numpy as np
import openpyxl
import pytest
from django.conf import settings
from PIL import Image

from campus.attendance.reports import write_recording_report
from recognition.embedding import load_embedder
from recognition.identification.gallery import train_gallery
from recognition.media.video import probe
from recognition.pipeline import check_enrolment_photo, process_segment
from recognition.types import Segment
from tests.campus import factories
from tests.recognition.people import embeddings_of


@pytest.mark.django_db
def test_students_are_of_a_class_and_a_class_has_any_number_of_them() -> None:
    shared = factories.student()
    one, two = factories.course(students=7), factories.course(students=2)
    for course in (one, two):
        factories.enrol(course, shared)
    assert (one.students.count(), two.students.count()) == (8, 3)
    assert set(shared.courses.all()) == {one, two}


@pytest.mark.django_db
def test_namesakes_siblings_and_a_coordinator_of_two_classes_are_people_like_all() -> None:
    a = factories.student(name="Maria Garcia", number="007", guardian_phone="+34 600 100 200")
    b = factories.student(name="Maria Garcia", number="07", guardian_phone="+34 600 100 200")
    for code in ("A1", "A2"):
        factories.course(code=code, coordinator_name="Dr Who", coordinator_email="who@example.org")
    for row in (a, b):
        row.refresh_from_db()
    assert (a.number, b.number, a.guardian_phone) == ("007", "07", "+34 600 100 200")


def test_a_new_student_without_photos_shifts_nobody_s_name() -> None:
    photos = {name: list(embeddings_of(i, 6)) for i, name in enumerate(("berta", "carl", "dora"))}
    before, after = train_gallery(photos, "dlib-resnet-v1"), train_gallery({"anna": [], **photos}, "dlib-resnet-v1")
    asked = embeddings_of(1, 1, seed=9)
    assert (
        before.labels[int(before.scores(asked).argmax())] == after.labels[int(after.scores(asked).argmax())] == "carl"
    )


def test_enrolment_and_recognition_see_a_face_alike_and_in_colour(shared_data: Path, tmp_path: Path) -> None:
    embedder = load_embedder()
    path = shared_data / "people" / "Tony_Blair" / "3.jpg"
    enrolled = check_enrolment_photo(path, embedder).embedding
    tracks = process_segment(path, probe(path), Segment(0, 0.0, 0.0), embedder).tracks
    assert enrolled is not None
    assert max(float(enrolled @ track.embeddings[0]) for track in tracks) == pytest.approx(1, abs=0.02)
    Image.open(path).convert("L").save(tmp_path / "grey.jpg", quality=95)
    grey = check_enrolment_photo(tmp_path / "grey.jpg", embedder).embedding
    assert grey is not None
    assert np.linalg.norm(grey - enrolled) > 0.01


@pytest.mark.django_db
def test_the_workbook_has_a_header_numbers_this_class_only_and_a_name_of_its_own() -> None:
    lecture = factories.lecture(factories.course(students=3))
    factories.course(students=4)
    names = []
    for _ in range(2):
        recording = factories.records(lecture, coverage=1.0)
        names.append(write_recording_report(recording=recording).file_name)
    assert len(set(names)) == 2
    rows = list(openpyxl.load_workbook(settings.REPORTS_DIR / names[0])["Attendance"].iter_rows(values_only=True))
    assert rows[0][:3] == ("Number", "Name", "Status")
    assert sorted(str(row[0]) for row in rows[1:]) == sorted(lecture.course.students.values_list("number", flat=True))
