"""A signed-in person's own password, asked for again. It is counted like an attempt to sign in, so that an open session
cannot be used to guess it.
"""

from __future__ import annotations

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from service.api.api_context import api_context
from service.console.client_address import address_of
from service.console.hashing import TOO_BUSY, Hashing, TooBusy
from service.console.person import Person
from service.model import microseconds
from service.storage.accounts import sessions
from service.storage.sql.engine import write


class NotConfirmed(Exception):
    """What to say, and the status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.text, self.status = text, status


async def check_own_password(request: Request, person: Person, password: str) -> str:
    """The stored hash of the person's password, which this is. Raises NotConfirmed."""
    api, hashing = api_context(request), request.app.state.hashing
    assert isinstance(hashing, Hashing)

    def begin() -> sessions.SignInAttempt:
        with write(api.engine) as connection:
            return sessions.begin_signed_in_attempt(
                connection, person.user_id, person.tenant, person.name, microseconds(api.now())
            )

    def conclude(correct: bool) -> None:
        with write(api.engine) as connection:
            if correct:
                sessions.note_success(connection, attempt)
            else:
                sessions.note_failure(connection, attempt, address_of(request), microseconds(api.now()))

    attempt = await run_in_threadpool(begin)
    if attempt.verdict == "locked":
        raise NotConfirmed("Too many attempts. Wait a few minutes and try again.", 429)
    try:
        correct, _ = await hashing.verify(attempt.password_hash, password)
    except TooBusy:
        raise NotConfirmed(TOO_BUSY, 503) from None
    await run_in_threadpool(conclude, correct)
    if not correct or attempt.password_hash is None:
        raise NotConfirmed("The password is wrong.", 422)
    return attempt.password_hash
