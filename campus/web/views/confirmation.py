"""The page that puts the students to confirm to a person, one after the other."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from campus.academics.selectors import lectures_for
from campus.attendance.selectors import can_edit_result
from campus.web.confirmation import next_question
from campus.web.views import StaffRequest


@require_safe
@login_required
def confirm(request: StaffRequest, pk: int) -> HttpResponse:
    lecture = get_object_or_404(lectures_for(request.user).select_related("course"), pk=pk)
    after = request.GET.get("after", "")
    question = next_question(request.user, lecture, int(after) if after.isdecimal() and len(after) < 19 else None)
    if question is None:
        return redirect(reverse("lecture", args=[pk]) + "#result")
    context = {"lecture": lecture, "question": question, "can_edit": can_edit_result(request.user, lecture)}
    return render(request, "web/confirm.html", context)
