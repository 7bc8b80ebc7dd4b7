"""Search over everything that the user may see, and the lectures of a room."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from campus.academics.search import MAX_CHARACTERS
from campus.academics.selectors import current_lectures_for, rooms_for
from campus.web.search import KINDS
from campus.web.search import search as search_all
from campus.web.views import StaffRequest

SUGGESTIONS, FIRST_HITS, HITS_A_PAGE = 5, 10, 50  # of each kind


def _typed(request: StaffRequest) -> str:
    return request.GET.get("q", "").replace("\x00", "").strip()[:MAX_CHARACTERS]


@require_safe
@login_required
def search(request: StaffRequest) -> HttpResponse:
    """The first hits of each kind; all of one kind where the address names it."""
    text, kind = _typed(request), KINDS.get(request.GET.get("kind", ""))
    context: dict[str, Any] = {"text": text, "kind": kind}
    if kind:
        page = Paginator(kind.find(request.user, text), HITS_A_PAGE).get_page(request.GET.get("page"))
        hits = [kind.describe(row) for row in page]
        context |= {"page": page, "hits": hits, "asked": urlencode({"q": text, "kind": kind.name})}
    else:
        context["groups"] = search_all(request.user, text, limit=FIRST_HITS)
    return render(request, "web/search.html", context)


@require_safe
@login_required
def suggestions(request: StaffRequest) -> HttpResponse:
    """What the search box shows while somebody types."""
    text = _typed(request)
    groups = search_all(request.user, text, limit=SUGGESTIONS)
    context = {"text": text, "groups": groups, "hit_count": sum(len(group.hits) for group in groups)}
    return render(request, "web/_suggestions.html", context)


@require_safe
@login_required
def room(request: StaffRequest, pk: int) -> HttpResponse:
    """The lectures of a room that are not over and that the user may see."""
    room = get_object_or_404(rooms_for(request.user), pk=pk)
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    lectures = (
        current_lectures_for(request.user).filter(room=room, starts_at__gte=today).select_related("course", "room")
    )
    page = Paginator(lectures.order_by("starts_at", "pk"), 50).get_page(request.GET.get("page"))
    return render(request, "web/room.html", {"room": room, "page": page})
