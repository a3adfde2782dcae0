"""`brigadewatch trusted-flaggers`: entries are added, suspended, reinstated, ended and removed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from service.cli import app
from service.commands.common import UsageError
from service.errors import NotFound, Refused

RUN = CliRunner()


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    where = ["--data", str(tmp_path / "data")]
    assert RUN.invoke(app, ["tenants", "create", "news", *where]).exit_code == 0
    return ["--tenant", "news", *where]


def call(data: list[str], *arguments: str) -> Result:
    return RUN.invoke(app, ["trusted-flaggers", *arguments, *data])


def add(data: list[str], *more: str, reporter: str = "hotline") -> Result:
    about = ("--entity", "Hotline", "--coordinator", "CnaM", "--since", "2026-03-01")
    return call(data, "add", reporter, *about, *more)


def entries(data: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in call(data, "list").stdout.splitlines()]


def test_a_status_from_its_beginning_to_its_end(data: list[str]) -> None:
    added = add(data, "--area", "hate", "--area", "Terror", "--area", "HATE", "--note", "by post")
    assert (added.exit_code, added.stdout) == (0, "1\n")
    (entry,) = entries(data)
    assert (entry["reporter"], entry["since"], entry["until"]) == ("hotline", "2026-03-01T00:00:00Z", None)
    assert (entry["area"], entry["note"], entry["by"]) == (["hate", "Terror"], "by post", "cli")
    assert call(data, "suspend", "1", "--on", "2026-05-02").exit_code == 0
    assert call(data, "reinstate", "1", "--on", "2026-06-01T09:00:00+02:00").exit_code == 0
    assert call(data, "end", "2", "--on", "2126-12-31").exit_code == 0
    late, early = entries(data)
    assert (early["until"], early["suspended_from"]) == ("2026-05-02T00:00:00Z",) * 2
    assert (late["since"], late["until"]) == ("2026-06-01T07:00:00Z", "2126-12-31T00:00:00Z")
    assert call(data, "remove", "2").exit_code == 0
    assert entries(data)[0]["status"] == "removed"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("add", "r", "--entity", "E", "--coordinator", "C", "--since", "1 March"), UsageError, "expected a day like"),
        (
            ("add", "hotline", "--entity", "E", "--coordinator", "C", "--since", "2026-04-01"),
            UsageError,
            "end that one",
        ),
        (("end", "9", "--on", "2026-04-01"), NotFound, "no such entry"),
        (("end", "1", "--on", "2026-01-01"), Refused, "only end after that"),
        (("end", "1", "--on", "soon"), Refused, "expected a day like"),
        (("reinstate", "1", "--on", "2026-04-01"), Refused, "not suspended"),
    ],
)
def test_what_cannot_be_done_says_why(
    data: list[str], arguments: tuple[str, ...], error: type[Exception], message: str
) -> None:
    add(data)
    done = call(data, *arguments)
    assert isinstance(done.exception, error) and message in str(done.exception)
    assert len(entries(data)) == 1
