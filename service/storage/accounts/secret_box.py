"""Secrets that have to be read again: sealed with Fernet before they go to SQL, opened when they are used.

The keys are those of BRIGADEWATCH_SECRET_KEY (the first one seals, every one opens), otherwise the one that the data
folder holds. A backup of the database alone therefore gives none of the secrets away.
"""

from __future__ import annotations

import base64
from functools import cached_property
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from service.errors import Refused
from service.settings import Settings

SECRET_NAME = "secret.key"  # noqa: S105  (a file's name)


class NoSecretKey(Refused):
    """There is no key to seal or open with; the text says what to set."""


class SealedWithAnotherKey(Refused):
    """None of the keys opens this secret: it was sealed with one that is missing now, or it was never sealed."""


class SecretBox:
    """Seals and opens texts with the keys of these settings.

    Reads the data folder when it is first used, not before.
    """

    def __init__(self, settings: Settings) -> None:
        self._keys, self._path = settings.secret_keys, settings.data / SECRET_NAME

    def seal(self, text: str) -> str:
        """The text, encrypted with the first key; different at each call. Raises NoSecretKey."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """What was sealed. Raises SealedWithAnotherKey, and NoSecretKey without any key."""
        fernet = self._fernet
        try:
            return fernet.decrypt(sealed.encode("utf-8", "replace")).decode()
        except InvalidToken:
            raise self._unreadable() from None

    def rotate(self, sealed: str) -> str:
        """The same secret, sealed with the first key. Raises SealedWithAnotherKey, and NoSecretKey without any key."""
        fernet = self._fernet
        try:
            return fernet.rotate(sealed.encode("utf-8", "replace")).decode()
        except InvalidToken:
            raise self._unreadable() from None

    def check(self) -> None:
        """Raises NoSecretKey if there is no key; called when a process starts."""
        _ = self._fernet

    @cached_property
    def _fernet(self) -> MultiFernet:
        return MultiFernet([Fernet(_fernet_key(key)) for key in self._keys] or [_key_in(self._path)])

    def _unreadable(self) -> SealedWithAnotherKey:
        where = f"the {len(self._keys)} key(s) of BRIGADEWATCH_SECRET_KEY" if self._keys else f"the key in {self._path}"
        return SealedWithAnotherKey(
            f"a stored secret is opened by none of {where}: add the key that it was sealed with to"
            " BRIGADEWATCH_SECRET_KEY (commas between keys), or set the secret again"
        )


def _key_in(path: Path) -> Fernet:
    way_out = (
        "set BRIGADEWATCH_SECRET_KEY (made with: openssl rand -hex 32), or begin with `brigadewatch up`, which makes"
        f" {path}"
    )
    try:
        text = path.read_text().strip()
    except OSError as error:
        raise NoSecretKey(f"no key for stored secrets ({error.strerror or error}): {way_out}") from None
    try:
        key = bytes.fromhex(text)
        return Fernet(base64.urlsafe_b64encode(key))
    except ValueError:
        raise NoSecretKey(
            f"{path} does not hold a key of 64 hexadecimal digits: put the file back from a backup, or {way_out}"
        ) from None


def _fernet_key(key: str) -> bytes:
    # The form of the data folder's file too, so that its content can become one of the keys in the environment.
    return base64.urlsafe_b64encode(bytes.fromhex(key)) if len(key) == 64 else key.encode()
