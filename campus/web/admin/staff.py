"""Staff accounts. A registrar looks after lecturers' accounts; only a superuser makes registrars or touches superusers."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from campus.academics.selectors import REGISTRAR, is_registrar
from campus.web.admin.base import badge

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "full_name", "email", "classes", "role", "is_active")
    list_filter = ("is_active", "groups")
    filter_horizontal = ()
    list_filter_submit = True
    compressed_fields = True

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("courses", "groups")

    @display(description=gettext_lazy("Name"))
    def full_name(self, user: User) -> str:
        return user.get_full_name()

    @display(description=gettext_lazy("Classes"))
    def classes(self, user: User) -> str:
        return ", ".join(course.code for course in user.courses.all())

    @display(description=gettext_lazy("Role"))
    def role(self, user: User) -> SafeString:
        if user.is_superuser:
            return badge(_("superuser"), "warning")
        return (
            badge(_("registrar"), "success")
            if any(group.name == REGISTRAR for group in user.groups.all())
            else badge(_("lecturer"), "info")
        )

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        rights = ("is_active", "groups", "is_superuser") if request.user.is_superuser else ("is_active",)
        return (
            (None, {"fields": ("username", "password")}),
            (gettext_lazy("Person"), {"fields": (("first_name", "last_name"), "email")}),
            (gettext_lazy("Rights"), {"fields": rights}),
            (gettext_lazy("Dates"), {"fields": (("last_login", "date_joined"),)}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        return ("last_login", "date_joined")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and is_registrar(obj) and not request.user.is_superuser and obj != request.user:
            return False
        return bool(super().has_change_permission(request, obj))


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    def has_module_permission(self, request: HttpRequest) -> bool:
        return False
