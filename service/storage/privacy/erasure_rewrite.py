"""An erasure in SQL: replace a person's name everywhere, and delete what else identifies them.

The archive, the feed and the sweeps hold the name (or its 64-bit key) in forms of their own, and each has its own
rewriting. Every other table of a tenant is rewritten by what its columns declare (service/storage/sql/schema/
declarations.py). How a name is replaced inside one value: name_replacement.py.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sa
from pydantic_core import from_json, to_json
from sqlalchemy import Connection, Engine

from service.storage.complaints import daily_files
from service.storage.complaints import feed as packed
from service.storage.complaints.archive_reader import SEQ_BITS
from service.storage.privacy.name_replacement import REPLACED, NameReplacement
from service.storage.sql import schema
from service.storage.sql.hashing import key_of
from service.storage.sql.schema.declarations import columns_holding

# Tables with a column that holds one of these have a rewriting of their own.
_OWN_FORMS = {"complaint", "feed", "sweep", "dead letter", "erasure"}
_KEYS = {"reporter key", "author key"}
_ROWS_AT_ONCE = 500


@dataclass(slots=True)
class PersonMatches:
    """Rows that hold a name, found before the writing transaction, so that it is short; what came since is looked
    through inside.
    """

    complaints: set[int] = field(default_factory=set)  # row keys
    feed: set[int] = field(default_factory=set)  # last_seq
    upto_seq: int = 0


class ErasureRewrite:
    """The replacement of names in one tenant's rows."""

    def __init__(self, tenant_id: int, names: Mapping[str, str]) -> None:
        self.tenant_id, self.names = tenant_id, NameReplacement(names)
        self.keys = {key_of(old): key_of(new) for old, new in names.items()}

    def find(self, engine: Engine) -> PersonMatches:
        """Where the archive and the feed hold the names, as of now. Reads only."""
        found = PersonMatches()
        with engine.connect() as connection:
            found.upto_seq = (
                connection.scalar(
                    sa.select(schema.ingest_state.c.last_seq).where(schema.ingest_state.c.tenant_id == self.tenant_id)
                )
                or 0
            )
            self._look(connection, found, after_seq=0)
        return found

    def apply(self, connection: Connection, found: PersonMatches) -> dict[str, int]:
        """Replace them, in the caller's writing transaction; how many rows changed, by table.

        Doing it again changes nothing.
        """
        self._look(connection, found, after_seq=found.upto_seq)
        changed = {
            "complaints": self._rewrite_complaints(connection, found.complaints),
            "feed": self._rewrite_feed(connection, found.feed),
            "sweeps": self._rewrite_sweeps(connection),
            "dead_letters": self.drop_dead_letters(connection),
        }
        daily_files.note_keys(connection, self.tenant_id, "complaints", sorted(found.complaints))
        tables = [table for table in schema.metadata.sorted_tables if "tenant_id" in table.c]
        for table in tables:  # first, while their clusters are still found by the old key
            for column in columns_holding(table, {"case note"}):
                changed[table.name] = self._rewrite_case_notes(connection, table, column)
        for table in tables:
            if not columns_holding(table, _OWN_FORMS):
                changed[table.name] = changed.get(table.name, 0) + self._rewrite_table(connection, table)
        return {name: count for name, count in changed.items() if count}

    def drop_dead_letters(self, connection: Connection) -> int:
        """Delete the dead letters that name them: what they hold would be refused if it were sent again."""
        table = schema.dead_letters
        ids = connection.scalars(
            sa.select(table.c.id).where(
                table.c.tenant_id == self.tenant_id, self._holds(table.c.line) | self._holds(table.c.error)
            )
        ).all()
        mine = [
            one
            for one in ids
            if self._is_of_them(
                connection.execute(sa.select(table.c.line, table.c.error).where(table.c.id == one)).one()
            )
        ]
        for part in _parts(mine):
            connection.execute(sa.delete(table).where(table.c.id.in_(part)))
        return len(mine)

    def _is_of_them(self, letter: Any) -> bool:
        if any(f'"{form}"' in letter.line or f"'{form}'" in letter.error for form in self.names.forms):
            return True
        return self.names.is_named_in(letter.line) or self.names.is_named_in(letter.error)

    # --- where

    def _look(self, connection: Connection, found: PersonMatches, *, after_seq: int) -> None:
        c, f = schema.complaints.c, schema.feed.c
        if after_seq == 0:  # by the index, whatever the age
            mine = sa.and_(c.tenant_id == self.tenant_id, c.reporter_key.in_(list(self.keys)))
        else:
            mine = sa.and_(
                c.row_key > self.tenant_id << SEQ_BITS | after_seq,
                c.row_key < (self.tenant_id + 1) << SEQ_BITS,
                c.reporter_key.in_(list(self.keys)),
            )
        found.complaints.update(connection.scalars(sa.select(c.row_key).where(mine)))
        span = sa.and_(c.row_key > self.tenant_id << SEQ_BITS | after_seq, c.row_key < (self.tenant_id + 1) << SEQ_BITS)
        found.complaints.update(
            connection.scalars(
                sa.select(c.row_key).where(
                    span,
                    sa.or_(*(c.content.contains(f'"{form}"', autoescape=True) for form in sorted(self.names.forms))),
                )
            )
        )
        rows = connection.execute(
            sa.select(f.last_seq, f.payload)
            .where(f.tenant_id == self.tenant_id, f.last_seq > after_seq)
            .execution_options(yield_per=32)
        )
        found.feed.update(row.last_seq for row in rows if packed.mentions(row.payload, self.keys))

    def _holds(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        return sa.or_(*(column.contains(form, autoescape=True) for form in sorted(self.names.forms)))

    # --- each form of its own

    def _rewrite_complaints(self, connection: Connection, row_keys: Iterable[int]) -> int:
        c, count = schema.complaints.c, 0
        change = (
            sa.update(schema.complaints)
            .where(c.row_key == sa.bindparam("row"))
            .values(
                reporter_key=sa.bindparam("new_key"),
                reporter_id=sa.bindparam("new_id"),
                content=sa.bindparam("new_content"),
            )
        )
        for part in _parts(sorted(row_keys)):
            rows = connection.execute(
                sa.select(c.row_key, c.reporter_key, c.reporter_id, c.content).where(c.row_key.in_(part))
            ).all()
            written = []
            for row in rows:
                body = from_json(row.content)
                after = self.names.in_complaint(body)
                if after != body or row.reporter_id in self.names.by_old:
                    new_id = self.names.by_old.get(row.reporter_id, row.reporter_id)
                    written.append(
                        {
                            "row": row.row_key,
                            "new_key": key_of(new_id),
                            "new_id": new_id,
                            "new_content": to_json(after).decode(),
                        }
                    )
            if written:
                connection.execute(change, written)
            count += len(written)
        return count

    def _rewrite_feed(self, connection: Connection, seqs: Iterable[int]) -> int:
        f, count = schema.feed.c, 0
        for seq in sorted(seqs):
            mine = sa.and_(f.tenant_id == self.tenant_id, f.last_seq == seq)
            payload = connection.scalar(sa.select(f.payload).where(mine))
            if payload is not None and packed.mentions(payload, self.keys):
                connection.execute(
                    sa.update(schema.feed).where(mine).values(payload=packed.renamed(payload, self.keys))
                )
                count += 1
        return count

    def _rewrite_sweeps(self, connection: Connection) -> int:
        table, count = schema.sweeps, 0
        for row in connection.execute(
            sa.select(table.c.id, table.c.payload).where(table.c.tenant_id == self.tenant_id)
        ).all():
            with np.load(io.BytesIO(row.payload), allow_pickle=False) as parts:
                arrays = {name: parts[name] for name in parts.files}
            hit = False
            for name, array in arrays.items():
                if array.dtype == np.int64 and name != "targets" and np.isin(array, list(self.keys)).any():
                    arrays[name], hit = packed.replaced(array, self.keys), True
            if hit:
                out = io.BytesIO()
                np.savez_compressed(out, allow_pickle=False, **arrays)
                connection.execute(sa.update(table).where(table.c.id == row.id).values(payload=out.getvalue()))
                count += 1
        return count

    def _rewrite_case_notes(self, connection: Connection, table: sa.Table, column: sa.Column[Any]) -> int:
        """What moderators wrote about cases that these people are in: there a name is a name, even if it looks like a
        word.
        """
        (primary,) = table.primary_key.columns
        m, count = schema.cluster_members.c, 0
        theirs = sa.select(m.cluster_id).where(m.tenant_id == self.tenant_id, m.reporter_key.in_(list(self.keys)))
        cases = [table.c[name] for name in ("cluster_id", "other_id") if name in table.c]
        mine = sa.select(primary, column).where(
            table.c.tenant_id == self.tenant_id, sa.or_(*(case.in_(theirs) for case in cases)), self._holds(column)
        )
        for identity, text in connection.execute(mine).all():
            after = self.names.in_case_note(text)
            if after != text:
                connection.execute(sa.update(table).where(primary == identity).values({column.name: after}))
                count += 1
        return count

    # --- all other tables, by their declarations

    def _rewrite_table(self, connection: Connection, table: sa.Table) -> int:
        texts = columns_holding(table, REPLACED)
        numbers = columns_holding(table, _KEYS)
        conditions = [self._holds(column) for column in texts] + [column.in_(list(self.keys)) for column in numbers]
        if not conditions:
            return 0
        primary = list(table.primary_key.columns)
        rows = (
            connection.execute(sa.select(table).where(table.c.tenant_id == self.tenant_id, sa.or_(*conditions)))
            .mappings()
            .all()
        )
        count = 0
        for row in rows:
            values: dict[str, Any] = {
                column.name: self.keys[row[column.name]] for column in numbers if row[column.name] in self.keys
            }
            for column in texts:
                if (
                    isinstance(row[column.name], str)
                    and (after := self.names.in_column(column.info["personal"], row[column.name])) != row[column.name]
                ):
                    values[column.name] = after
            if values:
                connection.execute(
                    sa.update(table).where(*(column == row[column.name] for column in primary)).values(values)
                )
                count += 1
                if table is schema.outcomes:
                    daily_files.note_keys(connection, self.tenant_id, "outcomes", [row["row_key"]])
                if table is schema.events and row["type"].startswith("reporter."):
                    _rename_event(connection, row["id"])
        return count


def _rename_event(connection: Connection, event: str) -> None:
    """Give an event about a person an id of its own: the one it had was derived from the name."""
    e, d, a = schema.events.c, schema.deliveries.c, schema.delivery_attempts.c
    after = f"evt_{secrets.token_hex(16)}"
    connection.execute(sa.update(schema.events).where(e.id == event).values(id=after))
    for delivery in connection.scalars(sa.select(d.id).where(d.event_id == event)).all():
        name = f"dlv_{secrets.token_hex(16)}"
        connection.execute(
            sa.update(schema.delivery_attempts).where(a.delivery_id == delivery).values(delivery_id=name)
        )
        connection.execute(sa.update(schema.deliveries).where(d.id == delivery).values(id=name, event_id=after))


def _parts(values: Iterable[Any]) -> Iterator[list[Any]]:
    listed = list(values)
    for start in range(0, len(listed), _ROWS_AT_ONCE):
        yield listed[start : start + _ROWS_AT_ONCE]
