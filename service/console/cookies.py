"""Cookies of the console: their names and attributes, and small sealed ones for what a sign-in has come to.

A sealed cookie holds a JSON object that only this installation can make or read, for one purpose and a few minutes. It
takes the place of rows that anybody could fill a table with before signing in.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.errors import BrigadewatchError
from service.model import microseconds

SESSION_COOKIE = "brigadewatch"
FORM_COOKIE = "brigadewatch-form"  # the sign-in form's token, before there is a session
MOST_SECONDS = 600  # of a sealed cookie: one that ends later was sealed when the wall clock was ahead
MOST_CHARACTERS = 3_900  # what browsers keep of one cookie


def is_secure(request: Request) -> bool:
    """Whether people reach this page over https; cookies are then limited to https."""
    public = api_context(request).settings.public_url or ""
    return request.url.scheme == "https" or public.startswith("https:")


def own_base(request: Request) -> str:
    """Where browsers reach this installation: BRIGADEWATCH_PUBLIC_URL, otherwise as this request did."""
    public = api_context(request).settings.public_url
    return public or f"{request.url.scheme}://{request.headers.get('host', '')}"


def cookie_name(request: Request, name: str = SESSION_COOKIE) -> str:
    """The cookie's full name: only this host may set it where there is https."""
    return f"__Host-{name}" if is_secure(request) else name


def set_cookie(request: Request, answer: Response, name: str, value: str, seconds: int) -> None:
    """Set it for the whole console, out of reach of scripts."""
    # Lax, so that links to a case from mail or chat work; Lax cookies are not sent with POSTs from other sites.
    answer.set_cookie(
        cookie_name(request, name),
        value,
        max_age=seconds,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def drop_cookie(request: Request, answer: Response, name: str) -> None:
    """Remove it."""
    answer.delete_cookie(cookie_name(request, name), secure=is_secure(request), path="/")


def set_sealed(request: Request, answer: Response, name: str, values: dict[str, Any], seconds: int) -> None:
    """Set a sealed cookie that is read back by the same name within `seconds`, at most MOST_SECONDS."""
    assert seconds <= MOST_SECONDS
    api = api_context(request)
    until_us = microseconds(api.now()) + seconds * 1_000_000
    sealed = api.box.seal(json.dumps({**values, "for": name, "until": until_us}))
    set_cookie(request, answer, name, sealed, seconds)


def read_sealed(request: Request, name: str) -> dict[str, Any] | None:
    """The values of a sealed cookie; None if there is none, it is too old, or it was sealed for another purpose."""
    api = api_context(request)
    sealed = request.cookies.get(cookie_name(request, name), "")
    if not 1 <= len(sealed) <= MOST_CHARACTERS:
        return None
    try:
        values = json.loads(api.box.open(sealed))
    except (BrigadewatchError, ValueError):
        return None
    if not isinstance(values, dict) or values.get("for") != name:
        return None
    left_us = values["until"] - microseconds(api.now())
    return values if 0 < left_us <= 2 * MOST_SECONDS * 1_000_000 else None
