"""What comes between a right password, or a provider's word, and a session: rules, and the second factor."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import Request
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from service.console import device_cookie
from service.console.cookies import (
    FORM_COOKIE,
    SESSION_COOKIE,
    cookie_name,
    drop_cookie,
    read_sealed,
    set_cookie,
    set_sealed,
)
from service.console.person import Person
from service.storage.accounts import second_factors, sessions, users
from service.storage.accounts.sessions import SignInAttempt
from service.storage.accounts.sign_in_rules import rules_of
from service.storage.accounts.sign_in_throttle import Charge

SECOND_STEP = "/console/sign-in/code"
STEP_COOKIE = "brigadewatch-step"
STEP_SECONDS = 300
PROOF_COOKIE = "brigadewatch-proof"
USE_PROVIDER = "Your team signs in with single sign-on; passwords are for admins only."


@dataclass(frozen=True, slots=True)
class SecondStep:
    """The password was right, or the provider vouches for the person; the second factor is missing."""

    user_id: int
    tenant_id: int
    mark: str  # of the password, or of what the provider's word rests on, at that moment: another one ends this
    via: str
    seconds: int = 0  # of the session to come, where the provider bounds it
    provider_session: str | None = None
    # What the password's attempt was counted for: taken back once the second factor is right, too.
    charges: tuple[Charge, ...] = ()
    account_counted: bool = False
    account_locked_until_us: int | None = None


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that has just begun: its token, and the cookie by which the account knows this browser from now on."""

    token: str
    device_cookie: str  # its name
    device: str


@dataclass(frozen=True, slots=True)
class NotByPassword:
    """The password was right, but the tenant's rules do not let this account in by it."""


def after_password(
    connection: Connection, user_id: int, password_hash: str, attempt: SignInAttempt
) -> SecondStep | NotByPassword | None:
    """What a right password leads to, if not to a session. The attempt stays counted."""
    account = users.sign_in_facts(connection, user_id)
    if account is None:
        return None
    if not rules_of(connection, account.tenant_id).allows_password(account.role):
        return NotByPassword()
    if second_factors.status_of(connection, user_id).any:
        return SecondStep(
            user_id,
            account.tenant_id,
            mark_of(password_hash),
            "password",
            charges=attempt.charges,
            account_counted=attempt.account_counted,
            account_locked_until_us=attempt.account_locked_until_us,
        )
    return None


def attempt_of(step: dict[str, Any]) -> SignInAttempt:
    """The attempt by password that a second step (as its cookie holds it) belongs to."""
    return SignInAttempt(
        "try",
        user_id=step["user_id"],
        charges=tuple(Charge(**charge) for charge in step["charges"]),
        account_counted=step["account_counted"],
        account_locked_until_us=step["account_locked_until_us"],
    )


def leave_earlier_session(request: Request, connection: Connection) -> None:
    """Before a new session: the one that this browser had ends, so that signing in again leaves none behind."""
    earlier = request.cookies.get(cookie_name(request))
    if earlier is not None:
        sessions.drop_session(connection, earlier)


def known_from_now_on(request: Request, connection: Connection, user_id: int, token: str, now_us: int) -> NewSession:
    """The session of `token`, begun in this transaction after the whole sign-in; the account knows its browser."""
    account = users.sign_in_facts(connection, user_id)
    assert account is not None
    name = device_cookie.name_for(account.tenant, account.name)
    device = request.cookies.get(cookie_name(request, name))
    return NewSession(token, name, sessions.remember_device(connection, user_id, token, device, now_us))


def mark_of(ground: str) -> str:
    """A short mark of a stored password, or of what a provider's word rests on."""
    return hashlib.sha256(ground.encode()).hexdigest()[:32]


def to_second_step(request: Request, step: SecondStep, next: str) -> Response:
    """To the page that takes the second factor; the cookie remembers for five minutes how far the person is, and the
    page that comes `next`, a safe path.
    """
    answer = RedirectResponse(SECOND_STEP, 303, {"Cache-Control": "no-store"})
    set_sealed(request, answer, STEP_COOKIE, asdict(step) | {"next": next}, STEP_SECONDS)
    drop_cookie(request, answer, FORM_COOKIE)
    return answer


def let_in(request: Request, begun: NewSession, path: str, seconds: int) -> Response:
    """To the page that was asked for, with the new session's cookie and the device's, and none of a sign-in's."""
    answer = RedirectResponse(path, 303, {"Cache-Control": "no-store"})
    set_cookie(request, answer, SESSION_COOKIE, begun.token, seconds)
    set_cookie(request, answer, begun.device_cookie, begun.device, device_cookie.SECONDS)
    drop_cookie(request, answer, FORM_COOKIE)
    drop_cookie(request, answer, STEP_COOKIE)
    return answer


def has_proof(request: Request, person: Person) -> bool:
    """Whether this session has proven within ten minutes, on “Sign-in and security”, whose it is."""
    proof = read_sealed(request, PROOF_COOKIE)
    return proof is not None and proof["session"] == person.session.hash
