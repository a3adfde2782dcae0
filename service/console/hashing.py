"""Password hashes a few at a time, since each takes 64 MiB and anybody can cause one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio

from service.storage.accounts.passwords import hash_password, is_outdated, verify_password

_HASHES_AT_ONCE = 2  # 64 MiB each
_WAITING = 20  # attempts that may wait
_STRANGERS_WAITING = 15  # of browsers in which the person has not signed in before
_Result = TypeVar("_Result")


TOO_BUSY = "Too many people are signing in right now. Try again in a few seconds."


class TooBusy(Exception):
    """Too many sign-in attempts are waiting already."""


class Hashing:
    """Runs a few password hashes at a time: each takes 64 MiB, and attackers decide how many are requested."""

    def __init__(self) -> None:
        self._turns = anyio.CapacityLimiter(_HASHES_AT_ONCE)

    async def verify(self, password_hash: str | None, password: str, *, known: bool = True) -> tuple[bool, str | None]:
        """Whether the password is correct, and its new hash if the old one has outdated parameters. Raises TooBusy,
        sooner for those who are not `known`: strangers cannot take every place.
        """

        def work() -> tuple[bool, str | None]:
            correct = verify_password(password_hash, password)
            return correct, (
                hash_password(password)
                if correct and password_hash is not None and is_outdated(password_hash)
                else None
            )

        return await self.run(work, known=known)

    async def run(self, work: Callable[[], _Result], *, known: bool = True) -> _Result:
        """The result of `work`, which hashes. Raises TooBusy."""
        if self._turns.statistics().tasks_waiting >= (_WAITING if known else _STRANGERS_WAITING):
            raise TooBusy
        return await anyio.to_thread.run_sync(work, limiter=self._turns)
