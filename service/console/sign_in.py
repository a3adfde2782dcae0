"""Signing in: the sign-in page, cookie sessions, and `signed_in(role)`, the dependency of every other page.

`signed_in` returns the Person. Without a session it redirects to the sign-in page and back; a lower role gets 403.
Every request other than GET must come from our own pages (Sec-Fetch-Site, Origin) and carry the session's token, in the
form field `csrf` or the header X-CSRF-Token.
"""

from __future__ import annotations

import hmac
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Depends, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from service import logs
from service.api.api_context import api_context, metrics_sink
from service.console import device_cookie, kept_forms
from service.console.browser_words import browser_words
from service.console.client_address import address_of
from service.console.cookies import FORM_COOKIE, SESSION_COOKIE, cookie_name, drop_cookie, set_cookie
from service.console.hashing import TOO_BUSY, TooBusy
from service.console.person import Person, person_of
from service.console.provider_sign_out import leave_provider, session_there
from service.console.rendering import FlashMessage, MessageKind, render, see_other
from service.console.steps import (
    USE_PROVIDER,
    NewSession,
    NotByPassword,
    SecondStep,
    after_password,
    known_from_now_on,
    leave_earlier_session,
    let_in,
    to_second_step,
)
from service.errors import Refused
from service.model import microseconds
from service.storage.accounts import sessions, sign_in_throttle, users
from service.storage.accounts.identity_providers import sso_choice
from service.storage.accounts.users import Role
from service.storage.sql.engine import write

HOME = "/console/clusters"
SIGN_IN = "/console/sign-in"
LIVE = "/console/live"
COOKIE = SESSION_COOKIE
_LOCKED = " After several failed attempts the account is temporarily locked: wait a few minutes and try again."
REFUSED = f"Wrong tenant, name or password.{_LOCKED}"
_REFUSED_WITHOUT_TENANT = f"Wrong name or password.{_LOCKED}"  # where the form does not ask for one
_FORM_SECONDS = 3_600
_PATH = re.compile(r"/console(?:[/?][ -\[\]-~]*)?")  # printable ASCII without backslashes
MOST_TO_SEAL = 700  # characters of a path in a sealed cookie, which browsers drop when it is too long
_SAFE = ("GET", "HEAD", "OPTIONS")
PASSWORD = "/console/password"  # noqa: S105  (an address)
_BEFORE_A_NEW_PASSWORD = (PASSWORD, "/console/sign-out", "/console/preferences")
SECURITY = "/console/security"
_BEFORE_A_SECOND_FACTOR = (SECURITY, *_BEFORE_A_NEW_PASSWORD)
log = logging.getLogger(__name__)
router = APIRouter()


class SignInFirst(Exception):
    """The page needs a session; `path` is the page to return to after signing in."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class NewPasswordFirst(Exception):
    """The password is a one-time password: the person has to choose a new one first."""


class SecondFactorFirst(Exception):
    """The tenant requires a second factor: the person has to set one up first."""


async def present(request: Request) -> Person:
    """The signed-in person who sent this request, from one of our own pages; resolved once per request."""
    found = await run_in_threadpool(person_of_request, request)
    if found is None:
        raise SignInFirst(await _way_back(request))
    if request.method not in _SAFE:
        check_origin(request)
        if request.headers.get("content-type", "").lower().startswith("multipart/") and not found.may("admin"):
            raise HTTPException(403, "Only administrators upload files.")  # before the file is received
        sent = request.headers.get("x-csrf-token") or await _form_field(request, "csrf")
        if not hmac.compare_digest(sent.encode(), found.csrf.encode()):
            if _has_form(request) and (kept := await kept_forms.keep(request, only_for=found)):
                raise kept_forms.ShowKept(kept)
            raise HTTPException(
                403, "This form is out of date. Go back, reload the page and submit it again. Nothing was changed."
            )
    request.state.person = found
    logs.note(tenant=found.tenant, role=found.role)
    if found.session.one_time and request.url.path not in _BEFORE_A_NEW_PASSWORD:
        raise NewPasswordFirst
    if found.session.factor_due and not request.url.path.startswith(_BEFORE_A_SECOND_FACTOR):
        raise SecondFactorFirst
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


def person_of_request(request: Request) -> Person | None:
    """The person whose session this browser has; None if it has none that is valid."""
    token = request.cookies.get(cookie_name(request))
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
    if person_of_request(request) is not None:
        return RedirectResponse(safe_path(next), 303)
    text = kept_forms.WAITS if kept_forms.shows_kept(next) else None
    return show_form(request, next=next, message=text, kind="info")


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
    cookie_token = request.cookies.get(cookie_name(request, FORM_COOKIE), "")
    if not cookie_token or not hmac.compare_digest(cookie_token.encode(), csrf.encode()):
        _count(request, "form-expired")
        text = "The sign-in form has expired, or this browser blocks cookies. Please try again."
        return await run_in_threadpool(
            lambda: show_form(request, tenant=tenant, name=name, next=next, status=403, message=text)
        )
    attempt = await run_in_threadpool(_begin, request, tenant.strip(), name)
    if attempt.verdict == "address-locked":
        _count(request, "address-locked", cause="sign-in-address")
        text = f"Too many attempts from this address. Try again in {attempt.wait_seconds} s."
        return await run_in_threadpool(
            lambda: show_form(
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
        return await run_in_threadpool(
            lambda: show_form(request, tenant=tenant, name=name, next=next, status=503, message=TOO_BUSY)
        )
    begun = await run_in_threadpool(_conclude, request, attempt, correct, new_hash)
    if isinstance(begun, SecondStep):
        _count(request, "second-step")
        return to_second_step(request, begun, safe_path(next, most=MOST_TO_SEAL))
    if isinstance(begun, NotByPassword):
        _count(request, "not-by-password")
        return await run_in_threadpool(
            lambda: show_form(request, tenant=tenant, name=name, next=next, status=403, message=USE_PROVIDER)
        )
    if begun is None:
        _note_refusal(request, attempt)
        return await run_in_threadpool(
            lambda: show_form(request, tenant=tenant, name=name, next=next, status=401, message=REFUSED)
        )
    _count(request, "signed-in")
    return let_in(request, begun, safe_path(next), sessions.ABSOLUTE_SECONDS)


@router.post("/sign-out")
def sign_out(request: Request, person: Viewer, everywhere: Annotated[str, Form()] = "") -> Response:
    """End this session or, with `everywhere`, all of the person's; and the one at the provider that opened it."""
    with write(api_context(request).engine) as connection:
        there = session_there(connection, person)
        sessions.close_sessions(connection, person.session, _now_us(request), everywhere=bool(everywhere))
    # Only now: a provider that hangs keeps nobody signed in here.
    answer = (None if there is None else leave_provider(request, there)) or see_other(request, SIGN_IN)
    drop_cookie(request, answer, COOKIE)
    return answer


