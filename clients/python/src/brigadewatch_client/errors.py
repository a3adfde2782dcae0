"""What a call may end with instead of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class BrigadewatchError(Exception):
    """Either of the two below."""


class Refused(BrigadewatchError):
    """The service understood, and said no: a wrong key, a missing scope, arguments that it cannot take, or a wrong
    address.

    Asking again changes nothing; somebody has to look. `errors` are the service's own words about single items, at most
    100.
    """

    def __init__(
        self, message: str, *, status: int, errors: Sequence[dict[str, Any]] = (), rejected_count: int = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.errors = list(errors)
        self.rejected_count = rejected_count


class Unreachable(BrigadewatchError):
    """No answer that could be used, within the time: gone, silent, too slow, overloaded or being rebuilt.

    `status` is that of the answer, if there was one; `retry_after` the seconds that it asked to wait. `done` is how
    many items, from the first on, `complain_many` and `outcomes` had dealt with. Everything may be sent again: ids make
    it harmless.
    """

    def __init__(
        self, message: str, *, status: int | None = None, retry_after: float | None = None, done: int = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.done = done
