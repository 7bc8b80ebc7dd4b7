"""User name and password for web servers, sent when the server asks for them, and as it asks: by Digest or by Basic."""

from collections.abc import Generator
from http import HTTPStatus

import aiohttp
import httpx
from aiohttp.client_middlewares import ClientHandlerType

from campus.common.errors import UserError

CHALLENGE, ANSWER = "WWW-Authenticate", "Authorization"


def aiohttp_middlewares(username: str, password: str) -> tuple[aiohttp.ClientMiddlewareType, ...]:
    """For aiohttp, which has Digest itself.

    Raises UserError for a user name with a colon, which neither scheme can express.
    """
    if ":" in username:
        raise UserError("A web server knows no user name with a colon.")
    basic = aiohttp.encode_basic_auth(username, password, encoding="utf-8")
    asked_by: set[str] = set()

    async def by_basic(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        origin = str(request.url.origin())
        if origin in asked_by:
            request.headers[ANSWER] = basic
        answer = await handler(request)
        if (
            not asked_by
            and answer.status == HTTPStatus.UNAUTHORIZED
            and answer.headers.get(CHALLENGE, "").lower().startswith("basic")
        ):
            asked_by.add(origin)  # only the first one, which is the source's own
            answer.release()
            request.headers[ANSWER] = basic
            answer = await handler(request)
        return answer

    return aiohttp.DigestAuthMiddleware(username, password), by_basic


class HttpxLogin(httpx.Auth):
    """For httpx, which has both, but not the choice between them."""

    def __init__(self, username: str, password: str) -> None:
        self.digest, self.basic = httpx.DigestAuth(username, password), httpx.BasicAuth(username, password)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        flow = self.digest.auth_flow(request)
        answer = yield next(flow)
        if answer.headers.get(CHALLENGE, "").lower().startswith("basic"):
            yield from self.basic.auth_flow(request)
            return
        try:
            yield flow.send(answer)
        except StopIteration:
            return
