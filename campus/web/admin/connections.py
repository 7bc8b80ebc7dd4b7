"""The settings of connections, and which class is which course there. For administrators; auditors read."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy
from unfold.admin import TabularInline
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanSwitchWidget,
)

from campus.connections.adapters import ADAPTERS, RosterAdapter, adapter_for
from campus.connections.lti.registration import create_sign_in
from campus.connections.models import Connection, CourseLink
from campus.web.admin.base import PreloadedChoicesForm, RegistrarAdmin
from campus.web.admin.sign_in import AdministratorsMixin

PREFIX = "setting_"


def _use_widget(field: forms.Field) -> forms.Field:
    """The field in the look of the admin."""
    attrs = field.widget.attrs
    if isinstance(field, forms.BooleanField):
        field.widget = UnfoldBooleanSwitchWidget(attrs=attrs)
    elif isinstance(field, forms.ChoiceField):
        field.widget = UnfoldAdminSelectWidget(attrs=attrs, choices=field.choices)
    elif isinstance(field.widget, forms.Textarea):
        field.widget = UnfoldAdminTextareaWidget(attrs=attrs)
    elif isinstance(field, forms.URLField):
        field.widget = UnfoldAdminURLInputWidget(attrs=attrs)
    elif isinstance(field, forms.CharField | forms.IntegerField):
        field.widget = UnfoldAdminTextInputWidget(attrs=attrs)
    return field


class ConnectionForm(forms.ModelForm):  # type: ignore[type-arg]
    """The settings of the connection's kind are fields of it, too."""

    new_secret = forms.CharField(
        label=gettext_lazy("Secret"),
        required=False,
        strip=False,
        max_length=5000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("Stored encrypted and never shown. Leave empty to keep the current one."),
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        names = [name.removeprefix(PREFIX) for name in self.fields if name.startswith(PREFIX)]
        if names:
            form = adapter_for(self.instance.kind).settings_form({name: given.get(PREFIX + name) for name in names})
            for name, errors in form.errors.items():
                self.add_error(PREFIX + name if name in names else None, errors.as_data())
            before, now = self.instance.settings, form.cleaned_data
            is_same = not given.get("new_secret") and before.items() >= now.items()
            self.instance.settings = {**(before if is_same else {}), **now}  # what exchanges kept is of those before
        return given


class LinkInline(AdministratorsMixin, TabularInline):
    model = CourseLink
    form = PreloadedChoicesForm
    fields = ("course", "remote_id", "remote_name", "takes_roster", "sends_marks")
    autocomplete_fields = ("course",)
    extra = 0
    tab = True
    can_delete = False  # the page of connections says what becomes of its marks

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(course__isnull=False).select_related("course", "connection")


@admin.register(Connection)
class ConnectionAdmin(AdministratorsMixin, RegistrarAdmin):
    list_display = ("name", "kind", "active", "last_ok_at", "last_error")
    list_filter = ("kind", "active")
    inlines = (LinkInline,)

    def get_form(self, request: HttpRequest, obj: Connection | None = None, change: bool = False, **kwargs: Any) -> Any:
        """With the settings of its kind; a new one has a name and a kind first."""
        fields: dict[str, forms.Field] = {}
        if obj and self.has_change_permission(request, obj):
            for name, field in adapter_for(obj.kind).settings_form().fields.items():
                field.initial = obj.settings.get(name, field.initial)
                fields[PREFIX + name] = _use_widget(field)
        kwargs["form"] = type("ConnectionFormOfItsKind", (ConnectionForm,), fields)
        kwargs["fields"] = self._model_fields(obj)
        form = super().get_form(request, obj, change=change, **kwargs)
        if "kind" in form.base_fields:
            form.base_fields["kind"].choices = [(kind, Connection.Kind(kind).label) for kind in ADAPTERS]
        return form

    def _model_fields(self, obj: Connection | None) -> list[str]:
        if obj is None:
            return ["name", "kind"]
        sign_in = ["sign_in"] if obj.kind == Connection.Kind.LTI else []
        return ["name", "active", "dry_run", "schedule", "change_limit_percent", "calls_per_minute", *sign_in]

    def get_readonly_fields(self, request: HttpRequest, obj: Connection | None = None) -> Any:
        return ("kind", "last_run_at", "last_ok_at", "last_error") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Connection | None = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("name", "kind")}),)
        may_change = self.has_change_permission(request, obj)
        settings = [PREFIX + name for name in adapter_for(obj.kind).settings_form().fields] if may_change else []
        secret = ["new_secret"] if may_change and obj.kind != Connection.Kind.LTI else []
        return (
            (None, {"fields": ("kind", *self._model_fields(obj))}),
            (gettext_lazy("Settings"), {"fields": (*settings, *secret)}),
            (gettext_lazy("State"), {"fields": ("last_run_at", "last_ok_at", "last_error")}),
        )

    def get_inlines(self, request: HttpRequest, obj: Connection | None) -> Any:
        """Registries and calendars link thousands of classes, by themselves."""
        return self.inlines if obj and isinstance(adapter_for(obj.kind), RosterAdapter) else ()

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: bool) -> None:
        if secret := form.cleaned_data.get("new_secret"):
            obj.secret = secret
        if not change and obj.kind == Connection.Kind.LTI:
            obj.sign_in = create_sign_in(obj)
        obj.save()

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """A class in the place of another has its own marks."""
        super().save_formset(request, form, formset, change)
        moved = [link.pk for link, fields in formset.changed_objects if "course" in fields]
        CourseLink.objects.filter(pk__in=moved).update(marks_changed_at=timezone.now(), question="")

    def response_add(self, request: HttpRequest, obj: Connection, post_url_continue: str | None = None) -> HttpResponse:
        """The settings come next."""
        return redirect("admin:connections_connection_change", obj.pk)
