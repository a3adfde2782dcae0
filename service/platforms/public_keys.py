"""Secrets that contain a platform's public key, and its signatures: RSASSA-PKCS1-v1_5 with SHA-256. PURE."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

_MARK = "-----BEGIN"
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*\Z")
_LEAST_BITS, _MOST_BITS = 2_048, 8_192  # more would only be slow


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one secret allows to verify: a key that the sender repeats, a public key, or both."""

    shared: str | None
    public_key: RSAPublicKey | None


def on_one_line(secret: str) -> str:
    """The secret without the line breaks of a public key in it: secrets are one line. Others stay as they are."""
    return " ".join(secret.split()) if _MARK in secret else secret


def credentials(secret: str) -> Credentials:
    """What is in the secret: a shared key, a public key in PEM, or both, the shared key first.

    Raises ValueError for a public key that cannot be used.
    """
    if _MARK not in secret:
        return Credentials(secret, None)
    found = _PEM.search(secret)
    if found is None:
        raise ValueError(
            "the public key has to be PEM: -----BEGIN PUBLIC KEY----- … -----END PUBLIC KEY-----, at the end"
        )
    try:
        key = load_der_public_key(b64decode("".join(found[1].split()), validate=True))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("the public key in the secret cannot be read") from None
    if not isinstance(key, RSAPublicKey) or not _LEAST_BITS <= key.key_size <= _MOST_BITS:
        raise ValueError(f"the public key has to be an RSA key of {_LEAST_BITS} to {_MOST_BITS} bits")
    return Credentials(secret[: found.start()].strip() or None, key)


def is_signed_by(key: RSAPublicKey, signature: bytes, body: bytes) -> bool:
    """Whether the key's owner signed these bytes."""
    try:
        key.verify(signature, body, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
