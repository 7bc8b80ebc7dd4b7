"""For the institution's monitor: who else would tell when all workers have stopped?"""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from campus.cctv.alarms import find_stopped
from campus.common.cache import coalesce


@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """200 while all goes on, else 503 and what has stopped; without names, since anybody may ask."""
    keys = coalesce("health", find_stopped)
    return JsonResponse({"stopped": keys}, status=503 if keys else 200, headers={"Cache-Control": "no-store"})
