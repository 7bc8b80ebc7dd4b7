"""Objections of students to their marks, and the page on which a person answers one."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from campus.attendance.objection_models import MAX_OBJECTION_LENGTH
from campus.attendance.objections import answer_objection, objections_for, open_objections
from campus.attendance.selectors import can_edit_result
from campus.attendance.statuses import override_choices
from campus.common.errors import UserError
from campus.web.views import StaffRequest

OBJECTIONS_PER_PAGE = 50


class ObjectionAnswerForm(forms.Form):
    """`status` is the new mark; empty where the mark stays."""

    status = forms.ChoiceField(label=gettext_lazy("Mark"), required=False)
    answer = forms.CharField(
        label=gettext_lazy("Answer, which the student reads"),
        max_length=MAX_OBJECTION_LENGTH,
        widget=forms.Textarea({"rows": 4}),
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["status"].choices = [("", _("The mark stays")), *override_choices()]  # type: ignore[attr-defined]


@require_safe
@login_required
def objections(request: StaffRequest) -> HttpResponse:
    """Those that wait for an answer, the most urgent first."""
    page = Paginator(open_objections(request.user), OBJECTIONS_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "web/objections.html", {"page": page, "asked": ""})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def objection(request: StaffRequest, pk: int) -> HttpResponse:
    """One objection. A POST answers it, and changes the mark in the same step."""
    rows = objections_for(request.user).select_related("record__student", "record__lecture__course")
    row = get_object_or_404(rows, pk=pk)
    form = ObjectionAnswerForm(request.POST or None)
    if form.is_valid():
        status, answer = form.cleaned_data["status"], form.cleaned_data["answer"]
        try:
            answer_objection(objection=row, upheld=bool(status), status=status, answer=answer, user=request.user)
        except UserError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The objection is answered."))
            return redirect("objections")
    context = {
        "row": row,
        "form": form,
        "may_answer": row.upheld is None and can_edit_result(request.user, row.record.lecture),
    }
    return render(request, "web/objection.html", context, status=400 if form.errors else 200)
