"""Changing one's own password, which is required after signing in with a one-time password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.formatting import sentence
from service.console.hashing import TOO_BUSY, Hashing, TooBusy
from service.console.own_password import NotConfirmed, check_own_password
from service.console.person import Person
from service.console.rendering import FlashMessage, flash, render, see_other
from service.console.sign_in import HOME, SignInFirst, Viewer
from service.errors import Refused
from service.model import microseconds
from service.storage.accounts import users
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
    hashing: Hashing = request.app.state.hashing
    try:
        present_hash = await check_own_password(request, person, present)
        chosen = checked_password(fresh, name=person.name)
        if fresh != again:
            raise Refused("the new passwords do not match")
        if (await hashing.verify(present_hash, fresh))[0]:
            raise Refused("the new password must differ from the current one")
        fresh_hash = await hashing.run(lambda: hash_password(chosen))
    except NotConfirmed as error:
        return await run_in_threadpool(_form, request, person, error.text, error.status)
    except Refused as error:
        return await run_in_threadpool(_form, request, person, sentence(error), 422)
    except TooBusy:
        return await run_in_threadpool(_form, request, person, TOO_BUSY, 503)

    def keep() -> Response:
        with write(api.engine) as connection:
            facts = users.sign_in_facts(connection, person.user_id)
            if facts is None or facts.password_hash != present_hash:  # another one was set meanwhile, or made void
                raise SignInFirst(HOME)
            user = users.read_user(connection, person.tenant_id, person.user_id)
            users.set_password(
                connection,
                user,
                fresh_hash,
                actor=person.name,
                now_us=microseconds(api.now()),
                but_session=person.session.hash,
            )
        flash(request, person, "Your password has been changed. You have been signed out in other browsers.")
        return see_other(request, HOME)

    return await run_in_threadpool(keep)


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
