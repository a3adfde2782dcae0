"""The feed's rows, read: by detection's ticks, and window by window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from service.storage.complaints.feed import FeedBatch, unpack
from service.storage.sql import schema


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One ingest transaction, as detection reads it."""

    first_seq: int
    last_seq: int
    last_position: int
    items: int
    oldest_received_us: int
    received_us: int
    watermark_us: int | None
    newest_us: int | None
    batch: FeedBatch


_FEED_COLUMNS: tuple[Any, ...] = (
    schema.feed.c.first_seq,
    schema.feed.c.last_seq,
    schema.feed.c.last_position,
    schema.feed.c["items"],
    schema.feed.c.oldest_received_us,
    schema.feed.c.received_us,
    schema.feed.c.watermark_us,
    schema.feed.c.newest_us,
    schema.feed.c.payload,
)


def read_feed(connection: Connection, tenant_id: int, after_seq: int, limit_items: int) -> list[FeedRow]:
    """Rows of the feed after `after_seq`, in order: as many as hold `limit_items` items, but at least one."""
    feed = schema.feed
    rows: list[FeedRow] = []
    items = 0
    statement = (
        select(*_FEED_COLUMNS)
        .where(feed.c.tenant_id == tenant_id, feed.c.last_seq > after_seq)
        .order_by(feed.c.last_seq)
    )
    result = connection.execute(statement.execution_options(yield_per=8))
    for row in result:
        if rows and items + row.items > limit_items:
            break
        rows.append(_feed_row(row))
        items += row.items
    result.close()
    return rows


def read_feed_window(
    connection: Connection, tenant_id: int, since_us: int, upto_seq: int, after_seq: int = 0
) -> Iterator[FeedRow]:
    """Feed rows after `after_seq`, up to and including `upto_seq`, that concern complaints of `since_us` or later, in
    order; a few at a time, so that nothing else may use the connection meanwhile.
    """
    feed = schema.feed.c
    seqs = feed.last_seq.between(after_seq + 1, upto_seq)
    concerned = (feed.tenant_id == tenant_id, seqs, feed.newest_us >= since_us)
    statement = select(*_FEED_COLUMNS).where(*concerned).order_by(feed.last_seq)
    yield from map(_feed_row, connection.execute(statement.execution_options(yield_per=8)))


def read_feed_before(connection: Connection, tenant_id: int, upto_seq: int, items: int) -> list[FeedBatch]:
    """The last rows of the feed up to and with `upto_seq` that hold so many items between them (one row at least), in
    order.
    """
    feed = schema.feed
    statement = (
        select(feed.c["items"], feed.c.payload)
        .where(feed.c.tenant_id == tenant_id, feed.c.last_seq <= upto_seq)
        .order_by(feed.c.last_seq.desc())
    )
    found: list[FeedBatch] = []
    result = connection.execute(statement.execution_options(yield_per=8))
    for row in result:
        found.append(unpack(row.payload))
        items -= row.items
        if items <= 0:
            break
    result.close()
    return found[::-1]


def _feed_row(row: Row[Any]) -> FeedRow:
    return FeedRow(
        row.first_seq,
        row.last_seq,
        row.last_position,
        row.items,
        row.oldest_received_us,
        row.received_us,
        row.watermark_us,
        row.newest_us,
        unpack(row.payload),
    )
