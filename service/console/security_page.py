"""“Sign-in and security”: a person's own second factors, passkeys, recovery codes, and single sign-on.

A change needs a proof of the last ten minutes: the password and, where there is one, the second factor. An open
browser alone turns nothing off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import pyotp
import segno
from fastapi import APIRouter, Form, Request
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.api.api_context import api_context
from service.console import passkeys, second_step
from service.console.cookies import set_sealed
from service.console.formatting import sentence
from service.console.own_password import NotConfirmed, check_own_password
from service.console.person import Person
from service.console.rendering import FlashMessage, flash, render, see_other
from service.console.sign_in import SECURITY, Viewer
from service.console.steps import PROOF_COOKIE, has_proof
from service.errors import Refused
from service.model import microseconds, moment
from service.storage.accounts import passkeys as stored_passkeys
from service.storage.accounts import second_factors, users
from service.storage.accounts.identity_providers import provider_for
from service.storage.accounts.passwords import MOST_CHARACTERS
from service.storage.accounts.sign_in_rules import rules_of
from service.storage.accounts.users import User
from service.storage.sql.engine import write

PROOF_SECONDS = 600
router = APIRouter()


@router.get("/security")
def show_security(request: Request, person: Viewer) -> Response:
    """What the person has, and the forms to change it (after a proof)."""
    return _page(request, person)


@router.post("/security/prove")
async def prove(
    request: Request,
    person: Viewer,
    password: Annotated[str, Form(max_length=MOST_CHARACTERS)] = "",
    code: Annotated[str, Form(max_length=100)] = "",
    passkey: Annotated[str, Form(max_length=passkeys.MOST_CHARACTERS)] = "",
) -> Response:
    """Check password and second factor, and open the page for ten minutes."""
    if person.session.via == "password":
        try:
            await check_own_password(request, person, password)
        except NotConfirmed as error:
            return await run_in_threadpool(_page, request, person, error.text, error.status)

    def factor() -> Response:
        with write(api_context(request).engine) as connection:
            if second_factors.status_of(connection, person.user_id).any:
                check = second_step.check_factor(request, connection, person.user_id, code, passkey)
            else:
                check = second_factors.CodeCheck("right")
        if not check.right:
            return _page(request, person, *second_step.refusal(check))
        answer = see_other(request, SECURITY)
        set_sealed(request, answer, PROOF_COOKIE, {"session": person.session.hash}, PROOF_SECONDS)
        passkeys.forget(request, answer)
        return answer

    return await run_in_threadpool(factor)


@router.post("/security/codes/begin")
def begin_codes(request: Request, person: Viewer) -> Response:
    """Make a secret for an app; the page shows it until its first code is entered."""
    box = api_context(request).box

    def change(connection: Connection, user: User) -> None:
        second_factors.begin_codes(connection, box, user.id)

    return _changed(request, person, change)


@router.post("/security/codes/confirm")
def confirm_codes(request: Request, person: Viewer, code: Annotated[str, Form(max_length=100)] = "") -> Response:
    """Put the app's codes in use, and show the recovery codes once."""
    box, made = api_context(request).box, list[str]()

    def change(connection: Connection, user: User) -> None:
        codes = second_factors.confirm_codes(connection, box, user, code, now_us=_now_us(request))
        if codes is None:
            raise Refused("that code is not right: enter the six digits that the app shows now")
        made.extend(codes)
        users.end_access(connection, user.id, but_session=person.session.hash)  # begun without the new factor

    return _changed(request, person, change, codes=made)


@router.post("/security/codes/renew")
def renew_codes(request: Request, person: Viewer) -> Response:
    """Show new recovery codes once; the earlier ones no longer work."""
    made = list[str]()

    def change(connection: Connection, user: User) -> None:
        if not second_factors.status_of(connection, user.id).codes:
            raise Refused("recovery codes come with codes from an app: set those up first")
        made.extend(second_factors.renew_recovery_codes(connection, user, now_us=_now_us(request)))

    return _changed(request, person, change, codes=made)


