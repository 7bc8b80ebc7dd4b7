"""Pagination and order of lists. A page starts where the last one ended, so that rows added or deleted meanwhile do not
shift it.
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
    # Among rows that are equal in the order, the cursor counts how many were returned already.
    offset_cutoff = 100_000

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError, TypeError, OverflowError) as error:
            raise NotFound(self.invalid_cursor_message) from error  # the cursor is not one of ours


class StableOrdering(OrderingFilter):
    """Every order ends with the primary key, so that it is unambiguous."""

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView) -> Sequence[str]:
        return [*(super().get_ordering(request, queryset, view) or ()), "pk"]
