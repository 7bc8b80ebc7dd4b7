"""Staff accounts. Registrars manage lecturers' accounts, administrators assign roles, only superusers manage
superusers."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget

from campus.accounts.history import record_event
from campus.accounts.models import AccountEvent, ApiToken
from campus.accounts.roles import Role, is_administrator, role_of
from campus.accounts.services import disable_two_factor, revoke_all_tokens, set_role
from campus.web.admin.base import (
    DeletionSummaryMixin,
    KeyCheckMixin,
    ReadOnlyInline,
    call_service,
    confirm_dialog,
    redirect_to_change,
    render_badge,
)

admin.site.unregister(User)
admin.site.unregister(Group)

ROLE_VARIANTS = {Role.ADMINISTRATOR: "warning", Role.AUDITOR: "", Role.REGISTRAR: "success", Role.LECTURER: "info"}


class StaffForm(UserChangeForm):
    role = forms.ChoiceField(
        label=gettext_lazy("Role"),
        choices=Role.choices,
        required=False,
        widget=UnfoldAdminSelectWidget(),
        help_text=gettext_lazy("A lecturer sees their own classes; an auditor can read everything and change nothing."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].initial = role_of(self.instance)


class TokenInline(ReadOnlyInline):
    model = ApiToken
    fields = ("name", "prefix", "scope", "created_at", "expires_at", "last_used_at")
    readonly_fields = fields
    verbose_name_plural = gettext_lazy("API tokens")


@admin.register(User)
class UserAdmin(DjangoUserAdmin, DeletionSummaryMixin):  # type: ignore[type-arg]
    form = StaffForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "full_name", "email", "classes", "role_badge", "two_factor_enabled", "is_active")
    list_filter = ("is_active", ("groups", RelatedDropdownFilter))
    filter_horizontal = ()
    list_filter_submit = True
    compressed_fields = True
    inlines = (TokenInline,)
    actions_detail = ("revoke_tokens", "disable_two_factor")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("two_factor_device").prefetch_related("courses", "groups")

    @display(description=gettext_lazy("Name"))
    def full_name(self, user: User) -> str:
        return user.get_full_name()

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

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        gives_roles = is_administrator(request.user) and may_manage(request, obj)
        rights: tuple[str, ...] = ("is_active", "role" if gives_roles else "role_badge", "two_factor_enabled")
        if request.user.is_superuser:
            rights = (*rights, "is_superuser")
        return (
            (None, {"fields": ("username", "password")}),
            (gettext_lazy("Person"), {"fields": (("first_name", "last_name"), "email")}),
            (gettext_lazy("Rights"), {"fields": rights}),
            (gettext_lazy("Dates"), {"fields": (("last_login", "date_joined"),)}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        return ("last_login", "date_joined", "two_factor_enabled", "role_badge")

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return self.inlines if obj else ()

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "email" in form.changed_data:
            record_event(user=obj, kind=AccountEvent.Kind.EMAIL_CHANGED)
        if not change:
            set_role(user=obj, role=Role.LECTURER)
        elif is_administrator(request.user) and (role := form.cleaned_data.get("role")):
            set_role(user=obj, role=role)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return bool(super().has_change_permission(request, obj)) and (obj is None or may_manage(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return bool(super().has_delete_permission(request, obj)) and (obj is None or may_manage(request, obj))

    def has_manage_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        user = User.objects.filter(pk=object_id).first() if object_id else None
        return bool(request.user.has_perm("auth.change_user")) and (user is None or may_manage(request, user))

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
    return not user.is_superuser and (is_administrator(request.user) or role_of(user) in (Role.LECTURER, None))


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, KeyCheckMixin):
    def has_module_permission(self, request: HttpRequest) -> bool:
        return False
