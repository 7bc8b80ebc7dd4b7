"""The admin is the registrar's: superusers and the group Registrar. Lecturers have the staff's pages."""

from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from unfold.sites import UnfoldAdminSite


class RollcallAdminConfig(AdminConfig):
    default_site = "campus.web.admin_site.RegistrarSite"


class RegistrarSite(UnfoldAdminSite):
    def has_permission(self, request: HttpRequest) -> bool:
        # Sites are made before the models are there.
        from campus.academics.selectors import is_registrar

        return is_registrar(request.user)

    def index(self, request: HttpRequest, extra_context: object = None) -> HttpResponseBase:
        return redirect("admin:academics_course_changelist")
