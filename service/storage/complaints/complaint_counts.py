"""Complaints per ten minutes of their own time, counted as they are archived so that readers need not.

Each complaint by a person is counted once, when it is first archived, even if it is withdrawn later; one that is part
of another's act is not. Counts hold no
personal data, so retention leaves them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import Connection, select

from service.storage.sql.engine import insert_rows
from service.storage.sql.schema import complaint_counts

SLOT_US = 600_000_000


def slot_of(at_us: int) -> int:
    """The start of the ten minutes that contain the time."""
    return at_us - at_us % SLOT_US


def add(connection: Connection, tenant_id: int, times_us: Iterable[int]) -> None:
    """Count complaints filed at these times, in the transaction that archives them."""
    counts = Counter(map(slot_of, times_us))
    insert_rows(
        connection,
        complaint_counts,
        ("tenant_id", "slot_us", "complaints"),
        [(tenant_id, slot, count) for slot, count in sorted(counts.items())],
        "ON CONFLICT (tenant_id, slot_us) DO UPDATE SET complaints = complaint_counts.complaints + excluded.complaints",
    )


def counts_between(connection: Connection, tenant_id: int, since_us: int, until_us: int) -> dict[int, int]:
    """Complaints by slot, for slots that start in [since, until); empty slots are left out."""
    c = complaint_counts.c
    rows = connection.execute(
        select(c.slot_us, c.complaints)
        .where(c.tenant_id == tenant_id, c.slot_us >= since_us, c.slot_us < until_us)
        .order_by(c.slot_us)
    )
    return {slot: count for slot, count in rows}
