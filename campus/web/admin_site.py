"""The admin is for registrars and administrators, and for auditors to read. Lecturers use the staff pages."""

from django.contrib.admin.apps import SimpleAdminConfig
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _
from unfold.sites import UnfoldAdminSite


class RollcallAdminConfig(SimpleAdminConfig):
    """The admin's pages are imported with the addresses, campus/urls.py: workers have none."""

    default_site = "campus.web.admin_site.RegistrarSite"


class RegistrarSite(UnfoldAdminSite):
    def has_permission(self, request: HttpRequest) -> bool:
        # Django makes the site before the models are loaded.
        from campus.accounts.roles import sees_everything

        return sees_everything(request.user)

    def login(self, request: HttpRequest, extra_context: object = None) -> HttpResponseBase:
        """Everybody logs in on one page, so that the limit on attempts and two-factor login hold here, too."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied(_("The admin is for registrars. Your classes are on the staff pages."))
        return redirect(reverse("login", query={"next": request.GET.get("next") or reverse("admin:index")}))

    def index(self, request: HttpRequest, extra_context: object = None) -> HttpResponseBase:
        from campus.web.dashboard import build_dashboard

        context = {**self.each_context(request), "title": _("Today"), "dashboard": build_dashboard(request.user)}
        return TemplateResponse(request, "admin/rollcall/dashboard.html", context)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        from campus.web.admin.system_page import system_page

        return [
            path("workers/", self.admin_view(self.workers), name="workers"),
            path("system/", self.admin_view(system_page), name="system"),
            *super().get_urls(),
        ]

    def workers(self, request: HttpRequest) -> HttpResponseBase:
        """A section of the first page that loads on its own, since workers may take a while to answer."""
        from campus.web.dashboard import worker_status

        return TemplateResponse(request, "admin/rollcall/_workers.html", worker_status())
