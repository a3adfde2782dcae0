"""A decision that is sent twice (a double click, a second window, a reloaded answer) is recorded once. PURE.

The second of two finds the case changed. If what changed it is the same decision by the same person, and that is still
in force, there is nothing more to do.
"""

from __future__ import annotations

from collections.abc import Sequence

from service.model import Decision, DecisionRequest
from service.moderation.decisions import in_force


def recorded_before(log: Sequence[Decision], request: DecisionRequest, by: str) -> Decision | None:
    """The entry of the case's log (oldest first) that says what this request says, made by the same person on the
    version that the request is based on, or later.
    """
    return next(
        (
            entry
            for entry in reversed(in_force(log))
            if entry.by == by and entry.version >= request.version and _says_the_same(entry, request)
        ),
        None,
    )


def _says_the_same(entry: Decision, request: DecisionRequest) -> bool:
    # Not the end of a snooze: “for three days” is another moment at each click.
    return (entry.verdict, entry.reason_code, entry.note, entry.reverses, sorted(entry.excluded_reporters)) == (
        request.verdict,
        request.reason_code,
        request.note,
        request.reverses,
        sorted(set(request.excluded_reporters)),
    )
