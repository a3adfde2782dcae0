"""What every column has to declare about people, so that erasure and export cannot forget one."""

from __future__ import annotations

from typing import get_args

import pytest
import sqlalchemy as sa

from service.storage.privacy.name_replacement import REPLACED
from service.storage.sql.schema.declarations import Held, columns_holding, metadata, not_personal, personal

OWN_REWRITING = {"complaint", "feed", "sweep", "dead letter", "erasure", "upload"}
KEYS = {"reporter key", "author key"}
NOT_REPORTERS = {"user", "network address"}


def undeclared(table: sa.Table) -> list[str]:
    """Columns that can hold text or bytes, or a key of a person, and declare nothing."""
    return [
        f"{table.name}.{column.name}"
        for column in table.c
        if (
            isinstance(column.type, sa.String | sa.LargeBinary | sa.JSON)
            or column.name.endswith(("reporter_key", "author_key"))
        )
        and not column.foreign_keys
        and "personal" not in column.info
    ]


def test_every_column_that_can_hold_a_name_declares_what_it_holds_about_people() -> None:
    forgotten = [name for table in metadata.sorted_tables for name in undeclared(table)]
    assert not forgotten, f"declare info=personal(...) or not_personal(reason) for {', '.join(forgotten)}"


@pytest.mark.parametrize("kind", [sa.Text(), sa.String(10), sa.LargeBinary(), sa.JSON()])
def test_a_new_column_without_a_declaration_is_found(kind: sa.types.TypeEngine[object]) -> None:
    columns = (sa.Column("id", sa.Integer), sa.Column("new", kind), sa.Column("old", kind, info=personal("prose")))
    assert undeclared(sa.Table("a_new_table", sa.MetaData(), *columns)) == ["a_new_table.new"]


def test_a_declaration_is_a_known_word_or_has_a_reason() -> None:
    for table in metadata.sorted_tables:
        for column in table.c:
            declared = column.info.get("personal", "none")
            assert declared in (*get_args(Held), "none"), f"{table.name}.{column.name}: {declared!r} is not in Held"
            assert "personal" not in column.info or declared != "none" or column.info["because"]
    assert not_personal("a hash") == {"personal": "none", "because": "a hash"}


def test_erasure_handles_every_kind_of_personal_column() -> None:
    assert set(get_args(Held)) == REPLACED | OWN_REWRITING | KEYS | NOT_REPORTERS


def test_a_table_about_reporters_belongs_to_a_tenant_so_that_erasure_and_export_reach_it() -> None:
    for table in metadata.sorted_tables:
        if columns_holding(table, REPLACED | OWN_REWRITING | KEYS):
            assert "tenant_id" in table.c, table.name
        if columns_holding(table, {"case note"}):
            assert "cluster_id" in table.c and len(table.primary_key.columns) == 1, table.name
