"""The lectures in the user's own calendar program: private links, and what they give."""

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from campus.academics.calendar_links import (
    calendar_link_token,
    calendar_links_for,
    covers_all_courses,
    lectures_for_link,
    renew_calendar_link,
    use_calendar_link,
)
from campus.academics.selectors import courses_for, current_courses_for
from campus.accounts.institution import institution_name
from campus.common.site_address import site_address
from campus.web.calendar_response import calendar_response
from campus.web.views import StaffRequest

PAST = timedelta(days=60)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def calendar_links(request: StaffRequest) -> HttpResponse:
    """The user's links; a POST makes one anew, or takes one away."""
    if request.method == "POST":
        wanted = request.POST.get("course", "")
        course = (
            get_object_or_404(courses_for(request.user), pk=int(wanted))
            if wanted.isdecimal() and len(wanted) < 19
            else None
        )
        if request.POST.get("act") == "remove":
            calendar_links_for(request.user).filter(course=course).delete()
            messages.success(request, _("Link removed. Calendars that use it are no longer updated."))
        else:
            renew_calendar_link(user=request.user, course=course)
            messages.success(request, _("Link created. Any previous link no longer works."))
        return redirect("calendar-links")
    shown = [
        (link, site_address(request) + reverse("calendar", args=[calendar_link_token(link)]))
        for link in calendar_links_for(request.user)
    ]
    without = current_courses_for(request.user).exclude(
        pk__in=[link.course_id for link, _address in shown if link.course_id]
    )
    context = {
        "links": shown,
        "has_all": any(link.course_id is None for link, _address in shown),
        "covers_all_courses": covers_all_courses(request.user),
        "courses": without,
    }
    return render(request, "web/calendar_links.html", context)


@require_safe
def calendar_feed(request: HttpRequest, key: str) -> HttpResponse:
    """For a calendar program, which can't log in: whoever has the link reads what its owner may see now."""
    link = use_calendar_link(key)
    if link is None:
        raise Http404
    lectures = (
        lectures_for_link(link)
        .filter(starts_at__gte=timezone.now() - PAST)
        .select_related("course", "room")
        .order_by("starts_at", "pk")
    )
    name = institution_name()
    if link.course:
        name = f"{name}: {link.course.code}"
    response = calendar_response(request, lectures, name=name)
    response["X-Robots-Tag"] = "noindex"
    response["Referrer-Policy"] = "no-referrer"
    return response
