"""One student in one lecture: what was seen, what counts, and who changed it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from campus.attendance.decisions import override_set
from campus.attendance.models import Status
from campus.attendance.selectors import records_for
from campus.errors import UserError
from campus.web.forms import StatusForm
from campus.web.results import sightings_of
from campus.web.views import StaffRequest

CONFIRMED = {
    Status.PRESENT: "Confirmed by looking at the pictures.",
    Status.ABSENT: "Somebody else, by looking at the pictures.",
}


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def record(request: StaffRequest, pk: int) -> HttpResponse:
    record = get_object_or_404(records_for(request.user).select_related("student", "lecture__course"), pk=pk)
    form = StatusForm(request.POST or None, initial={"status": record.override_status})
    if request.method == "POST" and form.is_valid():
        try:
            override_set(record=record, user=request.user, **form.cleaned_data)
        except UserError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{record.student.name}: saved.")
            return redirect(reverse("lecture", args=[record.lecture_id]) + f"#student-{record.student_id}")
    context = {"record": record, "lecture": record.lecture, "form": form, "sightings": sightings_of(request.user, record)}
    return render(request, "web/record.html", context, status=400 if form.errors else 200)


@require_POST
@login_required
def confirm(request: StaffRequest, pk: int, status: str) -> HttpResponse:
    """One press for somebody who is to be confirmed."""
    record = get_object_or_404(records_for(request.user).select_related("student"), pk=pk)
    if status not in CONFIRMED:
        raise Http404
    if record.status == Status.UNSURE:
        record = override_set(record=record, status=status, reason=CONFIRMED[Status(status)], user=request.user)
        messages.success(request, f"{record.student.name}: {record.get_status_display().lower()}.")
    else:
        messages.info(request, f"{record.student.name} is settled already: {record.get_status_display().lower()}.")
    return redirect(reverse("lecture", args=[record.lecture_id]) + "#result")
