"""Signatures of texts: find complaints that repeat each other's wording, without keeping a word of either.

MinHash (Broder 1997): 127 keyed hash functions over the text's words, or its shingles in scripts without spaces
(service/intake/text_words.py); of each the smallest value that any word takes, of which one byte is kept (b-bit minwise
hashing, Li and König 2010). Two texts agree in a byte with probability J + (1 - J) / 256, J being the share of their
distinct words that both have (Jaccard). So the share of equal bytes estimates J, with a standard error of at most .045
(at J = .5; .044 at the policy's .4).

The hash functions are SHAKE-128 over a key, the version and the word, each tenant having its own key: with signatures
and a dictionary, but without the key, nobody can try words or compare one tenant's texts with another's. With the key a
text can be confirmed by guessing all of it, since that is what the signature is for.

129 bytes per text: the version (2), the number of distinct words (at most 255), then the 127. Version 1 (up to 0.2.0)
began with the number of words, which was 5 at least, and had 128 bytes after it; words were cut at white space and
taken as written. Both are read. Signatures of different versions agree no more than those of strangers, since the
version is among what is hashed, so a text from before an upgrade is compared with its like alone. A signature of any
other version counts as one of no words, which nothing looks at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from hashlib import shake_128

import numpy as np
import numpy.typing as npt

from service.intake.text_words import tokens_of
from service.policy import DEFAULT_POLICY

VERSION = 2
SLOTS = 127
SIGNATURE_BYTES = 2 + SLOTS
LEAST_WORDS = DEFAULT_POLICY.text_min_words  # distinct; shorter texts are canned reasons and get no signature
COMMON_KEY = bytes(32)  # for an audit of files, which has no tenant
_CHANCE = 1 / 256  # that bytes of different minima agree
_DOMAIN = bytes([0xFF, VERSION])  # 255 begins no word, so no word of version 1 is hashed to the same values


def signature_of(text: str, key: bytes = COMMON_KEY) -> bytes | None:
    """The text's signature under a key of 32 bytes; None for fewer than five distinct words, or as much in a script
    without spaces.

    Case, punctuation, invisible signs and the order of words change nothing. About 1 µs per word or shingle that is new
    to the process.
    """
    words, worth = tokens_of(text)
    if worth < LEAST_WORDS:
        return None
    values = np.frombuffer(b"".join([_values_of(key, word) for word in words]), np.uint32).reshape(len(words), SLOTS)
    least: bytes = values.min(axis=0).astype(np.uint8).tobytes()
    return bytes([VERSION, min(worth, 255)]) + least


@lru_cache(maxsize=8_192)
def _values_of(key: bytes, word: bytes) -> bytes:
    return shake_128(key + _DOMAIN + word).digest(4 * SLOTS)


def word_count(signature: bytes) -> int:
    """Distinct words of the text, 255 for more; 0 for a signature of an unknown version, or none at all."""
    if len(signature) != SIGNATURE_BYTES:
        return 0
    if signature[0] == VERSION:
        return signature[1]
    return signature[0] if signature[0] >= LEAST_WORDS else 0  # version 1


def slots_of(signatures: Sequence[bytes]) -> npt.NDArray[np.uint8]:
    """The signatures' bytes to compare, one row per text: the last 127 in both versions.

    Raises ValueError for a wrong length.
    """
    if any(len(signature) != SIGNATURE_BYTES for signature in signatures):
        raise ValueError(f"every signature must have {SIGNATURE_BYTES} bytes")
    return np.frombuffer(b"".join(signatures), np.uint8).reshape(len(signatures), SIGNATURE_BYTES)[:, -SLOTS:]


def jaccard(one: bytes, other: bytes) -> float:
    """The estimated share of the two texts' words that both contain, 0 to 1."""
    alike = float((slots_of([one])[0] == slots_of([other])[0]).mean())
    return max(0.0, (alike - _CHANCE) / (1 - _CHANCE))


def slots_alike(share: float) -> int:
    """The least number of equal bytes at which the estimated Jaccard index is `share` or more."""
    return math.ceil(SLOTS * (share * (1 - _CHANCE) + _CHANCE))
