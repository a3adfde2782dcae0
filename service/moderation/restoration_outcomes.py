"""A moderator's choice about a removed target, as an outcome. PURE.

It takes the way of every outcome (stream, archive, detection), and counts like one: the complaints are rejected or
upheld.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

from service.model import Outcome

Choice = Literal["restored", "stands"]
CHOICES: tuple[Choice, ...] = get_args(Choice)


def outcome_of(choice: Choice, target_id: str, *, outcome_id: str, decided_at: datetime) -> Outcome:
    """The outcome of a choice.

    restored: the complaints are rejected and the target is put back. stands: the complaints are upheld; there is no
    action, since the removal was reported before. Raises ValueError for any other choice or an invalid id.
    """
    if choice == "restored":
        return Outcome(
            id=outcome_id,
            target_id=target_id,
            decided_at=decided_at,
            verdict="rejected",
            action="restored",
            decided_by="person",
        )
    if choice == "stands":
        return Outcome(id=outcome_id, target_id=target_id, decided_at=decided_at, verdict="upheld", decided_by="person")
    raise ValueError(f"choice is {choice!r}; it must be one of {', '.join(CHOICES)}")
