"""Passwords as argon2id hashes, with the library's parameters of the day (RFC 9106, low memory: 64 MiB and some 50 ms a
hash).
"""

from __future__ import annotations

import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from service.errors import Refused

LEAST_CHARACTERS = 12
MOST_CHARACTERS = 1_024
_HASHER = PasswordHasher()


def checked_password(password: str, *, name: str) -> str:
    """The password in the form that is hashed (NFKC, so that different keyboards produce the same text). Raises Refused
    for one that is too short, too long, or too easy to guess.
    """
    text = unicodedata.normalize("NFKC", password)
    if not LEAST_CHARACTERS <= len(text) <= MOST_CHARACTERS:
        raise Refused(f"the password has {len(text)} characters; it must have {LEAST_CHARACTERS} to {MOST_CHARACTERS}")
    if len(set(text)) < 4 or text.casefold() == name.casefold():
        raise Refused(
            "this password is too easy to guess: it must not be the name and needs at least four different characters"
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Refused("the password contains half a character (a surrogate): type it again")
    return text


def hash_password(password: str) -> str:
    """The argon2id hash of a checked password, with its parameters and salt inside."""
    return _HASHER.hash(password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether the password matches. Without a hash (no such user) the same work is done, and the answer is False."""
    text = unicodedata.normalize("NFKC", password[:MOST_CHARACTERS]).encode("utf-8", "replace")
    try:
        _HASHER.verify(password_hash or _dummy_hash(), text)
    except (VerificationError, InvalidHashError):
        return False
    return bool(password_hash)  # an account without a password has an empty hash, which nothing matches


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with outdated parameters; it is then replaced at the next sign-in."""
    return _HASHER.check_needs_rehash(password_hash)


@cache
def _dummy_hash() -> str:
    return _HASHER.hash("the password of nobody")
