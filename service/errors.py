"""Expected failures, without HTTP: service/api/problems.py maps them to statuses."""


class BrigadewatchError(Exception):
    """Base of every expected failure. Its text is for people: what is wrong, and how to fix it."""


class UnknownTenant(BrigadewatchError):
    """There is no tenant of that name."""


class NotFound(BrigadewatchError):
    """It does not exist, or belongs to another tenant; callers cannot tell which."""


class StoreUnavailable(BrigadewatchError):
    """Redis or the database does not answer, or totals are being rebuilt. It is safe to try again."""


class Overloaded(BrigadewatchError):
    """The stream is too long, or the tenant is over its rate.

    `retry_after_seconds` says when to try again, `cause` names the limit.
    """

    def __init__(self, message: str, *, retry_after_seconds: int, cause: str = "backlog") -> None:
        super().__init__(message)
        self.cause = cause
        self.retry_after_seconds = retry_after_seconds


class TooMany(BrigadewatchError):
    """A document has more of something (items, lines, JSON values) than is read at once; none of it was stored."""


class StaleVersion(BrigadewatchError):
    """The cluster was changed by another user first."""

    def __init__(self, message: str, *, current_version: int, changed_by: str) -> None:
        super().__init__(message)
        self.current_version = current_version
        self.changed_by = changed_by


class LostLease(BrigadewatchError):
    """Another worker has taken over this tenant: drop the state and stop."""


class InvalidCursor(BrigadewatchError):
    """The cursor belongs to another list, or its filters differ from the request's."""


class Refused(BrigadewatchError):
    """The request is valid, but not possible now; the text says why and what to do.

    `problem` leaves out `command_hint`, which names options of the command line: a form shows the problem alone.
    """

    def __init__(self, problem: str, *, command_hint: str = "") -> None:
        super().__init__(f"{problem}{command_hint}")
        self.problem = problem
