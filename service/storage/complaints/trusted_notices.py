"""What the registry of trusted flaggers makes of archived complaints. Reads only."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import from_json
from sqlalchemy import Connection

from service.moderation.trusted_flaggers import Flaggers
from service.storage.complaints.archive_reader import SEQ_BITS, SEQ_MASK
from service.storage.sql.engine import select_by_keys


def exempt_by_themselves(
    connection: Connection, tenant_id: int, seqs: Sequence[int], flaggers: Flaggers
) -> dict[int, bool]:
    """Whether complaints are never discounted, by seq, the allow-list aside; without deleted ones."""
    if not seqs:
        return {}
    statement = (
        "SELECT c.row_key, c.reporter_key, c.occurred_us, c.content FROM k CROSS JOIN complaints c WHERE c.row_key ="
        " k.column1 AND c.tenant_id = ?"
    )
    keys = [(tenant_id << SEQ_BITS | int(seq),) for seq in seqs]
    return {
        row_key & SEQ_MASK: flaggers.counts_in_full(reporter, at_us, from_json(content))
        for row_key, reporter, at_us, content in select_by_keys(connection, statement, (tenant_id,), keys)
    }
