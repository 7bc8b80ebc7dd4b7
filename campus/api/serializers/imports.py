"""Uploads of rosters and calendars."""

from django.urls import reverse
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from campus.academics.models import FileImport


class FileImportSerializer(serializers.ModelSerializer[FileImport]):
    class Meta:
        model = FileImport
        fields = ["id", "kind", "course", "original_name", "state", "error", "created_at"]
        read_only_fields = fields


def accepted_import(request: Request, row: FileImport) -> Response:
    """202, with the address at which the import says when it is read."""
    address = request.build_absolute_uri(reverse("api-import-detail", args=[row.pk]))
    return Response(FileImportSerializer(row).data, status=status.HTTP_202_ACCEPTED, headers={"Location": address})
