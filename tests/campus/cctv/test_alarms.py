"""Alarms: one notification when something stops, and one when it has ended."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from campus.cctv.alarms import update_alarms
from campus.cctv.models import Alarm, Camera, Collection, Source
from campus.common.periodic_tasks import SWEEP
from campus.outbox.models import Delivery, Webhook
from campus.recordings.models import Recording
from recognition.messages import Message
from tests.campus import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def registrar() -> None:
    factories.registrar(email="registrar@example.org")


@pytest.fixture
def camera() -> Camera:
    """Of a source that is scanned and has files."""
    camera = factories.camera("B 12")
    Source.objects.update(
        last_checked_at=timezone.now(), last_new_file_at=timezone.now(), created_at=timezone.now() - timedelta(days=30)
    )
    return camera


def active_kinds() -> list[str]:
    update_alarms()
    update_alarms()
    return sorted(Alarm.objects.filter(ended_at=None).values_list("kind", flat=True))


def subjects() -> list[str]:
    return list(Delivery.objects.filter(event="footage.alarm").order_by("created_at").values_list("subject", flat=True))


def counted(
    camera: Camera, days_ago: int, *, faces: int = 5, light: float | None = 0.5, motion: float | None = 0.02
) -> Recording:
    """A lecture that was counted by the camera."""
    lecture = factories.lecture(room="B 12", starts_at=timezone.now() - timedelta(days=days_ago))
    recording = factories.planned(lecture, camera=camera, state=Recording.State.DONE, file="")
    recording.segments.update(state="done", faces=faces, light=light, motion=motion)
    return recording


def test_without_problems_there_is_no_alarm(camera: Camera) -> None:
    for day in (3, 2, 1):
        counted(camera, day)
    assert active_kinds() == []
    assert subjects() == []


def test_an_unreachable_source_notifies_once_and_again_when_it_has_ended(camera: Camera) -> None:
    hook = Webhook.objects.create(url="https://example.org/hook")
    Source.objects.update(last_checked_at=timezone.now() - timedelta(minutes=29))
    assert active_kinds() == []
    Source.objects.update(
        last_checked_at=timezone.now() - timedelta(minutes=36), error=Message("The server does not answer.")
    )
    assert active_kinds() == ["unreachable"]
    assert subjects() == ["Rollcall: something needs attention"]
    assert "The server does not answer." in Delivery.objects.get(event="footage.alarm").body
    Source.objects.update(last_checked_at=timezone.now(), error="")
    assert active_kinds() == []
    assert subjects() == ["Rollcall: something needs attention", "Rollcall: working again"]
    assert list(hook.deliveries.order_by("created_at").values_list("event", flat=True)) == [
        "alarm.started",
        "alarm.ended",
    ]
    Source.objects.update(last_checked_at=timezone.now() - timedelta(hours=2))
    assert active_kinds() == ["unreachable"]
    assert len(subjects()) == 3, "a second time is news"


def test_a_source_without_files_of_two_lectures(camera: Camera) -> None:
    for day in (2, 1):
        lecture = factories.lecture(room="b 12", starts_at=timezone.now() - timedelta(days=day))
        Collection.objects.create(
            lecture=lecture, next_check_at=lecture.ends_at, deadline_at=lecture.ends_at, state="missing"
        )
    Source.objects.update(last_new_file_at=timezone.now() - timedelta(days=1, hours=12))
    assert active_kinds() == [], "of one of them it brought something"
    Source.objects.update(last_new_file_at=timezone.now() - timedelta(days=3))
    assert active_kinds() == ["silent"]
    Source.objects.update(enabled=False)
    assert active_kinds() == []


def test_a_job_that_waits_for_more_than_an_hour(camera: Camera) -> None:
    recording = factories.planned()
    recording.segments.update(published_at=timezone.now() - timedelta(minutes=59))
    assert active_kinds() == []
    recording.segments.filter(index=0).update(published_at=timezone.now() - timedelta(minutes=61))
    assert active_kinds() == ["queue"]
    assert "vision" in str(Alarm.objects.get().text)
    recording.segments.filter(index=0).update(lease_until=timezone.now() + timedelta(minutes=1))
    assert active_kinds() == []


@pytest.mark.parametrize(
    ("facts", "kind"),
    [({"faces": 0, "light": 0.01, "motion": 0.0}, "dark"), ({"faces": 3, "light": 0.4, "motion": 0.0001}, "frozen")],
)
def test_a_black_or_frozen_camera_raises_an_alarm(camera: Camera, facts: dict[str, Any], kind: str) -> None:
    counted(camera, 3)
    counted(camera, 2, **facts)
    assert active_kinds() == [kind]
    counted(camera, 1)
    assert active_kinds() == []


def test_a_camera_without_a_face_in_three_lectures(camera: Camera) -> None:
    counted(camera, 4)
    counted(camera, 3, faces=0)
    counted(camera, 2, faces=0)
    assert active_kinds() == []
    counted(camera, 1, faces=0)
    assert active_kinds() == ["faceless"]
    assert "turned away" in str(Alarm.objects.get().text)


def test_missing_measurements_raise_no_alarm(camera: Camera) -> None:
    counted(camera, 1, light=None, motion=None)
    assert active_kinds() == []


def test_external_monitoring_sees_what_has_stopped(camera: Camera, client: Client) -> None:
    def said() -> tuple[int, list[str]]:
        cache.clear()
        answer = client.get(reverse("health"))
        return answer.status_code, answer.json()["stopped"]

    assert said() == (503, ["scheduler"])
    every = IntervalSchedule.objects.create(every=15, period="seconds")
    PeriodicTask.objects.create(name=SWEEP.name, task=SWEEP.task, interval=every, last_run_at=timezone.now())
    assert said() == (200, [])
    factories.planned().segments.update(published_at=timezone.now() - timedelta(hours=2))
    Source.objects.update(last_checked_at=timezone.now() - timedelta(hours=2))
    assert said() == (503, [f"unreachable:{camera.source_id}", "queue:vision"])
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(minutes=11))
    assert said()[1][0] == "scheduler"
