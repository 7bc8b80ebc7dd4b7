"""Who gets messages about a student's attendance: the page for staff, and the one to which each message links."""

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campus.academics.models import Student
from campus.academics.selectors import students_for
from campus.accounts.addresses import client_network
from campus.accounts.signin import AttemptLimit
from campus.common.errors import UserError
from campus.outbox.models import MessageOptIn
from campus.outbox.opt_ins import (
    agreement_text,
    confirm_opt_in,
    find_opt_in,
    open_opt_ins,
    opt_ins_for,
    record_opt_in,
    withdraw_opt_in,
)
from campus.web.views import StaffRequest

MAX_CHOICES_PER_NETWORK = 300  # in a quarter of an hour


class OwnOptInForm(forms.Form):
    """Where a student wants messages."""

    channel = forms.ChoiceField(label=gettext_lazy("By"), choices=MessageOptIn.Channel.choices)
    address = forms.CharField(label=gettext_lazy("E-mail address or phone number"), max_length=254)


class OptInForm(OwnOptInForm):
    """Where a student or a guardian wants messages, who has signed so on paper."""

    recipient = forms.ChoiceField(label=gettext_lazy("For"), choices=MessageOptIn.Recipient.choices)
    name = forms.CharField(label=gettext_lazy("Guardian's name"), max_length=200, required=False)
    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=settings.LANGUAGES)
    agreed = forms.BooleanField(label=gettext_lazy("This person has agreed to this text, in writing."))

    field_order = ("recipient", "name", "channel", "address", "language", "agreed")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@permission_required("outbox.view_messageoptin", raise_exception=True)
def student_messages(request: StaffRequest, pk: int) -> HttpResponse:
    """Who gets messages about a student. A POST records that somebody wants them, or ends it."""
    student = get_object_or_404(students_for(request.user), pk=pk, erased_at=None)
    is_end = request.POST.get("act") == "end"
    asked = request.POST if request.method == "POST" and not is_end else None
    start = {"recipient": "guardian", "channel": "sms", "address": student.guardian_phone}
    form = OptInForm(asked, initial=start | {"language": settings.LANGUAGE_CODE})
    if request.method == "POST":
        if not request.user.has_perm("outbox.add_messageoptin"):
            raise PermissionDenied
        if is_end:
            key = request.POST.get("opt_in", "")
            row = get_object_or_404(opt_ins_for(request.user), pk=int(key) if key.isdecimal() and len(key) < 19 else 0)
            withdraw_opt_in(opt_in=row, user=request.user)
            messages.success(request, _("No messages go to this address any more."))
            return redirect("student-messages", pk)
        if form.is_valid():
            values = {name: value for name, value in form.cleaned_data.items() if name != "agreed"}
            try:
                record_opt_in(student=student, user=request.user, **values)
            except ValidationError as error:
                form.add_error("address", error.messages)
            except UserError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("Messages go to this address from now on."))
                return redirect("student-messages", pk)
    context = {
        "student": student,
        "rows": opt_ins_for(request.user).filter(student=student),
        "form": form,
        "text": agreement_text(),
        "may_record": request.user.has_perm("outbox.add_messageoptin"),
    }
    return render(request, "web/student_messages.html", context, status=400 if form.errors else 200)


@csrf_exempt  # what protects it is in the address, and in no cookie
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def message_choice(request: HttpRequest, code: str) -> HttpResponse:
    """Where the link in each message leads: whoever got it confirms that the address is right, or ends the messages."""
    limit = AttemptLimit("message-choice", client_network(request), most=MAX_CHOICES_PER_NETWORK)
    opt_in = None if limit.is_exceeded else find_opt_in(code)
    if opt_in is None:
        limit.add_attempt()
        return render(request, "web/message_choice.html", {"opt_in": None}, status=404)
    if request.method == "POST":
        if request.POST.get("act") == "confirm":
            confirm_opt_in(opt_in=opt_in)
        else:
            withdraw_opt_in(opt_in=opt_in)
        return redirect("message-choice", code)
    return render(request, "web/message_choice.html", {"opt_in": opt_in})


def own_opt_in_context(student: Student) -> dict[str, object]:
    """What the student's own page shows of messages."""
    return {
        "opt_ins": open_opt_ins(student),
        "opt_in_form": OwnOptInForm(),
        "opt_in_text": agreement_text(),
        "may_opt_in": bool(settings.BASE_URL),
    }
