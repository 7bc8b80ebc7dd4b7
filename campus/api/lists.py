"""Pages and order of lists; every order ends with the key, so that pages neither repeat nor miss a row."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework.filters import OrderingFilter
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.views import APIView


class Pages(LimitOffsetPagination):
    max_limit = 500


class StableOrdering(OrderingFilter):
    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView) -> Sequence[str]:
        return [*(super().get_ordering(request, queryset, view) or queryset.query.order_by or queryset.model._meta.ordering), "pk"]
