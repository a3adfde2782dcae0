"""A person's open sessions: listed, and ended one by one or all but one.

A session that is ended from another one is ended because of where it is: the account then no longer knows the browser
in which it began (sign_in_devices.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, select

from service.errors import NotFound
from service.storage.accounts import audit_log, sign_in_devices
from service.storage.accounts.sessions import Via, not_expired
from service.storage.accounts.users import User
from service.storage.sql.schema import sessions

ID_CHARACTERS = 16  # of the hash of a token: enough to tell sessions apart, and no use for signing in


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One session, without what could be used to enter it."""

    id: str
    via: Via  # what opened it
    browser: str  # in words, like "Firefox on Linux"; "" where it began before this was kept
    address: str  # an IPv4 address, or an IPv6 /64; "" likewise
    created_us: int
    seen_us: int  # the last request, to some minutes
    expires_us: int


def id_of(session_hash: str) -> str:
    """The session's id in the list."""
    return session_hash[:ID_CHARACTERS]


def list_sessions(connection: Connection, user_id: int, now_us: int) -> list[OpenSession]:
    """The person's open sessions, the one that was used last first."""
    s = sessions.c
    rows = connection.execute(
        select(s.hash, s.via, s.browser, s.address, s.created_us, s.seen_us, s.expires_us)
        .where(s.user_id == user_id, not_expired(now_us))
        .order_by(s.seen_us.desc(), s.created_us.desc(), s.hash)
    )
    return [
        OpenSession(id_of(row.hash), row.via, row.browser, row.address, row.created_us, row.seen_us, row.expires_us)
        for row in rows
    ]


def end_session(connection: Connection, user: User, session_id: str, *, actor: str, now_us: int) -> None:
    """End one session of the person. Raises NotFound for one that has ended, or is another person's."""
    fits = len(session_id) == ID_CHARACTERS and session_id.isascii() and session_id.isalnum()
    if not fits or not _end(connection, user, sessions.c.hash.startswith(session_id), actor=actor, now_us=now_us):
        raise NotFound("this session has ended already")


def end_others(connection: Connection, user: User, session_hash: str, *, actor: str, now_us: int) -> int:
    """End all sessions of the person but this one ("": all of them); how many."""
    return _end(connection, user, sessions.c.hash != session_hash, actor=actor, now_us=now_us)


def _end(connection: Connection, user: User, which: ColumnElement[bool], *, actor: str, now_us: int) -> int:
    s = sessions.c
    ended = connection.execute(select(s.hash, s.device).where(s.user_id == user.id, which).with_for_update()).all()
    if not ended:
        return 0
    connection.execute(delete(sessions).where(s.hash.in_([row.hash for row in ended])))
    kept = set(connection.scalars(select(s.device).where(s.user_id == user.id, s.device.is_not(None))))
    sign_in_devices.forget(connection, user.id, [row.device for row in ended if row.device and row.device not in kept])
    audit_log.enter(
        connection,
        user.tenant_id,
        actor=actor,
        action="session-ended",
        subject=f"user:{user.name}",
        now_us=now_us,
        detail={"sessions": len(ended)},
    )
    return len(ended)