def _count(request: Request, result: str, cause: str | None = None) -> None:
    metrics_sink(request).signed_in(result)
    logs.note(sign_in=result, cause=cause)


def _note_refusal(request: Request, attempt: sessions.SignInAttempt) -> None:
    _count(request, "locked" if attempt.verdict == "locked" else "lock-out" if attempt.locks_until_us else "wrong")
    log.info("refused a sign-in from %s", address_of(request))


def _begin(request: Request, tenant: str, name: str) -> sessions.SignInAttempt:
    try:
        name = users.checked_name(name)
    except Refused:
        name = ""  # counted for the address only
    device = request.cookies.get(cookie_name(request, device_cookie.name_for(tenant, name)))
    with write(api_context(request).engine) as connection:
        return sessions.begin_attempt(connection, tenant, name, address_of(request), _now_us(request), device=device)


def _conclude(
    request: Request, attempt: sessions.SignInAttempt, correct: bool, new_hash: str | None
) -> NewSession | SecondStep | NotByPassword | None:
    """The new session, or what comes before one; None if the password was wrong or the account no longer
    exists.
    """
    if attempt.user_id is None or attempt.password_hash is None or not (correct or attempt.locks_until_us):
        return None
    address, now_us = address_of(request), _now_us(request)
    with write(api_context(request).engine) as connection:
        if not correct:
            sessions.note_failure(connection, attempt, address, now_us)
            return None
        # The counts first, in the same order as counting; then the account, for the rest of this.
        sign_in_throttle.hold(connection, attempt.charges)
        gate = after_password(connection, attempt.user_id, attempt.password_hash, attempt)
        if gate is not None:
            return gate
        leave_earlier_session(request, connection)
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
        return None if token is None else known_from_now_on(request, connection, attempt.user_id, token, now_us)


def show_form(
    request: Request,
    *,
    tenant: str = "",
    name: str = "",
    next: str = "",
    status: int = 200,
    message: str | None = None,
    kind: MessageKind = "bad",
    headers: dict[str, str] | None = None,
) -> Response:
    """The sign-in page, with what was entered and a message."""
    with api_context(request).engine.connect() as connection:
        tenants = users.tenant_names(connection)
        sso = sso_choice(connection, tenants[0] if len(tenants) == 1 else None)
    token = secrets.token_urlsafe(32)
    one_tenant = len(tenants) == 1 and tenant in ("", tenants[0])
    if message == REFUSED and one_tenant:
        message = _REFUSED_WITHOUT_TENANT
    messages = (FlashMessage(message, kind),) if message else ()
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
        next=safe_path(next) if next else "",
        sso=sso,
        no_accounts=not tenants,
        one_tenant=one_tenant,
    )
    set_cookie(request, answer, FORM_COOKIE, token, _FORM_SECONDS)
    return answer


async def _way_back(request: Request) -> str:
    """The page to return to after signing in: the one that was asked for, or the one of the form that was sent, filled
    in again where that can be.
    """
    if request.method not in _SAFE:
        check_origin(request)
        if _has_form(request) and (kept := await kept_forms.keep(request)):
            return kept
    shown = request.headers.get("hx-current-url")  # a fragment is not a page to return to
    if shown:
        parts = urlsplit(shown)
        return safe_path(parts.path + (f"?{parts.query}" if parts.query else ""))
    if request.method not in _SAFE:
        return safe_path(kept_forms.page_of(request))
    return safe_path(request.url.path + (f"?{request.url.query}" if request.url.query else ""))


def safe_path(path: str, *, most: int = 2_048) -> str:
    """The path if it is one of the console's pages, otherwise the queue: signing in never leads to another site. One of
    more than `most` characters is not cut, which would make it another page.
    """
    inside = _PATH.fullmatch(path) and not path.startswith(("/console/sign-", "/console/static", "/console/live"))
    return path if inside and len(path) <= most and "//" not in path.partition("?")[0] else HOME


def _has_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("application/x-www-form-urlencoded", "multipart/form-data")


async def _form_field(request: Request, name: str) -> str:
    if not _has_form(request):
        return ""
    value = (await request.form()).get(name, "")
    return value if isinstance(value, str) else ""


def sign_in_path(path: str) -> str:
    """URL of the sign-in page, with the page to return to."""
    return f"{SIGN_IN}?next={quote(path, safe='')}" if path != HOME else SIGN_IN


def _now_us(request: Request) -> int:
    return microseconds(api_context(request).now())
