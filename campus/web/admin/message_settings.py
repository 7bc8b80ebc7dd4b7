"""How messages to students and guardians are sent, and what they cost."""

from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Sum
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from campus.accounts.institution import institution_name
from campus.outbox.gateway import send_sms
from campus.outbox.message_models import clean_number
from campus.outbox.models import Delivery, MessageSettings
from campus.web.admin.base import RegistrarAdmin, call_service, redirect_to_change


class MessageSettingsForm(forms.ModelForm):  # type: ignore[type-arg]
    """The secret is never shown: empty keeps it."""

    new_secret = forms.CharField(
        label=gettext_lazy("Secret"),
        required=False,
        max_length=1000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy(
            "What {secret} stands for. Stored encrypted and never shown. Empty keeps the present one."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields.keys() & {"headers", "body"}:
            self.fields[name].widget.attrs["rows"] = 4


class TrialForm(BaseDialogForm):
    number = forms.CharField(label=gettext_lazy("Phone number"), max_length=40, widget=UnfoldAdminTextInputWidget())


@admin.register(MessageSettings)
class MessageSettingsAdmin(RegistrarAdmin):
    form = MessageSettingsForm
    list_display = ("__str__", "gateway", "daily_limit")
    readonly_fields = ("this_month",)
    actions_detail = ("test_gateway",)
    fieldsets = (
        (None, {"fields": ("gateway", "this_month")}),
        (
            gettext_lazy("A web address"),
            {"fields": ("url", "headers", ("body_format", "success_statuses"), "body", "new_secret")},
        ),
        (gettext_lazy("E-mail to the number at a gateway"), {"fields": ("mail_address",)}),
        (
            gettext_lazy("Limits"),
            {
                "fields": (
                    ("quiet_from", "quiet_until"),
                    ("daily_limit", "daily_limit_per_recipient"),
                    ("price", "currency"),
                )
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not MessageSettings.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: MessageSettings, form: Any, change: bool) -> None:
        obj.pk = 1
        obj.secret = form.cleaned_data["new_secret"] or obj.secret
        super().save_model(request, obj, form, change)

    @display(description=gettext_lazy("This month"))
    def this_month(self, chosen: MessageSettings) -> str:
        first = timezone.localtime().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        sent = Delivery.objects.filter(opt_in__isnull=False, sent_at__gte=first)
        parts = sent.aggregate(parts=Sum("parts"))["parts"] or 0
        text = ngettext("%(n)d message", "%(n)d messages", sent.count()) % {"n": sent.count()}
        text += ", " + ngettext("%(n)d SMS", "%(n)d SMS", parts) % {"n": parts}
        if chosen.price is not None:
            cost = number_format(parts * chosen.price, 2)
            text += ", " + _("about %(cost)s %(currency)s") % {"cost": cost, "currency": chosen.currency}
        return text

    def has_test_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("outbox.change_messagesettings")

    @action(
        description=gettext_lazy("Test it"),
        url_path="test",
        icon="send",
        permissions=["test"],
        dialog={
            "title": gettext_lazy("Send a test SMS"),
            "description": gettext_lazy(
                "It is sent at once, with the settings that are saved, and may cost something."
            ),
            "form_class": TrialForm,
            "form_submit_text": gettext_lazy("Send"),
        },
    )
    def test_gateway(self, request: HttpRequest, form: TrialForm, object_id: str) -> HttpResponseBase:
        try:
            number = clean_number(form.cleaned_data["number"])
        except ValidationError as error:
            messages.error(request, error.messages[0])
            return redirect_to_change(request, MessageSettings, object_id)
        text = _("Test message from %(institution)s") % {"institution": institution_name()}
        call_service(
            request,
            lambda: send_sms(number=number, text=text, message_id=str(uuid4())),
            _("The gateway has accepted the message."),
        )
        return redirect_to_change(request, MessageSettings, object_id)
