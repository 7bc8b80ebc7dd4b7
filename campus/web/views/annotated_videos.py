"""Watching a recording with boxes and names drawn in: a worker makes it, the viewer's name is in it."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from campus.academics.selectors import students_for
from campus.attendance.annotated_videos import annotated_videos_for, open_annotated_video, request_annotated_video
from campus.attendance.models import AnnotatedVideo
from campus.common.errors import UserError
from campus.recordings.selectors import recordings_for
from campus.web.forms import AnnotatedVideoForm
from campus.web.views import StaffRequest


@require_POST
@login_required
def request_video(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Ask for the whole recording, or for some seconds around a moment."""
    recording = get_object_or_404(recordings_for(request.user), pk=pk)
    form = AnnotatedVideoForm(request.POST)
    try:
        if not form.is_valid():
            raise UserError("The recording has no such second.")
        student = form.cleaned_data["student"]
        video = request_annotated_video(
            recording=recording,
            user=request.user,
            moment=form.cleaned_data["moment"],
            student=student and get_object_or_404(students_for(request.user), pk=student),
            blur_others=form.cleaned_data["blur_others"],
        )
    except UserError as error:
        messages.error(request, str(error))
        return redirect("recording", pk)
    return redirect("annotated-video", video.pk)


@require_safe
@login_required
def annotated_video(request: StaffRequest, pk: UUID) -> HttpResponse:
    videos = annotated_videos_for(request.user).select_related("recording__lecture__course", "student")
    video = get_object_or_404(videos, pk=pk)
    return render(request, "web/annotated_video.html", {"video": video, "lecture": video.recording.lecture})


@require_safe
@login_required
def annotated_video_file(request: StaffRequest, pk: UUID) -> HttpResponseBase:
    """The video itself, or the part of it that a player asks for; 202 as long as it is being drawn."""
    video = get_object_or_404(annotated_videos_for(request.user).select_related("recording__lecture"), pk=pk)
    if video.state == AnnotatedVideo.State.QUEUED:
        return HttpResponse(status=202, headers={"Cache-Control": "no-store", "Retry-After": "1"})
    if not video.file:
        raise Http404
    return open_annotated_video(video, request)
