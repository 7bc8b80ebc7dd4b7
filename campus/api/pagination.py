"""Pages and order of lists. A page goes on from where the last one ended, so that rows that come or go meanwhile shift
nothing.
"""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.filters import OrderingFilter
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView


class ListPagination(CursorPagination):
    page_size_query_param = "limit"
    max_page_size = 500
    # Of rows that are equal in what a list is ordered by, the cursor counts how many were seen.
    offset_cutoff = 100_000

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError, TypeError, OverflowError) as error:
            raise NotFound(self.invalid_cursor_message) from error  # it was not made here


class StableOrdering(OrderingFilter):
    """Every order ends with the key, so that it is one."""

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView) -> Sequence[str]:
        return [*(super().get_ordering(request, queryset, view) or ()), "pk"]
