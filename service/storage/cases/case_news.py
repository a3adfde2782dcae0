"""Cases as a message reports them: the few columns of their rows, with the cases that they were merged into."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from service.notifications.digest import CaseNow, survivors
from service.storage.sql.engine import KEYS_PER_SELECT
from service.storage.sql.schema import clusters

_MOST_MERGERS = 20


def cases_now(connection: Connection, tenant_id: int, case_ids: Collection[str]) -> dict[str, CaseNow]:
    """The case that each id leads to now; ids of cases that are gone are left out."""
    found: dict[str, CaseNow] = {}
    wanted = set(case_ids)
    for _ in range(_MOST_MERGERS):
        if not wanted:
            break
        found |= _read(connection, tenant_id, sorted(wanted))
        wanted = {one.merged_into for one in found.values() if one.merged_into is not None} - found.keys()
    return survivors(case_ids, found)


def _read(connection: Connection, tenant_id: int, case_ids: list[str]) -> dict[str, CaseNow]:
    c, found = clusters.c, dict[str, CaseNow]()
    columns = (c.id, c.disposition, c.status, c.reporter_count, c.target_count, c.summary, c.merged_into)
    for start in range(0, len(case_ids), KEYS_PER_SELECT):
        some = case_ids[start : start + KEYS_PER_SELECT]
        rows = connection.execute(select(*columns).where(c.tenant_id == tenant_id, c.id.in_(some)))
        found.update((row.id, CaseNow(*row)) for row in rows)
    return found
