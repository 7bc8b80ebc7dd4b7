"""How the pictures of an uploaded recording are read: stream, shape, turning and mirroring."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from campus.attendance.camera_pictures import request_previews
from campus.attendance.selectors import can_edit_result
from campus.recordings.models import Recording
from campus.recordings.selectors import recordings_for, video_info
from campus.recordings.services import change_picture
from campus.web.forms import PictureForm
from campus.web.views import StaffRequest
from campus.web.views.recordings import SIGNED_OFF


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def picture_settings(request: StaffRequest, pk: UUID) -> HttpResponse:
    recording = _uploaded_recording(request, pk)
    if not can_edit_result(request.user, recording.lecture):
        messages.error(request, SIGNED_OFF)
        return redirect("recording", pk)
    form = PictureForm(request.POST or None, instance=recording)
    if form.is_valid():
        return _change(request, recording, **form.cleaned_data)
    context = {
        "recording": recording,
        "lecture": recording.lecture,
        "form": form,
        "previews": request_previews(recording),
    }
    return render(request, "web/recording_picture.html", context, status=400 if form.is_bound else 200)


@require_POST
@login_required
def use_stream(request: StaffRequest, pk: UUID, number: int) -> HttpResponse:
    recording = _uploaded_recording(request, pk)
    if not recording.info or not 1 <= number <= len(video_info(recording).streams):
        raise Http404
    if not can_edit_result(request.user, recording.lecture):
        messages.error(request, SIGNED_OFF)
        return redirect("recording", pk)
    return _change(request, recording, stream=number)


def _uploaded_recording(request: StaffRequest, pk: UUID) -> Recording:
    uploaded = recordings_for(request.user).exclude(file="").select_related("lecture__course")
    return get_object_or_404(uploaded, pk=pk)


def _change(request: StaffRequest, recording: Recording, **changes: object) -> HttpResponse:
    change_picture(recording=recording, user=request.user, **changes)
    messages.success(request, _("Attendance is being taken again. Statuses set by hand are kept."))
    return redirect("recording", recording.pk)
