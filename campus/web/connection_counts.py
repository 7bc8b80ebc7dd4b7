"""What came of an exchange with another system, in words."""

from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

LABELS: Final[dict[str, Promise]] = {
    "members": _("on the roster there: %(n)d"),
    "without_number": _("without a student number: %(n)d"),
    "added": _("added: %(n)d"),
    "changed": _("changed: %(n)d"),
    "removed": _("removed: %(n)d"),
    "kept": _("unchanged: %(n)d"),
    "unchanged": _("unchanged: %(n)d"),
    "sent": _("sent: %(n)d"),
    "waiting": _("waiting: %(n)d"),
    "waiting_for_calls": _("waiting, because no more calls are allowed in this minute: %(n)d"),
    "failed": _("failed: %(n)d"),
    "terms_added": _("terms added: %(n)d"),
    "terms_changed": _("terms changed: %(n)d"),
    "classes_added": _("classes added: %(n)d"),
    "classes_changed": _("classes changed: %(n)d"),
    "classes_archived": _("classes archived: %(n)d"),
    "lecturers_added": _("lecturers added: %(n)d"),
    "lecturers_removed": _("lecturers removed: %(n)d"),
    "lecturers_without_account": _("lecturers without an account: %(n)d"),
    "differing": _("changed there by others: %(n)d"),
    "would_change": _("would change: %(n)d"),
}


def count_texts(counts: dict[str, Any]) -> list[str]:
    """The counts that are not 0, in the order of the table above; others by their names."""
    known = [str(text) % {"n": counts[name]} for name, text in LABELS.items() if counts.get(name)]
    return known + [f"{name}: {n}" for name, n in counts.items() if name not in LABELS and n]
