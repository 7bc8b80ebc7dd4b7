"""What the admin's theme says and has no German for: collected here, so that it is translated with all else."""

from django.utils.translation import gettext_noop as _

WORDS = (
    _("Add row"),
    _("Apply Filters"),
    _("Choose file to upload"),
    _("Click to cancel"),
    _("Click to download"),
    _("Collapse"),
    _("Current file"),
    _("Date from"),
    _("Date to"),
    _("Expand row"),
    _("False"),
    _("Go back"),
    _("Image preview"),
    _("Loading more results..."),
    _("More actions"),
    _("No results found"),
    _("Record picture"),
    _("Reset to default"),
    _("Run"),
    _("Select action"),
    _("Select action to run"),
    _("Select all rows"),
    _("Select record"),
    _("Select value"),
    _("This item will be deleted."),
    _("Toggle password visibility"),
    _("True"),
    _("Type to search"),
)
