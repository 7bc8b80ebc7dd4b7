"""Two lectures of a class side by side."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from campus.academics.selectors import lectures_for
from campus.attendance.selectors import is_held
from campus.web.forms import OtherLectureForm
from campus.web.lecture_comparison import compare_lectures
from campus.web.views import StaffRequest


@require_safe
@login_required
def compare(request: StaffRequest, pk: int) -> HttpResponse:
    """The lecture beside another one of its class: the one asked for, else the one before it, else the first after."""
    lectures = lectures_for(request.user).filter(cancelled=False).select_related("course", "room")
    lecture = get_object_or_404(lectures, pk=pk)
    others = lectures.filter(is_held(), course=lecture.course_id).exclude(pk=pk)
    form = OtherLectureForm(request.GET or None, lectures=others.order_by("-starts_at", "pk"))
    other = form.cleaned_data["other"] if form.is_valid() else None
    if other is None:
        before = others.filter(starts_at__lt=lecture.starts_at).order_by("starts_at", "pk").last()
        other = before or others.order_by("starts_at", "pk").first()
        form.initial["other"] = other
    context = {"lecture": lecture, "form": form}
    if other:
        first, second = sorted((lecture, other), key=lambda one: (one.starts_at, one.pk))
        context |= {"first": first, "second": second, "groups": compare_lectures(request.user, first, second)}
    return render(request, "web/lecture_compare.html", context)
