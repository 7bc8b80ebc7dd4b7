"""Any interleaving of messages, claims, finishes, failures, interruptions, expired leases, cancellations, and of
workers that vanish, does every segment once, in a window that is never exceeded, and ends in one vote a recording.
"""

from collections.abc import Iterable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.conf import settings as settings_of_django
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from campus.common import jobs
from campus.monitoring.models import Worker
from campus.monitoring.workers import forget_gone_workers, note_heartbeat
from campus.recordings.models import Recording, Segment
from campus.recordings.segment_turns import publish_due_segments, segments_at_work, window
from campus.recordings.services import cancel_recording, finish_segment, start_due_votes
from recognition.messages import Message
from tests.campus import factories
from workers.maintenance import fail_exhausted_jobs, publish_lost_jobs

RECORDINGS, SEGMENTS = 3, 3
RECORDING = st.integers(0, RECORDINGS - 1)
INDEX = st.integers(0, SEGMENTS - 1)
WORKERS = ("one", "two")
MAX_WINDOW = 2 * len(WORKERS)

queue: list[int] = []  # the ids of the segments whose messages are under way
turns = count()


def publish(job: jobs.Job, pks: Iterable[Any]) -> int:
    """By a clock of which no two messages have the same time, so that each run of an example is the same."""
    sent = sorted(pks)
    for pk in sent:
        job.waiting().filter(pk=pk).update(published_at=factories.STARTS + timedelta(milliseconds=next(turns)))
    if job is jobs.RECOGNISE:
        queue.extend(sent)
    return len(sent)


