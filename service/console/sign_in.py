"""Signing in: the sign-in page, cookie sessions, and `signed_in(role)`, the dependency of every other page.

`signed_in` returns the Person. Without a session it redirects to the sign-in page and back; a lower role gets 403.
Every request other than GET must come from our own pages (Sec-Fetch-Site, Origin) and carry the session's token, in the
form field `csrf` or the header X-CSRF-Token.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import quote, urlsplit

import anyio
from fastapi import APIRouter, Depends, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from service import logs
from service.api.api_context import api_context, metrics_sink
from service.console import device_cookie
from service.console.browser_words import browser_words
from service.console.client_address import address_of
from service.console.person import Person, person_of
from service.console.rendering import FlashMessage, render, see_other
from service.errors import Refused
from service.model import microseconds
from service.storage.accounts import sessions, users
from service.storage.accounts.passwords import hash_password, is_outdated, verify_password
from service.storage.accounts.users import Role
from service.storage.sql.engine import write

HOME = "/console/clusters"
SIGN_IN = "/console/sign-in"
LIVE = "/console/live"
COOKIE = "brigadewatch"
FORM_COOKIE = "brigadewatch-form"  # the sign-in form's token, before there is a session
REFUSED = (
    "Wrong tenant, name or password. After several failed attempts the account is temporarily locked: wait a few"
    " minutes and try again."
)
_HASHES_AT_ONCE = 2  # 64 MiB each
_WAITING = 20  # attempts that may wait
_STRANGERS_WAITING = 15  # of browsers in which the person has not signed in before
_FORM_SECONDS = 3_600
_SAFE = ("GET", "HEAD", "OPTIONS")
PASSWORD = "/console/password"  # noqa: S105  (an address)
_BEFORE_A_NEW_PASSWORD = (PASSWORD, "/console/sign-out", "/console/preferences")
log = logging.getLogger(__name__)
router = APIRouter()


class SignInFirst(Exception):
    """The page needs a session; `path` is the page to return to after signing in."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class NewPasswordFirst(Exception):
    """The password is a one-time password: the person has to choose a new one first."""


class TooBusy(Exception):
    """Too many sign-in attempts are waiting already."""


class Hashing:
    """Runs a few password hashes at a time: each takes 64 MiB, and attackers decide how many are requested."""

    def __init__(self) -> None:
        self._turns = anyio.CapacityLimiter(_HASHES_AT_ONCE)

    async def verify(self, password_hash: str | None, password: str, *, known: bool = True) -> tuple[bool, str | None]:
        """Whether the password is correct, and its new hash if the old one has outdated parameters. Raises TooBusy,
        sooner for those who are not `known`: strangers cannot take every place.
        """
        if self._turns.statistics().tasks_waiting >= (_WAITING if known else _STRANGERS_WAITING):
            raise TooBusy

        def work() -> tuple[bool, str | None]:
            correct = verify_password(password_hash, password)
            return correct, (
                hash_password(password)
                if correct and password_hash is not None and is_outdated(password_hash)
                else None
            )

        return await anyio.to_thread.run_sync(work, limiter=self._turns)


async def present(request: Request) -> Person:
    """The signed-in person who sent this request, from one of our own pages; resolved once per request."""
    found = await run_in_threadpool(_person, request)
    if found is None:
        raise SignInFirst(_path_back(request))
    if request.method not in _SAFE:
        check_origin(request)
        sent = request.headers.get("x-csrf-token") or await _form_field(request, "csrf")
        if not hmac.compare_digest(sent.encode(), found.csrf.encode()):
            raise HTTPException(
                403, "This form is out of date. Go back, reload the page and submit it again. Nothing was changed."
            )
    request.state.person = found
    logs.note(tenant=found.tenant, role=found.role)
    if found.session.one_time and request.url.path not in _BEFORE_A_NEW_PASSWORD:
        raise NewPasswordFirst
    return found


def signed_in(role: Role) -> Callable[[Person], Awaitable[Person]]:
    """A FastAPI dependency that returns the signed-in person with at least this role."""

    async def person(found: Annotated[Person, Depends(present)]) -> Person:
        if not found.may(role):
            raise HTTPException(
                403, f"This page needs the {role} role. You are signed in as {found.name} with the {found.role} role."
            )
        return found

    return person


Viewer = Annotated[Person, Depends(signed_in("viewer"))]
Moderator = Annotated[Person, Depends(signed_in("moderator"))]
Admin = Annotated[Person, Depends(signed_in("admin"))]


