"""Providers at which people sign in, who they are here, and why some were refused. For administrators alone, since
rules give roles; auditors read.
"""

from typing import Any, ClassVar, Final, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, Max, Model, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanSwitchWidget,
)

from campus.accounts.roles import is_administrator, is_auditor
from campus.identity.models import AccessRule, ExternalIdentity, FailedSignIn, IdentityProvider
from campus.identity.oidc import callback_address
from campus.identity.provider_settings import SETTINGS, settings_form
from campus.identity.services import delete_provider, save_provider
from campus.web.admin.base import PreloadedChoicesForm, ReadOnlyInline, RegistrarAdmin, format_moment, render_badge
from campus.web.admin.scim_page import scim_page
from campus.web.admin.sign_in_pages import test_page, try_page

WIDGETS: Final[dict[type[forms.Field], Any]] = {
    forms.BooleanField: UnfoldBooleanSwitchWidget,
    forms.CharField: UnfoldAdminTextInputWidget,
    forms.URLField: UnfoldAdminURLInputWidget,
}


# What the other side has to know of us, by the kind.
ADDRESSES: Final[dict[str, tuple[str, ...]]] = {
    IdentityProvider.Kind.OIDC: ("callback", "logout_callback"),
    IdentityProvider.Kind.SAML: ("saml_metadata_address",),
}


