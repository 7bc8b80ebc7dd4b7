"""Authentication of API requests, by token or by session. Both refuse changes by read-only users."""

from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied as Denied
from django.utils.translation import gettext_lazy as _
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from campus.accounts.access import check_may_write
from campus.accounts.models import ApiToken
from campus.accounts.recent_login import must_confirm_login
from campus.accounts.services import authenticate_token


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer ...`, or `Token ...` as older programs send it."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        kind, _space, secret = request.headers.get("Authorization", "").strip().partition(" ")
        if kind.lower() not in ("bearer", "token"):
            return None
        token = authenticate_token(secret=secret.strip())
        if token is None:
            raise AuthenticationFailed(
                _("This token is wrong, expired or revoked. Make a new one on the page of your account.")
            )
        _check_may_write(request, token.user, read_only=token.scope == ApiToken.Scope.READ)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Rollcall"'


class SessionAuthentication(authentication.SessionAuthentication):
    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        found = super().authenticate(request)
        if found is not None:
            _check_may_write(request, found[0])
            if must_confirm_login(request._request):
                raise PermissionDenied(_("Your login is too long ago for this. Log in again, or use a token."))
        return found


def _check_may_write(request: Request, user: User, *, read_only: bool = False) -> None:
    try:
        check_may_write(request._request, user, read_only=read_only)
    except Denied as error:
        raise PermissionDenied(str(error)) from None
