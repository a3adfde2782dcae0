"""Native signatures: did the platform send these bytes? PURE.

Every check is over the raw body, in constant time, against each of the secrets that are valid (two while rotating). A
source that has a secret fails closed. A post to a source without one (Discourse) must not have a signature, which could
not be verified.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from standardwebhooks import Webhook

from service.platforms.public_keys import Credentials, credentials, is_signed_by

TOLERANCE = timedelta(minutes=5)  # of a signed timestamp, either way
ALGORITHMS = ("sha256", "sha384", "sha512")
STANDARD_PREFIX = "whsec_"
_MAX_SIGNATURES = 10  # in one header: a list while the platform rotates
_LEAST_KEY_BYTES, _MOST_KEY_BYTES = 24, 64
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+\Z")
_SECONDS = re.compile(r"[0-9]{1,11}\Z")
_EVENT_ID = re.compile(r"[\x21-\x7e]{1,256}\Z")

Fault = Literal["missing", "malformed", "wrong", "stale", "unverifiable"]


@dataclass(frozen=True, slots=True)
class Hmac:
    """An HMAC of the body in a header, hexadecimal or base64, after a prefix; several of them with a `separator`."""

    header: str  # lower case
    algorithm: str = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    separator: str | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """The secret itself in a header, after a prefix: it proves who sends, not what."""

    header: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class SharedOrSigned:
    """The platform's key in one header, or a signature of the body by its private key, base64, in another.

    A signature decides where the secret contains the public key (public_keys.py), whatever else is in the headers.
    """

    header: str
    signature_header: str


@dataclass(frozen=True, slots=True)
class Standard:
    """Standard Webhooks: id, timestamp and body, signed together; Svix names the same three headers its own way."""


Scheme = Hmac | Shared | SharedOrSigned | Standard
BEARER = Shared("authorization", "Bearer ")
_STANDARD_NAMES = tuple((f"webhook-{end}", f"svix-{end}") for end in ("id", "timestamp", "signature"))
SIGNATURE_HEADERS = _STANDARD_NAMES[2]  # of Standard Webhooks: either shows that a post is signed


def fault(
    scheme: Scheme, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> Fault | None:
    """Why it is not proved that the bytes come from the platform; None: it is.

    `headers` by lower-case name, decoded as latin-1; if `secrets` is empty, only unsigned posts pass.
    """
    if isinstance(scheme, Standard):
        return _standard_fault(headers, body, secrets, now)
    if isinstance(scheme, SharedOrSigned):
        return _shared_or_signed_fault(scheme, headers, body, secrets)
    if not secrets:
        return "unverifiable" if scheme.header in headers else None
    if scheme.header not in headers:
        return "missing"
    if isinstance(scheme, Shared):
        return _shared_fault(scheme, headers, secrets)
    return _hmac_fault(scheme, headers, body, secrets)


def check_secret(scheme: Scheme, secret: str) -> None:
    """Check that the scheme can use the secret. Raises ValueError if it cannot."""
    shared = credentials(secret).shared if isinstance(scheme, SharedOrSigned) else secret
    if isinstance(scheme, (Shared, SharedOrSigned)) and not (
        shared is None or (shared.isascii() and shared.isprintable())
    ):
        raise ValueError("the secret is sent in a header, so it can contain only printable ASCII characters")
    if isinstance(scheme, Standard) and not secret.startswith(STANDARD_PREFIX):
        raise ValueError(f"a Standard Webhooks secret has to begin with {STANDARD_PREFIX}")
    if isinstance(scheme, Standard):
        try:
            size = len(b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True))
        except (Base64Error, ValueError):
            raise ValueError(f"the part after {STANDARD_PREFIX} is not valid base64") from None
        if not _LEAST_KEY_BYTES <= size <= _MOST_KEY_BYTES:
            raise ValueError(
                f"a Standard Webhooks secret needs {_LEAST_KEY_BYTES} to {_MOST_KEY_BYTES} bytes, but has {size}"
            )


def event_id(headers: Mapping[str, str]) -> str:
    """The id of a post whose Standard Webhooks signature is valid. Raises KeyError if there is none."""
    return next(headers[name] for name in _STANDARD_NAMES[0] if name in headers)


def _hmac_fault(scheme: Hmac, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> Fault | None:
    value = headers[scheme.header].strip()
    parts = [value] if scheme.separator is None else [part.strip() for part in value.split(scheme.separator)]
    given = [
        _decoded(part.removeprefix(scheme.prefix), scheme.encoding)
        for part in parts[:_MAX_SIGNATURES]
        if part.startswith(scheme.prefix)
    ]
    candidates = [signature for signature in given if signature is not None]
    if not candidates:
        return "malformed"
    right = False
    for secret in secrets:  # always all of them, so that the time reveals nothing
        expected = hmac.digest(secret.encode(), body, scheme.algorithm)
        for candidate in candidates:
            right |= hmac.compare_digest(expected, candidate)
    return None if right else "wrong"


def _shared_fault(scheme: Shared, headers: Mapping[str, str], secrets: Sequence[str]) -> Fault | None:
    value = headers[scheme.header]
    if value[: len(scheme.prefix)].lower() != scheme.prefix.lower():
        return "malformed"
    # Digests are compared, so that the time does not reveal the length either.
    given = hashlib.sha256(value[len(scheme.prefix) :].strip().encode("latin-1", "replace")).digest()
    right = False
    for secret in secrets:
        right |= hmac.compare_digest(hashlib.sha256(secret.encode()).digest(), given)
    return None if right else "wrong"


def _shared_or_signed_fault(
    scheme: SharedOrSigned, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]
) -> Fault | None:
    held = [found for found in map(_credentials, secrets) if found is not None]
    keys = [found.public_key for found in held if found.public_key is not None]
    shared = [found.shared for found in held if found.shared is not None]
    given = headers.get(scheme.signature_header)
    if given is not None and keys:
        signature = _decoded(given.strip(), "base64")
        if signature is None:
            return "malformed"
        return None if any(is_signed_by(key, signature, body) for key in keys) else "wrong"
    if scheme.header in headers and shared:
        return _shared_fault(Shared(scheme.header), headers, shared)
    return "missing" if given is None else "unverifiable"


def _credentials(secret: str) -> Credentials | None:
    try:
        return credentials(secret)
    except ValueError:  # stored by other rules: it verifies nothing
        return None


def _standard_fault(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> Fault | None:
    found = [[headers[name] for name in names if name in headers] for names in _STANDARD_NAMES]
    if not secrets:
        return "unverifiable" if any(found) else None
    if not all(found):
        return "missing"
    # A sender may use both sets of names; which of two different values is signed must not be a guess.
    if any(len(set(values)) > 1 for values in found):
        return "malformed"
    event, seconds, listed = (values[0] for values in found)
    if not _EVENT_ID.match(event) or not _SECONDS.match(seconds):
        return "malformed"
    sent = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return "malformed"
    given = [part.removeprefix("v1,") for part in listed.split(" ")[:_MAX_SIGNATURES] if part.startswith("v1,")]
    candidates = [signature for signature in (_decoded(part, "base64") for part in given) if signature is not None]
    if not candidates:
        return "malformed"
    right = False
    for secret in secrets:
        expected = b64decode(Webhook(secret).sign(event, sent, text).removeprefix("v1,"))
        for candidate in candidates:
            right |= hmac.compare_digest(expected, candidate)
    if not right:
        return "wrong"
    return None if abs(now - sent) <= TOLERANCE else "stale"


def _decoded(text: str, encoding: str) -> bytes | None:
    if encoding == "hex":
        return bytes.fromhex(text) if _HEX.match(text) else None
    try:
        return b64decode(text, validate=True) or None
    except (Base64Error, ValueError):
        return None