@router.post("/security/codes/off")
def end_codes(request: Request, person: Viewer) -> Response:
    """Turn the app's codes off."""

    def change(connection: Connection, user: User) -> None:
        _keep_one(connection, person, passkeys_left=second_factors.status_of(connection, user.id).passkeys)
        second_factors.remove_codes(connection, user, actor=person.name, now_us=_now_us(request))

    return _changed(request, person, change, said="Codes from the app are off. The recovery codes no longer work.")


@router.post("/security/passkeys/add")
def add_passkey(
    request: Request,
    person: Viewer,
    passkey: Annotated[str, Form(max_length=passkeys.MOST_CHARACTERS)] = "",
    label: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Register what the browser's authenticator made."""

    def change(connection: Connection, user: User) -> None:
        passkeys.add(request, connection, user, passkey, label)
        users.end_access(connection, user.id, but_session=person.session.hash)  # begun without the new factor

    return _changed(request, person, change, said="The passkey is registered. It is asked for when you sign in.")


@router.post("/security/passkeys/{id}/remove")
def remove_passkey(request: Request, person: Viewer, id: str) -> Response:
    """Remove a passkey."""

    def change(connection: Connection, user: User) -> None:
        factors = second_factors.status_of(connection, user.id)
        if not factors.codes:
            _keep_one(connection, person, passkeys_left=factors.passkeys - 1)
        stored_passkeys.remove_passkey(connection, user, id, now_us=_now_us(request))

    return _changed(request, person, change, said="The passkey no longer works.")


def _keep_one(connection: Connection, person: Person, *, passkeys_left: int) -> None:
    required = rules_of(connection, person.tenant_id).second_factor == "required"
    if required and passkeys_left < 1 and person.session.via == "password":
        raise Refused("your team requires a second factor: set up another one before you remove this one")


def _changed(
    request: Request,
    person: Person,
    change: Callable[[Connection, User], None],
    *,
    said: str | None = None,
    codes: list[str] | None = None,
) -> Response:
    """The page after `change`; with `codes` it shows those once."""
    if not has_proof(request, person):
        return _page(request, person, "Confirm first that it is you; this lasts for ten minutes.", 403)
    try:
        with write(api_context(request).engine) as connection:
            users.hold_user(connection, person.user_id)
            change(connection, users.read_user(connection, person.tenant_id, person.user_id))
    except Refused as error:
        return _page(request, person, sentence(error), 422)
    if codes:
        return render(request, person, "recovery_codes.html", codes=codes, back=SECURITY)
    if said is not None:
        flash(request, person, said)
    return see_other(request, SECURITY)


def _page(request: Request, person: Person, error: str | None = None, status: int = 200) -> Response:
    api = api_context(request)
    proven = has_proof(request, person)
    with api.engine.connect() as connection:
        user = users.read_user(connection, person.tenant_id, person.user_id)
        factors = second_factors.status_of(connection, person.user_id)
        provider = provider_for(connection, person.tenant_id)
        secret = second_factors.pending_secret(connection, api.box, user.id) if proven else None
        add = passkeys.challenge_to_add(request, connection, user) if proven else None
        use = passkeys.challenge_to_use(request, connection, user.id) if not proven else None
        listed = [
            {"one": one, "created": moment(one.created_us), "used": one.used_us and moment(one.used_us)}
            for one in stored_passkeys.list_passkeys(connection, user.id)
        ]
    by_password = person.session.via == "password"
    answer = render(
        request,
        person,
        "security.html",
        status=status,
        messages=(FlashMessage(error, "bad"),) if error else (),
        proven=proven,
        factors=factors,
        listed=listed,
        by_password=by_password,
        provider=provider,
        wanted=by_password or (provider is not None and provider.second_factor),
        due=person.session.factor_due,
        app=None if secret is None else _app(secret, person),
        add=add,
        use=use,
    )
    passkeys.remember(request, answer, add=add, use=use)
    return answer


def _app(secret: str, person: Person) -> dict[str, str]:
    """What an authenticator app needs: a link, the same as a picture, and the secret to type."""
    link = pyotp.TOTP(secret).provisioning_uri(name=f"{person.name} ({person.tenant})", issuer_name="brigadewatch")
    picture = segno.make(link, error="m").svg_data_uri(scale=4, light="#fff")
    spaced = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return {"link": link, "picture": picture, "secret": spaced}


def _now_us(request: Request) -> int:
    return microseconds(api_context(request).now())
