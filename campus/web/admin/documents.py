"""Attendance statuses, register policies, webhooks and sent messages."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display

from campus.attendance.models import AttendanceStatus, RegisterPolicy
from campus.outbox import services
from campus.outbox.models import Delivery, Webhook
from campus.web.admin.attendance import STATUS_VARIANTS
from campus.web.admin.base import (
    MomentRangeFilter,
    ReadOnlyMixin,
    RegistrarAdmin,
    call_service,
    redirect_to_change,
    render_badge,
)

DELIVERY_STATES = {
    Delivery.State.QUEUED: "info",
    Delivery.State.WAITING: "warning",
    Delivery.State.SENT: "success",
    Delivery.State.FAILED: "danger",
}


class RegisterPolicyInline(StackedInline):
    """Shown on the page of a class."""

    model = RegisterPolicy
    tab = True
    hide_title = True


@admin.register(AttendanceStatus)
class AttendanceStatusAdmin(RegistrarAdmin):
    list_display = ("status", "letter", "worth", "is_counted", "meaning", "moodle_acronym", "position")
    fields = (("code", "name"), ("letter", "points"), "is_counted", ("meaning", "moodle_acronym"), "position")
    search_fields = ("code", "name")

    @display(description=gettext_lazy("Status"), ordering="position")
    def status(self, status: AttendanceStatus) -> SafeString:
        return render_badge(status.label, STATUS_VARIANTS[status.meaning])

    @display(description=gettext_lazy("Points"), ordering="points")
    def worth(self, status: AttendanceStatus) -> str:
        return number_format(status.points.normalize())

    def get_readonly_fields(self, request: HttpRequest, obj: AttendanceStatus | None = None) -> tuple[str, ...]:
        """Records store the code, so it never changes. A built-in status also keeps its name and meaning."""
        if obj is None:
            return ()
        return ("code", "name", "meaning") if obj.is_built_in else ("code",)

    def has_delete_permission(self, request: HttpRequest, obj: AttendanceStatus | None = None) -> bool:
        if obj is None:
            return False  # no bulk deletion: some statuses are built in or in use
        return not obj.is_built_in and not obj.is_in_use and super().has_delete_permission(request, obj)


@admin.register(Webhook)
class WebhookAdmin(RegistrarAdmin):
    list_display = ("url", "course", "active", "created_at")
    list_select_related = ("course",)
    autocomplete_fields = ("course",)
    search_fields = ("url",)
    actions_detail = ("ping", "replay", "renew_secret")

    def get_fields(self, request: HttpRequest, obj: Webhook | None = None) -> tuple[str, ...]:
        """The secret is shown to those who may change the webhook, since they could read its messages anyway."""
        secret = ("shared_secret",) if obj and self.has_change_permission(request, obj) else ()
        return ("url", "course", "active", *secret)

    def get_readonly_fields(self, request: HttpRequest, obj: Webhook | None = None) -> tuple[str, ...]:
        return ("shared_secret",)

    @display(description=gettext_lazy("Secret, for checking the signature (Standard Webhooks)"))
    def shared_secret(self, webhook: Webhook) -> str:
        return webhook.secret

    def has_ping_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("outbox.change_webhook")

    @action(description=gettext_lazy("Send test message"), url_path="ping", icon="send", permissions=["ping"], dialog={
        "title": gettext_lazy("Send test message?"),
        "description": gettext_lazy("Sends a message of the type “ping”. “Messages” shows whether it arrived."),
        "form_class": None,
        "form_submit_text": gettext_lazy("Send"),
    })  # fmt: skip
    def ping(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        webhook = get_object_or_404(Webhook, pk=object_id)
        call_service(request, lambda: services.queue_ping(webhook=webhook), _("The test message is on its way."))
        return redirect_to_change(request, Webhook, object_id)

    @action(
        description=gettext_lazy("Send the last 7 days again"),
        url_path="replay",
        icon="replay",
        permissions=["ping"],
        dialog={
            "title": gettext_lazy("Send the last 7 days again?"),
            "description": gettext_lazy(
                "Each message keeps its id, so that the receiver can tell what it has had. Those of a webhook that was "
                "switched off were never written."
            ),
            "form_class": None,
            "form_submit_text": gettext_lazy("Send again"),
        },
    )
    def replay(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        webhook = get_object_or_404(Webhook, pk=object_id)
        since = timezone.now() - timedelta(days=services.REPLAY_DAYS)
        call_service(
            request, lambda: services.replay(webhook=webhook, since=since), _("The messages are on their way.")
        )
        return redirect_to_change(request, Webhook, object_id)

    @action(
        description=gettext_lazy("Renew the secret"),
        url_path="renew-secret",
        icon="key",
        permissions=["ping"],
        dialog={
            "title": gettext_lazy("Renew the secret?"),
            "description": gettext_lazy(
                "For 24 hours each message is signed with the present secret, too. Give the receiver the new one in "
                "this time."
            ),
            "form_class": None,
            "form_submit_text": gettext_lazy("Renew"),
        },
    )
    def renew_secret(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        webhook = get_object_or_404(Webhook, pk=object_id)
        call_service(request, lambda: services.renew_secret(webhook=webhook), _("The secret is renewed."))
        return redirect_to_change(request, Webhook, object_id)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyMixin, RegistrarAdmin):
    list_display = ("created_at", "event", "receiver", "state_badge", "tries", "due_at", "error")
    list_filter = (("state", ChoicesDropdownFilter), ("created_at", MomentRangeFilter))
    list_select_related = ("webhook", "opt_in")
    search_fields = ("to", "event", "subject", "webhook__url", "opt_in__address")
    fields = (
        "created_at",
        "event",
        "receiver",
        "state_badge",
        ("tries", "due_at", "sent_at"),
        "error",
        "subject",
        "body",
    )
    readonly_fields = ("receiver", "state_badge")
    actions_detail = ("retry",)

    @display(description=gettext_lazy("State"), ordering="state")
    def state_badge(self, delivery: Delivery) -> SafeString:
        return render_badge(delivery.get_state_display(), DELIVERY_STATES[Delivery.State(delivery.state)])

    @display(description=gettext_lazy("Recipient"))
    def receiver(self, delivery: Delivery) -> str:
        return delivery.address

    def has_retry_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("outbox.change_delivery")

    @action(description=gettext_lazy("Try again"), url_path="retry", icon="refresh", permissions=["retry"], dialog={
        "title": gettext_lazy("Try again?"),
        "description": gettext_lazy("The message is sent as if it were new."),
        "form_class": None,
        "form_submit_text": gettext_lazy("Try again"),
    })  # fmt: skip
    def retry(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        delivery = get_object_or_404(Delivery, pk=object_id)
        call_service(request, lambda: services.retry_delivery(delivery=delivery), _("The message is on its way."))
        return redirect_to_change(request, Delivery, object_id)
