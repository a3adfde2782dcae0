"""WebAuthn: challenges for a page, and what an authenticator answered.

A challenge is random, lies in a sealed cookie for five minutes and is removed with the answer. Passkeys belong to the
host's name, so there are none where people reach the console by an address.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import webauthn
from fastapi import Request
from sqlalchemy import Connection
from starlette.responses import Response
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from service.api.api_context import api_context
from service.console.cookies import drop_cookie, own_base, read_sealed, set_sealed
from service.errors import Refused
from service.model import microseconds
from service.outbound.addresses import parse_address
from service.storage.accounts import passkeys
from service.storage.accounts.users import User

CHALLENGE = "brigadewatch-challenge"
_SECONDS = 300
MOST_CHARACTERS = 20_000  # of an authenticator's answer


def host_of(request: Request) -> str | None:
    """The host's name that passkeys are bound to; None where it is an address."""
    host = urlsplit(own_base(request)).hostname
    return host if host and parse_address(host) is None else None


def challenge_to_use(request: Request, connection: Connection, user_id: int) -> str | None:
    """Options for navigator.credentials.get(), as JSON; None if the person has no passkey that works here."""
    host, known = host_of(request), passkeys.list_passkeys(connection, user_id)
    if host is None or not known:
        return None
    options = webauthn.generate_authentication_options(
        rp_id=host,
        allow_credentials=[PublicKeyCredentialDescriptor(id=one.credential) for one in known],
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return webauthn.options_to_json(options)


def challenge_to_add(request: Request, connection: Connection, user: User) -> str | None:
    """Options for navigator.credentials.create(), as JSON; None where there can be no passkeys."""
    host = host_of(request)
    if host is None:
        return None
    options = webauthn.generate_registration_options(
        rp_id=host,
        rp_name="brigadewatch",
        user_name=user.name,
        user_id=str(user.id).encode(),
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=one.credential) for one in passkeys.list_passkeys(connection, user.id)
        ],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED, user_verification=UserVerificationRequirement.PREFERRED
        ),
    )
    return webauthn.options_to_json(options)


def remember(request: Request, answer: Response, **options: str | None) -> None:
    """Set the cookie with the challenges of a page: `add`, `use`."""
    given = {name: json.loads(text)["challenge"] for name, text in options.items() if text is not None}
    if given:
        set_sealed(request, answer, CHALLENGE, given, _SECONDS)


def forget(request: Request, answer: Response) -> None:
    """Remove the cookie: a challenge is answered once."""
    drop_cookie(request, answer, CHALLENGE)


def is_right(request: Request, connection: Connection, user_id: int, answer: str) -> bool:
    """Whether a passkey of the person answered this browser's challenge. In a writing transaction."""
    try:
        given, challenge, host = _read(request, answer, "use")
        known = {one.id: one for one in passkeys.list_passkeys(connection, user_id)}
        passkey = known[passkeys.passkey_id(base64url_to_bytes(given["rawId"]))]
        verified = webauthn.verify_authentication_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=host,
            expected_origin=own_base(request),
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
        )
    except (Refused, WebAuthnException, ValueError, KeyError, TypeError):
        return False
    now_us = microseconds(api_context(request).now())
    return passkeys.note_use(connection, passkey, verified.new_sign_count, now_us)


def add(request: Request, connection: Connection, user: User, answer: str, label: str) -> None:
    """Register the passkey that the authenticator made. Raises Refused."""
    given, challenge, host = _read(request, answer, "add")
    try:
        verified = webauthn.verify_registration_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=host,
            expected_origin=own_base(request),
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise Refused(f"the passkey was not accepted ({str(error)[:200]}): try again") from None
    passkeys.add_passkey(
        connection,
        user,
        label,
        credential=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        now_us=microseconds(api_context(request).now()),
    )


def _read(request: Request, answer: str, purpose: str) -> tuple[dict[str, Any], bytes, str]:
    challenges, host = read_sealed(request, CHALLENGE), host_of(request)
    if challenges is None or purpose not in challenges or host is None or len(answer) > MOST_CHARACTERS:
        raise Refused("the page with the passkey is out of date: reload it and try again")
    try:
        given = json.loads(answer)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise Refused("the authenticator’s answer cannot be read: try again")
    return given, base64url_to_bytes(challenges[purpose]), host
