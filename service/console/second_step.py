"""The second step of signing in: a code from an app, a recovery code, or a passkey. Only then there is a session."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from service import logs
from service.api.api_context import api_context, metrics_sink
from service.console import passkeys, sign_in
from service.console.browser_words import browser_words
from service.console.client_address import address_of
from service.console.cookies import read_sealed
from service.console.rendering import FlashMessage, render
from service.console.sign_in import SIGN_IN, safe_path
from service.console.steps import (
    STEP_COOKIE,
    NewSession,
    attempt_of,
    known_from_now_on,
    leave_earlier_session,
    let_in,
    mark_of,
)
from service.model import microseconds
from service.storage.accounts import identities, second_factors, sessions, sign_in_throttle, users
from service.storage.accounts.second_factors import CodeCheck
from service.storage.accounts.sign_in_rules import rules_of
from service.storage.accounts.sso_sessions import open_sso_session
from service.storage.sql.engine import write

log = logging.getLogger(__name__)
router = APIRouter()
WRONG = "That code is not right. A code of the app changes every 30 seconds and works once; a recovery code works once."


@router.get("/sign-in/code")
def show_step(request: Request) -> Response:
    """The form."""
    step = read_sealed(request, STEP_COOKIE)
    return _begin_again() if step is None else _page(request, step)


@router.post("/sign-in/code")
def take_step(
    request: Request,
    code: Annotated[str, Form(max_length=100)] = "",
    passkey: Annotated[str, Form(max_length=passkeys.MOST_CHARACTERS)] = "",
) -> Response:
    """Let the person in with a fresh session if the code is right."""
    sign_in.check_origin(request)
    step = read_sealed(request, STEP_COOKIE)
    if step is None:
        return _begin_again()
    api = api_context(request)
    now_us = microseconds(api.now())
    with write(api.engine) as connection:
        check = check_factor(request, connection, step["user_id"], code, passkey)
    # In a transaction of its own: a right code stays used, whatever becomes of the session.
    begun = None
    if check.right:
        with write(api.engine) as connection:
            begun = _open(request, connection, step, now_us)
            if begun is not None and check.result == "recovery":
                _say_what_is_left(connection, step["user_id"], begun.token)
        if begun is None:
            return _begin_again()
        _count(request, "signed-in")
        seconds = sessions.ABSOLUTE_SECONDS if step["via"] == "password" else step["seconds"]
        answer = let_in(request, begun, safe_path(step["next"]), seconds)
        passkeys.forget(request, answer)
        return answer
    _count(request, "code-locked" if check.result == "locked" else "code-wrong")
    log.info("refused a second factor from %s", address_of(request))
    return _page(request, step, *refusal(check))


def check_factor(request: Request, connection: Connection, user_id: int, code: str, passkey: str) -> CodeCheck:
    """Whether the code or the passkey's answer is right. In a writing transaction, which must commit."""
    if passkey:
        return CodeCheck("right" if passkeys.is_right(request, connection, user_id, passkey) else "wrong")
    api = api_context(request)
    return second_factors.check_code(connection, api.box, user_id, code, now_us=microseconds(api.now()))


def refusal(check: CodeCheck) -> tuple[str, int]:
    """What to say to a factor that is not right, and the status."""
    if check.result == "locked":
        return f"Too many codes. Try again in {check.wait_seconds} s.", 429
    return WRONG, 401


def _open(request: Request, connection: Connection, step: dict[str, Any], now_us: int) -> NewSession | None:
    """The new session; None if the password, the provider, the rules or the account changed meanwhile."""
    token = _token(request, connection, step, now_us)
    return None if token is None else known_from_now_on(request, connection, step["user_id"], token, now_us)


def _token(request: Request, connection: Connection, step: dict[str, Any], now_us: int) -> str | None:
    browser = browser_words(request.headers.get("user-agent", ""))
    if step["via"] == "sso":
        ground = identities.ground_of_sign_in(connection, step["tenant_id"], step["user_id"])
        if ground is None or mark_of(ground) != step["mark"]:
            return None
        leave_earlier_session(request, connection)
        return open_sso_session(
            connection,
            step["user_id"],
            address_of(request),
            now_us,
            browser=browser,
            seconds=step["seconds"],
            provider_session=step["provider_session"],
        )
    attempt = attempt_of(step)
    sign_in_throttle.hold(connection, attempt.charges)  # before the account, in the same order as counting
    account = users.sign_in_facts(connection, step["user_id"])
    if account is None:
        return None
    if mark_of(account.password_hash) != step["mark"] or not rules_of(connection, account.tenant_id).allows_password(
        account.role
    ):
        return None
    leave_earlier_session(request, connection)
    return sessions.open_session(
        connection,
        step["user_id"],
        account.password_hash,
        address_of(request),
        now_us,
        attempt=attempt,
        once=True,
        browser=browser,
    )


def _say_what_is_left(connection: Connection, user_id: int, token: str) -> None:
    left = second_factors.status_of(connection, user_id)
    text = f"You used a recovery code; {left.recovery_codes_left} are left. Make new ones under your name."
    flash = json.dumps(asdict(FlashMessage(text, "info", "/console/security", "Sign-in and security")))
    sessions.set_flash(connection, sessions.hash_of(token), flash)


def _page(request: Request, step: dict[str, Any], error: str | None = None, status: int = 200) -> Response:
    with api_context(request).engine.connect() as connection:
        factors = second_factors.status_of(connection, step["user_id"])
        options = passkeys.challenge_to_use(request, connection, step["user_id"])
    answer = render(
        request,
        None,
        "second_step.html",
        status=status,
        messages=(FlashMessage(error, "bad"),) if error else (),
        codes=factors.codes,
        options=options,
    )
    passkeys.remember(request, answer, use=options)
    return answer


def _begin_again() -> Response:
    return RedirectResponse(SIGN_IN, 303, {"Cache-Control": "no-store"})


def _count(request: Request, result: str) -> None:
    metrics_sink(request).signed_in(result)
    logs.note(sign_in=result)
