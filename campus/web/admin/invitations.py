"""Invites people by e-mail, and shows an invitation, which can be sent again or withdrawn until it is used."""

from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminTextInputWidget,
)

from campus.academics.models import Course
from campus.academics.selectors import current_courses_for
from campus.academics.services import set_courses_taught
from campus.accounts.invitations import (
    email_in_use,
    invitable_roles,
    invitation_token,
    invite,
    renew_invitation,
    withdraw_invitation,
)
from campus.accounts.models import Invitation
from campus.accounts.roles import ROLE_DESCRIPTIONS, AnyUser, Role, assigned_role
from campus.common.errors import UserError
from campus.outbox.account_emails import emails_have_links, queue_invitation
from campus.web.admin.base import call_service, format_moment, signed_in_user

EMAIL_IN_USE = gettext_lazy("Another account has this address.")


def role_choices(roles: Iterable[Role]) -> list[tuple[str, object]]:
    """The roles, each with a sentence of what it may do."""
    sentence = _("{}: can {}.")
    return [
        (
            role.value,
            format_html(sentence, format_html("<strong>{}</strong>", capfirst(role.label)), ROLE_DESCRIPTIONS[role]),
        )
        for role in roles
    ]


class InvitationForm(forms.Form):
    first_name = forms.CharField(
        label=gettext_lazy("First name"), max_length=150, widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True})
    )
    last_name = forms.CharField(label=gettext_lazy("Last name"), max_length=150, widget=UnfoldAdminTextInputWidget())
    email = forms.EmailField(
        label=gettext_lazy("E-mail"),
        max_length=254,
        widget=UnfoldAdminEmailInputWidget(),
        help_text=gettext_lazy("The invitation goes there, and the person logs in with it."),
    )
    role = forms.ChoiceField(label=gettext_lazy("Role"), initial=Role.LECTURER, widget=UnfoldAdminRadioSelectWidget())
    courses = forms.ModelMultipleChoiceField(
        Course.objects.none(),
        label=gettext_lazy("Classes"),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget(),
        help_text=gettext_lazy("The classes that this person teaches."),
    )

    def __init__(self, *args: Any, user: AnyUser, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast("forms.ChoiceField", self.fields["role"]).choices = role_choices(invitable_roles(user))
        cast("forms.ModelMultipleChoiceField[Course]", self.fields["courses"]).queryset = current_courses_for(user)

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"])
        if email_in_use(email):
            raise forms.ValidationError(EMAIL_IN_USE)
        return email


def invite_page(request: HttpRequest) -> HttpResponse:
    """The form for a new invitation. The query may name classes (`courses`) to begin with."""
    chosen = [key for key in request.GET.getlist("courses") if key.isdecimal()]
    form = InvitationForm(request.POST or None, user=request.user, initial={"courses": chosen})
    if form.is_valid():
        try:
            with transaction.atomic():
                given = dict(form.cleaned_data)
                courses = given.pop("courses")
                invitation = invite(**given, by=signed_in_user(request))
                set_courses_taught(lecturer=invitation.user, courses=courses)
                return _send(request, invitation)
        except UserError as error:
            form.add_error("email", str(error))
    context = {
        **admin.site.each_context(request),
        "title": _("Invite somebody"),
        "form": form,
        "verb": _("Send invitation") if emails_have_links() else _("Invite"),
    }
    return TemplateResponse(request, "admin/rollcall/form_page.html", context)


def invitation_page(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    """An open invitation. A POST sends it again or withdraws it."""
    if "withdraw" in request.POST:
        name = str(invitation.user)
        call_service(
            request,
            lambda: withdraw_invitation(invitation=invitation),
            _("The invitation for %(name)s is withdrawn.") % {"name": name},
        )
        return redirect("admin:auth_user_changelist")
    if "send" in request.POST:
        with transaction.atomic():
            return _send(request, renew_invitation(invitation=invitation))
    return _render(request, invitation)


def _send(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    """Have the e-mail sent, or show the link where no e-mail can be: in this response and nowhere else."""
    if not emails_have_links():
        path = reverse("invitation", args=[invitation_token(invitation)])
        link = f"{settings.BASE_URL}{path}" if settings.BASE_URL else request.build_absolute_uri(path)
        return _render(request, invitation, link=link, status=201)
    queue_invitation(invitation=invitation)
    messages.success(
        request,
        _("An invitation is on its way to %(address)s. Its link is valid until %(until)s.")
        % {"address": invitation.user.email, "until": format_moment(invitation.expires_at)},
    )
    return redirect("admin:auth_user_changelist")


def _render(request: HttpRequest, invitation: Invitation, *, link: str = "", status: int = 200) -> TemplateResponse:
    context = {
        **admin.site.each_context(request),
        "title": _("Invitation for %(name)s") % {"name": invitation.user},
        "invitation": invitation,
        "role": assigned_role(invitation.user).label,
        "link": link,
        "emails_have_links": emails_have_links(),
    }
    return TemplateResponse(request, "admin/rollcall/invitation.html", context, status=status)
