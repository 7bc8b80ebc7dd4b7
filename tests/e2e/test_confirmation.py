"""Doubtful faces by keyboard, and the moment as a video that plays."""

from pathlib import Path

import numpy as np
from django.core.files.base import ContentFile
from django.urls import reverse
from playwright.sync_api import Page, expect

from campus.attendance.annotated_videos import dump_paths, store_face_paths
from campus.attendance.models import AnnotatedVideo, Sighting
from campus.attendance.proposals import recount_lecture
from campus.common import jobs
from campus.recordings.models import Recording
from recognition.media.video import probe
from recognition.types import Attendance, Presence
from tests.campus import factories
from tests.campus.conftest import World
from tests.e2e.conftest import SignIn, sees
from tests.recognition import people, video_files
from workers.annotate import annotate
from workers.leased_task import run_attempt


def asks(page: Page, *texts: str) -> None:
    """The question can be read, and the page knows its keys."""
    sees(page, *texts)
    page.wait_for_load_state()


def test_keys_answer_and_the_moment_plays(page: Page, world: World, sign_in: SignIn, tmp_path: Path):
    path = video_files.video(tmp_path / "lecture.mp4", seconds=12, size=(640, 360))
    info = probe(path)
    Recording.objects.filter(pk=world.recording.pk).update(info=info.to_json(), duration=info.duration)
    recording = Recording.objects.get(pk=world.recording.pk)
    recording.file.save("lecture.mp4", ContentFile(path.read_bytes()))
    students = [factories.student(name=name) for name in ("Zoe Adams", "Yan Baker", "Xi Carter")]
    crops = [{**world.sighting.crops[0], "time": 4.0}]
    for student in students:
        factories.enrol(world.course, student)
        Sighting.objects.create(
            recording=recording, student=student, present=False, to_confirm=True, crops=crops, intervals=[[0, 900]]
        )
    recount_lecture(lecture=world.lecture)
    track = people.track(0, np.arange(0.0, 12.0, 2.0))
    attendance = Attendance(12.0, (Presence(label=str(students[0].pk), present=False, tracks=(track,)),), ())
    store_face_paths(recording=recording, paths=dump_paths(results=[people.result(track)], attendance=attendance))
    sign_in(world.own)

    page.goto(reverse("lecture", args=[world.lecture.pk]))
    page.get_by_role("link", name="One after the other").click()
    asks(page, "Is this Zoe Adams?", "3 to confirm")
    page.keyboard.press(" ")
    asks(page, "Is this Yan Baker?")
    page.keyboard.press("n")
    asks(page, "Is this Xi Carter?", "2 to confirm")
    page.keyboard.press("y")
    asks(page, "Is this Zoe Adams?", "1 to confirm")

    with page.context.expect_page() as opened:
        page.keyboard.press("v")
    watched = opened.value
    sees(watched, "Boxes and names are being drawn.")
    video = AnnotatedVideo.objects.get()
    run_attempt(jobs.ANNOTATE, annotate, jobs.ANNOTATE.claim(video.pk, "me"))
    player = watched.locator("video")
    expect(player).to_be_visible()
    watched.wait_for_function("() => document.querySelector('video').currentTime > 0.2")
    assert player.evaluate("video => [video.videoWidth, video.videoHeight, Math.round(video.duration)]") == [
        640,
        360,
        9,
    ]
    player.evaluate("video => { video.currentTime = 7 }")
    watched.wait_for_function("() => document.querySelector('video').currentTime > 7.1")

    page.keyboard.press("y")
    sees(page, "Zoe Adams: present.")
    decided = world.lecture.records.filter(student__in=students).values_list("student", "override_status")
    assert dict(decided) == dict(zip([one.pk for one in students], ("present", "absent", "present"), strict=True))
