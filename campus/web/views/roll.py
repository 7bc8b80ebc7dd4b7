"""Taking the roll on a lecture's page: one student, all others, and undo.

The page's script asks for the rows that changed; without it, the answer leads back to the page.
"""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from campus.academics.models import Lecture
from campus.academics.selectors import lectures_for
from campus.attendance import roll
from campus.attendance.models import AttendanceRecord
from campus.common.errors import UserError
from campus.web.roll_table import build_roll_table
from campus.web.views import StaffRequest


@require_POST
@login_required
def mark(request: StaffRequest, pk: int) -> HttpResponse:
    """Set the status of one student: `mark` is the student's id and the status, such as 12:present."""
    student, _colon, status = request.POST.get("mark", "").partition(":")

    def work(lecture: Lecture) -> list[AttendanceRecord]:
        if not (student.isdecimal() and len(student) < 19 and status):
            raise UserError("Choose a student and a status.")
        return roll.mark_students(lecture=lecture, statuses={int(student): status}, user=request.user)

    return _change_roll(request, pk, work, place=f"student-{student}" if student.isdecimal() else "result")


@require_POST
@login_required
def mark_others(request: StaffRequest, pk: int) -> HttpResponse:
    status = request.POST.get("status", "")
    return _change_roll(
        request, pk, lambda lecture: roll.mark_others(lecture=lecture, status=status, user=request.user)
    )


@require_POST
@login_required
def undo(request: StaffRequest, pk: int) -> HttpResponse:
    return _change_roll(request, pk, lambda lecture: roll.undo_last_change(lecture=lecture, user=request.user))


def _change_roll(
    request: StaffRequest, pk: int, work: Callable[[Lecture], list[AttendanceRecord]], place: str = "result"
) -> HttpResponse:
    lecture = get_object_or_404(lectures_for(request.user).select_related("course"), pk=pk)
    changed: list[AttendanceRecord] = []
    error = ""
    try:
        changed = work(lecture)
    except UserError as refused:
        error = str(refused)
    if request.headers.get("X-Requested-With") == "XMLHttpRequest":
        table = build_roll_table(request.user, lecture)
        students = {record.student_id for record in changed}
        rows = [row for row in table.all_rows if row.record.student_id in students]
        context = {"lecture": lecture, "roll": table, "rows": rows, "error": error}
        return render(request, "web/_roll_update.html", context)
    if error:
        messages.error(request, error)
    else:
        n = len(changed)
        messages.success(request, ngettext("{n} status changed.", "{n} statuses changed.", n).format(n=n))
    return redirect(f"{reverse('lecture', args=[pk])}#{place}")