class RecordingsMachine(RuleBasedStateMachine):
    """Attempts and messages are never forgotten, so that each of them can come back as a zombie."""

    def __init__(self) -> None:
        super().__init__()
        queue.clear()
        self.recordings = [
            factories.planned(segments=SEGMENTS, uploaded_by=factories.user()) for _ in range(RECORDINGS)
        ]
        self.old_messages: list[int] = []
        self.stray_claims = 0
        self.attempts: list[Any] = []
        self.votes: list[Any] = []
        self.results: dict[int, str] = {}
        self.cancelled: set[Any] = set()
        self.started_votes = dict.fromkeys((row.pk for row in self.recordings), 0)
        self.finished_votes = dict.fromkeys((row.pk for row in self.recordings), 0)

    def segments(self) -> Any:
        return Segment.objects.filter(recording__in=self.recordings)

    def publish_next(self) -> None:
        """As whoever ends a segment, or the sweeper."""
        before = segments_at_work().count()
        published = publish_due_segments()
        assert segments_at_work().count() == before + published
        assert not published or before + published <= window()

    def start_votes(self) -> None:
        for recording in self.recordings:
            self.started_votes[recording.pk] += start_due_votes(recording_id=recording.pk)

    def note_finish(self, attempt: Segment, done: bool) -> None:
        if done:
            assert attempt.pk not in self.results, "a segment is finished once"
            self.results[attempt.pk] = attempt.lease_owner

    def claim(self, pk: int) -> None:
        is_stray = self.segments().filter(pk=pk, published_at=None, state="pending").exists()
        owner = f"{WORKERS[len(self.attempts) % len(WORKERS)]}-1-{len(self.attempts)}"
        row = jobs.RECOGNISE.claim(pk, owner)
        if row:
            self.attempts.append(row)
            self.stray_claims += is_stray

    @precondition(lambda _self: bool(queue))
    @rule()
    def deliver_message(self) -> None:
        self.old_messages.append(queue.pop(0))
        self.claim(self.old_messages[-1])

    @precondition(lambda self: self.old_messages)
    @rule(data=st.data())
    def repeat_message(self, data: st.DataObject) -> None:
        self.claim(data.draw(st.sampled_from(self.old_messages)))

    @precondition(lambda _self: bool(queue))
    @rule(data=st.data())
    def lose_message(self, data: st.DataObject) -> None:
        queue.remove(data.draw(st.sampled_from(queue)))

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), way=st.sampled_from(["finish", "finish and die", "fail", "release"]))
    def end_attempt(self, data: st.DataObject, way: str) -> None:
        attempt = data.draw(st.sampled_from(self.attempts))
        if way == "release":
            jobs.release(attempt, Message("try again"), "")
        elif way == "fail":
            self.note_finish(attempt, jobs.RECOGNISE.fail(attempt, Message("damaged"), ""))
        else:
            self.note_finish(attempt, finish_segment(segment=attempt, result=attempt.lease_owner, faces=1, tracks=1))
        if way != "finish and die":
            self.publish_next()
            self.start_votes()

    @precondition(lambda self: self.attempts)
    @rule(data=st.data())
    def interrupt_attempt(self, data: st.DataObject) -> None:
        """The attempt's machine fails, and gives the row back."""
        attempt = data.draw(st.sampled_from(self.attempts))
        before = self.segments().filter(pk=attempt.pk).first()
        if jobs.interrupt(attempt, Message("The disk is full."), ""):
            after = self.segments().get(pk=attempt.pk)
            assert (after.attempts, after.interruptions) == (before.attempts - 1, before.interruptions + 1)
            assert not after.is_running
            self.publish_next()

    @rule(worker=st.sampled_from(WORKERS))
    def hear_of_worker(self, worker: str) -> None:
        note_heartbeat(worker=worker, name=worker, queues=["vision"])

    @rule(worker=st.sampled_from(WORKERS))
    def lose_worker(self, worker: str) -> None:
        """It is not heard of any more: nothing is left of its leases, and its attempts do not count."""
        note_heartbeat(worker=worker, name=worker, queues=["vision"])
        Worker.objects.filter(pk=worker).update(seen_at=timezone.now() - timedelta(days=1))
        forget_gone_workers()
        assert not Worker.objects.filter(pk=worker).exists()
        assert not self.segments().filter(lease_owner__startswith=f"{worker}-", state="pending").exists()

    @rule(worker=st.sampled_from(WORKERS))
    def kill_child(self, worker: str) -> None:
        jobs.end_leases(f"{worker}-1-", count_attempts=True)
        assert not self.segments().filter(lease_owner__startswith=f"{worker}-", state="pending").exists()

    @rule(recording=RECORDING, index=INDEX)
    def expire_lease(self, recording: int, index: int) -> None:
        past = timezone.now() - timedelta(seconds=1)
        segments = self.recordings[recording].segments.filter(index=index)
        segments.filter(lease_until__isnull=False).update(lease_until=past)

    @rule()
    def expire_votes(self) -> None:
        past = timezone.now() - timedelta(seconds=1)
        pks = [recording.pk for recording in self.recordings]
        Recording.objects.filter(pk__in=pks, lease_until__isnull=False).update(lease_until=past, attempts=0)

    @rule(recording=RECORDING)
    def cancel(self, recording: int) -> None:
        row = self.recordings[recording]
        if len(self.cancelled) < RECORDINGS - 1 and Recording.objects.filter(pk=row.pk, state="processing").exists():
            cancel_recording(recording=row, user=None)
            self.cancelled.add(row.pk)
            self.publish_next()

    @rule()
    def sweep(self) -> None:
        fail_exhausted_jobs(jobs.RECOGNISE)
        fail_exhausted_jobs(jobs.AGGREGATE)
        publish_lost_jobs(jobs.RECOGNISE)
        self.publish_next()
        self.start_votes()

    @rule(recording=RECORDING)
    def begin_vote(self, recording: int) -> None:
        row = jobs.AGGREGATE.claim(self.recordings[recording].pk, f"vote {len(self.votes)}")
        if row:
            self.votes.append(row)

    @precondition(lambda self: self.votes)
    @rule(data=st.data())
    def end_vote(self, data: st.DataObject) -> None:
        vote = data.draw(st.sampled_from(self.votes))
        self.finished_votes[vote.pk] += jobs.finish(vote, Recording.State.DONE)

    @invariant()
    def check_segments_and_votes(self) -> None:
        assert segments_at_work().count() <= MAX_WINDOW + self.stray_claims
        for segment in self.segments():
            assert segment.attempts <= settings_of_django.MAX_ATTEMPTS
            if owner := self.results.get(segment.pk):
                assert (segment.state, segment.result) in (("done", owner), ("failed", ""))
        for recording in self.recordings:
            started, finished = self.started_votes[recording.pk], self.finished_votes[recording.pk]
            assert finished <= started <= 1
            state = Recording.objects.get(pk=recording.pk).state
            assert (state == "processing") == (started == 0 and recording.pk not in self.cancelled)
            assert not started or not recording.segments.filter(state="pending").exists()

    def teardown(self) -> None:
        """Once the workers are back, every recording is finished, whatever happened before."""
        rounds = 0
        while self.segments().filter(state="pending").exists():
            rounds += 1
            assert rounds <= RECORDINGS * SEGMENTS, "one segment a round at least"
            for recording in range(RECORDINGS):
                for index in range(SEGMENTS):
                    self.expire_lease(recording, index)
            self.sweep()
            while queue:
                self.deliver_message()
            for attempt in self.attempts:
                done = finish_segment(segment=attempt, result=attempt.lease_owner, faces=1, tracks=1)
                self.note_finish(attempt, done)
        self.sweep()
        self.expire_votes()
        for recording in range(RECORDINGS):
            self.begin_vote(recording)
        for vote in self.votes:
            self.finished_votes[vote.pk] += jobs.finish(vote, Recording.State.DONE)
        self.check_segments_and_votes()
        for row in self.recordings:
            expected = (0, 0) if row.pk in self.cancelled else (1, 1)
            assert (self.started_votes[row.pk], self.finished_votes[row.pk]) == expected


PROFILE = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Phase.generate],  # with a database, shrinking would take minutes
)


@pytest.mark.django_db
def test_any_order_of_events_ends_in_one_vote(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing ends by itself while the test runs.
    settings.LEASE_SECONDS = settings.HEARTBEAT_SECONDS = 3600
    monkeypatch.setattr(jobs, "FIRST_PAUSE_SECONDS", 600)
    monkeypatch.setattr(jobs.Job, "publish", publish)
    monkeypatch.setattr("workers.maintenance.queued_keys", lambda _job, _connection: {str(pk) for pk in queue})
    run_state_machine_as_test(RecordingsMachine, settings=PROFILE)
