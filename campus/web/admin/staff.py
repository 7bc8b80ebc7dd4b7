"""Staff accounts. Registrars manage lecturers' accounts, administrators assign roles, only superusers manage
superusers."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldBooleanSwitchWidget

from campus.academics.models import Course
from campus.academics.selectors import CURRENT
from campus.accounts.history import record_event
from campus.accounts.invitations import email_in_use
from campus.accounts.models import AccountEvent, ApiToken, Invitation
from campus.accounts.names import display_name
from campus.accounts.roles import Role, assigned_role, is_administrator
from campus.accounts.selectors import lecturers
from campus.accounts.services import (
    check_administrator_remains,
    deactivate,
    disable_two_factor,
    reactivate,
    revoke_all_tokens,
    set_role,
)
from campus.common.errors import UserError
from campus.identity.models import PasswordLogin
from campus.identity.passwords import set_password_login
from campus.identity.selectors import replaces_passwords
from campus.web.admin.base import (
    DeletionSummaryMixin,
    KeyCheckMixin,
    ReadOnlyInline,
    call_service,
    confirm_dialog,
    redirect_to_change,
    render_badge,
    render_link,
    signed_in_user,
)
from campus.web.admin.invitations import EMAIL_IN_USE, invitation_page, invite_page, role_choices

admin.site.unregister(User)
admin.site.unregister(Group)

ROLE_VARIANTS = {Role.ADMINISTRATOR: "warning", Role.AUDITOR: "", Role.REGISTRAR: "success", Role.LECTURER: "info"}


class AccountForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("first_name", "last_name", "email")
        labels = {"email": gettext_lazy("E-mail"), "is_superuser": gettext_lazy("May do everything")}
        help_texts = {"is_superuser": gettext_lazy("Also what no role allows, such as changing other administrators.")}

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"])
        if email and "email" in self.changed_data and email_in_use(email, other_than=self.instance):
            raise forms.ValidationError(EMAIL_IN_USE)
        return email


class RoleForm(AccountForm):
    """For whoever may also give the role."""

    role = forms.ChoiceField(label=gettext_lazy("Role"), widget=UnfoldAdminRadioSelectWidget())
    keeps_password = forms.BooleanField(
        label=gettext_lazy("Password for emergencies"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text=gettext_lazy("The password works although a sign-in elsewhere is there instead of passwords."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "keeps_password" in self.fields:
            self.fields["keeps_password"].initial = PasswordLogin.objects.filter(user=self.instance.pk).exists()
        role = cast("forms.ChoiceField", self.fields["role"])
        role.choices, role.initial = role_choices(reversed(Role)), assigned_role(self.instance)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        is_superuser = given.get("is_superuser", self.instance.is_superuser)
        if "role" in given and given["role"] != Role.ADMINISTRATOR and not is_superuser:
            try:
                check_administrator_remains(without=self.instance)
            except UserError as error:
                self.add_error("role", str(error))
        return given


class TokenInline(ReadOnlyInline):
    model = ApiToken
    fields = ("name", "prefix", "scope", "created_at", "expires_at", "last_used_at")
    readonly_fields = fields
    verbose_name_plural = gettext_lazy("API tokens")


@admin.register(User)
class UserAdmin(DjangoUserAdmin, DeletionSummaryMixin):  # type: ignore[type-arg]
    change_password_form = AdminPasswordChangeForm
    list_display = ("name", "email_address", "classes", "role_badge", "state", "two_factor_enabled", "last_login")
    list_filter = (("groups", RelatedDropdownFilter), "is_active")
    ordering = ("last_name", "first_name", "username")
    filter_horizontal = ()
    list_filter_submit = True
    compressed_fields = True
    inlines = (TokenInline,)
    actions_detail = (
        "set_password",
        "deactivate",
        "reactivate",
        {"title": gettext_lazy("More"), "items": ["revoke_tokens", "disable_two_factor"]},
    )

    def get_urls(self) -> list[URLPattern]:
        invitation = path(
            "invitations/<int:pk>/", self.admin_site.admin_view(self.invitation_view), name="auth_user_invitation"
        )
        return [invitation, *super().get_urls()]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        if user := super().get_object(request, object_id, from_field):
            setattr(user, "heading", display_name(user))  # noqa: B010 - the page's title, which is no field
        return user

    def get_queryset(self, request: HttpRequest) -> Any:
        users = super().get_queryset(request).select_related("two_factor_device", "invitation")
        return users.prefetch_related(Prefetch("courses", Course.objects.filter(CURRENT)), "groups")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        queryset, repeats = super().get_search_results(request, queryset, search_term)
        if request.GET.get("field_name") == "lecturers":  # the search field of a class
            queryset = queryset.filter(pk__in=lecturers())
        return queryset, repeats

    @method_decorator(never_cache)
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return invite_page(request)

    @method_decorator(never_cache)
    def invitation_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        invitation = get_object_or_404(Invitation.objects.select_related("user", "invited_by"), pk=pk)
        if not self.has_change_permission(request, invitation.user):
            raise PermissionDenied
        return invitation_page(request, invitation)

    @display(description=gettext_lazy("E-mail"), ordering="email")
    def email_address(self, user: User) -> str:
        return user.email

    @display(description=gettext_lazy("Name"), ordering="last_name")
    def name(self, user: User) -> str:
        return display_name(user)

    @display(description=gettext_lazy("Username"))
    def user_name(self, user: User) -> str:
        return user.get_username()

    @display(description=gettext_lazy("State"), ordering="is_active")
    def state(self, user: User) -> SafeString:
        if user.is_active:
            return render_badge(_("active"), "success")
        invitation = getattr(user, "invitation", None)
        if invitation is None:
            return render_badge(_("deactivated"))
        label, variant = (_("invitation expired"), "warning") if invitation.is_expired else (_("invited"), "info")
        return render_link(reverse("admin:auth_user_invitation", args=[invitation.pk]), render_badge(label, variant))

    @display(description=gettext_lazy("Classes"))
    def classes(self, user: User) -> str:
        return ", ".join(course.code for course in user.courses.all())

    @display(description=gettext_lazy("Role"))
    def role_badge(self, user: User) -> SafeString:
        if user.is_superuser:
            return render_badge(_("superuser"), "warning")
        groups = {group.name for group in user.groups.all()}
        role = next((role for role in Role if role in groups), Role.LECTURER)
        return render_badge(str(role.label), ROLE_VARIANTS[role])

    @display(description=gettext_lazy("Two-factor login"), boolean=True)
    def two_factor_enabled(self, user: User) -> bool:
        return hasattr(user, "two_factor_device")

    def get_form(self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = RoleForm if _gives_roles(request, obj) else AccountForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        role = "role" if _gives_roles(request, obj) else "role_badge"
        rights: tuple[str, ...] = (role, "classes", "state", "two_factor_enabled")
        if role == "role" and replaces_passwords():
            rights = (*rights, "keeps_password")
        if request.user.is_superuser:
            rights = (*rights, "is_superuser")
        return (
            (None, {"fields": (("first_name", "last_name"), "email")}),
            (gettext_lazy("Rights"), {"fields": rights}),
            (gettext_lazy("Account"), {"fields": (("last_login", "date_joined"), "user_name")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        return ("last_login", "date_joined", "two_factor_enabled", "role_badge", "classes", "state", "user_name")

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return self.inlines if obj else ()

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "email" in form.changed_data:
            record_event(user=obj, kind=AccountEvent.Kind.EMAIL_CHANGED)
        if role := form.cleaned_data.get("role"):
            set_role(user=obj, role=role)
        if "keeps_password" in form.cleaned_data:
            set_password_login(user=obj, allowed=form.cleaned_data["keeps_password"])

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return bool(super().has_change_permission(request, obj)) and (obj is None or may_manage(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Whoever leaves is deactivated first, so that nobody loses an account that is in use."""
        may_delete = bool(super().has_delete_permission(request, obj))
        return may_delete and (obj is None or (not obj.is_active and may_manage(request, obj)))

    def has_deactivate_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        user = _managed(request, object_id)
        return user is not None and user.is_active and user != request.user

    def has_reactivate_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        user = _managed(request, object_id)
        return user is not None and not user.is_active and not hasattr(user, "invitation")

    def has_manage_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        user = _managed(request, object_id)
        return user is not None and not hasattr(user, "invitation")

    @action(
        description=gettext_lazy("Set a password"), url_path="set-password", icon="password", permissions=["manage"]
    )
    def set_password(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect("admin:auth_user_password_change", object_id)

    @action(
        description=gettext_lazy("Deactivate"),
        url_path="deactivate",
        icon="person_off",
        permissions=["deactivate"],
        dialog=confirm_dialog(
            gettext_lazy("Deactivate this account?"),
            gettext_lazy(
                "For someone who leaves. It ends the person's logins, API tokens and calendar links. What the person "
                "has done stays, and the account can be reactivated."
            ),
            gettext_lazy("Deactivate"),
        ),
    )
    def deactivate(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        user = get_object_or_404(User, pk=object_id)
        done = _("%(name)s is deactivated.") % {"name": user}
        call_service(request, lambda: deactivate(user=user, by=signed_in_user(request)), done)
        return redirect_to_change(request, User, object_id)

    @action(
        description=gettext_lazy("Reactivate"),
        url_path="reactivate",
        icon="person_check",
        permissions=["reactivate"],
        dialog=confirm_dialog(
            gettext_lazy("Reactivate this account?"),
            gettext_lazy("The person can log in again, with the password from before."),
            gettext_lazy("Reactivate"),
        ),
    )
    def reactivate(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        user = get_object_or_404(User, pk=object_id)
        call_service(request, lambda: reactivate(user=user), _("%(name)s is active again.") % {"name": user})
        return redirect_to_change(request, User, object_id)

    @action(
        description=gettext_lazy("Turn off two-factor login"),
        url_path="disable-two-factor",
        icon="phonelink_erase",
        permissions=["manage"],
        dialog=confirm_dialog(
            gettext_lazy("Turn off two-factor login?"),
            gettext_lazy(
                "For someone who has lost their phone. The password alone is then enough to log in. Make sure "
                "who is asking."
            ),
            gettext_lazy("Turn off"),
        ),
    )
    def disable_two_factor(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        user = get_object_or_404(User, pk=object_id)
        call_service(request, lambda: disable_two_factor(user=user), _("Two-factor login is off."))
        return redirect_to_change(request, User, object_id)

    @action(
        description=gettext_lazy("Revoke all tokens"),
        url_path="revoke-tokens",
        icon="key_off",
        permissions=["manage"],
        dialog=confirm_dialog(
            gettext_lazy("Revoke all tokens?"),
            gettext_lazy("Programs that act in this person's name lose access."),
            gettext_lazy("Revoke"),
        ),
    )
    def revoke_tokens(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        user = get_object_or_404(User, pk=object_id)
        call_service(request, lambda: revoke_all_tokens(user=user), _("All tokens revoked."))
        return redirect_to_change(request, User, object_id)


def may_manage(request: HttpRequest, user: User) -> bool:
    """Whether somebody who may change accounts may change this one."""
    if user == request.user or request.user.is_superuser:
        return True
    return not user.is_superuser and (is_administrator(request.user) or assigned_role(user) == Role.LECTURER)


def _gives_roles(request: HttpRequest, user: User | None) -> bool:
    return user is not None and is_administrator(request.user) and may_manage(request, user)


def _managed(request: HttpRequest, object_id: str | None) -> User | None:
    """The user, if whoever asks may manage this account."""
    user = User.objects.select_related("invitation").filter(pk=object_id).first() if object_id else None
    return user if user and request.user.has_perm("auth.change_user") and may_manage(request, user) else None


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, KeyCheckMixin):
    def has_module_permission(self, request: HttpRequest) -> bool:
        return False
