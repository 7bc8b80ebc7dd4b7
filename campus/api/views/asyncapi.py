"""The description of the webhooks."""

from django.http import JsonResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from campus.outbox.events import asyncapi_document


class AsyncAPIView(APIView):
    @extend_schema(operation_id="webhooks_asyncapi", tags=["webhooks"], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> JsonResponse:
        """What webhooks are told, as an AsyncAPI 3 document."""
        return JsonResponse(asyncapi_document())
