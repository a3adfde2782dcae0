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
    """The password as it is hashed (NFKC, so that every keyboard's way of typing it is one).

    Raises Refused for one that is too short, too long, or the name.
    """
    text = unicodedata.normalize("NFKC", password)
    if not LEAST_CHARACTERS <= len(text) <= MOST_CHARACTERS:
        raise Refused(f"the password has {len(text)} characters; it must have {LEAST_CHARACTERS} to {MOST_CHARACTERS}")
    if len(set(text)) < 4 or text.casefold() == name.casefold():
        raise Refused(
            "this password is guessed at the first attempt: neither the name, nor fewer than four different characters"
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Refused("the password contains half a character (a surrogate): type it again")
    return text


def hash_password(password: str) -> str:
    """The argon2id hash of a checked password, with its parameters and salt inside."""
    return _HASHER.hash(password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Is it this password? Without a hash (no such user) as much work is done, and the answer is no."""
    text = unicodedata.normalize("NFKC", password[:MOST_CHARACTERS]).encode("utf-8", "replace")
    try:
        _HASHER.verify(password_hash or _dummy_hash(), text)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Was it made with other parameters than those of now? Then it is hashed again when the person next signs in."""
    return _HASHER.check_needs_rehash(password_hash)


@cache
def _dummy_hash() -> str:
    return _HASHER.hash("the password of nobody")
