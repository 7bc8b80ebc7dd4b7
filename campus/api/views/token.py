"""Tokens for programs: create one with a username and password, look it up, revoke it."""

from typing import Any, cast

from django.contrib.auth import authenticate
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, ScopedRateThrottle
from rest_framework.views import APIView

from campus.accounts.addresses import client_network
from campus.accounts.authentication import TokenAuthentication
from campus.accounts.models import ApiToken
from campus.accounts.selectors import has_two_factor
from campus.accounts.services import MAX_TOKEN_DAYS, create_token, revoke_token
from campus.accounts.signin import is_login_blocked, too_many_attempts, verify_login_code

DEFAULT_TOKEN_DAYS = 30


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "campus.accounts.authentication.TokenAuthentication"
    name = "token"
    priority = 1

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token from the account page or from `POST /api/v1/token/`.",
        }


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "campus.accounts.authentication.SessionAuthentication"
    name = "session"
    priority = 1

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "The login of the pages."}


class TokenRequestSerializer(serializers.Serializer[Any]):
    username = serializers.CharField(max_length=254, help_text="user name or e-mail address")
    password = serializers.CharField(max_length=4096, trim_whitespace=False, write_only=True)
    code = serializers.CharField(
        max_length=40,
        default="",
        allow_blank=True,
        help_text="the two-factor code or a recovery code, if the account has two-factor login",
    )
    name = serializers.CharField(max_length=100, default="Program", help_text="what the token is for")
    scope = serializers.ChoiceField(choices=ApiToken.Scope.choices, default=ApiToken.Scope.WRITE)
    days = serializers.IntegerField(
        min_value=1, max_value=MAX_TOKEN_DAYS, default=DEFAULT_TOKEN_DAYS, help_text="days until the token expires"
    )


class TokenInfoSerializer(serializers.ModelSerializer[ApiToken]):
    class Meta:
        model = ApiToken
        fields = ["name", "scope", "prefix", "created_at", "expires_at", "last_used_at"]
        read_only_fields = fields


class NewTokenSerializer(TokenInfoSerializer):
    token = serializers.CharField(help_text="send it as `Authorization: Bearer ...`; it is not shown again")

    class Meta(TokenInfoSerializer.Meta):
        fields = ["token", *TokenInfoSerializer.Meta.fields]
        read_only_fields = fields


class LoginThrottle(ScopedRateThrottle):
    def get_ident(self, request: Request) -> str:
        return client_network(request._request)


class TokenView(APIView):
    # No session: a page of another site can't ask for a token in the user's name.
    authentication_classes = [TokenAuthentication]
    throttle_scope = "login"

    def get_permissions(self) -> list[BasePermission]:
        return [AllowAny()] if self.request.method == "POST" else [IsAuthenticated()]

    def get_throttles(self) -> list[BaseThrottle]:
        return [LoginThrottle()] if self.request.method == "POST" else []

    @extend_schema(
        request=TokenRequestSerializer,
        responses={200: NewTokenSerializer},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Create a token with a username and password. Earlier tokens stay valid."""
        serializer = TokenRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        data = dict(serializer.validated_data)
        username, password, code = data.pop("username"), data.pop("password"), data.pop("code")
        user = authenticate(request._request, username=username, password=password)
        if user is None:
            if is_login_blocked(request._request, username):
                raise Throttled(detail=too_many_attempts())
            raise AuthenticationFailed(_("The name or the password is wrong."))
        if has_two_factor(user):
            if not code:
                raise AuthenticationFailed(
                    _(
                        "This account asks for a code besides the password. Send it as “code”, or make a token in the "
                        "pages."
                    )
                )
            verify_login_code(user=user, code=code)
        token, secret = create_token(user=user, **data)
        answer = {"token": secret, **TokenInfoSerializer(token).data}
        return Response(answer, headers={"Cache-Control": "no-store"})

    @extend_schema(responses={200: TokenInfoSerializer})
    def get(self, request: Request) -> Response:
        """The scope and expiry of the token that authenticates this request."""
        return Response(TokenInfoSerializer(cast(ApiToken, request.auth)).data, headers={"Cache-Control": "no-store"})

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """Revoke the token that authenticates this request."""
        revoke_token(token=cast(ApiToken, request.auth))
        return Response(status=204)
