"""Compute the signatures of kept texts again after their version changed (service/intake/text_fingerprints.py).

Signatures of different versions are never alike. Where only the signature of a text was stored it stays as it is, is
compared with its like, and leaves the window with its complaint. Where texts are kept, the feed gets signatures of
today's version, so that a campaign from before the upgrade is recognised when it goes on after it. The archive needs
nothing: it holds either the text or the signature that was made of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic_core import from_json
from sqlalchemy import Connection, Engine, select, update

from service.intake.privacy_filter import PrivacyFilter
from service.intake.text_fingerprints import VERSION, word_count
from service.storage.complaints.archive_reader import SEQ_BITS, SEQ_MASK
from service.storage.complaints.archive_writer import lock_ingest
from service.storage.complaints.feed import pack, unpack
from service.storage.sql import schema
from service.storage.sql.engine import write

ROWS_AT_ONCE = 20  # rows of the feed in a transaction, during which ingest and erasure wait


def renew_signatures(
    engine: Engine, tenant_id: int, privacy_filter: PrivacyFilter, *, least_words: int, since_us: int
) -> int:
    """Renew what the feed holds of complaints of `since_us` or later whose text is kept; returns how many signatures
    changed.

    May be interrupted and run again: a second run changes nothing.
    """
    feed, count = schema.feed.c, 0
    with engine.connect() as connection:
        rows = connection.scalars(
            select(feed.last_seq).where(feed.tenant_id == tenant_id, feed.newest_us >= since_us).order_by(feed.last_seq)
        ).all()
    for first in range(0, len(rows), ROWS_AT_ONCE):
        with write(engine) as connection:
            lock_ingest(connection, tenant_id)  # erasure deletes texts under this lock: none comes back
            count += _renew(connection, tenant_id, rows[first : first + ROWS_AT_ONCE], privacy_filter, least_words)
    return count


def _renew(
    connection: Connection, tenant_id: int, rows: Sequence[int], privacy_filter: PrivacyFilter, least_words: int
) -> int:
    feed, count = schema.feed, 0
    statement = select(feed.c.first_seq, feed.c.last_seq, feed.c.payload).where(
        feed.c.tenant_id == tenant_id, feed.c.last_seq.in_(rows)
    )
    for first_seq, last_seq, payload in connection.execute(statement).all():
        batch = unpack(payload)
        fed = set(batch.complaints["seq"].tolist())
        texts = dict(batch.texts)
        for seq, text in _kept_texts(connection, tenant_id, first_seq, last_seq).items():
            found = privacy_filter.signature({"text": text})
            texts.pop(seq, None)
            if seq in fed and found is not None and word_count(found) >= least_words:
                texts[seq] = found
        changed = sum(texts.get(seq) != batch.texts.get(seq) for seq in texts.keys() | batch.texts.keys())
        if changed:
            mine = (feed.c.tenant_id == tenant_id) & (feed.c.last_seq == last_seq)
            connection.execute(update(feed).where(mine).values(payload=pack(replace(batch, texts=texts))))
        count += changed
    return count


def _kept_texts(connection: Connection, tenant_id: int, first_seq: int, last_seq: int) -> dict[int, str]:
    """The texts of the complaints in one row of the feed, by seq; those fed again from an earlier row are left out."""
    c, base = schema.complaints.c, tenant_id << SEQ_BITS
    rows = connection.execute(
        select(c.row_key, c.content).where(
            c.row_key >= base | first_seq, c.row_key <= base | last_seq, c.content.contains('"text":', autoescape=True)
        )
    )
    bodies = {row_key & SEQ_MASK: from_json(content) for row_key, content in rows}
    return {seq: body["text"] for seq, body in bodies.items() if body.get("text")}


def mark_renewed(connection: Connection, tenant_id: int, *, epoch: int) -> None:
    """Record that the feed holds today's version, if the caller still has the tenant's analysis."""
    table = schema.analysis_state
    connection.execute(
        update(table).where(table.c.tenant_id == tenant_id, table.c.epoch == epoch).values(signature_version=VERSION)
    )
