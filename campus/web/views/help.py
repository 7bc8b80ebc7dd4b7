"""All help topics on one page, and the tour of the first page."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from campus.accounts.roles import sees_everything
from campus.accounts.services import set_tour_ended
from campus.web.help_topics import ADMIN_CHAPTER, CHAPTERS
from campus.web.views import StaffRequest


@require_safe
@login_required
def help_page(request: StaffRequest) -> HttpResponse:
    chapters = (*CHAPTERS, ADMIN_CHAPTER) if sees_everything(request.user) else CHAPTERS
    return render(request, "web/help.html", {"chapters": chapters})


@require_POST
@login_required
def end_tour(request: StaffRequest) -> HttpResponse:
    """Asked for by the tour's script when it is over, or skipped."""
    set_tour_ended(user=request.user, ended=True)
    return HttpResponse(status=204)


@require_POST
@login_required
def start_tour(request: StaffRequest) -> HttpResponse:
    set_tour_ended(user=request.user, ended=False)
    return redirect("home")
