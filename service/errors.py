"""The failures that are expected. No HTTP words: service/api/problems.py maps them to statuses."""


class BrigadewatchError(Exception):
    """Base of every expected failure; its text is written for the person who reads it."""


class UnknownTenant(BrigadewatchError):
    """No tenant has that name."""


class NotFound(BrigadewatchError):
    """No such thing for this tenant, or it belongs to another: the two are told apart to nobody."""


class StoreUnavailable(BrigadewatchError):
    """Redis (or the database) does not answer, or its totals are being rebuilt; whoever retries is safe."""


class Overloaded(BrigadewatchError):
    """The stream is too long, or the tenant is over its rate.

    `retry_after_seconds` says when to come back, `cause` in a word which limit it was.
    """

    def __init__(self, message: str, *, retry_after_seconds: int, cause: str = "backlog") -> None:
        super().__init__(message)
        self.cause = cause
        self.retry_after_seconds = retry_after_seconds


class StaleVersion(BrigadewatchError):
    """Somebody changed the cluster first."""

    def __init__(self, message: str, *, current_version: int, changed_by: str) -> None:
        super().__init__(message)
        self.current_version = current_version
        self.changed_by = changed_by


class LostLease(BrigadewatchError):
    """Another worker has taken this tenant over: drop the state and stop."""


class InvalidCursor(BrigadewatchError):
    """The cursor was not made here, or its filters differ from the call's."""


class Refused(BrigadewatchError):
    """The request is well formed, but cannot be done; the text says why and what to do."""
