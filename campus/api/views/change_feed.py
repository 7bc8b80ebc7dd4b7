"""Everything that changes, for data warehouses."""

from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campus.api.permissions import CanSeeEverything, request_user
from campus.api.serializers import change_feed as serializers
from campus.attendance.change_feed import EndedCursor, UnknownCursor, read_changes


class CursorEnded(exceptions.APIException):
    status_code = status.HTTP_410_GONE
    default_detail = gettext_lazy(
        "A backup has been restored since this cursor was given. Empty your copy, and begin without a cursor."
    )


class ChangeFeedView(APIView):
    permission_classes = [CanSeeEverything]

    @extend_schema(
        operation_id="change_feed_list",
        parameters=[serializers.ChangeFeedQuerySerializer],
        responses=serializers.ChangePageSerializer,
    )
    def get(self, request: Request) -> Response:
        """What has changed since a cursor, oldest first: classes, students (without names), enrolments, lectures,
        attendance, excuses (without reasons) and corrections. Without a cursor, all rows from the beginning.

        A row appears once with its present state; `data` is null if it was deleted or its student erased. Keep the
        cursor of the last page, also of an empty one. 410: begin again without a cursor.
        """
        query = serializers.ChangeFeedQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        try:
            page = read_changes(user=request_user(request), **query.validated_data)
        except UnknownCursor:
            raise exceptions.ValidationError(
                {"cursor": gettext_lazy("This cursor is not one of ours. Take the one of the last answer.")}
            ) from None
        except EndedCursor:
            raise CursorEnded from None
        return Response(serializers.ChangePageSerializer(page).data, headers={"Cache-Control": "no-store"})
