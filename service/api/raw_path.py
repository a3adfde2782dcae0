"""Routing on the path as it was sent: a percent-encoded id stays one segment, whatever is inside.

Servers pass a decoded path, in which `a%2Fbrief` and `a/brief` look the same. The routes match on the
raw one, and `segment` decodes an id after matching. HEAD is answered as GET without a body.
"""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import Invalid
from service.fields import Id
from service.model import RejectedItem

_ID: TypeAdapter[str] = TypeAdapter(Id)


class RawPath:
    """ASGI middleware that puts the raw path where routers look."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        raw: bytes | None = scope.get("raw_path")
        path = quote(scope["path"]) if raw is None else raw.split(b"?", 1)[0].decode("latin-1")
        if scope["method"] != "HEAD":
            await self._app({**scope, "path": path}, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "path": path, "method": "GET"}, receive, send_head)


def segment(request: Request, name: str) -> str:
    """The id in the path parameter `name`, decoded. Raises Invalid (422) for an invalid id."""
    try:
        return _ID.validate_python(unquote_to_bytes(request.path_params[name].encode("latin-1")).decode())
    except UnicodeDecodeError:
        detail = "not percent-encoded UTF-8"
    except ValidationError as error:
        detail = error.errors(include_url=False, include_context=False, include_input=False)[0]["msg"].removeprefix(
            "Value error, "
        )
    raise Invalid(f"invalid id: {detail}", [RejectedItem(detail=detail, pointer=f"/{name}")])


async def decoded_path(request: Request) -> None:
    """A FastAPI dependency that decodes every path parameter before the route reads it."""
    request.scope["path_params"] = {name: segment(request, name) for name in request.path_params}
