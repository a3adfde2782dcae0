"""One name of a person replaced by another everywhere in SQL, with what told more about them: how an erasure is done.

The archive, the feed and the sweeps hold the name (or its 64-bit key) in forms of their own, and are rewritten each in
its way. Every other table of a tenant is gone through alike, by the names of its columns and of the fields in its JSON:
so a table that is added later is not forgotten, as long as it calls things what the others call them.

A name is replaced only where it stands for a person. People choose their names: somebody called "flagged" must be able
to go without the dispositions of all clusters going with him, and a target, a complaint or a cluster with the same id
keeps it. Where a platform numbers people once, the author of a target is the same person, and is replaced too.
"""

from __future__ import annotations

import io
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import numpy as np
import sqlalchemy as sa
from pydantic_core import from_json, to_json
from sqlalchemy import Connection, Engine

from service.model import JsonObject
from service.storage.complaints import feed as packed
from service.storage.complaints.archive_reader import SEQ_BITS
from service.storage.sql import schema
from service.storage.sql.hashing import key_of

_OWN_WAY = {"complaints", "feed", "sweeps", "dead_letters", "erasures", "tenants", "tenant_settings", "api_keys"}
# Columns and JSON fields that hold people, alone or in lists.
_PEOPLE = {
    "reporter",
    "reporters",
    "reporter_id",
    "reporter_ids",
    "excluded_reporters",
    "author",
    "authors",
    "author_id",
    "member",
    "members",
}
_PROSE = {"note", "text", "summary", "error", "last_error", "detail"}  # where somebody may have written about them
_KEY_COLUMNS = {"reporter_key", "author_key"}
_GONE = ("account_created_at", "fingerprint")
_TEXT = ("text", "text_hash", "text_signature")
_LEAST_NUMBER = 4  # digits: a shorter number in a sentence is mostly a number
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
    """The names to be replaced in one tenant, each with what takes its place."""

    def __init__(self, tenant_id: int, names: Mapping[str, str]) -> None:
        self.tenant_id, self.names = tenant_id, dict(names)
        self.keys = {key_of(old): key_of(new) for old, new in names.items()}
        # As it stands in a row: plain, and in JSON with and without escapes.
        self._forms = {
            form
            for name in names
            for form in (name, _inside(json.dumps(name)), _inside(json.dumps(name, ensure_ascii=False)))
        }
        self._paths = {
            f"/v1/reporters/{quote(old, safe='')}": f"/v1/reporters/{quote(new, safe='')}" for old, new in names.items()
        }
        # In a sentence a name is told from a word by what no word holds; "by author ..." is how evidence names people.
        telling = [
            rf"(?<!\w){re.escape(name)}(?!\w)"
            for name in names
            if not name.isalpha() and not (name.isdigit() and len(name) < _LEAST_NUMBER)
        ]
        self._prose = re.compile(
            "|".join(
                sorted(
                    [*telling, *(rf"(?<=by author ){re.escape(name)}(?!\w)" for name in names)], key=len, reverse=True
                )
            )
        )
        self._every = re.compile(
            "|".join(
                rf"(?<!\w){re.escape(name)}(?!\w)"
                for name in sorted(names, key=len, reverse=True)
                if not name.isdigit() or len(name) >= _LEAST_NUMBER
            )
            or "(?!)"
        )

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
            "complaints": self._complaints(connection, found.complaints),
            "feed": self._feed(connection, found.feed),
            "sweeps": self._sweeps(connection),
            "dead_letters": self.drop_dead_letters(connection),
        }
        # While their clusters are still known by the old key.
        changed["decisions"] = self._notes(
            connection, schema.decisions, schema.decisions.c.seq, schema.decisions.c.note
        )
        changed["notes"] = self._notes(connection, schema.notes, schema.notes.c.id, schema.notes.c.text)
        for table in schema.metadata.sorted_tables:
            if table.name not in _OWN_WAY and "tenant_id" in table.c:
                changed[table.name] = changed.get(table.name, 0) + self._table(connection, table)
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
        if any(f'"{form}"' in letter.line or f"'{form}'" in letter.error for form in self._forms):
            return True
        return self._prose.search(letter.line) is not None or self._prose.search(letter.error) is not None

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
                    span, sa.or_(*(c.content.contains(f'"{form}"', autoescape=True) for form in sorted(self._forms)))
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
        return sa.or_(*(column.contains(form, autoescape=True) for form in sorted(self._forms)))

    # --- each in its way

    def _complaints(self, connection: Connection, row_keys: Iterable[int]) -> int:
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
                after = self.complaint(body)
                if after != body or row.reporter_id in self.names:
                    new_id = self.names.get(row.reporter_id, row.reporter_id)
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

    def complaint(self, body: JsonObject) -> JsonObject:
        """A complaint without the person: name, account age, fingerprint and text are gone; about a text of theirs, the
        author's name is.
        """
        after = dict(body)
        if body["reporter"]["id"] in self.names:
            after["reporter"] = {name: value for name, value in body["reporter"].items() if name not in _GONE} | {
                "id": self.names[body["reporter"]["id"]]
            }
            after = {name: value for name, value in after.items() if name not in _TEXT}
        target = dict(body["target"])
        if target.get("author_id") in self.names:
            target["author_id"] = self.names[target["author_id"]]
        if "attributes" in target:
            target["attributes"] = {
                name: self.names.get(value, value) if isinstance(value, str) else value
                for name, value in target["attributes"].items()
            }
        after["target"] = target
        return after

    def _feed(self, connection: Connection, seqs: Iterable[int]) -> int:
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

    def _sweeps(self, connection: Connection) -> int:
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

    def _notes(self, connection: Connection, table: sa.Table, number: sa.Column[Any], said: sa.Column[Any]) -> int:
        """What moderators wrote about cases that these people are in: there a name is a name, whatever it looks
        like.
        """
        m, count = schema.cluster_members.c, 0
        theirs = sa.select(m.cluster_id).where(m.tenant_id == self.tenant_id, m.reporter_key.in_(list(self.keys)))
        mine = sa.select(number, said).where(
            table.c.tenant_id == self.tenant_id, table.c.cluster_id.in_(theirs), self._holds(said)
        )
        for identity, text in connection.execute(mine).all():
            after = self._every.sub(self._new_name, text)
            if after != text:
                connection.execute(sa.update(table).where(number == identity).values({said.name: after}))
                count += 1
        return count

    # --- and all the others alike

    def _table(self, connection: Connection, table: sa.Table) -> int:
        texts = [column for column in table.c if isinstance(column.type, sa.String) and not column.primary_key]
        numbers = [column for column in table.c if column.name in _KEY_COLUMNS]
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
                    and (after := self.column(column.name, row[column.name])) != row[column.name]
                ):
                    values[column.name] = after
            if values:
                connection.execute(
                    sa.update(table).where(*(column == row[column.name] for column in primary)).values(values)
                )
                count += 1
                if table is schema.events and row["type"].startswith("reporter."):
                    _rename_event(connection, row["id"])
        return count

    def column(self, name: str, text: str) -> str:
        """A stored value of the column without the names."""
        if name == "subject":
            kind, _, rest = text.partition(":")
            return f"{kind}:{self.names[rest]}" if kind in _PEOPLE and rest in self.names else text
        if text[:1] in ("{", "["):
            try:
                value = json.loads(text)
            except ValueError:
                pass
            else:
                after = self._value(value, name)
                return text if after == value else json.dumps(after, ensure_ascii=False)
        return self._plain(text, name)

    def _plain(self, text: str, under: str) -> str:
        if under == "url" and text in self._paths:
            return self._paths[text]
        if under in _PEOPLE:
            return self.names.get(text, text)
        return self._prose.sub(self._new_name, text) if under in _PROSE else text

    def _value(self, value: Any, under: str) -> Any:
        if isinstance(value, str):
            return self._plain(value, under)
        if isinstance(value, list):
            return [self._value(one, under) for one in value]
        if isinstance(value, dict):
            if under in _PEOPLE:  # an object about a person, or one keyed by people
                return {
                    self.names.get(name, name): self._value(one, under if name == "id" else name)
                    for name, one in value.items()
                }
            return {name: self._value(one, name) for name, one in value.items()}
        return value

    def _new_name(self, hit: re.Match[str]) -> str:
        return self.names[hit.group()]


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


def _inside(quoted: str) -> str:
    return quoted[1:-1]


def _parts(values: Iterable[Any]) -> Iterator[list[Any]]:
    listed = list(values)
    for start in range(0, len(listed), _ROWS_AT_ONCE):
        yield listed[start : start + _ROWS_AT_ONCE]
