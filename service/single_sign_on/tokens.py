"""Is this token the provider's, for us, and for this sign-in? Pure: keys and the time are arguments.

Only signatures that need the provider's private key are taken. `none` and the HS algorithms are not: those are made
with what we know ourselves, and turn a public key into a secret that everybody has.
"""

from __future__ import annotations

import secrets
from typing import Any, TypeGuard

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from service.single_sign_on.failures import ProviderFailure, TokenRefused

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
SKEW_SECONDS = 60  # how far the provider's clock and ours may be apart
OLDEST_SECONDS = 600  # of a token when we get it: it was made for this sign-in
MOST_CHARACTERS = 32_768
BACK_CHANNEL = "http://schemas.openid.net/event/backchannel-logout"


class UnknownKey(TokenRefused):
    """The token names a key that is not among those we have: the provider may have new ones."""


def read_keys(document: object) -> KeySet:
    """The provider's public keys for signatures. Raises ProviderFailure."""
    listed = document.get("keys") if isinstance(document, dict) else None
    usable = [
        one
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict) and one.get("use", "sig") == "sig" and one.get("kty") in ("RSA", "EC", "OKP")
    ]
    keys: list[OctKey | RSAKey | ECKey | OKPKey] = []  # never an OctKey, which the list's type wants
    for one in usable:
        public = {name: value for name, value in one.items() if name not in ("d", "p", "q", "dp", "dq", "qi", "oth")}
        try:
            keys.append({"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}[one["kty"]].import_key(public))  # type: ignore[attr-defined]
        except (JoseError, ValueError, TypeError, KeyError):
            continue  # of a kind that we do not know; the others may do
    if not keys:
        raise ProviderFailure("the provider publishes no key that a signature could be checked with (jwks_uri)")
    return KeySet(keys)


def id_token_claims(
    token: str, keys: KeySet, *, issuer: str, client_id: str, nonce: str, access_token: str | None, now: int
) -> dict[str, Any]:
    """The claims of an ID token. Raises UnknownKey, or TokenRefused saying what is wrong with it; `now` in seconds."""
    header, claims = _verified(token, keys, "ID token")
    options: Any = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}}
    parameters = {"nonce": nonce, "client_id": client_id, "access_token": access_token}
    checked = CodeIDToken(claims, header, options, parameters)
    try:
        checked.validate(now=now, leeway=SKEW_SECONDS)
    except (JoseError, ValueError, TypeError) as error:
        raise TokenRefused(
            f"the ID token is not acceptable: {error}{_expected(error, claims, issuer, client_id)}"
        ) from None
    _check_common(claims, client_id, now, "ID token")
    if not secrets.compare_digest(str(claims.get("nonce")), nonce):
        raise TokenRefused("the ID token was made for another sign-in (nonce)")
    return claims


def logout_token_claims(token: str, keys: KeySet, *, issuer: str, client_id: str, now: int) -> dict[str, Any]:
    """The claims of a back-channel logout token: `sub`, `sid` or both. Raises UnknownKey or TokenRefused."""
    header, claims = _verified(token, keys, "logout token")
    if header.get("typ", "logout+jwt").lower().removeprefix("application/") not in ("logout+jwt", "jwt"):
        raise TokenRefused("the logout token has another type than logout+jwt")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(BACK_CHANNEL), dict) or "nonce" in claims:
        raise TokenRefused("the token is not a logout token (events, nonce)")
    if claims.get("iss") != issuer:
        raise TokenRefused("the logout token is another provider's (iss)")
    audience = claims.get("aud")
    if client_id not in (audience if isinstance(audience, list) else [audience]):
        raise TokenRefused("the logout token is for another client (aud)")
    expires = claims.get("exp")
    if not _is_time(expires) or expires <= now - SKEW_SECONDS:
        raise TokenRefused("the logout token has expired (exp)")
    _check_common(claims, client_id, now, "logout token")
    if not (isinstance(claims.get("sub"), str) or isinstance(claims.get("sid"), str)):
        raise TokenRefused("the logout token names neither a person nor a session (sub, sid)")
    return claims


def _verified(token: str, keys: KeySet, what: str) -> tuple[dict[str, Any], dict[str, Any]]:
    if not token.isascii() or not 1 <= len(token) <= MOST_CHARACTERS:
        raise TokenRefused(f"the {what} is missing or longer than {MOST_CHARACTERS:,} characters")
    try:
        decoded = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
    except InvalidKeyIdError:
        raise UnknownKey(f"the {what} is signed with a key that the provider does not publish") from None
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise TokenRefused(
            f"the {what} is not signed as it must be ({error}); set the provider to sign with RS256 or ES256"
        ) from None
    return dict(decoded.header), dict(decoded.claims)


def _check_common(claims: dict[str, Any], client_id: str, now: int, what: str) -> None:
    issued = claims.get("iat")
    if not _is_time(issued) or issued > now + SKEW_SECONDS:
        raise TokenRefused(
            f"the {what} comes from the future (iat): compare the clocks of this machine and the provider"
        )
    if issued < now - OLDEST_SECONDS:
        raise TokenRefused(f"the {what} is older than {OLDEST_SECONDS} s (iat): compare the clocks")
    audience = claims.get("aud")
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != client_id:
        raise TokenRefused(f"the {what} is for several clients, and not issued to us (azp)")


def _expected(error: Exception, claims: dict[str, Any], issuer: str, client_id: str) -> str:
    name = getattr(error, "claim", None) or str(error)
    if "iss" in name and claims.get("iss") != issuer:
        return f" (it is from {str(claims.get('iss'))[:200]!r}, the settings name {issuer!r})"
    if "aud" in name:
        return f" (it is for {str(claims.get('aud'))[:200]!r}, the settings name {client_id!r})"
    return ""


def _is_time(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12
