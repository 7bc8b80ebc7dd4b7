"""Calendars: private links for calendar programs, and timetables of other systems."""

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from campus.academics.calendar_links import calendar_links_for, delete_calendar_link, renew_calendar_link
from campus.academics.file_imports import create_calendar_import
from campus.academics.models import CalendarLink, Lecture
from campus.api.base import Endpoint
from campus.api.permissions import IsRegistrar, request_user
from campus.api.serializers import timetable as serializers
from campus.api.serializers.imports import FileImportSerializer, accepted_import


class CalendarLinkViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, Endpoint[CalendarLink]
):
    """Your own links, whatever your role."""

    serializer_class = serializers.CalendarLinkSerializer
    ordering_fields = ["created_at"]
    ordering = ["created_at"]

    def get_queryset(self) -> QuerySet[CalendarLink]:
        return calendar_links_for(request_user(self.request))

    @extend_schema(responses={201: serializers.CalendarLinkSerializer})
    def create(self, request: Request) -> Response:
        """Create a link to one class or to all. An earlier link to the same stops working."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return self.respond_with(
            renew_calendar_link(user=request_user(request), **serializer.validated_data), status.HTTP_201_CREATED
        )

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a link. Calendars that use it are no longer updated."""
        delete_calendar_link(link=self.get_object_for_update())
        return Response(status=status.HTTP_204_NO_CONTENT)


class LectureImportActions(Endpoint[Lecture]):
    """Under the address of the lectures."""

    @extend_schema(
        request={"multipart/form-data": serializers.CalendarFileSerializer}, responses={202: FileImportSerializer}
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="import",
        permission_classes=[IsRegistrar],
        parser_classes=[MultiPartParser],
        pagination_class=None,
    )
    def calendar(self, request: Request) -> Response:
        """Upload an iCalendar file. A worker reads it while the state of the import is `queued`; then
        `imports/{id}/calendar/` imports its lectures.
        """
        serializer = serializers.CalendarFileSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        file, course, until = (serializer.validated_data[name] for name in ("file", "course", "until"))
        row = create_calendar_import(file=file, name=file.name, course=course, user=request_user(request), until=until)
        return accepted_import(request, row)
