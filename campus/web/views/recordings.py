"""Uploading a recording, watching the work on it, and what may be asked of it."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.datastructures import MultiValueDict
from django.utils.translation import get_language, gettext, gettext_lazy, gettext_noop
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from campus.academics.models import Lecture
from campus.academics.selectors import lectures_for
from campus.attendance.camera_pictures import request_previews
from campus.attendance.face_positions import describe_lost_names
from campus.attendance.notifications import lecturers_to_notify
from campus.attendance.recording_review import accept_recording, move_recording, place_recording, remove_recording
from campus.attendance.selectors import can_edit_result
from campus.common.cache import coalesce
from campus.common.errors import DISK_FULL, UserError, disk_full
from campus.common.upload_limits import discard_partial_upload
from campus.recordings.models import Recording
from campus.recordings.progress import progress_etag, progress_of
from campus.recordings.selectors import (
    OPEN_STATES,
    describe_reading,
    find_replaceable,
    recordings_for,
    used_stream,
)
from campus.recordings.services import (
    cancel_recording,
    create_recording,
    dismiss_recording,
    restart_recording,
    retry_recording,
)
from campus.web.faces import enrolment_face_urls
from campus.web.forms import PlaceForm, UploadForm
from campus.web.lecture_result import build_lecture_result
from campus.web.recording_place import build_place, build_review, offset_of_time, other_lectures
from campus.web.views import StaffRequest
from campus.web.views.classes import lecture_page


# The CSRF check reads the body. Who asks and for which lecture is asked first; the check follows in `_save_upload`.
@csrf_exempt
@require_POST
@login_required
def upload(request: StaffRequest, pk: int) -> HttpResponse:
    lecture = get_object_or_404(lectures_for(request.user).select_related("course"), pk=pk)
    if not can_edit_result(request.user, lecture):
        return _upload_refused(request, lecture, str(SIGNED_OFF), 403)
    try:
        return _save_upload(request, lecture)
    except OSError as error:
        if not disk_full(error):
            raise
        return _upload_refused(request, lecture, str(DISK_FULL), 507)
    finally:
        discard_partial_upload(request)


@csrf_protect
def _save_upload(request: StaffRequest, lecture: Lecture) -> HttpResponse:
    form = UploadForm(request.POST, request.FILES)
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            began = form.cleaned_data["began"]
            recording = create_recording(
                lecture=lecture,
                file=file,
                name=file.name,
                user=request.user,
                offset=None if began is None else offset_of_time(lecture, began),
                replaces=find_replaceable(request.user, lecture, request.GET.get("replaces", "")),
            )
        except UserError as error:
            form.add_error("file", str(error))
        else:
            url = reverse("recording", args=[recording.pk])
            return JsonResponse({"url": url}, status=201) if _wants_json(request) else redirect(url)
    return _upload_refused(request, lecture, str(next(iter(form.errors.values()))[0]), 400)


def _wants_json(request: StaffRequest) -> bool:
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def _upload_refused(request: StaffRequest, lecture: Lecture, sentence: str, status: int) -> HttpResponse:
    if _wants_json(request):
        return JsonResponse({"detail": sentence}, status=status)
    form = UploadForm({}, MultiValueDict())
    form.errors["file"] = form.error_class([sentence])
    response = lecture_page(request, lecture, form)
    response.status_code = status
    return response


@require_safe
@login_required
def recording(request: StaffRequest, pk: UUID) -> HttpResponse:
    recordings = recordings_for(request.user).select_related(
        "lecture__course", "gallery", "report", "uploaded_by", "replaces"
    )
    recording = get_object_or_404(recordings, pk=pk)
    progress = progress_of(recording)
    in_work = recording.state in OPEN_STATES
    context = {
        "recording": recording,
        "lecture": recording.lecture,
        "progress": progress,
        "provisional": recording.provisional,
        "clips": recording.clips.select_related("footage_file").order_by("recording_start"),
        "recognised_students": with_faces(request.user, progress["recognised_students"]),
        "in_work": in_work,
        "mails_result": in_work and lecturers_to_notify(recording.lecture.course).filter(pk=request.user.pk).exists(),
        # Until it has been counted again, the recording says how it was read before.
        "notes": [] if in_work else [*describe_reading(recording), *describe_lost_names(recording)],
        "previews": request_previews(recording)
        if recording.info.get("other_streams") and not in_work and not recording.footage_deleted_at
        else [],
        "used_stream": used_stream(recording),
        "can_edit": can_edit_result(request.user, recording.lecture),
        "failed_parts": recording.segments.filter(state="failed"),
        "review": build_review(request.user, recording) if recording.state == Recording.State.NEEDS_REVIEW else None,
        "place": build_place(recording),
        "other_lectures": []
        if recording.collected or recording.state in OPEN_STATES
        else other_lectures(request.user, recording),
        "result": build_lecture_result(request.user, recording.lecture, recording)
        if recording.state == Recording.State.DONE
        else None,
    }
    return render(request, "web/recording.html", context)


@require_safe
@login_required
def recording_progress(request: StaffRequest, pk: UUID) -> HttpResponse:
    """The progress as JSON. Every watching page polls it, so it is computed once in two seconds for all of them, but
    permission is checked each time."""
    recordings = recordings_for(request.user).filter(pk=pk)
    found = recordings.values_list("run", "state").first()
    if found is None:
        raise Http404
    run, state = found

    def compute() -> tuple[str, str]:
        progress = progress_of(get_object_or_404(recordings.select_related("lecture__course")))
        return progress_etag(progress), json.dumps(
            progress | {"recognised_students": with_faces(request.user, progress["recognised_students"])}
        )

    tag, body = coalesce(f"progress-{pk}-{run}-{state}-{get_language()}", compute)
    answer = HttpResponse(
        body, content_type="application/json", headers={"Cache-Control": "no-store", "ETag": f'"{tag}"'}
    )
    return get_conditional_response(request, etag=f'"{tag}"', response=answer) or answer


def with_faces(user: User, students: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The students, each with where the face of the best enrolment photo is."""
    faces = enrolment_face_urls(user, [student["id"] for student in students])
    return [student | {"face": next(iter(faces.get(student["id"], [])), None)} for student in students]


