"""Who may do what through the API."""

from typing import cast

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from campus.academics.models import Lecture
from campus.accounts.roles import is_administrator, is_registrar, sees_everything
from campus.attendance.selectors import can_edit_result


def request_user(request: Request) -> User:
    return cast(User, request.user)  # IsAuthenticated has let it through


class IsRegistrar(IsAuthenticated):
    message = gettext_lazy("Only a registrar may do this.")

    def has_permission(self, request: Request, view: APIView) -> bool:
        return super().has_permission(request, view) and is_registrar(request_user(request))


class IsRegistrarOrReadOnly(IsRegistrar):
    """Registrars write; others read what they may see."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        reads = request.method in SAFE_METHODS and IsAuthenticated().has_permission(request, view)
        return reads or super().has_permission(request, view)


class IsAdministratorOrReadOnly(IsAuthenticated):
    message = gettext_lazy("Only an administrator may do this.")

    def has_permission(self, request: Request, view: APIView) -> bool:
        reads = request.method in SAFE_METHODS
        return super().has_permission(request, view) and (reads or is_administrator(request_user(request)))


class CanSeeEverything(IsAuthenticated):
    message = gettext_lazy("Only those who look after all classes may read this.")

    def has_permission(self, request: Request, view: APIView) -> bool:
        return super().has_permission(request, view) and sees_everything(request_user(request))


def check_not_signed_off(request: Request, lecture: Lecture) -> None:
    if not can_edit_result(request.user, lecture):
        raise PermissionDenied(_("This lecture is signed off. Ask a registrar to change it."))
