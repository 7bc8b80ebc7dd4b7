"""The progress of a recording as server-sent events."""

import json
import threading
from collections.abc import Generator
from typing import cast

import pytest
from django.test import Client
from django.urls import reverse

from campus.api.views import events
from campus.common import cache as sharing
from campus.recordings.models import Recording
from tests.campus import factories
from tests.campus.conftest import World


@pytest.fixture
def work(world: World, monkeypatch) -> Recording:
    monkeypatch.setattr(events, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(events, "MAX_STREAM_SECONDS", 0.05)
    monkeypatch.setattr(sharing, "REFRESH_SECONDS", 0)
    return factories.planned(world.lecture, segments=2)


def follow(client: Client, recording: Recording, last: str = ""):
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
    return client.get(reverse("api-recording-events", args=[recording.pk]), headers=headers)


def told(answer) -> list[tuple[str, dict]]:
    blocks = b"".join(answer.streaming_content).decode().split("\n\n")
    fields = [
        dict(line.split(": ", 1) for line in block.splitlines())
        for block in blocks
        if block.startswith("event: progress")
    ]
    return [(block["id"], json.loads(block["data"])) for block in fields]


def test_what_is_new_is_told_once(client: Client, world: World, work: Recording):
    client.force_login(world.own)
    answer = follow(client, work)
    assert answer["Content-Type"].startswith("text/event-stream")
    ((first, data),) = told(answer)
    assert (data["state"], data["share"]) == ("processing", 0)
    assert told(follow(client, work, first)) == []
    work.segments.filter(index=0).update(state="done", progress=1, faces=3, recognised_students=[world.student.pk])
    ((second, data),) = told(follow(client, work, first))
    assert (data["faces"], [student["name"] for student in data["recognised_students"]]) == (3, [world.student.name])
    Recording.objects.filter(pk=work.pk).update(state="done")
    ((third, data),) = told(follow(client, work, second))
    assert data["state"] == "done"
    assert follow(client, work, third).status_code == 204, "which tells an EventSource not to come again"


def test_with_all_streams_taken_there_is_what_is_known_now(client: Client, world: World, work: Recording, monkeypatch):
    monkeypatch.setattr(events, "STREAMS", threading.BoundedSemaphore(1))
    monkeypatch.setattr(events, "MAX_STREAM_SECONDS", 3600)
    client.force_login(world.own)
    held = events.stream(world.own, work.pk, "")
    next(held)
    next(held)  # it has its place now
    assert len(told(follow(client, work))) == 1
    cast(Generator[str], held).close()
    monkeypatch.setattr(events, "MAX_STREAM_SECONDS", 0.05)
    assert len(told(follow(client, work))) == 1
    assert events.STREAMS.acquire(blocking=False), "who goes away gives the place back"


def test_who_may_not_see_the_recording_hears_nothing(client: Client, world: World, work: Recording):
    assert follow(client, work).status_code == 401
    client.force_login(world.other)
    assert follow(client, work).status_code == 404


def test_a_lecturer_who_no_longer_teaches_the_class_hears_no_more(client: Client, world: World, work: Recording):
    client.force_login(world.own)
    answer = follow(client, work)
    world.course.lecturers.clear()
    assert told(answer) == []
