"""Data about the targets of changed clusters, read once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from service.storage.cases.restorations import complaints_until
from service.storage.complaints.archive_reader import ids_by_key, totals_of


@dataclass(frozen=True, slots=True)
class StoredTargets:
    """By target key."""

    totals: dict[int, int]  # standing complaints; 0 for a target that never had one
    complaints_until: dict[int, int]  # standing ones filed up to the moment in question
    names: dict[int, str]  # target ids; those that no complaint or cluster bears any more are missing


def read_targets_stored(
    connection: Connection,
    tenant_id: int,
    *,
    totals_of_targets: Collection[int],
    until_us: Mapping[int, int],
    named: Collection[int],
) -> StoredTargets:
    """Totals, complaints up to a moment each (microseconds since 1970), and names, of the targets given for each."""
    return StoredTargets(
        dict.fromkeys(totals_of_targets, 0) | totals_of(connection, tenant_id, totals_of_targets)
        if totals_of_targets
        else {},
        complaints_until(connection, tenant_id, until_us) if until_us else {},
        ids_by_key(connection, tenant_id, reporters=(), targets=named)[1] if named else {},
    )
