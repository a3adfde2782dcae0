"""Statements are written in service/storage. Elsewhere a connection may be handed on, and an outage recognised.

import-linter knows modules, not names, and `sqlalchemy` is one module: hence a walk through the imports.

The one exception is workers/large/statements.py: its SQL computes pairs of complaints in an engine that stores nothing.
It is no storage, and reaches no database of the service; DuckDB is opened beside it and nowhere else.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {"Connection", "Engine", "create_engine"}
STORAGE = ROOT / "service" / "storage"
OUTSIDE = sorted(
    file for room in ("service", "workers") for file in (ROOT / room).rglob("*.py") if STORAGE not in file.parents
)


def violations(source: str) -> Iterator[str]:
    """What a module imports or calls to write SQL of its own."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (f"import {name.name}" for name in node.names if name.name.split(".")[0] == "sqlalchemy")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sqlalchemy":
            if node.module != "sqlalchemy.exc":
                yield from (f"from {node.module} import {n.name}" for n in node.names if n.name not in ALLOWED)
        elif isinstance(node, ast.Attribute) and node.attr == "exec_driver_sql":
            yield "exec_driver_sql"


@pytest.mark.parametrize("file", OUTSIDE, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_module_outside_storage_writes_statements(file: Path) -> None:
    assert not list(violations(file.read_text())), "move the statement to service/storage"


LARGE = ROOT / "workers" / "large"
_STATEMENT = re.compile(r"\bselect\b.+\bfrom\b", re.IGNORECASE | re.DOTALL)


def texts(source: str) -> Iterator[str]:
    """The texts of a module, those of f-strings with their holes closed, but for docstrings."""
    tree = ast.parse(source)
    documentation = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(p.value) if isinstance(p, ast.Constant) else "?" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def test_duckdb_is_opened_in_one_place_and_its_statements_stand_in_one_file() -> None:
    for file in OUTSIDE:
        tree = ast.parse(file.read_text())
        imported = {
            (node.module or "") if isinstance(node, ast.ImportFrom) else name.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in node.names
        }
        assert LARGE in file.parents or "duckdb" not in imported, file
    written = {file for file in LARGE.glob("*.py") if any(_STATEMENT.search(text) for text in texts(file.read_text()))}
    assert written == {LARGE / "statements.py"}


@pytest.mark.parametrize(
    "source",
    [
        "import sqlalchemy as sa",
        "from sqlalchemy import Connection, select",
        "from sqlalchemy.sql import text",
        "def f():\n    from sqlalchemy import func",
        "connection.exec_driver_sql('SELECT 1')",
    ],
)
def test_every_way_to_write_a_statement_is_noticed(source: str) -> None:
    assert list(violations(source))
