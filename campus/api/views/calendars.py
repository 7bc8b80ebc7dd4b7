"""Calendars: private links for calendar programs, and timetables of other systems."""

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from campus.academics.calendar_import import EntryChange, plan_import, save_import
from campus.academics.calendar_links import calendar_links_for, delete_calendar_link, renew_calendar_link
from campus.academics.ical import read_calendar
from campus.academics.models import CalendarLink, Course, Lecture
from campus.api.base import Endpoint, IsRegistrar, who
from campus.api.serializers import timetable as s


class CalendarLinkViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, Endpoint[CalendarLink]
):
    """Your own links, whatever your role."""

    serializer_class = s.CalendarLinkSerializer
    ordering_fields = ["created_at"]
    ordering = ["created_at"]

    def get_queryset(self) -> QuerySet[CalendarLink]:
        return calendar_links_for(who(self.request))

    @extend_schema(responses={201: s.CalendarLinkSerializer})
    def create(self, request: Request) -> Response:
        """A new link, to one class or to all. The one to the same before it stops working."""
        wish = self.get_serializer(data=request.data)
        wish.is_valid(raise_exception=True)
        return self.shown(renew_calendar_link(user=who(request), **wish.validated_data), status.HTTP_201_CREATED)

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        """Calendars that used it show nothing new."""
        delete_calendar_link(link=self.object_to_change())
        return Response(status=status.HTTP_204_NO_CONTENT)


class LectureCalendars(Endpoint[Lecture]):
    """Under the address of the lectures."""

    @extend_schema(request={"multipart/form-data": s.CalendarFileSerializer}, responses=s.CalendarPlanSerializer)
    @action(
        detail=False,
        methods=["post"],
        url_path="import",
        permission_classes=[IsRegistrar],
        parser_classes=[MultiPartParser],
        pagination_class=None,
    )
    def calendar(self, request: Request) -> Response:
        """Take the lectures of an iCalendar file: new and changed ones follow it. The same file again changes
        nothing.
        """
        wish = s.CalendarFileSerializer(data=request.data, context=self.get_serializer_context())
        wish.is_valid(raise_exception=True)
        given = wish.validated_data
        rows = plan_import(read_calendar(given["file"].read()), list(Course.objects.all()), given["course"])
        if not given["dry_run"]:
            save_import(rows, complete=given["complete"])
        told = {"done": not given["dry_run"], "rows": [row for row in rows if row.kind != EntryChange.SAME]}
        return Response(s.CalendarPlanSerializer(told).data)
