"""The page of a linked class: the marks that somebody has to look at, and moving or ending its link."""

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from campus.academics.models import Course
from campus.academics.selectors import current_courses_for
from campus.accounts.roles import AnyUser
from campus.common.errors import UserError
from campus.connections.models import CourseLink
from campus.connections.selectors import failed_marks, links_with_counts
from campus.connections.services import forget_link, move_link, unlink_class
from campus.web.views import StaffRequest
from campus.web.views.connections import links_by_hand, may_change, may_see

MARKS_PER_PAGE: Final = 50


class MoveForm(forms.Form):
    course = forms.ModelChoiceField(
        Course.objects.none(), label=gettext_lazy("Class"), empty_label=gettext_lazy("Choose a class")
    )

    def __init__(self, *args: Any, user: AnyUser, link: CourseLink, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = current_courses_for(user).exclude(connection_links=link).order_by("code")
        self.fields["course"].queryset = others  # type: ignore[attr-defined]


@require_safe
@login_required
@may_see
def linked_class(request: StaffRequest, pk: UUID) -> HttpResponse:
    """The marks of a class that were given up, what becomes of the others if its link is moved or ended, and both."""
    link = get_object_or_404(links_with_counts(request.user).select_related("connection"), pk=pk)
    return _page(request, link, MoveForm(user=request.user, link=link))


def _page(request: StaffRequest, link: Any, form: MoveForm) -> HttpResponse:
    context = {
        "link": link,
        "form": form,
        "page": Paginator(failed_marks(link), MARKS_PER_PAGE).get_page(request.GET.get("page")),
        "is_by_hand": links_by_hand(link.connection),
    }
    return render(request, "web/linked_class.html", context, status=400 if form.errors else 200)


@require_POST
@login_required
@may_change
def move(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Link the course there with another class."""
    link = get_object_or_404(links_with_counts(request.user).select_related("connection"), pk=pk)
    if not links_by_hand(link.connection):
        return _refuse(request)
    form = MoveForm(request.POST, user=request.user, link=link)
    if not form.is_valid():
        return _page(request, link, form)
    course = form.cleaned_data["course"]
    try:
        move_link(link=link, course=course, user=request.user)
    except UserError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The course there is linked with %(course)s now.") % {"course": course.code})
    return redirect("linked-class", pk)


@require_POST
@login_required
@may_change
def unlink(request: StaffRequest, pk: UUID) -> HttpResponse:
    """End the link. Its marks are taken away there, or left as they are."""
    link = get_object_or_404(links_with_counts(request.user).select_related("connection"), pk=pk)
    if not links_by_hand(link.connection):
        return _refuse(request)
    if request.POST.get("marks") == "leave":
        forget_link(link=link, user=request.user)
        messages.success(request, _("The class is not linked any more. Its marks stay there."))
    else:
        unlink_class(link=link, user=request.user)
        messages.success(request, _("The class is not linked any more. Its marks are taken away there."))
    return redirect("connections")


def _refuse(request: StaffRequest) -> HttpResponse:
    messages.error(request, _("This system links its classes itself, and would do so again with the next exchange."))
    return redirect("connections")
