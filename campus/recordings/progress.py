"""How far the recordings of a list are, without asking for each one's parts."""

from typing import Any

from django.db.models import Case, F, FloatField, OuterRef, QuerySet, Subquery, Sum, Value, When

from campus.recordings.models import Recording, Segment

PARTS, ALL_PARTS = 0.95, 0.97  # of the whole are done when the parts are, and while everybody is counted


def with_processed_share(recordings: QuerySet[Recording]) -> QuerySet[Any]:
    """Each with `worked`: the share of its length (0..1) whose parts are done, or failed; None before it is planned."""
    length = Case(
        When(end=F("start"), then=Value(1.0)), default=F("end") - F("start"), output_field=FloatField()
    )  # a photo has none
    done = Case(
        When(state=Segment.State.PENDING, then=length * F("progress")), default=length, output_field=FloatField()
    )
    parts = Segment.objects.filter(recording=OuterRef("pk")).order_by().values("recording")
    return recordings.annotate(worked=Subquery(parts.annotate(worked=Sum(done) / Sum(length)).values("worked")))


def progress_share(recording: Any) -> float:
    """How far (0..1) a recording of `with_processed_share` is."""
    fixed = {
        Recording.State.DONE: 1.0,
        Recording.State.AGGREGATING: ALL_PARTS,
        Recording.State.PROCESSING: PARTS * (recording.worked or 0),
    }
    return fixed.get(Recording.State(recording.state), 0.0)
