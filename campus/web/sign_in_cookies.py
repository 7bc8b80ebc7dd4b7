"""What a browser keeps of who has logged in with it."""

from typing import TypeVar

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpResponseBase

from campus.accounts.selectors import language_of
from campus.accounts.signin import remember_browser

Response = TypeVar("Response", bound=HttpResponseBase)


def with_cookies(response: Response, user: User) -> Response:
    """The language that the person chose, on whichever machine, is this browser's from now on; and the browser is
    known as the person's."""
    remember_browser(response, user)
    if language := language_of(user):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            path=settings.LANGUAGE_COOKIE_PATH,
            domain=settings.LANGUAGE_COOKIE_DOMAIN,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
            samesite=settings.LANGUAGE_COOKIE_SAMESITE,
        )
    return response
