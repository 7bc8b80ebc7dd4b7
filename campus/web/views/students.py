"""Students over all classes that the user may see: search, and each one's history."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from campus.academics.search import MAX_CHARACTERS, matching_students
from campus.academics.selectors import students_for, with_enrolments_for
from campus.attendance.confirmed_faces import decide_face
from campus.attendance.excuses import with_right_to_withdraw
from campus.attendance.history import course_histories, student_history
from campus.attendance.selectors import excuses_for
from campus.biometrics.selectors import lecture_faces_for
from campus.web.faces import enrolment_face_urls
from campus.web.term_forms import CompareForm, TermForm
from campus.web.term_plot import draw_term_plot
from campus.web.views import StaffRequest


@require_safe
@login_required
def students(request: StaffRequest) -> HttpResponse:
    wanted = request.GET.get("q", "").replace("\x00", "").strip()[:MAX_CHARACTERS]
    found = students_for(request.user).filter(matching_students(wanted)).order_by("sort_key", "number_key")
    page = Paginator(with_enrolments_for(request.user, found), 50).get_page(request.GET.get("page"))
    return render(request, "web/students.html", {"page": page, "wanted": wanted})


@require_safe
@login_required
def student(request: StaffRequest, pk: int) -> HttpResponse:
    student = get_object_or_404(students_for(request.user), pk=pk)
    form = TermForm(request.GET)
    classes = student_history(request.user, student, **form.term)
    plot = draw_term_plot({item.course.code: item.weeks for item in classes if len(item.weeks) > 1})
    excuses = excuses_for(request.user).filter(student=student).select_related("course")
    context = {
        "student": student,
        "classes": classes,
        "plot": plot,
        "form": form,
        "excuses": with_right_to_withdraw(request.user, excuses),
        "photos": enrolment_face_urls(request.user, [student.pk]).get(student.pk, []),
        "lecture_faces": lecture_faces_for(request.user).filter(student=student).select_related("lecture__course"),
    }
    return render(request, "web/student.html", context)


@require_POST
@login_required
def decide_lecture_face(request: StaffRequest, pk: str) -> HttpResponse:
    """Whether the class learns from a face of one of its lectures."""
    face = get_object_or_404(lecture_faces_for(request.user).select_related("lecture"), pk=pk)
    is_learnt = request.POST.get("learn") == "yes"
    decide_face(face=face, is_learnt=is_learnt, user=request.user)
    messages.success(request, _("The next training learns from it.") if is_learnt else _("It is not learnt."))
    return redirect(reverse("student", args=[face.student_id]) + "#lecture-faces")


@require_safe
@login_required
def compare(request: StaffRequest) -> HttpResponse:
    form = CompareForm(request.GET or None, user=request.user)
    compared = course_histories(form.courses, **form.term)
    plot = draw_term_plot({item.course.code: item.weeks for item in compared})
    return render(request, "web/compare.html", {"form": form, "compared": compared, "plot": plot})
