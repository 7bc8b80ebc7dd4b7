"""What an erasure takes: `python -m benchmarks.erasure`.

Fills a database of its own with a class of 200 students, three photos each, that has held 30 lectures with recordings
and workbooks, and a gallery; erases a student, and prints the seconds, those of the processor and the statements of
each step. A training of the class, which an erasure waits for, is not counted.
"""

import os
import shutil
import time
from typing import Any
from unittest import mock

from benchmarks.versus import REPOSITORY

STUDENTS, LECTURES, PHOTOS, CROPS = 200, 30, 3, 3


def fill_database() -> Any:
    import numpy as np

    from campus.accounts.institution import save_institution
    from campus.attendance.models import Sighting
    from campus.attendance.proposals import recount_lecture
    from campus.attendance.reports import write_lecture_report, write_recording_report, write_register_report
    from campus.biometrics.models import Embedding
    from campus.common.storage import write_media
    from tests.campus import factories

    save_institution(legal_basis="other")
    course = factories.course(students=STUDENTS)
    students = list(course.students.order_by("pk"))
    picture = os.urandom(8000)
    for student in students:
        for vector in np.random.default_rng(student.pk).normal(size=(PHOTOS, 128)).astype("<f4"):
            photo = factories.photo(student)
            Embedding.objects.create(photo=photo, embedder="dlib-resnet-v1", vector=vector.tobytes())
    for _ in range(LECTURES):
        recording = factories.records(factories.lecture(course))
        for sighting in Sighting.objects.filter(recording=recording):
            names = [f"crops/{recording.pk}/{sighting.student_id}-{n}.jpg" for n in range(CROPS)]
            for name in names:
                write_media(name, picture)
            sighting.crops = [{"file": name, "time": 1.0, "quality": 0.5, "box": [0, 0, 1, 1]} for name in names]
            sighting.present, sighting.seconds, sighting.share = True, 3000.0, 0.9
            sighting.intervals = [[0, 5400]]
            sighting.save()
        recount_lecture(lecture=recording.lecture)
        write_recording_report(recording=recording)
        write_lecture_report(lecture=recording.lecture)
    write_register_report(course=course)
    _train(course)
    return course


def _train(course: Any) -> None:
    from campus.biometrics.services import request_training
    from campus.common import jobs
    from workers.training import train

    train(jobs.TRAIN.claim(request_training(course=course).pk, "benchmark"))


def main() -> None:
    var = REPOSITORY / "var" / "bench" / "erasure"
    shutil.rmtree(var, ignore_errors=True)
    os.environ |= {
        "ROLLCALL_DATA_DIR": str(var),
        "ROLLCALL_REPORTS_DIR": str(var / "Reports"),
        "DJANGO_SETTINGS_MODULE": "campus.settings.dev",
        "ROLLCALL_LOG_LEVEL": "ERROR",
        "ROLLCALL_REDIS_URL": "memory://",
    }
    from deploy.local import prepare_database

    prepare_database()
    from django.db import connection, reset_queries
    from django.test.utils import CaptureQueriesContext

    from campus.common import jobs
    from campus.privacy import erasure, erasure_steps
    from tests.campus import factories

    began = time.perf_counter()
    course = fill_database()
    print(f"filled in {time.perf_counter() - began:.0f} s")
    rows: list[tuple[str, float, float, int]] = []

    def measured(name: str, step: Any) -> Any:
        def run(*arguments: Any, **options: Any) -> Any:
            reset_queries()
            began, processor = time.perf_counter(), time.process_time()
            with CaptureQueriesContext(connection) as queries:
                result = step(*arguments, **options)
            rows.append((name, time.perf_counter() - began, time.process_time() - processor, len(queries)))
            return result

        return run

    steps = {name: measured(name, step) for name, step in erasure.STUDENT_STEPS.items()}
    student, write_workbooks = course.students.first(), erasure_steps.write_workbooks
    writing = mock.patch.object(erasure_steps, "write_workbooks", measured("writing workbooks", write_workbooks))
    with writing, mock.patch.dict(erasure.STEPS, {"student": steps}):
        row = measured("the request", erasure.request_student_erasure)(student=student, user=factories.registrar())
        held: Any = jobs.ERASE.claim(row.pk, "benchmark")
        try:
            erasure.erase(erasure=held)
        except jobs.Postponed:
            _train(course)
            measured("after the training", erasure.erase)(erasure=held)
    for name, seconds, processor, queries in [
        *rows,
        ("together", *(sum(column) for column in zip(*(r[1:] for r in rows), strict=True))),
    ]:
        print(f"{seconds:7.2f} s {processor:7.2f} s of the processor {queries:6} statements  {name}")


if __name__ == "__main__":
    main()
