"""What recorders tell by themselves."""

from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from campus.cctv.models import Source
from campus.cctv.recorder_messages import UnknownSender, receive_bbb_message, receive_zoom_message
from campus.cctv.selectors import sources_with_messages
from campus.common.site_address import site_address


@csrf_exempt  # Zoom sends it, with its signature
@never_cache
@require_POST
def zoom_message(request: HttpRequest, pk: int) -> JsonResponse:
    """A recording is complete, or Zoom asks whether the address is ours."""
    try:
        answer = receive_zoom_message(
            source=get_object_or_404(sources_with_messages(Source.Kind.ZOOM), pk=pk),
            body=request.body,
            timestamp=request.headers.get("x-zm-request-timestamp", ""),
            signature=request.headers.get("x-zm-signature", ""),
        )
    except UnknownSender:
        return JsonResponse({}, status=403)
    return JsonResponse(answer)


@csrf_exempt  # BigBlueButton sends it, with its signature
@never_cache
@require_POST
def bbb_message(request: HttpRequest, pk: int) -> JsonResponse:
    """A recording is complete."""
    try:
        receive_bbb_message(
            source=get_object_or_404(sources_with_messages(Source.Kind.BBB), pk=pk),
            body=request.body,
            url=f"{site_address(request)}{request.path}",
            checksum=request.GET.get("checksum", ""),
        )
    except UnknownSender:
        return JsonResponse({}, status=401)  # other refusals would be sent again for ever
    return JsonResponse({})
