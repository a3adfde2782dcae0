"""The second factor: one-time codes from an app (TOTP, RFC 6238), recovery codes, and whether an account has any.

A code works once: the newest time step that was used is stored, and nothing at or before it is accepted, unless that
step lies so far ahead that the wall clock must have been set back since. Attempts are
counted before they are checked, like those of a password (sign_in_throttle.py). Only somebody who knows the password
gets that far, so the wait keeps nobody else out.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyotp
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from service.errors import Refused
from service.storage.accounts import audit_log, sign_in_throttle
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.sign_in_throttle import LONGEST_WAIT_SECONDS, OF_ONE, is_locked
from service.storage.accounts.users import User, hold_user
from service.storage.sql.schema import passkeys, recovery_codes, second_factors, users

STEP_SECONDS = 30
STEPS_OF_SKEW = 1  # a phone's clock may be 30 s off, either way
RECOVERY_CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # 16 of them are 79 bits: a plain hash is enough
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class FactorStatus:
    """The second factors of one account."""

    codes: bool  # an app's codes are in use
    recovery_codes_left: int
    passkeys: int

    @property
    def any(self) -> bool:
        """Whether signing in needs a second step."""
        return self.codes or self.passkeys > 0


@dataclass(frozen=True, slots=True)
class CodeCheck:
    """The result of trying a code; `wait_seconds` if there were too many attempts."""

    result: Literal["right", "recovery", "wrong", "locked"]
    wait_seconds: int = 0

    @property
    def right(self) -> bool:
        """Whether the person has proven the second factor."""
        return self.result in ("right", "recovery")


def status_of(connection: Connection, user_id: int) -> FactorStatus:
    """What the account has."""
    f = second_factors.c
    codes = connection.scalar(select(f.user_id).where(f.user_id == user_id, f.confirmed_us.is_not(None))) is not None
    left = connection.scalar(select(func.count()).where(recovery_codes.c.user_id == user_id)) or 0
    keys = connection.scalar(select(func.count()).where(passkeys.c.user_id == user_id)) or 0
    return FactorStatus(codes, int(left), int(keys))


def begin_codes(connection: Connection, box: SecretBox, user_id: int) -> str:
    """A new secret for an app, in base32; it counts once a code of it was entered. Raises Refused if one is in use."""
    f = second_factors.c
    if status_of(connection, user_id).codes:
        raise Refused("codes from an app are already in use: turn them off first")
    secret = pyotp.random_base32()
    connection.execute(delete(second_factors).where(f.user_id == user_id))
    connection.execute(insert(second_factors).values(user_id=user_id, secret=box.seal(secret)))
    return secret


def pending_secret(connection: Connection, box: SecretBox, user_id: int) -> str | None:
    """The secret that waits for its first code."""
    f = second_factors.c
    sealed = connection.scalar(select(f.secret).where(f.user_id == user_id, f.confirmed_us.is_(None)))
    return None if sealed is None else box.open(sealed)


def confirm_codes(connection: Connection, box: SecretBox, user: User, code: str, *, now_us: int) -> list[str] | None:
    """Put the app's codes in use if this one is right, and return fresh recovery codes; None: it is wrong."""
    f = second_factors.c
    secret = pending_secret(connection, box, user.id)
    step = None if secret is None else _step_of(secret, code, now_us, after=0)
    if step is None:
        return None
    connection.execute(
        update(second_factors).where(f.user_id == user.id).values(confirmed_us=now_us, last_step=step, failures=0)
    )
    _enter(connection, user, "factor-added", user.name, now_us, {"kind": "codes"})
    return _fresh_recovery_codes(connection, user.id)


