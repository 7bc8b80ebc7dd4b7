"""What recorders tell by themselves."""

from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from campus.cctv.selectors import zoom_sources
from campus.cctv.zoom_messages import UnknownSender, receive_zoom_message


@csrf_exempt  # Zoom sends it, with its signature
@never_cache
@require_POST
def zoom_message(request: HttpRequest, pk: int) -> JsonResponse:
    """A recording is complete, or Zoom asks whether the address is ours."""
    try:
        answer = receive_zoom_message(
            source=get_object_or_404(zoom_sources(), pk=pk),
            body=request.body,
            timestamp=request.headers.get("x-zm-request-timestamp", ""),
            signature=request.headers.get("x-zm-signature", ""),
        )
    except UnknownSender:
        return JsonResponse({}, status=403)
    return JsonResponse(answer)