def check_origin(request: Request) -> None:
    """Raise HTTPException 403 for a request made by another site's page."""
    fetch_site = request.headers.get("sec-fetch-site")
    if fetch_site is not None and fetch_site not in ("same-origin", "none"):
        raise HTTPException(403, "This request came from another site and was refused.")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() not in _own_hosts(request):
        raise HTTPException(
            403,
            "This request came from another site and was refused. Behind a proxy, set BRIGADEWATCH_PUBLIC_URL.",
        )


def _own_hosts(request: Request) -> set[str]:
    public = api_context(request).settings.public_url
    return {request.headers.get("host", "").lower()} | ({urlsplit(public).netloc.lower()} if public else set())


def is_secure(request: Request) -> bool:
    """Whether people reach this page over https; cookies are then limited to https."""
    public = api_context(request).settings.public_url or ""
    return request.url.scheme == "https" or public.startswith("https:")


def _person(request: Request) -> Person | None:
    token = request.cookies.get(_cookie_name(request))
    if not token or len(token) > 128:
        return None
    engine, now_us = api_context(request).engine, _now_us(request)
    with engine.connect() as connection:
        row = sessions.read_session(connection, token, now_us)
    if row is None:
        return None
    # An open page listens for events on its own; that is no sign of activity.
    if abs(now_us - row.seen_us) > sessions.TOUCH_SECONDS * 1_000_000 and not request.url.path.startswith(LIVE):
        with write(engine) as connection:
            sessions.touch(connection, row.hash, now_us)
    return person_of(row)


@router.get("/sign-in")
def show_sign_in(request: Request, next: str = "") -> Response:
    """The form; someone already signed in is redirected."""
    if _person(request) is not None:
        return RedirectResponse(safe_path(next), 303)
    return _form(request, next=next)


