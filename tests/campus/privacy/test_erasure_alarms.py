"""An erasure that is not done within the hour, or has failed, has an alarm until it is done or repeated."""

from datetime import timedelta

import pytest
from django.utils import timezone

from campus.cctv.models import Alarm
from campus.operations.checks import State, check_erasures
from campus.operations.metrics import render_metrics
from campus.outbox.models import Delivery
from campus.privacy.erasure import request_student_erasure
from campus.privacy.models import Erasure
from recognition.messages import Message
from tests.campus import factories
from workers.periodic import check_alarms

pytestmark = pytest.mark.django_db


def is_on() -> bool:
    check_alarms()
    finding = check_erasures()
    is_on = Alarm.objects.filter(kind=Alarm.Kind.ERASURE, ended_at=None).exists()
    assert (finding.state == State.PROBLEM) == is_on
    assert f'rollcall_alarms{{kind="erasure"}} {float(is_on)}' in render_metrics().decode()
    return is_on


def test_an_erasure_that_is_late_or_failed_has_an_alarm():
    registrar = factories.registrar(email="registrar@example.org")
    student = factories.student(name="Ann Lee", number="123456")
    erasure = request_student_erasure(student=student, user=registrar)
    rows = Erasure.objects.filter(pk=erasure.pk)
    assert not is_on()
    rows.update(created_at=timezone.now() - timedelta(minutes=61))
    assert is_on()
    message = Delivery.objects.get(event="footage.alarm")
    assert (message.to, message.subject) == ("registrar@example.org", "Rollcall: something needs attention")
    assert "An erasure has not been finished" in message.body
    assert "Ann" not in message.body + message.subject
    rows.update(state=Erasure.State.DONE)
    assert not is_on()
    rows.update(state=Erasure.State.FAILED, error=Message("The disk is gone."))
    assert is_on()
    assert "The disk is gone." in str(Alarm.objects.get(ended_at=None).text)
    request_student_erasure(student=student, user=registrar)
    assert not is_on(), "it was requested again"
