"""Changing one's own password, which is required after signing in with a one-time password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.client_address import address_of
from service.console.formatting import sentence
from service.console.hashing import TooBusy
from service.console.person import Person
from service.console.rendering import FlashMessage, flash, render, see_other
from service.console.sign_in import HOME, Viewer
from service.errors import Refused
from service.model import microseconds
from service.storage.accounts import sessions, users
from service.storage.accounts.passwords import MOST_CHARACTERS, checked_password, hash_password
from service.storage.sql.engine import write

router = APIRouter()


@router.get("/password")
def show_password(request: Request, person: Viewer) -> Response:
    """The form."""
    return _form(request, person)


@router.post("/password")
async def change_password(
    request: Request,
    person: Viewer,
    present: Annotated[str, Form()] = "",
    fresh: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Set a new password, given the current one; the person's other sessions end."""
    if person.session.via != "password":
        text = "You sign in with single sign-on: change your password at your provider."
        return await run_in_threadpool(_form, request, person, text, 409)
    api = api_context(request)
    attempt = await run_in_threadpool(_begin, request, person)
    if attempt.user_id is None:
        return await run_in_threadpool(
            _form, request, person, "Too many attempts. Wait a few minutes and try again.", 429
        )
    try:
        correct, _ = await request.app.state.hashing.verify(attempt.password_hash, present)
        if not correct:
            await run_in_threadpool(_note_failure, request, attempt)
            return await run_in_threadpool(_form, request, person, "The current password is wrong.", 422)
        await run_in_threadpool(_note_success, request, attempt)
        chosen = checked_password(fresh, name=person.name)
        if fresh != again:
            raise Refused("the new passwords do not match")
        if (await request.app.state.hashing.verify(attempt.password_hash, fresh))[0]:
            raise Refused("the new password must differ from the current one")
    except Refused as error:
        return await run_in_threadpool(_form, request, person, sentence(error), 422)
    except TooBusy:
        return await run_in_threadpool(
            _form, request, person, "Too many people are signing in right now. Try again in a few seconds.", 503
        )
    password_hash = await run_in_threadpool(hash_password, chosen)

    def keep() -> Response:
        now_us = microseconds(api.now())
        with write(api.engine) as connection:
            user = users.read_user(connection, person.tenant_id, person.user_id)
            users.set_password(
                connection, user, password_hash, actor=person.name, now_us=now_us, but_session=person.session.hash
            )
        flash(request, person, "Your password has been changed. You have been signed out in other browsers.")
        return see_other(request, HOME)

    return await run_in_threadpool(keep)


def _begin(request: Request, person: Person) -> sessions.SignInAttempt:
    """Counted like a sign-in attempt, so that an open session cannot be used to guess the password."""
    with write(api_context(request).engine) as connection:
        return sessions.begin_signed_in_attempt(
            connection, person.user_id, person.tenant, person.name, microseconds(api_context(request).now())
        )


def _note_failure(request: Request, attempt: sessions.SignInAttempt) -> None:
    with write(api_context(request).engine) as connection:
        sessions.note_failure(connection, attempt, address_of(request), microseconds(api_context(request).now()))


def _note_success(request: Request, attempt: sessions.SignInAttempt) -> None:
    with write(api_context(request).engine) as connection:
        sessions.note_success(connection, attempt)


def _form(request: Request, person: Person, error: str | None = None, status: int = 200) -> Response:
    messages = (FlashMessage(error, "bad"),) if error else ()
    return render(
        request,
        person,
        "password.html",
        status=status,
        messages=messages,
        one_time=person.session.one_time,
        elsewhere=person.session.via != "password",
        most=MOST_CHARACTERS,
    )
