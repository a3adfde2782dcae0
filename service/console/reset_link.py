"""The page behind a one-time link: its owner chooses a new password, and is not signed in by it.

Opening the page uses nothing up (programs that preview links open them too); the form does. Whether a link works is
looked up by a hash of 32 random bytes, so nothing has to be counted.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api.api_context import api_context
from service.console import sign_in
from service.console.formatting import sentence
from service.console.hashing import TOO_BUSY, Hashing, TooBusy
from service.console.rendering import FlashMessage, render
from service.errors import Refused
from service.model import microseconds
from service.storage.accounts import one_time_links
from service.storage.accounts.one_time_links import OneTimeLink
from service.storage.accounts.passwords import MOST_CHARACTERS, checked_password, hash_password
from service.storage.sql.engine import write

HERE = "/console/sign-in/link"
router = APIRouter()


@router.get("/sign-in/link/{token}")
def show_link(request: Request, token: str) -> Response:
    """The form."""
    return _page(request, _link(request, token))


@router.post("/sign-in/link/{token}")
async def use_link(
    request: Request,
    token: str,
    fresh: Annotated[str, Form(max_length=4 * MOST_CHARACTERS)] = "",
    again: Annotated[str, Form(max_length=4 * MOST_CHARACTERS)] = "",
) -> Response:
    """Set the password; the link no longer works."""
    sign_in.check_origin(request)
    link = await run_in_threadpool(_link, request, token)
    try:
        chosen = checked_password(fresh, name=link.user.name)
        if fresh != again:
            raise Refused("the passwords do not match")
        hashing: Hashing = request.app.state.hashing
        password_hash = await hashing.run(lambda: hash_password(chosen))
    except Refused as error:
        text = sentence(error)
        return await run_in_threadpool(lambda: _page(request, link, text, 422))
    except TooBusy:
        return await run_in_threadpool(lambda: _page(request, link, TOO_BUSY, 503))

    def keep() -> Response:
        api = api_context(request)
        with write(api.engine) as connection:
            used = one_time_links.use_link(connection, token, password_hash, now_us=microseconds(api.now()))
        if used is None:
            raise _gone()
        return sign_in.show_form(
            request,
            tenant=used.tenant,
            name=used.user.name,
            message="Your password has been set. Sign in with it.",
            kind="good",
        )

    return await run_in_threadpool(keep)


def _link(request: Request, token: str) -> OneTimeLink:
    api = api_context(request)
    with api.engine.connect() as connection:
        link = one_time_links.read_link(connection, token[:128], microseconds(api.now()))
    if link is None:
        raise _gone()
    return link


def _gone() -> HTTPException:
    return HTTPException(
        404, "This link was already used, was replaced by another one, or is too old. Ask for a new one."
    )


def _page(request: Request, link: OneTimeLink, error: str | None = None, status: int = 200) -> Response:
    return render(
        request,
        None,
        "reset_link.html",
        status=status,
        messages=(FlashMessage(error, "bad"),) if error else (),
        link=link,
        most=MOST_CHARACTERS,
    )
