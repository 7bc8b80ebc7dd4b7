"""Any interleaving of claims, finishes, failures and expired leases ends in exactly one vote."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from campus.common import jobs
from campus.recordings.models import Recording, Segment
from campus.recordings.services import finish_segment, start_due_votes
from recognition.messages import Message
from tests.campus import factories
from workers.maintenance import fail_exhausted_jobs

SEGMENTS = 3
INDEX = st.integers(0, SEGMENTS - 1)


class Work(RuleBasedStateMachine):
    """Attempts are kept for ever, so that any of them can come back as a zombie."""

    def __init__(self) -> None:
        super().__init__()
        self.recording = factories.planned(segments=SEGMENTS)
        self.attempts: list[Any] = []
        self.votes: list[Any] = []
        self.results: dict[int, str] = {}
        self.won = self.counted = 0

    def segments(self) -> Any:
        return Segment.objects.filter(recording=self.recording)

    def settle(self) -> None:
        self.won += start_due_votes(recording_id=self.recording.pk)

    def took(self, attempt: Segment, done: bool) -> None:
        if done:
            assert attempt.index not in self.results, "a segment is finished once"
            self.results[attempt.index] = attempt.lease_owner

    @rule(index=INDEX)
    def claims(self, index: int) -> None:
        row = jobs.RECOGNISE.claim(self.segments().get(index=index).pk, f"attempt {len(self.attempts)}")
        if row:
            self.attempts.append(row)

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), way=st.sampled_from(["finish", "finish without settling", "fail", "release"]))
    def ends(self, data: st.DataObject, way: str) -> None:
        attempt = data.draw(st.sampled_from(self.attempts))
        if way == "release":
            jobs.release(attempt, Message("try again"), "")
            return
        if way == "fail":
            self.took(attempt, jobs.RECOGNISE.fail(attempt, Message("damaged"), ""))
        else:
            self.took(attempt, finish_segment(segment=attempt, result=attempt.lease_owner, faces=1, tracks=1))
        if way != "finish without settling":  # as a worker that dies in between
            self.settle()

    @rule(index=INDEX)
    def lease_expires(self, index: int) -> None:
        past = timezone.now() - timedelta(seconds=1)
        self.segments().filter(index=index, lease_until__isnull=False).update(lease_until=past)

    @rule()
    def vote_expires(self) -> None:
        past = timezone.now() - timedelta(seconds=1)
        Recording.objects.filter(pk=self.recording.pk, lease_until__isnull=False).update(lease_until=past, attempts=0)

    @rule()
    def sweeps(self) -> None:
        fail_exhausted_jobs()
        self.settle()

    @rule()
    def votes_begin(self) -> None:
        row = jobs.AGGREGATE.claim(self.recording.pk, f"vote {len(self.votes)}")
        if row:
            self.votes.append(row)

    @precondition(lambda self: self.votes)
    @rule(data=st.data())
    def votes_end(self, data: st.DataObject) -> None:
        self.counted += jobs.finish(data.draw(st.sampled_from(self.votes)), Recording.State.DONE)

    @invariant()
    def never_two(self) -> None:
        assert self.won <= 1
        assert self.counted <= 1
        state = Recording.objects.get(pk=self.recording.pk).state
        assert (state == "processing") == (self.won == 0)
        if self.won:
            assert not self.segments().filter(state="pending").exists()
        for index, owner in self.results.items():
            segment = self.segments().get(index=index)
            assert (segment.state, segment.result) in (("done", owner), ("failed", ""))

    def teardown(self) -> None:
        """The workers come back: whatever happened before, the recording ends."""
        for index in range(SEGMENTS):
            self.lease_expires(index)
            self.claims(index)
        for attempt in self.attempts:
            self.took(attempt, finish_segment(segment=attempt, result=attempt.lease_owner, faces=1, tracks=1))
        self.sweeps()
        self.vote_expires()
        self.votes_begin()
        for vote in self.votes:
            self.counted += jobs.finish(vote, Recording.State.DONE)
        self.never_two()
        assert (self.won, self.counted) == (1, 1)


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
    run_state_machine_as_test(Work, settings=profile)
