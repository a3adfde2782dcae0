"""The authorization code flow with PKCE: where to send a browser, and who came back.

State, nonce and code verifier are random for each attempt, and lie sealed in a cookie of the browser that began it:
an answer that another browser brings, or that is brought a second time, fits no cookie.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from service.single_sign_on.claims import claim_at, person_in
from service.single_sign_on.failures import ProviderFailure, TokenRefused
from service.single_sign_on.provider import ProviderDirectory, ProviderMetadata
from service.single_sign_on.tokens import UnknownKey, id_token_claims, logout_token_claims
from service.storage.accounts.identities import ProvenIdentity
from service.storage.accounts.identity_providers import IdentityProvider


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """The secrets of one attempt."""

    state: str
    nonce: str
    verifier: str

    @staticmethod
    def fresh() -> SignInRequest:
        """Random ones, 256 bits each."""
        return SignInRequest(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))


@dataclass(frozen=True, slots=True)
class ProvenSignIn:
    """Who came back, and what the provider's session is called there."""

    identity: ProvenIdentity
    id_token: str
    provider_session: str | None


def authorization_url(
    metadata: ProviderMetadata, provider: IdentityProvider, attempt: SignInRequest, redirect_uri: str, **more: str
) -> str:
    """Where to send the browser; `more`: parameters such as prompt."""
    url: str = prepare_grant_uri(
        metadata.authorization_endpoint,
        client_id=provider.client_id,
        response_type="code",
        redirect_uri=redirect_uri,
        scope=provider.scopes,
        state=attempt.state,
        nonce=attempt.nonce,
        code_challenge=create_s256_code_challenge(attempt.verifier),
        code_challenge_method="S256",
        **more,
    )
    return url


def redeem(
    directory: ProviderDirectory,
    provider: IdentityProvider,
    client_secret: str | None,
    attempt: SignInRequest,
    answer: dict[str, str],
    *,
    redirect_uri: str,
    tenant: str,
    now: int,
) -> ProvenSignIn:
    """Who an answer (the redirect's query, its state already checked) proves. Raises ProviderFailure."""
    metadata = directory.metadata(provider.issuer)
    # RFC 9207: an answer of another provider must not be redeemed at this one
    if answer.get("iss", provider.issuer if not metadata.names_issuer else "") != provider.issuer:
        raise TokenRefused("the answer comes from another provider than the sign-in was begun with (iss)")
    form = {
        "grant_type": "authorization_code",
        "code": answer.get("code", ""),
        "redirect_uri": redirect_uri,
        "code_verifier": attempt.verifier,
    }
    tokens = directory.tokens(metadata, provider.client_id, client_secret, form)
    id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
    if not isinstance(id_token, str):
        raise ProviderFailure("the provider sent no ID token: is the scope `openid` allowed for this client?")
    access_token = access_token if isinstance(access_token, str) else None

    def read(again: bool) -> dict[str, Any]:
        return id_token_claims(
            id_token,
            directory.keys(metadata, again=again),
            issuer=provider.issuer,
            client_id=provider.client_id,
            nonce=attempt.nonce,
            access_token=access_token,
            now=now,
        )

    try:
        claims = read(False)
    except UnknownKey:
        claims = read(True)
    claims = _with_userinfo(directory, metadata, provider, claims, access_token)
    session = claims.get("sid")
    return ProvenSignIn(
        person_in(claims, provider, tenant),
        id_token,
        session if isinstance(session, str) and len(session) <= 255 else None,
    )


def logout_of(
    directory: ProviderDirectory, provider: IdentityProvider, logout_token: str, *, now: int
) -> tuple[str | None, str | None]:
    """(subject, session at the provider) that a back-channel logout token ends. Raises ProviderFailure."""
    metadata = directory.metadata(provider.issuer)

    def read(again: bool) -> dict[str, Any]:
        keys = directory.keys(metadata, again=again)
        return logout_token_claims(logout_token, keys, issuer=provider.issuer, client_id=provider.client_id, now=now)

    try:
        claims = read(False)
    except UnknownKey:
        claims = read(True)
    subject, session = claims.get("sub"), claims.get("sid")
    return (subject if isinstance(subject, str) else None), (session if isinstance(session, str) else None)


def end_session_url(
    metadata: ProviderMetadata, provider: IdentityProvider, id_token: str | None, back: str
) -> str | None:
    """Where the browser ends the session at the provider, and from where it returns to `back`; None: not offered."""
    if metadata.end_session_endpoint is None:
        return None
    query = {"client_id": provider.client_id, "post_logout_redirect_uri": back}
    if id_token is not None:
        query["id_token_hint"] = id_token
    separator = "&" if "?" in metadata.end_session_endpoint else "?"
    return f"{metadata.end_session_endpoint}{separator}{urlencode(query)}"


def _with_userinfo(
    directory: ProviderDirectory,
    metadata: ProviderMetadata,
    provider: IdentityProvider,
    claims: dict[str, Any],
    access_token: str | None,
) -> dict[str, Any]:
    """The ID token's claims; where it lacks one that is needed, those of userinfo below them."""
    wanted = (provider.name_claim, provider.role_claim)
    complete = all(claim_at(claims, name) is not None for name in wanted)
    if complete or access_token is None or metadata.userinfo_endpoint is None:
        return claims
    more = directory.userinfo(metadata, access_token)
    if more.get("sub") != claims.get("sub"):
        raise TokenRefused("the provider's userinfo is about somebody else than its ID token (sub)")
    if "email" in claims and more.get("email") != claims["email"]:
        more.pop("email_verified", None)  # it is about the other address
    return {**more, **claims}
