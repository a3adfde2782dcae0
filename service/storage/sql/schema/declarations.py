"""What every table is declared with: the metadata, the integer of 64 bits, and what a column holds about people.

Each text or binary column says in its info what it holds: `personal(...)`, or `not_personal(reason)`. Erasure
(service/storage/privacy/erasure_rewrite.py) and a person's export go through the schema by it, so that a new table is
covered as soon as it is declared; tests/service/storage/sql/test_schema.py fails for a column that declares nothing.
"""

from collections.abc import Collection
from typing import Any, Literal

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table

metadata = MetaData()
Big = BigInteger().with_variant(Integer, "sqlite")

Held = Literal[
    "reporter id",
    "reporter key",  # hashing.key_of() of it
    "reporter ids",  # a JSON list
    "author id",  # of a target; the same person where a platform numbers people once
    "author key",
    "document",  # JSON; which of its fields are about people is in their names
    "subject",  # kind:id, where the kind may be a reporter
    "prose",  # sentences in which somebody may be named
    "case note",  # prose of moderators about one case's people
    # Forms of their own, each with its own rewriting; the other columns of such a table are part of it.
    "complaint",  # a complaint's canonical JSON
    "feed",  # columns packed by complaints/feed.py
    "sweep",  # arrays of keys
    "dead letter",  # a line of the stream, or why it was refused: deleted, not rewritten
    "erasure",  # the sealed name of who has to be forgotten, until it is done
    "upload",  # of a file to import, encrypted: deleted when anybody is erased
    # People who work with the service. They are not reporters: erasing a reporter leaves them.
    "user",
    "network address",
]


def personal(held: Held) -> dict[str, str]:
    """The info of a column that holds something about people."""
    return {"personal": held}


def not_personal(reason: str) -> dict[str, str]:
    """The info of a column that holds nothing about people; `reason` says what it holds instead."""
    return {"personal": "none", "because": reason}


def columns_holding(table: Table, held: Collection[str]) -> list[Column[Any]]:
    """The columns of the table that declare to hold one of these (see Held)."""
    return [column for column in table.c if column.info.get("personal") in held]
