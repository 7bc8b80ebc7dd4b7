"""The admin is for registrars and administrators, and for auditors to read. Lecturers have the staff's pages."""

from django.contrib.admin.apps import AdminConfig
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.sites import UnfoldAdminSite


class RollcallAdminConfig(AdminConfig):
    default_site = "campus.web.admin_site.RegistrarSite"


class RegistrarSite(UnfoldAdminSite):
    def has_permission(self, request: HttpRequest) -> bool:
        # Sites are made before the models are there.
        from campus.accounts.roles import sees_everything

        return sees_everything(request.user)

    def login(self, request: HttpRequest, extra_context: object = None) -> HttpResponseBase:
        """There is one door, with one limit on guesses and one second step."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied(_("The admin is for registrars. Your classes are on the staff's pages."))
        return redirect(reverse("login", query={"next": request.GET.get("next") or reverse("admin:index")}))

    def index(self, request: HttpRequest, extra_context: object = None) -> HttpResponseBase:
        return redirect("admin:academics_course_changelist")
