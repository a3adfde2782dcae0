"""The complaints that are part of another one's act, as the archive has them. Reads only."""

from __future__ import annotations

from collections.abc import Collection

from pydantic_core import from_json
from sqlalchemy import Connection, select, text

from service.moderation.cluster_state import Membership
from service.moderation.listed_complaints import ListedByReporter, ListedComplaint, by_reporter
from service.storage.complaints.archive_reader import SEQ_BITS, SEQ_MASK
from service.storage.sql import schema
from service.storage.sql.engine import select_by_keys

_MS = 1_000  # groups know times to the millisecond


def listed_of(
    connection: Connection,
    tenant_id: int,
    reporters: Collection[int],
    *,
    since_us: int,
    until_us: int | None = None,
    upto_seq: int = SEQ_MASK,
) -> ListedByReporter:
    """The standing ones of these reporters (keys), by reporter: filed since `since_us`, archived up to `upto_seq`."""
    c = schema.complaints.c
    some = select(c.row_key).where(c.tenant_id == tenant_id, c.act_key.is_not(None)).limit(1)
    if not reporters or connection.execute(some).first() is None:
        return {}
    statement = (
        "SELECT c.row_key, c.reporter_key, c.target_key, c.occurred_us, c.content, a.target_key FROM k CROSS JOIN"
        " complaints c LEFT JOIN complaints a ON a.row_key = c.act_key WHERE c.tenant_id = ? AND c.reporter_key ="
        f" k.column1 AND c.act_key IS NOT NULL AND c.state = {schema.STANDING} AND c.occurred_us >= ? AND c.row_key <="
        " ?"
    )
    rows = select_by_keys(
        connection,
        statement,
        (tenant_id, since_us, tenant_id << SEQ_BITS | upto_seq),
        [(key,) for key in sorted(reporters)],
    )
    return by_reporter(
        ListedComplaint(
            Membership(row_key & SEQ_MASK, reporter, target, at_us - at_us % _MS, _is_exempt(content)), act_target
        )
        for row_key, reporter, target, at_us, content, act_target in rows
        if until_us is None or at_us <= until_us
    )


def clusters_listing(
    connection: Connection, tenant_id: int, targets: Collection[int]
) -> dict[tuple[int, int], set[str]]:
    """The clusters that discount complaints about these targets (keys) as part of their acts, by (reporter, target)."""
    statement = (
        "SELECT cc.cluster_id, cc.reporter_key, cc.target_key FROM k CROSS JOIN cluster_complaints cc WHERE"
        " cc.tenant_id = ? AND cc.target_key = k.column1 AND cc.listed AND NOT cc.gone"
    )
    found: dict[tuple[int, int], set[str]] = {}
    keys = [(int(key),) for key in targets]
    for cluster, reporter, target in select_by_keys(connection, statement, (tenant_id,), keys):
        found.setdefault((reporter, target), set()).add(cluster)
    return found


def listed_targets(connection: Connection, tenant_id: int) -> set[int]:
    """All targets (keys) about which clusters discount complaints as part of their acts."""
    own = schema.cluster_complaints.c
    mine = select(own.target_key).where(own.tenant_id == tenant_id, text("cluster_complaints.listed"))
    return set(connection.scalars(mine.distinct()))


def reporters_of(connection: Connection, tenant_id: int, seqs: Collection[int]) -> set[int]:
    """Who filed the complaints with these seqs, by key."""
    statement = "SELECT c.reporter_key FROM k CROSS JOIN complaints c WHERE c.row_key = k.column1 AND c.tenant_id = ?"
    keys = [(tenant_id << SEQ_BITS | seq,) for seq in seqs]
    return {reporter for (reporter,) in select_by_keys(connection, statement, (tenant_id,), keys)}


def _is_exempt(content: str) -> bool:
    if '"trusted":true' not in content and '"illegal_content"' not in content:
        return False  # of nearly all it is enough to know that
    body = from_json(content)
    return body["reporter"].get("trusted") is True or body.get("notice_type") == "illegal_content"
