"""What a person's word about a removed target is, as an outcome. PURE.

It goes the way of every outcome (stream, archive, detection), so it teaches as they do: the complaints were wrong, or
they were right.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

from service.model import Outcome

Choice = Literal["restored", "stands"]
CHOICES: tuple[Choice, ...] = get_args(Choice)


def outcome_of(choice: Choice, target_id: str, *, outcome_id: str, decided_at: datetime) -> Outcome:
    """The outcome. restored: the complaints are rejected, and it is put back.

    stands: they are upheld; that it is removed was told before, and stays so.

    Raises ValueError for another choice, or for ids that are none.
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
    raise ValueError(f"{choice!r} is none of {', '.join(CHOICES)}")
