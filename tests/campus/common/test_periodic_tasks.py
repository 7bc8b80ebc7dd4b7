"""When the program's regular work runs, as people set it in the admin."""

from datetime import time

import pytest
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

from campus.accounts.roles import Role
from campus.common.periodic_tasks import (
    COLLECT_FOOTAGE,
    SEND_WEEKLY_REGISTERS,
    SWEEP,
    WAKE_DELIVERIES,
    interval_minutes,
    scheduled_time,
)
from tests.campus import factories

pytestmark = pytest.mark.django_db

LIST = "admin:django_celery_beat_periodictask_changelist"


@pytest.fixture
def registrar() -> Client:
    client = Client()
    client.force_login(factories.registrar())
    return client


@pytest.fixture
def footage() -> PeriodicTask:
    every = IntervalSchedule.objects.create(every=60, period="seconds")
    PeriodicTask.objects.create(name=SWEEP.name, task=SWEEP.task, interval=every)
    PeriodicTask.objects.create(name=WAKE_DELIVERIES.name, task=WAKE_DELIVERIES.task, interval=every)
    return PeriodicTask.objects.create(name=COLLECT_FOOTAGE.name, task=COLLECT_FOOTAGE.task, interval=every)


@pytest.fixture
def week() -> PeriodicTask:
    return PeriodicTask.objects.create(
        name=SEND_WEEKLY_REGISTERS.name,
        task=SEND_WEEKLY_REGISTERS.task,
        crontab=CrontabSchedule.objects.create(hour="6", minute="30"),
    )


def page(task: PeriodicTask) -> str:
    return reverse("admin:django_celery_beat_periodictask_change", args=[task.pk])


def test_the_list_says_what_runs_when(registrar: Client, footage: PeriodicTask, week: PeriodicTask) -> None:
    shown = registrar.get(reverse(LIST)).content.decode()
    assert "Check for lecture footage" in shown
    assert "every minute" in shown
    assert "every day, 06:30" in shown
    assert "sweep" not in shown


def test_a_pause_is_changed_for_one_thing_alone_and_noticed(registrar: Client, footage: PeriodicTask) -> None:
    PeriodicTasks.objects.all().delete()
    assert registrar.post(page(footage), {"every": "15", "enabled": "on"}).status_code == 302
    footage.refresh_from_db()
    assert (interval_minutes(footage), footage.enabled, footage.task) == (15, True, COLLECT_FOOTAGE.task)
    assert interval_minutes(PeriodicTask.objects.get(name=WAKE_DELIVERIES.name)) == 1
    assert PeriodicTasks.last_change(), "the scheduler looks whether this changes"
    registrar.post(page(footage), {"every": "15"})
    footage.refresh_from_db()
    assert not footage.enabled


def test_a_time_of_the_week_is_changed(registrar: Client, week: PeriodicTask) -> None:
    assert registrar.post(page(week), {"at": "18:45", "days": ["0", "6"], "enabled": "on"}).status_code == 302
    week.refresh_from_db()
    assert scheduled_time(week) == (time(18, 45), [0, 6])
    assert (week.crontab.day_of_week, str(week.crontab.timezone)) == ("0,1", "UTC")


@pytest.mark.parametrize(("field", "value"), [("every", "0"), ("every", "99999"), ("every", "")])
def test_a_pause_has_bounds(registrar: Client, footage: PeriodicTask, field: str, value: str) -> None:
    assert registrar.post(page(footage), {field: value, "enabled": "on"}).status_code == 200
    footage.refresh_from_db()
    assert interval_minutes(footage) == 1


def test_nobody_adds_or_deletes_and_auditors_only_look(
    registrar: Client, footage: PeriodicTask, week: PeriodicTask
) -> None:
    assert registrar.get(reverse("admin:django_celery_beat_periodictask_add")).status_code == 403
    assert (
        registrar.post(
            reverse("admin:django_celery_beat_periodictask_delete", args=[footage.pk]), {"post": "yes"}
        ).status_code
        == 403
    )
    auditor = Client()
    auditor.force_login(factories.person(Role.AUDITOR))
    for task in (footage, week):
        assert auditor.get(page(task)).status_code == 200
        assert auditor.post(page(task), {"every": "15", "enabled": "on"}).status_code == 403
