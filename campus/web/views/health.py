"""For monitors and other programs, which have no login."""

import ipaddress
import time
from functools import lru_cache
from secrets import compare_digest

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from campus.accounts.addresses import client_address
from campus.common.cache import coalesce
from campus.operations.checks import READINESS_CHECKS, State
from campus.operations.metrics import render_metrics
from campus.operations.selectors import find_stopped

READINESS_SECONDS = 2  # how long an answer serves everybody who asks


@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """200 while all goes on, else 503 and what has stopped; without names, since anybody may ask."""
    keys = coalesce("health", find_stopped)
    return JsonResponse({"stopped": keys}, status=503 if keys else 200, headers={"Cache-Control": "no-store"})


@require_safe
@never_cache
def livez(request: HttpRequest) -> HttpResponse:
    """200: this process answers. It asks nothing else, so that no process is restarted because the database is away."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """What this process needs, and whether it is there; 503 if something is not. Anybody may ask, so it gives no
    details: `manage.py doctor` does."""
    states = find_readiness(int(time.monotonic() / READINESS_SECONDS))
    is_ready = State.PROBLEM not in states.values()
    return JsonResponse(states, status=200 if is_ready else 503)


@lru_cache(maxsize=1)
def find_readiness(_period: int) -> dict[str, State]:
    return {check.name: check.run().state for check in READINESS_CHECKS}


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus, with a token or from a network that the settings name; for nobody if they name neither."""
    if not _may_read_metrics(request):
        return HttpResponse("", status=401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(render_metrics(), content_type=CONTENT_TYPE_LATEST)


def _may_read_metrics(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    expected = settings.METRICS_TOKEN.strip()
    if expected and scheme.lower() == "bearer" and compare_digest(token.strip().encode(), expected.encode()):
        return True
    try:
        address = ipaddress.ip_address(client_address(request))
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network, strict=False) for network in settings.METRICS_NETWORKS)