ACTIONS: dict[str, tuple[Callable[..., object], str]] = {
    "cancel": (cancel_recording, gettext_noop("Cancelled. The file is kept; attendance can be taken from it again.")),
    "retry": (retry_recording, gettext_noop("The failed segments are being processed again.")),
    "dismiss": (dismiss_recording, gettext_noop("Dismissed. The recording stays on its lecture's page.")),
    "restart": (restart_recording, gettext_noop("Attendance is being taken again. Statuses set by hand are kept.")),
}
# Where the form may be, other than on the recording's page.
LISTS = {"home": "home", "dashboard": "admin:index"}
SIGNED_OFF = gettext_lazy("This lecture is signed off. Ask a registrar to change it.")


@require_POST
@login_required
def run_action(request: StaffRequest, pk: UUID, action: str) -> HttpResponse:
    recording = get_object_or_404(recordings_for(request.user).select_related("lecture"), pk=pk)
    if action not in ACTIONS:
        raise Http404
    if not can_edit_result(request.user, recording.lecture):
        messages.error(request, SIGNED_OFF)
        return redirect("recording", pk)
    service, sentence = ACTIONS[action]
    try:
        service(recording=recording, user=request.user)
    except UserError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, gettext(sentence))
    if request.POST.get("list") in LISTS:
        return redirect(LISTS[request.POST["list"]])
    return redirect("recording", pk)


@require_POST
@login_required
def place(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Say when the recording began."""
    form = PlaceForm(request.POST)

    def work(recording: Recording) -> None:
        if not form.is_valid():
            raise UserError("Say when the recording began, as hours, minutes and seconds.")
        offset = offset_of_time(recording.lecture, form.cleaned_data["began"])
        place_recording(recording=recording, offset=offset, user=request.user)

    return _change_recording(request, pk, work, gettext("The attendance was counted again with the new start."))


@require_POST
@login_required
def move(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Say that the recording is of another lecture."""
    chosen = request.POST.get("lecture", "")

    def work(recording: Recording) -> None:
        is_number = chosen.isdecimal() and len(chosen) < 19
        lecture = lectures_for(request.user).filter(pk=int(chosen)).first() if is_number else None
        if lecture is None:
            raise UserError("Choose the lecture that the recording is of.")
        move_recording(recording=recording, lecture=lecture, user=request.user)

    message = gettext("The recording was moved. Attendance is being taken from it for this lecture.")
    return _change_recording(request, pk, work, message)


@require_POST
@login_required
def accept(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Say that the recording is right, although something about it is odd."""

    def work(recording: Recording) -> None:
        accept_recording(recording=recording, user=request.user)

    return _change_recording(request, pk, work, gettext("The recording counts."))


@require_POST
@login_required
def remove(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Delete the recording."""
    removed: list[int] = []

    def work(recording: Recording) -> None:
        remove_recording(recording=recording, user=request.user)
        removed.append(recording.lecture_id)

    response = _change_recording(
        request, pk, work, gettext("The recording was removed. Statuses set by hand are kept.")
    )
    return redirect("lecture", removed[0]) if removed else response


def _change_recording(
    request: StaffRequest, pk: UUID, work: Callable[[Recording], object], success: str
) -> HttpResponse:
    recording = get_object_or_404(recordings_for(request.user).select_related("lecture__course"), pk=pk)
    try:
        work(recording)
    except UserError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, success)
    return redirect("recording", pk)
