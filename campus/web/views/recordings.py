"""Uploading a recording, watching the work on it, and what may be asked of it."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.datastructures import MultiValueDict
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from campus.academics.models import Lecture
from campus.academics.selectors import lectures_for
from campus.errors import DISK_FULL, UserError, disk_full
from campus.footage.models import Recording
from campus.footage.selectors import OPEN, progress, recordings_for
from campus.footage.services import recording_cancel, recording_create, recording_restart, recording_retry
from campus.uploads import NoRoom, TooLarge, check_announced_size, drop_partial
from campus.web.forms import UploadForm
from campus.web.results import LectureResult
from campus.web.views import StaffRequest
from campus.web.views.classes import lecture_page


# The CSRF check reads the body. Who asks, for which lecture and how much is asked first; the check follows in `_receive`.
@csrf_exempt
@require_POST
@login_required
def upload(request: StaffRequest, pk: int) -> HttpResponse:
    lecture = get_object_or_404(lectures_for(request.user).select_related("course"), pk=pk)
    try:
        check_announced_size(request)
        return _receive(request, lecture)
    except TooLarge as error:
        return _refused(request, lecture, str(error), 413)
    except NoRoom as error:
        return _refused(request, lecture, str(error), 507)
    except OSError as error:
        if not disk_full(error):
            raise
        return _refused(request, lecture, DISK_FULL, 507)
    finally:
        drop_partial(request)


@csrf_protect
def _receive(request: StaffRequest, lecture: Lecture) -> HttpResponse:
    form = UploadForm(request.POST, request.FILES)
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            recording = recording_create(lecture=lecture, file=file, name=file.name, user=request.user)
        except UserError as error:
            form.add_error("file", str(error))
        else:
            url = reverse("recording", args=[recording.pk])
            return JsonResponse({"url": url}, status=201) if _wants_json(request) else redirect(url)
    return _refused(request, lecture, str(form.errors["file"][0]), 400)


def _wants_json(request: StaffRequest) -> bool:
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def _refused(request: StaffRequest, lecture: Lecture, sentence: str, status: int) -> HttpResponse:
    if _wants_json(request):
        return JsonResponse({"detail": sentence}, status=status)
    form = UploadForm({}, MultiValueDict())
    form.errors["file"] = form.error_class([sentence])
    response = lecture_page(request, lecture, form)
    response.status_code = status
    return response


@require_safe
@login_required
def recording(request: StaffRequest, pk: str) -> HttpResponse:
    recordings = recordings_for(request.user).select_related("lecture__course", "gallery", "report")
    recording = get_object_or_404(recordings, pk=pk)
    context = {
        "recording": recording,
        "lecture": recording.lecture,
        "progress": progress(recording),
        "in_work": recording.state in OPEN,
        "failed_parts": recording.segments.filter(state="failed"),
        "result": LectureResult.of(request.user, recording.lecture, recording) if recording.state == Recording.State.DONE else None,
    }
    return render(request, "web/recording.html", context)


@require_safe
@login_required
def progress_json(request: StaffRequest, pk: str) -> JsonResponse:
    response = JsonResponse(progress(get_object_or_404(recordings_for(request.user), pk=pk)))
    response["Cache-Control"] = "no-store"
    return response


ACTIONS: dict[str, tuple[Callable[..., object], str]] = {
    "cancel": (recording_cancel, "Cancelled. The file stays; attendance can be taken from it again."),
    "retry": (recording_retry, "The failed parts are being looked at again."),
    "restart": (recording_restart, "Attendance is being taken again. What people set by hand stays."),
}


@require_POST
@login_required
def act(request: StaffRequest, pk: str, action: str) -> HttpResponse:
    recording = get_object_or_404(recordings_for(request.user), pk=pk)
    if action not in ACTIONS:
        raise Http404
    service, sentence = ACTIONS[action]
    try:
        service(recording=recording, user=request.user)
    except UserError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, sentence)
    return redirect("recording", pk)
