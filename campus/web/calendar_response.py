"""Lectures as a file for calendar programs."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from campus.academics.ical import build_calendar
from campus.academics.models import Lecture
from campus.common.site_address import site_address


def calendar_response(
    request: HttpRequest, lectures: Iterable[Lecture], *, name: str, download: str = ""
) -> HttpResponse:
    site = site_address(request)
    data = build_calendar(
        lectures,
        name=name,
        host=urlsplit(site).hostname or "",
        address=lambda lecture: site + reverse("lecture", args=[lecture.pk]),
    )
    response = HttpResponse(data, content_type="text/calendar; charset=utf-8")
    response["Cache-Control"] = "private, max-age=300"
    if download:
        response["Content-Disposition"] = f'attachment; filename="{download}"'
    return response
