"""Why the machine took a face for a student's, in sentences that staff and the student read. They name nobody else."""

from django.utils.translation import gettext as _

from recognition.identification.open_set import LOOK_ALIKE_SHARE

# What a confidence amounts to; below the last one, it is put to a person.
CLEAR, GOOD, ENOUGH = 0.9, 0.7, 0.5


def describe_match(confidence: float, lead: float | None) -> list[str]:
    """How well the face matches the photos, and whether somebody else of the class looks similar."""
    return [_describe_confidence(confidence), *_describe_others(lead)]


def _describe_confidence(confidence: float) -> str:
    if confidence >= CLEAR:
        return _("The face matches the student's photos clearly.")
    if confidence >= GOOD:
        return _("The face matches the student's photos well.")
    if confidence >= ENOUGH:
        return _("The face matches the student's photos just enough.")
    return _("The face resembles the student's photos, but not enough to be certain.")


def _describe_others(lead: float | None) -> list[str]:
    if lead is None:
        return []
    if lead >= LOOK_ALIKE_SHARE:
        return [_("Nobody else of the class looks similar.")]
    return [_("Somebody else of the class looks similar, but less so.")]
