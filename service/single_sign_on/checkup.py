"""“Test the connection”: what works between us and a provider, step by step, without anybody signing in."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from service.outbound.addresses import OutboundRefused
from service.outbound.client import outbound_client
from service.settings import Settings
from service.single_sign_on.exchange import SignInRequest, authorization_url
from service.single_sign_on.failures import ProviderFailure
from service.single_sign_on.provider import MOST_BYTES, TIMEOUT_SECONDS, ProviderDirectory, ProviderMetadata
from service.storage.accounts.identity_providers import IdentityProvider


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried; `good` None: this cannot be seen from here, or does not matter much."""

    good: bool | None
    text: str


def check_provider(
    settings: Settings, provider: IdentityProvider, client_secret: str | None, redirect_uri: str
) -> list[Finding]:
    """What was found, up to the first thing that stops all others."""
    directory = ProviderDirectory(settings)  # without what was kept
    try:
        metadata = directory.metadata(provider.issuer)
        found = [Finding(True, f"{provider.issuer} answers, and its metadata is valid.")]
        directory.keys(metadata)
    except ProviderFailure as error:
        return [Finding(False, f"{str(error)[:1].upper()}{str(error)[1:]}.")]
    found += [Finding(True, "It publishes keys for signatures.")]
    found += _scopes(metadata, provider)
    found.append(_client(directory, metadata, provider, client_secret, redirect_uri))
    found.append(_redirect(settings, metadata, provider, redirect_uri))
    if metadata.end_session_endpoint is None:
        found.append(Finding(None, "It offers no sign-out: signing out here leaves people signed in there."))
    return found


def _scopes(metadata: ProviderMetadata, provider: IdentityProvider) -> list[Finding]:
    if metadata.scopes is None:
        return []
    missing = [scope for scope in provider.scopes.split() if scope not in metadata.scopes]
    if not missing:
        return [Finding(True, "It knows all the scopes.")]
    return [Finding(None, f"It does not list the scopes {', '.join(missing)}; check them if a claim is missing.")]


def _client(
    directory: ProviderDirectory,
    metadata: ProviderMetadata,
    provider: IdentityProvider,
    client_secret: str | None,
    redirect_uri: str,
) -> Finding:
    """A code that nobody issued is refused as such, if the client is accepted."""
    form = {
        "grant_type": "authorization_code",
        "code": "a-code-that-was-never-issued",
        "redirect_uri": redirect_uri,
        "code_verifier": SignInRequest.fresh().verifier,
    }
    try:
        directory.tokens(metadata, provider.client_id, client_secret, form)
    except ProviderFailure as error:
        text = str(error)
        if "invalid_client" in text or "unauthorized_client" in text:
            return Finding(False, f"It does not accept the client ID with its secret: {text}.")
        if "invalid_grant" in text:
            return Finding(True, "It accepts the client ID and its secret.")
        return Finding(None, f"Whether it accepts the client ID could not be found out: {text}.")
    return Finding(False, "It gave tokens for a code that was never issued. Do not use this provider.")


def _redirect(settings: Settings, metadata: ProviderMetadata, provider: IdentityProvider, redirect_uri: str) -> Finding:
    url = authorization_url(metadata, provider, SignInRequest.fresh(), redirect_uri)
    try:
        with outbound_client(settings, timeout_seconds=TIMEOUT_SECONDS, max_bytes=MOST_BYTES) as client:
            status = client.get(url).status_code
    except (OutboundRefused, httpx.HTTPError) as error:
        return Finding(None, f"Its sign-in page could not be opened from here ({error}); browsers may reach it.")
    if status >= 400:
        return Finding(
            False,
            f"It refuses sign-ins ({status}): register the redirect address {redirect_uri} there, exactly as it is.",
        )
    return Finding(True, f"It opens its sign-in page for {redirect_uri}.")
