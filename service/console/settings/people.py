"""Accounts: roles and one-time passwords and links. Nobody can lock out the last admin or themselves."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, Request
from sqlalchemy import Connection
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.cookies import own_base
from service.console.formatting import sentence
from service.console.rendering import flash, see_other
from service.console.reset_link import HERE as RESET_LINK
from service.console.settings.frame import now_us, page, secret
from service.console.sign_in import Admin
from service.console.your_sessions import shown_session
from service.errors import NotFound, Refused
from service.model import moment
from service.moderation.phrases import plural
from service.storage.accounts import (
    audit_log,
    identities,
    one_time_links,
    second_factors,
    session_list,
    sign_in_throttle,
    users,
)
from service.storage.accounts.passwords import hash_password
from service.storage.accounts.users import ROLES, Role, User
from service.storage.sql.engine import write

HERE = "/console/settings/people"
SECTION = "people"
ROLE_TEXTS: dict[Role, str] = {
    "viewer": "Viewer: reads everything",
    "moderator": "Moderator: also decides cases",
    "admin": "Admin: also manages settings and operations",
}
_LINES_SHOWN = 20
router = APIRouter(prefix="/people")


@router.get("")
def show_people(request: Request, person: Admin) -> Response:
    """All accounts, and the form for a new one."""
    return _list(request, person)


@router.post("/add")
def add(
    request: Request,
    person: Admin,
    name: Annotated[str, Form(max_length=400)] = "",
    role: Annotated[str, Form(max_length=40)] = "viewer",
) -> Response:
    """Create an account with a one-time password that is shown once."""
    password = new_password()
    try:
        chosen = _role(role)
        password_hash = hash_password(password)
        with write(api_context(request).engine) as connection:
            user = users.create_user(
                connection,
                person.tenant_id,
                name,
                chosen,
                password_hash,
                actor=person.name,
                now_us=now_us(request),
                one_time=True,
            )
    except Refused as error:
        return _list(request, person, name=name, role=role, error=sentence(error))
    return _password(request, person, user, password, "Account created")


@router.get("/{id}")
def show_person(request: Request, person: Admin, id: str) -> Response:
    """One account, and what can be done with it."""
    return _one(request, person, id)


@router.post("/{id}/role")
def set_role(request: Request, person: Admin, id: str, role: Annotated[str, Form(max_length=40)] = "") -> Response:
    """Change the role, effective from the next request."""

    def change(connection: Connection, user: User) -> str:
        chosen = _role(role)
        users.set_role(connection, user, chosen, actor=person.name, now_us=now_us(request))
        return f"{user.name} is now {chosen}."

    return _changed(request, person, id, change, others_only="you cannot change your own role; ask another admin")


@router.post("/{id}/disable")
def disable(request: Request, person: Admin, id: str) -> Response:
    """Disable the account immediately."""

    def change(connection: Connection, user: User) -> str:
        users.disable_user(connection, user, actor=person.name, now_us=now_us(request))
        return f"{user.name} can no longer sign in and has been signed out. Their decisions stay."

    return _changed(request, person, id, change, others_only="you cannot disable your own account; ask another admin")


@router.post("/{id}/enable")
def enable(request: Request, person: Admin, id: str) -> Response:
    """Enable the account."""

    def change(connection: Connection, user: User) -> str:
        users.enable_user(connection, user, actor=person.name, now_us=now_us(request))
        return f"{user.name} can sign in again as before."

    return _changed(request, person, id, change)


@router.post("/{id}/reset")
def reset(request: Request, person: Admin, id: str, factors: Annotated[str, Form(max_length=10)] = "") -> Response:
    """A one-time link to choose a new password, shown once; open sessions end. With `factors` it removes those too."""
    user = _user(request, person, id)
    if user.id == person.user_id:
        return _one(request, person, id, error="To change your own password, use the menu under your name.")
    try:
        with write(api_context(request).engine) as connection:
            user = users.read_user(connection, person.tenant_id, user.id)
            token = one_time_links.make_link(
                connection, user, factors_too=bool(factors), actor=person.name, now_us=now_us(request)
            )
    except Refused as error:
        return _one(request, person, id, error=sentence(error))
    return secret(
        request,
        person,
        SECTION,
        title="Sign-in link made",
        label=f"One-time link for {user.name}",
        shown=f"{own_base(request)}{RESET_LINK}/{token}",
        back=f"{HERE}/{user.id}",
        text=(
            f"Send it to {user.name} ({user.role}, tenant {person.tenant}) over a channel you trust. It works once,"
            f" for {one_time_links.LINK_SECONDS // 3_600} hours; with it they choose a new password."
        ),
        after="The earlier password no longer works. If the link is lost, make another one.",
    )


@router.post("/{id}/sessions/end-all")
def end_sessions(request: Request, person: Admin, id: str) -> Response:
    """End all of the person's sessions; of one's own, all but this one."""

    def change(connection: Connection, user: User) -> str:
        kept = person.session.hash if user.id == person.user_id else ""
        ended = session_list.end_others(connection, user, kept, actor=person.name, now_us=now_us(request))
        return f"{plural(ended, 'session')} of {user.name} ended."

    return _changed(request, person, id, change)


@router.post("/{id}/sessions/{session}/end")
def end_session(request: Request, person: Admin, id: str, session: str) -> Response:
    """End one of the person's sessions."""

    def change(connection: Connection, user: User) -> str:
        session_list.end_session(connection, user, session, actor=person.name, now_us=now_us(request))
        return f"The session of {user.name} has ended."

    return _changed(request, person, id, change)