def check_code(connection: Connection, box: SecretBox, user_id: int, code: str, *, now_us: int) -> CodeCheck:
    """Try a code of the app or a recovery code. In a writing transaction, which must commit if it is wrong, too."""
    f = second_factors.c
    hold_user(connection, user_id)
    row = connection.execute(select(second_factors).where(f.user_id == user_id, f.confirmed_us.is_not(None))).first()
    if row is None:
        return CodeCheck("wrong")
    if is_locked(row.locked_until_us, now_us):
        return CodeCheck("locked", -(-(row.locked_until_us - now_us) // _SECOND))
    counted = sign_in_throttle.count(row.failures, None, now_us, OF_ONE)
    tried = {"failures": counted.failures, "locked_until_us": counted.locked_until_us}
    kept = {"failures": 0, "locked_until_us": None}
    step = _step_of(box.open(row.secret), code, now_us, after=row.last_step)
    if step is not None:
        connection.execute(update(second_factors).where(f.user_id == user_id).values(last_step=step, **kept))
        return CodeCheck("right")
    r = recovery_codes.c
    used = delete(recovery_codes).where(r.user_id == user_id, r.hash == _hash(code))
    if connection.execute(used).rowcount == 1:
        connection.execute(update(second_factors).where(f.user_id == user_id).values(**kept))
        _note_recovery(connection, user_id, now_us)
        return CodeCheck("recovery")
    connection.execute(update(second_factors).where(f.user_id == user_id).values(**tried))
    return CodeCheck("wrong")


def renew_recovery_codes(connection: Connection, user: User, *, now_us: int) -> list[str]:
    """Ten fresh codes in place of the earlier ones. Only their hashes are stored."""
    _enter(connection, user, "recovery-codes-renewed", user.name, now_us, {})
    return _fresh_recovery_codes(connection, user.id)


def _fresh_recovery_codes(connection: Connection, user_id: int) -> list[str]:
    codes = [
        "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4)) for _ in range(RECOVERY_CODES)
    ]
    connection.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
    connection.execute(insert(recovery_codes), [{"user_id": user_id, "hash": _hash(code)} for code in codes])
    return codes


def remove_codes(connection: Connection, user: User, *, actor: str, now_us: int) -> None:
    """Turn the app's codes off, recovery codes included."""
    removed = connection.execute(delete(second_factors).where(second_factors.c.user_id == user.id)).rowcount
    connection.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user.id))
    if removed:
        _enter(connection, user, "factor-removed", actor, now_us, {"kind": "codes"})


def remove_all(connection: Connection, user: User, *, actor: str, now_us: int) -> None:
    """Remove every second factor of the account, passkeys included."""
    remove_codes(connection, user, actor=actor, now_us=now_us)
    if connection.execute(delete(passkeys).where(passkeys.c.user_id == user.id)).rowcount:
        _enter(connection, user, "factor-removed", actor, now_us, {"kind": "passkeys"})


def _note_recovery(connection: Connection, user_id: int, now_us: int) -> None:
    left = status_of(connection, user_id).recovery_codes_left
    user = connection.execute(select(users.c.tenant_id, users.c.name).where(users.c.id == user_id)).one()
    _enter(connection, user, "recovery-code", user.name, now_us, {"left": left})


def _step_of(secret: str, code: str, now_us: int, *, after: int) -> int | None:
    """The time step whose code this is, newer than `after`; None: there is none."""
    digits = "".join(code.split())
    if len(digits) != 6 or not (digits.isascii() and digits.isdigit()):
        return None
    totp, now = pyotp.TOTP(secret), now_us // _SECOND // STEP_SECONDS
    if after > now + LONGEST_WAIT_SECONDS // STEP_SECONDS:  # the clock was ahead: nobody waits until then
        after = 0
    steps = range(max(now - STEPS_OF_SKEW, after + 1), now + STEPS_OF_SKEW + 1)
    return next((step for step in steps if secrets.compare_digest(totp.at(step * STEP_SECONDS), digits)), None)


def _hash(code: str) -> str:
    plain = "".join(character for character in code.lower() if character.isalnum())
    return hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()


def _enter(
    connection: Connection, user: User | Row[Any, Any], action: str, actor: str, now_us: int, detail: Mapping[str, Any]
) -> None:
    audit_log.enter(
        connection,
        user.tenant_id,
        actor=actor,
        action=action,
        subject=f"user:{user.name}",
        now_us=now_us,
        detail=detail,
    )