@router.post("/sign-in")
async def do_sign_in(
    request: Request,
    tenant: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Sign the person in with a new session, or refuse with the same message and timing whatever was wrong."""
    check_origin(request)
    cookie_token = request.cookies.get(_cookie_name(request, FORM_COOKIE), "")
    if not cookie_token or not hmac.compare_digest(cookie_token.encode(), csrf.encode()):
        _count(request, "form-expired")
        text = "The sign-in form has expired, or this browser blocks cookies. Please try again."
        return await run_in_threadpool(
            lambda: _form(request, tenant=tenant, name=name, next=next, status=403, message=text)
        )
    address = address_of(request)
    attempt = await run_in_threadpool(_begin, request, tenant.strip(), name, address)
    if attempt.verdict == "address-locked":
        _count(request, "address-locked", cause="sign-in-address")
        text = f"Too many attempts from this address. Try again in {attempt.wait_seconds} s."
        return await run_in_threadpool(
            lambda: _form(
                request,
                tenant=tenant,
                name=name,
                next=next,
                status=429,
                message=text,
                headers={"Retry-After": str(attempt.wait_seconds)},
            )
        )
    try:
        correct, new_hash = await request.app.state.hashing.verify(
            attempt.password_hash, password, known=attempt.device is not None
        )
    except TooBusy:
        _count(request, "busy", cause="sign-in-crowd")
        text = "Too many people are signing in right now. Try again in a few seconds."
        return await run_in_threadpool(
            lambda: _form(
                request, tenant=tenant, name=name, next=next, status=503, message=text, headers={"Retry-After": "5"}
            )
        )
    begun = await run_in_threadpool(_conclude, request, attempt, correct, address, new_hash, tenant.strip(), name)
    if begun is None:
        _count(request, "locked" if attempt.verdict == "locked" else "lock-out" if attempt.locks_until_us else "wrong")
        log.info("refused a sign-in from %s", address)
        return await run_in_threadpool(
            lambda: _form(request, tenant=tenant, name=name, next=next, status=401, message=REFUSED)
        )
    _count(request, "signed-in")
    token, device = begun
    answer = RedirectResponse(safe_path(next), 303, {"Cache-Control": "no-store"})
    _set_cookie(request, answer, COOKIE, token, sessions.ABSOLUTE_SECONDS)
    _set_cookie(request, answer, device_cookie.name_for(tenant.strip(), name), device, device_cookie.SECONDS)
    answer.delete_cookie(_cookie_name(request, FORM_COOKIE), secure=is_secure(request), path="/")
    return answer


@router.post("/sign-out")
def sign_out(request: Request, person: Viewer, everywhere: Annotated[str, Form()] = "") -> Response:
    """End this session or, with `everywhere`, all of the person's sessions."""
    with write(api_context(request).engine) as connection:
        sessions.close_sessions(connection, person.session, _now_us(request), everywhere=bool(everywhere))
    answer = see_other(request, SIGN_IN)
    answer.delete_cookie(_cookie_name(request), secure=is_secure(request), path="/")
    return answer


def _count(request: Request, result: str, cause: str | None = None) -> None:
    metrics_sink(request).signed_in(result)
    logs.note(sign_in=result, cause=cause)


def _begin(request: Request, tenant: str, name: str, address: str) -> sessions.SignInAttempt:
    try:
        name = users.checked_name(name)
    except Refused:
        name = ""  # counted for the address only
    device = request.cookies.get(_cookie_name(request, device_cookie.name_for(tenant, name)))
    with write(api_context(request).engine) as connection:
        return sessions.begin_attempt(connection, tenant, name, address, _now_us(request), device=device)


def _conclude(
    request: Request,
    attempt: sessions.SignInAttempt,
    correct: bool,
    address: str,
    new_hash: str | None,
    tenant: str,
    name: str,
) -> tuple[str, str] | None:
    """The new session's token and the device's; None if the password was wrong or the account no longer exists."""
    if attempt.user_id is None or attempt.password_hash is None or not (correct or attempt.locks_until_us):
        return None
    now_us = _now_us(request)
    with write(api_context(request).engine) as connection:
        if not correct:
            sessions.note_failure(connection, attempt, address, now_us)
            return None
        old = request.cookies.get(_cookie_name(request))
        if old is not None:
            sessions.drop_session(connection, old)
        token = sessions.open_session(
            connection,
            attempt.user_id,
            attempt.password_hash,
            address,
            now_us,
            new_password_hash=new_hash,
            attempt=attempt,
            browser=browser_words(request.headers.get("user-agent", "")),
        )
        if token is None:
            return None
        device = request.cookies.get(_cookie_name(request, device_cookie.name_for(tenant, name)))
        return token, sessions.remember_device(connection, attempt.user_id, token, device, now_us)


def _form(
    request: Request,
    *,
    tenant: str = "",
    name: str = "",
    next: str = "",
    status: int = 200,
    message: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    with api_context(request).engine.connect() as connection:
        tenants = users.tenant_names(connection)
    token = secrets.token_urlsafe(32)
    messages = (FlashMessage(message, "bad"),) if message else ()
    answer = render(
        request,
        None,
        "sign_in.html",
        status=status,
        headers=headers,
        messages=messages,
        csrf=token,
        tenant=tenant[:40] or (tenants[0] if len(tenants) == 1 else ""),
        name=name[:128],
        next=next[:2048],
        no_accounts=not tenants,
        one_tenant=len(tenants) == 1 and tenant in ("", tenants[0]),
    )
    _set_cookie(request, answer, FORM_COOKIE, token, _FORM_SECONDS)
    return answer


def _set_cookie(request: Request, answer: Response, name: str, value: str, seconds: int) -> None:
    # Lax, so that links to a case from mail or chat work; Lax cookies are not sent with POSTs from other sites.
    answer.set_cookie(
        _cookie_name(request, name),
        value,
        max_age=seconds,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def _cookie_name(request: Request, name: str = COOKIE) -> str:
    return f"__Host-{name}" if is_secure(request) else name


def _path_back(request: Request) -> str:
    if request.method not in _SAFE:
        return HOME
    shown = request.headers.get("hx-current-url")  # a fragment is not a page to return to
    if shown:
        parts = urlsplit(shown)
        return safe_path(parts.path + (f"?{parts.query}" if parts.query else ""))
    return safe_path(request.url.path + (f"?{request.url.query}" if request.url.query else ""))


def safe_path(path: str) -> str:
    """The path if it is one of the console's pages, otherwise the queue: signing in never leads to another site."""
    inside = path.startswith("/console") and not path.startswith(("/console/sign-", "/console/static", "/console/live"))
    return (
        path
        if inside
        and len(path) <= 2048
        and path.isascii()
        and path.isprintable()
        and "\\" not in path
        and "//" not in path.partition("?")[0]
        else HOME
    )


async def _form_field(request: Request, name: str) -> str:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in (
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ):
        return ""
    value = (await request.form()).get(name, "")
    return value if isinstance(value, str) else ""


def sign_in_path(path: str) -> str:
    """URL of the sign-in page, with the page to return to."""
    return f"{SIGN_IN}?next={quote(path, safe='')}" if path != HOME else SIGN_IN


def _now_us(request: Request) -> int:
    return microseconds(api_context(request).now())
