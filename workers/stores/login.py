"""Logs in to web servers by Digest or Basic, whichever the server requests, and only once it does."""

from collections.abc import Generator
from http import HTTPStatus

import aiohttp
import httpx
from aiohttp.client_middlewares import ClientHandlerType

from campus.common.errors import UserError

CHALLENGE_HEADER, CREDENTIALS_HEADER = "WWW-Authenticate", "Authorization"


def aiohttp_middlewares(username: str, password: str) -> tuple[aiohttp.ClientMiddlewareType, ...]:
    """For aiohttp, which has Digest built in, but not Basic on request.

    Raises UserError for a user name with a colon, which neither scheme can express.
    """
    if ":" in username:
        raise UserError("A web server knows no user name with a colon.")
    basic = aiohttp.encode_basic_auth(username, password, encoding="utf-8")
    trusted_origins: set[str] = set()

    async def by_basic(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        origin = str(request.url.origin())
        if origin in trusted_origins:
            request.headers[CREDENTIALS_HEADER] = basic
        response = await handler(request)
        if (
            not trusted_origins
            and response.status == HTTPStatus.UNAUTHORIZED
            and response.headers.get(CHALLENGE_HEADER, "").lower().startswith("basic")
        ):
            trusted_origins.add(origin)  # only the first one, which is the source's own
            response.release()
            request.headers[CREDENTIALS_HEADER] = basic
            response = await handler(request)
        return response

    return aiohttp.DigestAuthMiddleware(username, password), by_basic


class HttpxLogin(httpx.Auth):
    """For httpx, which has both schemes, but cannot choose between them."""

    def __init__(self, username: str, password: str) -> None:
        self.digest, self.basic = httpx.DigestAuth(username, password), httpx.BasicAuth(username, password)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        flow = self.digest.auth_flow(request)
        response = yield next(flow)
        if response.headers.get(CHALLENGE_HEADER, "").lower().startswith("basic"):
            yield from self.basic.auth_flow(request)
            return
        try:
            yield flow.send(response)
        except StopIteration:
            return


class BearerToken(httpx.Auth):
    """A token, which is sent with each request."""

    def __init__(self, token: str) -> None:
        self.token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers[CREDENTIALS_HEADER] = f"Bearer {self.token}"
        yield request
