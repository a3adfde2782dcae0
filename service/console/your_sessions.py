"""A person's own sessions: where they are signed in, and ending what is not theirs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.rendering import flash, render, see_other
from service.console.sign_in import SIGN_IN, Viewer
from service.errors import NotFound
from service.model import microseconds, moment
from service.moderation.phrases import plural
from service.storage.accounts import session_list, users
from service.storage.accounts.session_list import OpenSession
from service.storage.accounts.sessions import MOST_SESSIONS, Via
from service.storage.sql.engine import write

HERE = "/console/sessions"
_OPENED: dict[Via, str] = {"password": "password", "sso": "single sign-on"}
router = APIRouter()


@router.get("/sessions")
def show_sessions(request: Request, person: Viewer) -> Response:
    """The person's sessions, this one marked."""
    api = api_context(request)
    with api.engine.connect() as connection:
        found = session_list.list_sessions(connection, person.user_id, microseconds(api.now()))
    current = session_list.id_of(person.session.hash)
    return render(
        request,
        person,
        "sessions.html",
        open_sessions=[shown_session(one) for one in found],
        current=current,
        most=MOST_SESSIONS,
    )


@router.post("/sessions/end-others")
def end_others(request: Request, person: Viewer) -> Response:
    """End all of them but this one."""
    api = api_context(request)
    with write(api.engine) as connection:
        user = users.read_user(connection, person.tenant_id, person.user_id)
        ended = session_list.end_others(
            connection, user, person.session.hash, actor=person.name, now_us=microseconds(api.now())
        )
    flash(request, person, f"{plural(ended, 'other session')} ended." if ended else "There was no other session.")
    return see_other(request, HERE)


@router.post("/sessions/{id}/end")
def end_one(request: Request, person: Viewer, id: str) -> Response:
    """End one of them; ending this one signs out."""
    api = api_context(request)
    try:
        with write(api.engine) as connection:
            user = users.read_user(connection, person.tenant_id, person.user_id)
            session_list.end_session(connection, user, id, actor=person.name, now_us=microseconds(api.now()))
    except NotFound:
        flash(request, person, "That session had ended already.", "info")
        return see_other(request, HERE)
    if id == session_list.id_of(person.session.hash):
        return see_other(request, SIGN_IN)
    flash(request, person, "The session has ended.")
    return see_other(request, HERE)


def shown_session(one: OpenSession) -> dict[str, Any]:
    """A session as the tables of sessions show it."""
    return {
        "id": one.id,
        "browser": one.browser or "unknown browser",
        "opened": _OPENED[one.via],
        "address": one.address or "unknown",
        "created": moment(one.created_us),
        "seen": moment(one.seen_us),
    }
