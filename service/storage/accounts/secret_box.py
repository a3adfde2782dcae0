"""Secrets that must be readable later: sealed with Fernet before they are stored, opened when used.

The keys come from BRIGADEWATCH_SECRET_KEY (the first one seals, all of them open), otherwise from the data folder. A
backup of the database alone therefore reveals no secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import cached_property
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from service.errors import Refused
from service.settings import Settings

SECRET_NAME = "secret.key"  # noqa: S105  (a file's name)


class NoSecretKey(Refused):
    """There is no key; the message says what to set."""


class SealedWithAnotherKey(Refused):
    """None of the keys opens this secret: its key is missing, or it was never sealed."""


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
        """The plain text of a sealed secret. Raises SealedWithAnotherKey, and NoSecretKey without any key."""
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

    def sign(self, text: str) -> str:
        """A mark that only this installation can put on the text, the same at each call. Raises NoSecretKey."""
        return _mark(self._all_keys[0], text)

    def has_signed(self, text: str, mark: str) -> bool:
        """Whether `sign` put that mark on the text, with any of the keys. Raises NoSecretKey."""
        sent = mark.encode("utf-8", "replace")
        return any(hmac.compare_digest(_mark(key, text).encode(), sent) for key in self._all_keys)

    def check(self) -> None:
        """Raises NoSecretKey if there is no key; called when a process starts."""
        _ = self._fernet

    @cached_property
    def _fernet(self) -> MultiFernet:
        return MultiFernet([Fernet(key) for key in self._all_keys])

    @cached_property
    def _all_keys(self) -> list[bytes]:
        return [_fernet_key(key) for key in self._keys] or [_key_in(self._path)]

    def _unreadable(self) -> SealedWithAnotherKey:
        where = f"the {len(self._keys)} key(s) of BRIGADEWATCH_SECRET_KEY" if self._keys else f"the key in {self._path}"
        return SealedWithAnotherKey(
            f"a stored secret cannot be opened with {where}: add the key that it was sealed with to"
            " BRIGADEWATCH_SECRET_KEY (commas between keys), or set the secret again"
        )


def _key_in(path: Path) -> bytes:
    way_out = (
        "set BRIGADEWATCH_SECRET_KEY (made with: openssl rand -hex 32), or begin with `brigadewatch up`, which makes"
        f" {path}"
    )
    try:
        text = path.read_text().strip()
    except OSError as error:
        raise NoSecretKey(f"no key for stored secrets ({error.strerror or error}): {way_out}") from None
    try:
        key = base64.urlsafe_b64encode(bytes.fromhex(text))
        Fernet(key)  # ValueError for one of another length
        return key
    except ValueError:
        raise NoSecretKey(
            f"{path} does not hold a key of 64 hexadecimal digits: put the file back from a backup, or {way_out}"
        ) from None


def _fernet_key(key: str) -> bytes:
    # The data folder's file has the same form, so that its content can be moved to the environment.
    return base64.urlsafe_b64encode(bytes.fromhex(key)) if len(key) == 64 else key.encode()


def _mark(key: bytes, text: str) -> str:
    # a key of its own: nothing that was sealed says anything about a mark
    own = hashlib.sha256(b"brigadewatch-mark\n" + key).digest()
    return hmac.new(own, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:40]
