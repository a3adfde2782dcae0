"""A target's text, author and address, as the platform described them in a complaint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_core import from_json
from sqlalchemy import Connection

from service.storage.sql.engine import select_by_keys
from service.storage.sql.hashing import key_of


@dataclass(frozen=True, slots=True)
class TargetWords:
    """A target's text, author and address; None where no complaint gave it. All of it is untrusted text."""

    excerpt: str | None
    author_id: str | None
    url: str | None


UNKNOWN = TargetWords(None, None, None)


def words_of(connection: Connection, tenant_id: int, target_ids: Sequence[str]) -> dict[str, TargetWords]:
    """By target; targets without complaints are left out.

    Only one complaint of each is read, since platforms describe a target the same way each time.
    """
    statement = (
        "SELECT c.content FROM k CROSS JOIN complaints c WHERE c.row_key = "
        "(SELECT one.row_key FROM complaints one WHERE one.tenant_id = ? AND one.target_key = k.column1 LIMIT 1)"
    )
    found = {}
    for (content,) in select_by_keys(
        connection, statement, (tenant_id,), [(key_of(one),) for one in dict.fromkeys(target_ids)]
    ):
        target = from_json(content)["target"]
        found[target["id"]] = TargetWords(target.get("excerpt"), target.get("author_id"), target.get("url"))
    return found