def new_password() -> str:
    """A random password that can be read out: five groups of four, without easily confused letters."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(5))


def _password(request: Request, person: Admin, user: User, password: str, title: str) -> Response:
    return secret(
        request,
        person,
        SECTION,
        title=title,
        label=f"One-time password for {user.name}",
        shown=password,
        back=f"{HERE}/{user.id}",
        text=(
            f"Send it to {user.name} ({user.role}, tenant {person.tenant}) over a channel you trust. They will choose"
            " their own password when they first sign in."
        ),
        after="If it is lost, reset the password to create a new one.",
    )


def _changed(
    request: Request,
    person: Admin,
    id: str,
    change: Callable[[Connection, User], str],
    *,
    others_only: str | None = None,
) -> Response:
    """The account after `change`, which returns the message; an error `others_only` if the account is their own."""
    user = _user(request, person, id)
    try:
        if others_only and user.id == person.user_id:
            raise Refused(others_only)
        with write(api_context(request).engine) as connection:
            text = change(connection, users.read_user(connection, person.tenant_id, user.id))
    except Refused as error:
        return _one(request, person, id, error=sentence(error))
    flash(request, person, text)
    return see_other(request, f"{HERE}/{user.id}")


def _role(text: str) -> Role:
    found = next((role for role in ROLES if role == text), None)
    if found is None:
        raise Refused(f"invalid role {text[:40]!r}: must be one of {', '.join(ROLES)}")
    return found


def _user(request: Request, person: Admin, id: str) -> User:
    if not id.isascii() or not id.isdigit() or len(id) > 9:
        raise NotFound("no such user")
    with api_context(request).engine.connect() as connection:
        return users.read_user(connection, person.tenant_id, int(id))


def _one(request: Request, person: Admin, id: str, *, error: str | None = None) -> Response:
    user = _user(request, person, id)
    with api_context(request).engine.connect() as connection:
        open_sessions = session_list.list_sessions(connection, user.id, now_us(request))
        lines, _ = audit_log.list_page(
            connection, person.tenant_id, audit_log.AuditFilter(actor=user.name), before_id=None, limit=_LINES_SHOWN
        )
        factors = second_factors.status_of(connection, user.id)
        issuer = identities.issuer_of(connection, user.id)
    activity = [{"at": moment(line.at_us), "action": line.action, "subject": line.subject} for line in lines]
    return page(
        request,
        person,
        SECTION,
        "one_person.html",
        error=error,
        status=409 if error else None,
        user=user,
        created=moment(user.created_us),
        open_sessions=[shown_session(one) for one in open_sessions],
        current=session_list.id_of(person.session.hash),
        factors=factors,
        issuer=issuer,
        activity=activity,
        roles=list(ROLE_TEXTS.items()),
        own=user.id == person.user_id,
        locked=_locked(user, request),
        disabled_at=None if user.disabled_us is None else moment(user.disabled_us),
    )


def _list(
    request: Request, person: Admin, *, name: str = "", role: str = "moderator", error: str | None = None
) -> Response:
    with api_context(request).engine.connect() as connection:
        found = users.list_users(connection, person.tenant_id)
    listed = [
        {"user": user, "created": moment(user.created_us), "locked": _locked(user, request)}
        for user in sorted(found, key=lambda u: (u.disabled_us is not None, u.name))
    ]
    return page(
        request,
        person,
        SECTION,
        "people.html",
        error=error,
        people=listed,
        roles=list(ROLE_TEXTS.items()),
        name=name[:128],
        role=role,
    )


def _locked(user: User, request: Request) -> bool:
    return sign_in_throttle.is_locked(user.locked_until_us, now_us(request))
