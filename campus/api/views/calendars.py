"""Calendars: private links for calendar programs, and timetables of other systems."""

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from campus.academics.models import CalendarLink, Course, Lecture
from campus.academics.timetable_ical import read_calendar
from campus.academics.timetable_import import Kind, compare, save
from campus.academics.timetable_links import link_remove, link_renew, links_for
from campus.api.base import Endpoint, RegistrarsOnly, who
from campus.api.serializers import timetable as s


class CalendarLinkViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, Endpoint[CalendarLink]
):
    """Your own links, whatever your role."""

    serializer_class = s.CalendarLinkSerializer
    ordering_fields = ["created_at"]
    ordering = ["created_at"]

    def get_queryset(self) -> QuerySet[CalendarLink]:
        return links_for(who(self.request))

    @extend_schema(responses={201: s.CalendarLinkSerializer})
    def create(self, request: Request) -> Response:
        """A new link, to one class or to all. The one to the same before it stops working."""
        wish = self.get_serializer(data=request.data)
        wish.is_valid(raise_exception=True)
        return self.shown(link_renew(user=who(request), **wish.validated_data), status.HTTP_201_CREATED)

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        """Calendars that used it show nothing new."""
        link_remove(link=self.object_to_change())
        return Response(status=status.HTTP_204_NO_CONTENT)


class LectureCalendars(Endpoint[Lecture]):
    """Under the address of the lectures."""

    @extend_schema(request={"multipart/form-data": s.CalendarFileSerializer}, responses=s.CalendarPlanSerializer)
    @action(
        detail=False,
        methods=["post"],
        url_path="import",
        permission_classes=[RegistrarsOnly],
        parser_classes=[MultiPartParser],
        pagination_class=None,
    )
    def calendar(self, request: Request) -> Response:
        """Take the lectures of an iCalendar file: new and changed ones follow it. The same file again changes nothing."""
        wish = s.CalendarFileSerializer(data=request.data, context=self.get_serializer_context())
        wish.is_valid(raise_exception=True)
        given = wish.validated_data
        rows = compare(read_calendar(given["file"].read()), list(Course.objects.all()), given["course"])
        if not given["dry_run"]:
            save(rows, complete=given["complete"])
        told = {"done": not given["dry_run"], "rows": [row for row in rows if row.kind != Kind.SAME]}
        return Response(s.CalendarPlanSerializer(told).data)
