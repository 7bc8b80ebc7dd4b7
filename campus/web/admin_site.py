"""The admin is for registrars and administrators, and for auditors to read. Lecturers have the staff's pages."""

from django.contrib.admin.apps import AdminConfig
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
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
            raise PermissionDenied(_("The admin is for registrars. Your classes are on the staff pages."))
        return redirect(reverse("login", query={"next": request.GET.get("next") or reverse("admin:index")}))

    def index(self, request: HttpRequest, extra_context: object = None) -> HttpResponseBase:
        from campus.web.dashboard import Dashboard

        context = {**self.each_context(request), "title": _("Today"), "dashboard": Dashboard.of(request.user)}
        return TemplateResponse(request, "admin/rollcall/dashboard.html", context)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [path("workers/", self.admin_view(self.workers), name="workers"), *super().get_urls()]

    def workers(self, request: HttpRequest) -> HttpResponseBase:
        """A part of the first page: it asks the workers, and may take a while."""
        from campus.web.dashboard import queues, workers

        answers, rows = workers(), queues()
        served = {queue for names in (answers or {}).values() for queue in names}
        context = {
            "workers": answers,
            "queues": rows,
            "unserved": [row.name for row in rows if answers is not None and row.name not in served],
        }
        return TemplateResponse(request, "admin/rollcall/_workers.html", context)
