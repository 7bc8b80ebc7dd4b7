"""Any interleaving of claims, finishes, failures, interruptions, expired leases, and of workers that vanish, ends in
exactly one vote.
"""

from datetime import timedelta
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
from campus.recordings.services import finish_segment, start_due_votes
from recognition.messages import Message
from tests.campus import factories
from workers.maintenance import fail_exhausted_jobs

SEGMENTS = 3
INDEX = st.integers(0, SEGMENTS - 1)
WORKERS = ("one", "two")


class RecordingMachine(RuleBasedStateMachine):
    """Attempts are never forgotten, so that each of them can come back as a zombie."""

    def __init__(self) -> None:
        super().__init__()
        self.recording = factories.planned(segments=SEGMENTS)
        self.attempts: list[Any] = []
        self.votes: list[Any] = []
        self.results: dict[int, str] = {}
        self.started_votes = self.finished_votes = 0

    def segments(self) -> Any:
        return Segment.objects.filter(recording=self.recording)

    def start_votes(self) -> None:
        self.started_votes += start_due_votes(recording_id=self.recording.pk)

    def note_finish(self, attempt: Segment, done: bool) -> None:
        if done:
            assert attempt.index not in self.results, "a segment is finished once"
            self.results[attempt.index] = attempt.lease_owner

    @rule(index=INDEX)
    def claim_segment(self, index: int) -> None:
        owner = f"{WORKERS[len(self.attempts) % len(WORKERS)]}-1-{len(self.attempts)}"
        row = jobs.RECOGNISE.claim(self.segments().get(index=index).pk, owner)
        if row:
            self.attempts.append(row)

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), way=st.sampled_from(["finish", "finish without starting the vote", "fail", "release"]))
    def end_attempt(self, data: st.DataObject, way: str) -> None:
        attempt = data.draw(st.sampled_from(self.attempts))
        if way == "release":
            jobs.release(attempt, Message("try again"), "")
            return
        if way == "fail":
            self.note_finish(attempt, jobs.RECOGNISE.fail(attempt, Message("damaged"), ""))
        else:
            self.note_finish(attempt, finish_segment(segment=attempt, result=attempt.lease_owner, faces=1, tracks=1))
        if way != "finish without starting the vote":  # like a worker that dies in between
            self.start_votes()

    @precondition(lambda self: self.attempts)
    @rule(data=st.data())
    def interrupt_attempt(self, data: st.DataObject) -> None:
        """The attempt's machine fails, and gives the row back."""
        attempt = data.draw(st.sampled_from(self.attempts))
        before = self.segments().get(pk=attempt.pk)
        if jobs.interrupt(attempt, Message("The disk is full."), ""):
            after = self.segments().get(pk=attempt.pk)
            assert (after.attempts, after.interruptions) == (before.attempts - 1, before.interruptions + 1)
            assert not after.is_running

    @rule(worker=st.sampled_from(WORKERS))
    def hear_of_worker(self, worker: str) -> None:
        note_heartbeat(worker=worker, name=worker, queues=["vision"])

    @rule(worker=st.sampled_from(WORKERS))
    def lose_worker(self, worker: str) -> None:
        """It is not heard of any more: nothing is left of its leases, and its attempts do not count."""
        note_heartbeat(worker=worker, name=worker, queues=["vision"])
        Worker.objects.filter(pk=worker).update(seen_at=timezone.now() - timedelta(minutes=1))
        forget_gone_workers()
        assert not Worker.objects.filter(pk=worker).exists()
        assert not self.segments().filter(lease_owner__startswith=f"{worker}-", state="pending").exists()

    @rule(worker=st.sampled_from(WORKERS))
    def kill_child(self, worker: str) -> None:
        jobs.end_leases(f"{worker}-1-", count_attempts=True)
        assert not self.segments().filter(lease_owner__startswith=f"{worker}-", state="pending").exists()

    @rule(index=INDEX)
    def expire_lease(self, index: int) -> None:
        past = timezone.now() - timedelta(seconds=1)
        self.segments().filter(index=index, lease_until__isnull=False).update(lease_until=past)

    @rule()
    def expire_vote(self) -> None:
        past = timezone.now() - timedelta(seconds=1)
        Recording.objects.filter(pk=self.recording.pk, lease_until__isnull=False).update(lease_until=past, attempts=0)

    @rule()
    def sweep(self) -> None:
        fail_exhausted_jobs(jobs.RECOGNISE)
        fail_exhausted_jobs(jobs.AGGREGATE)
        self.start_votes()

    @rule()
    def begin_vote(self) -> None:
        row = jobs.AGGREGATE.claim(self.recording.pk, f"vote {len(self.votes)}")
        if row:
            self.votes.append(row)

    @precondition(lambda self: self.votes)
    @rule(data=st.data())
    def end_vote(self, data: st.DataObject) -> None:
        self.finished_votes += jobs.finish(data.draw(st.sampled_from(self.votes)), Recording.State.DONE)

    @invariant()
    def check_one_vote(self) -> None:
        assert self.started_votes <= 1
        assert self.finished_votes <= 1
        state = Recording.objects.get(pk=self.recording.pk).state
        assert (state == "processing") == (self.started_votes == 0)
        if self.started_votes:
            assert not self.segments().filter(state="pending").exists()
        for segment in self.segments():
            assert segment.attempts <= settings_of_django.MAX_ATTEMPTS
        for index, owner in self.results.items():
            segment = self.segments().get(index=index)
            assert (segment.state, segment.result) in (("done", owner), ("failed", ""))

    def teardown(self) -> None:
        """Once the workers are back, the recording is finished, whatever happened before."""
        for index in range(SEGMENTS):
            self.expire_lease(index)
            self.claim_segment(index)
        for attempt in self.attempts:
            self.note_finish(attempt, finish_segment(segment=attempt, result=attempt.lease_owner, faces=1, tracks=1))
        self.sweep()
        self.expire_vote()
        self.begin_vote()
        for vote in self.votes:
            self.finished_votes += jobs.finish(vote, Recording.State.DONE)
        self.check_one_vote()
        assert (self.started_votes, self.finished_votes) == (1, 1)


@pytest.mark.django_db
def test_any_order_of_events_ends_in_one_vote() -> None:
    profile = settings(
        max_examples=40,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        phases=[Phase.generate],  # with a database, shrinking would take minutes
    )
    run_state_machine_as_test(RecordingMachine, settings=profile)
