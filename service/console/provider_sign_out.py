"""Signing out at the provider too (RP-initiated logout), and pages that lead a browser to another site.

A form's answer may not redirect to another site (the policy's form-action): a page of ours sends the browser on.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from fastapi import Request
from sqlalchemy import Connection
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.cookies import own_base
from service.console.person import Person
from service.console.rendering import render
from service.errors import BrigadewatchError
from service.single_sign_on.exchange import end_session_url
from service.single_sign_on.provider import ProviderDirectory
from service.storage.accounts.identities import issuer_of
from service.storage.accounts.identity_providers import IdentityProvider, provider_for
from service.storage.accounts.sessions import id_token_of

log = logging.getLogger(__name__)
SIGNED_OUT = "/console/sign-in"


def directory_of(request: Request) -> ProviderDirectory:
    """What this process knows about providers."""
    found: ProviderDirectory = request.app.state.providers
    return found


def send_to(request: Request, url: str, *, title: str, text: str, link: str) -> Response:
    """A page that leads the browser to another site at once."""
    return render(request, None, "leaving.html", url=url, title=title, text=text, link=link)


@dataclass(frozen=True, slots=True)
class SessionThere:
    """The provider's session by which one here was opened."""

    provider: IdentityProvider
    id_token_secret: str | None  # sealed


def session_there(connection: Connection, person: Person) -> SessionThere | None:
    """What to end at the provider; None if it did not open this session, or the tenant has another one by now: that
    one gets no ID token that it did not make.
    """
    if person.session.via != "sso":
        return None
    provider = provider_for(connection, person.tenant_id)
    if provider is None or provider.issuer != issuer_of(connection, person.user_id):
        return None
    return SessionThere(provider, id_token_of(connection, person.session.hash))


def leave_provider(request: Request, there: SessionThere) -> Response | None:
    """The page that ends the session at the provider; None if it offers no such thing or cannot be reached."""
    provider, sealed = there.provider, there.id_token_secret
    try:
        metadata = directory_of(request).metadata(provider.issuer)
        id_token = None if sealed is None else api_context(request).box.open(sealed)
    except BrigadewatchError as error:
        log.warning("signed out here, but not at the provider: %s", error)
        return None
    url = end_session_url(metadata, provider, id_token, f"{own_base(request)}{SIGNED_OUT}")
    if url is None:
        return None
    return send_to(
        request,
        url,
        title="Signed out here",
        text=f"You are signed out of this console. {provider.label} ends your session there as well.",
        link=f"Continue to {provider.label}",
    )
