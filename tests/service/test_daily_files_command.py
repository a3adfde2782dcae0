"""`brigadewatch daily-files`: on, show, off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from service.commands.common import UsageError
from service.settings import read_settings
from service.storage.accounts.tenants import ensure_tenant
from service.storage.sql.engine import migrate, open_database
from workers.daily_file_store import DailyFileStore


@pytest.fixture
def data(tmp_path: Path) -> Path:
    engine = open_database(read_settings(tmp_path / "data", {}).database_url)
    migrate(engine)
    ensure_tenant(engine, "news", 1)
    engine.dispose()
    return tmp_path / "data"


def run(data: Path, *words: str, place: str | None = None) -> Result:
    env = {"BRIGADEWATCH_DATA": str(data), "BRIGADEWATCH_DAILY_FILES": place or ""}
    return CliRunner().invoke(app, ["daily-files", *words, "--tenant", "news"], env=env)


def test_on_show_and_off_say_how_the_files_stand(data: Path, tmp_path: Path) -> None:
    place = str(tmp_path / "files")
    assert json.loads(run(data, "show", place=place).stdout) == {"daily_files": "off"}
    done = run(data, "on", place=place)
    assert done.exit_code == 0 and f"0 files of tenant news are to be written to {place}" in done.output
    shown = json.loads(run(data, "show", place=place).stdout)
    assert shown["daily_files"] == "on" and shown["place"] == place and shown["complete_until"] is None
    assert shown["since"].endswith("Z")
    kept = run(data, "off", place=place)
    assert f"those in {place} stay" in kept.output
    assert "had no daily files" in run(data, "off", place=place).output
    assert json.loads(run(data, "show", place=place).stdout) == {"daily_files": "off"}


def test_off_deletes_the_tenants_files_and_no_others(data: Path, tmp_path: Path) -> None:
    place = tmp_path / "files"
    for tenant in ("news", "news-2"):
        path = Path(DailyFileStore(str(place), tenant, tmp_path).path_of("complaints", "2026-03-01"))
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    run(data, "on", place=str(place))
    assert "are deleted" in run(data, "off", "--delete", place=str(place)).output
    assert [path.name for path in place.iterdir()] == ["news-2"]


@pytest.mark.parametrize("words", [("on",), ("off", "--delete")])
def test_without_a_place_it_is_wrong_usage(data: Path, words: tuple[str, ...]) -> None:
    found = run(data, *words).exception
    assert isinstance(found, UsageError) and "BRIGADEWATCH_DAILY_FILES is not set" in str(found)
