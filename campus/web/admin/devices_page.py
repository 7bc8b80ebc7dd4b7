"""The ONVIF devices that a search has found, of which one becomes a source."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from campus.cctv.models import DeviceSearch, Source
from campus.cctv.services import request_device_search
from campus.web.admin.base import render_link

MAX_NAME_LENGTH = 100


def devices_page(request: HttpRequest) -> HttpResponseBase:
    """The result of the last search; the page refreshes itself until there is one."""
    if not request.user.has_perm("cctv.add_source"):
        raise PermissionDenied
    if request.method == "POST":
        request_device_search()
        return redirect("admin:cctv_source_devices")
    search = DeviceSearch.objects.first()
    context = {
        **admin.site.each_context(request),
        "title": _("Look for devices"),
        "search": search,
        "table": {
            "headers": [_("Address"), _("Name"), _("Hardware"), ""],
            "rows": [_cells(*device) for device in search.devices] if search else [],
        },
    }
    page = "_devices.html" if request.headers.get("HX-Request") else "devices.html"
    return TemplateResponse(request, f"admin/rollcall/{page}", context)


def _cells(address: str, name: str, hardware: str) -> list[Any]:
    chosen = {
        "kind": Source.Kind.ONVIF,
        "address": address,
        "name": f"{name} {address.partition('://')[2]}".strip()[:MAX_NAME_LENGTH],
    }
    link = render_link(reverse("admin:cctv_source_add", query=chosen), _("Add as a source"))
    return [address, name or "-", hardware or "-", link]
