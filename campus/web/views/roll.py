"""Taking the roll on a lecture's page: one student, several, all others, and undo.

The page's script asks for the parts that changed; without it, the answer leads back to the page.
"""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from campus.academics.models import Lecture
from campus.academics.selectors import lectures_for
from campus.attendance import roll
from campus.attendance.models import AttendanceRecord
from campus.common.errors import UserError
from campus.recordings.models import Recording
from campus.recordings.selectors import recordings_for
from campus.web.forms import StatusForm
from campus.web.lecture_result import build_lecture_result, result_address
from campus.web.views import StaffRequest


@require_POST
@login_required
def mark(request: StaffRequest, pk: int) -> HttpResponse:
    """Set the status of one student: `mark` is the student's id and the status, such as 12:present. Without a status,
    it is as detected again.
    """
    student, colon, status = request.POST.get("mark", "").partition(":")

    def work(lecture: Lecture) -> list[AttendanceRecord]:
        if not (student.isdecimal() and len(student) < 19 and colon):
            raise UserError("Choose a student and a status.")
        return roll.mark_students(lecture=lecture, statuses={int(student): status}, user=request.user)

    return _change_roll(request, pk, work, place=f"student-{student}" if student.isdecimal() else "result")


@require_POST
@login_required
def mark_others(request: StaffRequest, pk: int) -> HttpResponse:
    status = request.POST.get("status", "")
    return _change_roll(
        request,
        pk,
        lambda lecture: roll.mark_others(
            lecture=lecture, status=status, user=request.user, section=request.POST.get("section", "")
        ),
    )


@require_POST
@login_required
def set_statuses(request: StaffRequest, pk: int) -> HttpResponse:
    """The status of the students that were picked.

    Asks first where a person has marked some of them otherwise. A script that gets the status 409 has to submit the
    form, which leads to the question.
    """
    form = StatusForm(request.POST)
    students = {int(pk) for pk in request.POST.getlist("students") if pk.isdecimal() and len(pk) < 19}

    def work(lecture: Lecture) -> list[AttendanceRecord]:
        if not form.is_valid():
            errors = (error for field_errors in form.errors.values() for error in field_errors)
            raise UserError("{errors}", errors=" ".join(map(str, errors)))
        if not students:
            raise UserError("No students selected. Tick them first.")
        return roll.mark_many(
            lecture=lecture,
            students=students,
            status=form.cleaned_data["status"],
            user=request.user,
            reason=form.cleaned_data["reason"],
            by_hand=request.POST.get("by_hand", ""),
        )

    try:
        return _change_roll(request, pk, work)
    except roll.MarkedByHand as question:
        if _is_script(request):
            return HttpResponse(status=409)
        lecture = get_object_or_404(lectures_for(request.user).select_related("course"), pk=pk)
        context = {"lecture": lecture, "students": students, "marked": question.count, **form.cleaned_data}
        context |= {name: request.POST.get(name, "") for name in ("show", "section")}
        return render(request, "web/roll_confirm.html", context)


@require_POST
@login_required
def undo(request: StaffRequest, pk: int) -> HttpResponse:
    """Take the last change back. `batch` is the change that the page showed as the last one."""
    batch = request.POST.get("batch", "")
    return _change_roll(
        request,
        pk,
        lambda lecture: roll.undo_last_change(lecture=lecture, user=request.user, batch=batch),
        is_undo=True,
    )


def _change_roll(
    request: StaffRequest,
    pk: int,
    work: Callable[[Lecture], list[AttendanceRecord]],
    place: str = "result",
    *,
    is_undo: bool = False,
) -> HttpResponse:
    lecture = get_object_or_404(lectures_for(request.user).select_related("course"), pk=pk)
    changed: list[AttendanceRecord] = []
    error = ""
    try:
        changed = work(lecture)
    except roll.MarkedByHand:
        raise
    except UserError as refused:
        error = str(refused)
    n, show, section = len(changed), request.POST.get("show", ""), request.POST.get("section", "")
    if _is_script(request):
        recording = _shown_recording(request, lecture)
        result = build_lecture_result(request.user, lecture, recording, show=show, section=section)
        students = {record.student_id for record in changed}
        context = {
            "lecture": lecture,
            "recording": recording,
            "result": result,
            "roll": result.roll,
            "rows": [row for row in result.roll.all_rows if row.record.student_id in students],
            "lines": [line for line in result.timeline.lines if line.student in students] if result.timeline else [],
            "error": error,
            "is_undo": is_undo,
        }
        return render(request, "web/_roll_update.html", context)
    if error:
        messages.error(request, error)
    elif is_undo:
        messages.success(request, ngettext("{n} status taken back.", "{n} statuses taken back.", n).format(n=n))
    else:
        messages.success(request, ngettext("{n} status changed.", "{n} statuses changed.", n).format(n=n))
    return redirect(result_address(pk, place, show=show, section=section))


def _is_script(request: StaffRequest) -> bool:
    return request.headers.get("X-Requested-With") == "XMLHttpRequest"


def _shown_recording(request: StaffRequest, lecture: Lecture) -> Recording | None:
    """The recording on whose page the roll is; None where it is on the lecture's."""
    wanted = request.POST.get("recording", "")
    if not wanted:
        return None
    try:
        return recordings_for(request.user).filter(lecture=lecture, pk=wanted).first()
    except ValidationError:
        return None
