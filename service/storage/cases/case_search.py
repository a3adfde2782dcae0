"""One search over all cases of a tenant, whatever their state: ids, accounts, targets, authors and words.

There is no index of words: texts are read where they are kept, up to a bound, so retention, erasure and a tenant that
keeps no texts hold for the search as for the pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy import Connection

from service.storage.sql import schema
from service.storage.sql.hashing import key_of

MOST_CASES = 50
MOST_TEXTS = 5_000  # notes, decisions with a note, and complaints, each: the latest
LEAST_CHARACTERS = 2  # of a word
_AROUND = 60  # characters before and after a word that was found


@dataclass
class Found:
    """Where the search found something: for each case, why; up to MOST_CASES."""

    reasons: dict[str, list[str]] = field(default_factory=dict)
    cut: bool = False  # there are more cases, or more texts than were read

    def add(self, case: str, why: str) -> None:
        """One more reason why a case was found; the first few are kept."""
        if case not in self.reasons and len(self.reasons) >= MOST_CASES:
            self.cut = True
            return
        reasons = self.reasons.setdefault(case, [])
        if why not in reasons and len(reasons) < 3:
            reasons.append(why)


def search_cases(connection: Connection, tenant_id: int, text: str, *, reporter: str) -> Found:
    """The cases that have to do with `text`; `reporter` is the text as the tenant stores the ids of reporters."""
    found = Found()
    c, m, t = schema.clusters.c, schema.cluster_members.c, schema.cluster_targets.c
    by_id = sa.select(c.id).where(c.tenant_id == tenant_id, c.id.istartswith(text, autoescape=True))
    members = sa.select(m.cluster_id).where(m.tenant_id == tenant_id, m.reporter_key == key_of(reporter))
    targets = sa.select(t.cluster_id).where(t.tenant_id == tenant_id, t.target_key == key_of(text))
    authors = sa.select(t.cluster_id).where(t.tenant_id == tenant_id, t.author_id == text).distinct()
    for query, why in (
        (by_id, "the case’s ID"),
        (members.where(m.reporter_id == reporter), "an account of the group"),
        (targets.where(t.target_id == text), "a target"),
        (authors, "the author of a target"),
    ):
        for case in connection.scalars(query.limit(MOST_CASES + 1)):
            found.add(case, why)
    if len(text) >= LEAST_CHARACTERS:
        _search_words(connection, tenant_id, text.casefold(), found)
    return found


def _search_words(connection: Connection, tenant_id: int, word: str, found: Found) -> None:
    # Compared here and not in SQL: the databases do not agree about small and capital letters beyond ASCII.
    for name, texts in (
        ("summary", _summaries(connection, tenant_id)),
        ("tag", _tags(connection, tenant_id)),
        ("note", _notes(connection, tenant_id)),
        ("decision", _decision_notes(connection, tenant_id)),
        ("text", _complaints(connection, tenant_id)),
    ):
        read = 0
        for case, text in texts:
            read += 1
            if (at := text.casefold().find(word)) >= 0:
                found.add(case, f"{name}: {_snippet(text, at, len(word))}")
        found.cut = found.cut or read >= MOST_TEXTS


def _summaries(connection: Connection, tenant_id: int) -> Iterator[tuple[str, str]]:
    c = schema.clusters.c
    query = sa.select(c.id, c.summary).where(c.tenant_id == tenant_id).order_by(c.last_us.desc(), c.id)
    yield from ((row.id, row.summary) for row in connection.execute(query.limit(MOST_TEXTS)))


def _tags(connection: Connection, tenant_id: int) -> Iterator[tuple[str, str]]:
    c, of_case = schema.clusters.c, schema.case_tags.c
    query = (
        sa.select(of_case.cluster_id, of_case.tag)
        .join(schema.clusters, (c.tenant_id == of_case.tenant_id) & (c.id == of_case.cluster_id))
        .where(of_case.tenant_id == tenant_id, of_case.removed_us.is_(None))
        .order_by(c.last_us.desc(), c.id, of_case.tag)
    )
    yield from ((row.cluster_id, row.tag) for row in connection.execute(query.limit(MOST_TEXTS)))


def _notes(connection: Connection, tenant_id: int) -> Iterator[tuple[str, str]]:
    n = schema.notes.c
    query = sa.select(n.cluster_id, n.text).where(n.tenant_id == tenant_id).order_by(n.id.desc())
    yield from ((row.cluster_id, row.text) for row in connection.execute(query.limit(MOST_TEXTS)))


def _decision_notes(connection: Connection, tenant_id: int) -> Iterator[tuple[str, str]]:
    d = schema.decisions.c
    query = sa.select(d.cluster_id, d.note).where(d.tenant_id == tenant_id, d.note.is_not(None))
    yield from (
        (row.cluster_id, row.note) for row in connection.execute(query.order_by(d.seq.desc()).limit(MOST_TEXTS))
    )


def _complaints(connection: Connection, tenant_id: int) -> Iterator[tuple[str, str]]:
    """What complaints of the latest cases say, and what they are about, where the tenant keeps texts."""
    c, of_case, filed = schema.clusters.c, schema.cluster_complaints.c, schema.complaints.c
    query = (
        sa.select(of_case.cluster_id, filed.content)
        .select_from(schema.clusters)
        .join(schema.cluster_complaints, of_case.cluster_id == c.id)
        .join(schema.complaints, filed.row_key == of_case.row_key)
        .where(c.tenant_id == tenant_id)
        .order_by(c.last_us.desc(), c.id)
    )
    for row in connection.execute(query.limit(MOST_TEXTS)):
        content = from_json(row.content)
        said = (content.get("text"), content["target"].get("excerpt"), content["target"].get("context_title"))
        yield row.cluster_id, "\n".join(filter(None, said))


def _snippet(text: str, at: int, length: int) -> str:
    begin, end = max(0, at - _AROUND), at + length + _AROUND
    words = " ".join(text[begin:end].split())
    return f"{'…' if begin else ''}{words}{'…' if end < len(text) else ''}"