class AdministratorsMixin:
    """For administrators; auditors read."""

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_administrator(request.user) or is_auditor(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_administrator(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_administrator(request.user)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_administrator(request.user)


def may_see_sign_in(request: HttpRequest) -> bool:
    """Whether the menu has them."""
    return is_administrator(request.user) or is_auditor(request.user)


def setting_name(kind: str, name: str) -> str:
    """What a setting of a kind is called among the fields of the form."""
    return f"{kind}_{name}"


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]
    """The settings of each kind are fields of it, too; those of the chosen kind are shown, checked and stored."""

    new_secret = forms.CharField(
        label=gettext_lazy("Secret"),
        required=False,
        strip=False,
        max_length=5000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("Stored encrypted and never shown. Leave empty to keep the current one."),
    )
    second_factor_values = LinesField(
        label=gettext_lazy("Signs of a second factor"),
        required=False,
        help_text=IdentityProvider._meta.get_field("second_factor_values").help_text,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = [self.instance.kind] if self.instance.created_at else [*SETTINGS]
        if "kind" in self.fields:
            kind = cast("forms.ChoiceField", self.fields["kind"])
            kind.choices = [(value, IdentityProvider.Kind(value).label) for value in kinds]
        for name, field in self.fields.items():
            kind_name, _line, setting = name.partition("_")
            if kind_name in SETTINGS and setting in SETTINGS[kind_name].base_fields:
                field.required = False  # what is missing, the settings of the chosen kind say
                if kind_name == self.instance.kind and self.instance.created_at:
                    field.initial = self.instance.settings.get(setting, field.initial)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        kind = given.get("kind") or self.instance.kind
        names = SETTINGS[kind].base_fields if kind in SETTINGS else {}
        checked = settings_form(kind, {name: given.get(setting_name(kind, name)) for name in names})
        for name, errors in checked.errors.items():
            self.add_error(setting_name(kind, name) if name in names else None, errors.as_data())
        self.instance.settings = checked.cleaned_data
        return given

    class Meta:
        model = IdentityProvider
        fields = (
            *("name", "active", "kind", "slug", "for_staff", "for_students"),
            *("matching", "match_claim", "student_number_claim", "creates_accounts", "replaces_passwords"),
            "second_factor_values",
        )


def _provider_form() -> type[ProviderForm]:
    """The form with the settings of all kinds, in the look of the admin."""
    fields: dict[str, forms.Field] = {}
    for kind, form in SETTINGS.items():
        for name, field in form.base_fields.items():
            if type(field) in WIDGETS and not field.widget.is_hidden:
                widget = UnfoldAdminTextareaWidget if isinstance(field.widget, forms.Textarea) else WIDGETS[type(field)]
                field.widget = widget(attrs=field.widget.attrs)
            fields[setting_name(kind, name)] = field
    return type("ProviderFormOfAllKinds", (ProviderForm,), fields)


class RuleInline(AdministratorsMixin, TabularInline):
    model = AccessRule
    form = PreloadedChoicesForm
    fields = ("order", "claim", "value", "role", "course")
    autocomplete_fields = ("course",)
    extra = 0
    tab = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccessRule]:
        return super().get_queryset(request).select_related("course", "provider")


class FailureInline(ReadOnlyInline):
    model = FailedSignIn
    fields = ("code", "at", "error")
    readonly_fields = fields
    per_page = 20

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may_see_sign_in(request)


@admin.register(IdentityProvider)
class IdentityProviderAdmin(AdministratorsMixin, RegistrarAdmin):
    form = _provider_form()
    list_display = ("name", "kind", "state", "people", "latest")
    prepopulated_fields = {"slug": ("name",)}
    inlines = (RuleInline, FailureInline)
    actions_detail = ("test_it", "try_rules", "provision")
    readonly_fields = ("callback", "logout_callback", "saml_metadata_address")
    conditional_fields: ClassVar[dict[str, str]] = {
        "new_secret": "kind != 'saml'",
        **{
            setting_name(kind, name): f"kind == '{kind}'"
            for kind, form in SETTINGS.items()
            for name in form.base_fields
        },
        "match_claim": "matching == 'user-name'",
        "student_number_claim": "for_students == true",
        "creates_accounts": "for_staff == true",
        "replaces_passwords": "for_staff == true",
    }

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        if provider := super().get_object(request, object_id, from_field):
            provider.callback_address = callback_address(request, provider)
        return provider

    def get_queryset(self, request: HttpRequest) -> QuerySet[IdentityProvider]:
        people = {"people_n": Count("identities"), "latest_at": Max("identities__last_sign_in_at")}
        return super().get_queryset(request).annotate(**people)

    def get_readonly_fields(self, request: HttpRequest, obj: IdentityProvider | None = None) -> Any:
        """The kind stays a field, with one choice: which settings are shown follows from it, in the browser."""
        return (*self.readonly_fields, *(("slug",) if obj else ()))

    def get_prepopulated_fields(self, request: HttpRequest, obj: IdentityProvider | None = None) -> Any:
        return {} if obj else self.prepopulated_fields

    def get_fieldsets(self, request: HttpRequest, obj: IdentityProvider | None = None) -> Any:
        kinds = [obj.kind] if obj else list(SETTINGS)
        may_change = self.has_change_permission(request, obj)
        settings = tuple(
            setting_name(kind, name) for kind in kinds if kind in SETTINGS for name in SETTINGS[kind].base_fields
        )
        addresses = ADDRESSES.get(obj.kind, ()) if obj else ()
        # That of SAML is our own key, which nobody enters.
        secret = ("new_secret",) if may_change and not (obj and obj.kind == IdentityProvider.Kind.SAML) else ()
        return (
            (None, {"fields": (("name", "active"), ("kind", "slug"), ("for_staff", "for_students"))}),
            (
                gettext_lazy("Connection"),
                {"fields": (*(settings if may_change else ()), *secret, *addresses)},
            ),
            (
                gettext_lazy("Who is who"),
                {"fields": ("matching", "match_claim", "student_number_claim", "creates_accounts")},
            ),
            (gettext_lazy("Logging in"), {"fields": ("replaces_passwords", "second_factor_values")}),
        )

    def save_model(self, request: HttpRequest, obj: IdentityProvider, form: Any, change: bool) -> None:
        save_provider(provider=obj, secret=form.cleaned_data.get("new_secret") or None)

    def delete_model(self, request: HttpRequest, obj: IdentityProvider) -> None:
        delete_provider(provider=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[IdentityProvider]) -> None:
        for provider in queryset:
            delete_provider(provider=provider)

    @display(description=gettext_lazy("State"), ordering="active")
    def state(self, provider: IdentityProvider) -> SafeString:
        return render_badge(_("active"), "success") if provider.active else render_badge(_("not in use"))

    @display(description=gettext_lazy("People"), ordering="people_n")
    def people(self, provider: Any) -> int:
        return int(provider.people_n)

    @display(description=gettext_lazy("Last sign-in"), ordering="latest_at")
    def latest(self, provider: Any) -> str:
        return format_moment(provider.latest_at) if provider.latest_at else "-"

    @display(description=gettext_lazy("Callback address, for the provider"))
    def callback(self, provider: Any) -> str:
        return str(provider.callback_address)

    @display(description=gettext_lazy("Back-channel logout address, for the provider"))
    def logout_callback(self, provider: Any) -> str:
        return str(provider.callback_address).removesuffix("callback/") + "logout/"

    @display(description=gettext_lazy("Address of our metadata, for the identity provider"))
    def saml_metadata_address(self, provider: Any) -> str:
        return str(provider.callback_address).removesuffix("callback/") + "saml/metadata/"

    def has_try_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return is_administrator(request.user)

    @action(description=gettext_lazy("Test it"), url_path="test-it", icon="troubleshoot", permissions=["try"])
    def test_it(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect("admin:identity_identityprovider_test", object_id)

    @action(
        description=gettext_lazy("What would this person get?"),
        url_path="try-rules",
        icon="person_search",
        permissions=["try"],
    )
    def try_rules(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect("admin:identity_identityprovider_try", object_id)

    @action(
        description=gettext_lazy("Provisioning (SCIM)"), url_path="provision", icon="group_add", permissions=["try"]
    )
    def provision(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect("admin:identity_identityprovider_scim", object_id)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/scim/", view(scim_page), name="identity_identityprovider_scim"),
            path("<uuid:pk>/test/", view(test_page), name="identity_identityprovider_test"),
            path("<uuid:pk>/try/", view(try_page), name="identity_identityprovider_try"),
            *super().get_urls(),
        ]


class IdentityForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if bool(given.get("user")) == bool(given.get("student")):
            raise ValidationError(_("Choose either a staff member or a student."))
        return given


@admin.register(ExternalIdentity)
class ExternalIdentityAdmin(AdministratorsMixin, RegistrarAdmin):
    form = IdentityForm
    list_display = ("person", "provider", "subject", "linked_by_rule", "linked_at", "last_sign_in_at")
    list_filter = (("provider", RelatedDropdownFilter),)
    list_select_related = ("provider", "user", "student")
    search_fields = ("subject", "user__username", "user__last_name", "user__email", "student__number_key")
    autocomplete_fields = ("user", "student")
    readonly_fields = ("linked_by_rule", "linked_at", "last_sign_in_at")
    fields = (
        "provider",
        ("issuer", "subject"),
        ("user", "student"),
        ("linked_by_rule", "linked_at"),
        "last_sign_in_at",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: ExternalIdentity | None = None) -> Any:
        return (*self.readonly_fields, *(("provider", "issuer", "subject") if obj else ()))

    @display(description=gettext_lazy("Person"))
    def person(self, identity: ExternalIdentity) -> str:
        return str(identity.user or identity.student)
