"""The result of a lecture: one student's status and the evidence for it, the unknown people, the sign-off."""

from collections.abc import Callable, Sequence

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campus.academics.models import Lecture, Student
from campus.academics.selectors import lectures_for, students_for
from campus.attendance import face_overrides, overrides, roll
from campus.attendance.models import AttendanceRecord, SignOff, Snapshot, Status, UnknownPerson
from campus.attendance.recurring_people import identify_in_lectures, other_appearances
from campus.attendance.selectors import (
    can_edit_result,
    changes_for,
    excuse_reasons,
    records_for,
    sightings_for,
    snapshots_for,
    students_unlike,
    unknown_people_for,
)
from campus.biometrics.selectors import PhotoCounts, photo_counts
from campus.common.errors import UserError
from campus.common.file_responses import picture_response
from campus.web.evidence import Evidence, candidates_for, evidence_for
from campus.web.faces import crop_pictures, enrolment_face_urls
from campus.web.forms import StatusForm
from campus.web.lecture_result import result_address
from campus.web.roll_table import RollRow
from campus.web.views import StaffRequest

CONFIRMED = {
    Status.PRESENT: gettext_lazy("Confirmed by comparing the pictures."),
    Status.ABSENT: gettext_lazy("Someone else, by comparing the pictures."),
}


def _redirect_after_decision(request: StaffRequest, lecture_id: int, record: int) -> HttpResponse:
    """To the next student to confirm for who goes through them one after the other, else to the lecture's result."""
    if request.POST.get("list") == "confirm":
        return redirect(reverse("confirm", args=[lecture_id]) + f"?after={record}")
    return redirect(result_address(lecture_id))


def _record_page(request: StaffRequest, record: AttendanceRecord, form: StatusForm) -> HttpResponse:
    lecture = record.lecture
    is_not_seen = record.machine_status == Status.ABSENT
    context = {
        "record": record,
        "row": RollRow(record=record, is_signed_off=SignOff.objects.filter(lecture=lecture).exists()),
        "detected": _("Not seen") if is_not_seen else record.get_machine_status_display(),
        "marked_by": roll.marked_by(lecture).get(record.pk) or _("a person"),
        "lecture": lecture,
        "form": form,
        "evidences": evidence_for(record),
        "photo_count": photo_counts(request.user, [record.student_id]).get(record.student_id, PhotoCounts()).usable,
        "enrolment_faces": enrolment_face_urls(request.user, [record.student_id]).get(record.student_id, []),
        "can_edit": can_edit_result(request.user, lecture),
        "changes": changes_for(request.user).filter(record=record).order_by("-created_at", "-id"),
    }
    return render(request, "web/record.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def record(request: StaffRequest, pk: int) -> HttpResponse:
    record = get_object_or_404(records_for(request.user).select_related("student", "lecture__course"), pk=pk)
    form = StatusForm(request.POST or None, initial={"status": record.override_status})
    if request.method == "POST" and form.is_valid():
        try:
            overrides.set_override(record=record, user=request.user, **form.cleaned_data)
        except UserError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("{name}: saved.").format(name=record.student.name))
            return redirect(result_address(record.lecture_id, f"student-{record.student_id}"))
    return _record_page(request, record, form)


@require_POST
@login_required
def confirm_record(request: StaffRequest, pk: int, status: str) -> HttpResponse:
    """One press for somebody who is to be confirmed."""
    record = get_object_or_404(records_for(request.user).select_related("student"), pk=pk)
    if status not in CONFIRMED:
        raise Http404
    facts = {"name": record.student.name, "status": record.get_status_display().lower()}
    if record.status != Status.TO_CONFIRM:
        messages.info(request, _("{name} is already decided: {status}.").format(**facts))
        return _redirect_after_decision(request, record.lecture_id, record.pk)
    reason = str(CONFIRMED[Status(status)])
    if status == Status.ABSENT and record.student_id in excuse_reasons(record.lecture):
        status = Status.EXCUSED
    try:
        record = overrides.set_override(record=record, status=status, reason=reason, user=request.user)
    except UserError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{record.student.name}: {record.get_status_display().lower()}.")
    return _redirect_after_decision(request, record.lecture_id, record.pk)


@require_POST
@login_required
def sign_off(request: StaffRequest, pk: int) -> HttpResponse:
    return _change_lecture(
        request,
        pk,
        lambda lecture: overrides.sign_off_lecture(lecture=lecture, user=request.user),
        _("Lecture signed off."),
    )


@require_POST
@login_required
def accept_partial_footage(request: StaffRequest, pk: int) -> HttpResponse:
    return _change_lecture(
        request,
        pk,
        lambda lecture: overrides.accept_partial_footage(lecture=lecture, user=request.user),
        _("The result is final, based on the footage so far."),
    )


@require_POST
@login_required
def reopen(request: StaffRequest, pk: int) -> HttpResponse:
    reason = request.POST.get("reason", "")
    return _change_lecture(
        request,
        pk,
        lambda lecture: overrides.reopen_lecture(lecture=lecture, user=request.user, reason=reason),
        _("Lecture reopened."),
    )


