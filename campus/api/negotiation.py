"""Content negotiation: the format of a response."""

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class SingleFormatNegotiation(DefaultContentNegotiation):
    """An endpoint with one format uses it, whatever the client accepts; a workbook may be requested by its type."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> Any:
        only, *others = renderers
        return super().select_renderer(request, [only, *others], format_suffix) if others else (only, only.media_type)
