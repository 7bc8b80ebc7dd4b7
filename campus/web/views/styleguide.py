"""Every part of the design system on one page, for those who build pages."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from campus.attendance.models import Status
from campus.recordings.models import Recording
from campus.web.icons import drawing_names, icon_names

COLOURS = (
    *("ground", "card", "sunk", "line", "edge", "text", "strong", "quiet"),
    *("accent", "accent-text", "accent-ground", "good", "warn", "bad", "info", "ask"),
)


@require_safe
@login_required
def styleguide(request: HttpRequest) -> HttpResponse:
    """The page; nobody needs it in production."""
    if not settings.STYLEGUIDE:
        raise Http404
    context = {
        "colours": COLOURS,
        "icons": icon_names(),
        "drawings": drawing_names(),
        "statuses": Status.choices,
        "states": Recording.State.choices,
        "variants": ("success", "warning", "danger", "info"),
    }
    return render(request, "web/styleguide.html", context)
