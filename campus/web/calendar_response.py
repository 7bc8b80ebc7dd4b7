"""Lectures as a file for calendar programs."""

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from campus.academics.ical import build_calendar
from campus.academics.models import Lecture


def calendar_response(
    request: HttpRequest, lectures: Iterable[Lecture], *, name: str, download: str = ""
) -> HttpResponse:
    data = build_calendar(
        lectures,
        name=name,
        host=request.get_host().partition(":")[0],
        address=lambda lecture: request.build_absolute_uri(reverse("lecture", args=[lecture.pk])),
    )
    response = HttpResponse(data, content_type="text/calendar; charset=utf-8")
    response["Cache-Control"] = "private, max-age=300"
    if download:
        response["Content-Disposition"] = f'attachment; filename="{download}"'
    return response
