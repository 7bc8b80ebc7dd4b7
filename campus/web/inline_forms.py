"""Forms that have a page of their own, and that a script puts into a row of a list."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from campus.web.views import StaffRequest


def render_form(request: StaffRequest, page: str, part: str, context: dict[str, Any]) -> HttpResponse:
    """The template `page` with the form; `part` alone where htmx asks."""
    template = part if "HX-Request" in request.headers else page
    response = render(request, template, context, status=400 if context["form"].is_bound else 200)
    patch_vary_headers(response, ["HX-Request"])
    return response
