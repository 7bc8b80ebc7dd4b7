"""A program's way in: a token for a name and password, and its end."""

from typing import cast

from django.contrib.auth import authenticate
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, ScopedRateThrottle
from rest_framework.views import APIView

from campus.api.serializers import DetailSerializer, SignInSerializer, TokenSerializer
from campus.signin import TOO_MANY, is_blocked


class TokenView(APIView):
    # No session: a page of another site can't ask for a token in the user's name.
    authentication_classes = [TokenAuthentication]
    throttle_scope = "login"

    def get_permissions(self) -> list[BasePermission]:
        return [AllowAny()] if self.request.method == "POST" else [IsAuthenticated()]

    def get_throttles(self) -> list[BaseThrottle]:
        return [ScopedRateThrottle()] if self.request.method == "POST" else []

    @extend_schema(
        request=SignInSerializer,
        responses={
            200: TokenSerializer,
            401: OpenApiResponse(DetailSerializer, "wrong"),
            429: OpenApiResponse(DetailSerializer, "too many tries"),
        },
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """A token for a name and password; the same one until it is revoked."""
        wish = SignInSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        user = authenticate(request._request, **wish.validated_data)
        if user is None:
            if is_blocked(request._request, wish.validated_data["username"]):
                raise Throttled(detail=TOO_MANY)
            raise AuthenticationFailed("The name or the password is wrong.")
        token, _ = Token.objects.get_or_create(user=user)
        return Response({"token": token.key}, headers={"Cache-Control": "no-store"})

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """Revoke the token that this request is made with."""
        cast(Token, request.auth).delete()
        return Response(status=204)