def _change_lecture(request: StaffRequest, pk: int, work: Callable[[Lecture], object], success: str) -> HttpResponse:
    lecture = get_object_or_404(lectures_for(request.user), pk=pk)
    try:
        work(lecture)
    except UserError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, success)
    return redirect(result_address(lecture.pk))


# Whose face it is.


@require_POST
@login_required
def sighting_action(request: StaffRequest, pk: int, action: str) -> HttpResponse:
    """What the machine took for a student: it is somebody else."""
    row = get_object_or_404(sightings_for(request.user).select_related("student", "recording__lecture"), pk=pk)
    record = get_object_or_404(records_for(request.user), lecture=row.recording.lecture, student=row.student)
    try:
        if action == "reject":
            face_overrides.reject_match(sighting=row, user=request.user, reason=request.POST.get("reason", ""))
            messages.success(
                request, _("Not {name}. The face is now among the unknown people.").format(name=row.student.name)
            )
        elif action == "runner-up":
            student = face_overrides.name_runner_up(sighting=row, user=request.user)
            messages.success(request, _("Identified as {name}.").format(name=student.name))
            return _redirect_after_decision(request, row.recording.lecture_id, record.pk)
        else:
            raise Http404
    except UserError as error:
        messages.error(request, str(error))
    return redirect("record", record.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def unknown_person(request: StaffRequest, pk: int) -> HttpResponse:
    """Who is this? A student of the roster, a visitor, or nobody to keep."""
    people = unknown_people_for(request.user).select_related("recording__lecture__course", "override__student")
    person = get_object_or_404(people, pk=pk)
    lecture = person.recording.lecture
    if request.method == "POST":
        try:
            sentence = _apply_face_override(request, person)
        except UserError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, sentence)
            return redirect(result_address(lecture.pk))
    context = {
        "person": person,
        "lecture": lecture,
        "evidence": Evidence.of(person),
        "also_in": [row for row in face_overrides.appearances(person) if row != person],
        "candidates": candidates_for(request.user, person),
        "elsewhere": [(face, crop_pictures(face)[:1]) for face in other_appearances(request.user, person)],
        "can_edit": can_edit_result(request.user, lecture),
    }
    return render(request, "web/unknown_person.html", context, status=400 if request.method == "POST" else 200)


def _apply_face_override(request: StaffRequest, person: UnknownPerson) -> str:
    action, reason, user = request.POST.get("action"), request.POST.get("reason", ""), request.user
    ticked = request.POST.getlist("also")
    also = [face for face in other_appearances(user, person) if str(face.pk) in ticked]
    if action == "visitor":
        face_overrides.mark_as_visitor(person=person, user=user, reason=reason)
        _identify_elsewhere(request, also, None, reason)
        return _("Marked as a visitor. This is kept when attendance is taken again.")
    if action == "delete":
        face_overrides.delete_unknown_person(person=person, user=user, reason=reason)
        return _("Deleted, with the pictures. This person will not reappear when attendance is taken again.")
    if action == "undo":
        face_overrides.clear_face_override(person=person, user=user, reason=reason)
        return _("Undone. This is an unknown person again.")
    chosen = request.POST.get("student", "")
    student = students_for(user).filter(pk=int(chosen)).first() if chosen.isdecimal() and len(chosen) < 19 else None
    if action != "name" or student is None:
        raise UserError("Choose a student first.")
    if student.pk in students_unlike(person):
        unlike = _("The face looks unlike the photos of {name}. Compare the pictures once more.")
        messages.warning(request, unlike.format(name=student.name))
    face_overrides.name_unknown_person(person=person, student=student, user=user, reason=reason)
    _identify_elsewhere(request, also, student, reason)
    return _("Identified as {name}. This is kept when attendance is taken again.").format(name=student.name)


def _identify_elsewhere(
    request: StaffRequest, people: Sequence[UnknownPerson], student: Student | None, reason: str
) -> None:
    refused = identify_in_lectures(people=people, student=student, user=request.user, reason=reason)
    if done := len(people) - len(refused):
        sentence = ngettext("The same was said in {n} other lecture.", "The same was said in {n} other lectures.", done)
        messages.success(request, sentence.format(n=done))
    if refused:
        days = ", ".join(date_format(timezone.localtime(face.recording.lecture.starts_at)) for face in refused)
        problem = _("Not changed, because the lecture is signed off or the student was not enrolled: {days}")
        messages.warning(request, problem.format(days=days))


@require_safe
@login_required
def snapshot(request: StaffRequest, pk: int) -> HttpResponse | FileResponse:
    """The whole picture; 202 as long as it is being cut out."""
    row = get_object_or_404(snapshots_for(request.user), pk=pk)
    if row.state == Snapshot.State.READY:
        return picture_response(row.file)
    if row.state == Snapshot.State.FAILED:
        raise Http404
    return HttpResponse(status=202, headers={"Cache-Control": "no-store", "Retry-After": "1"})
