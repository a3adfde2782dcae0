"""The data folder: created by the first command, private, used by one `up` at a time."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from service import data_folder
from service.errors import Refused, StoreUnavailable
from service.settings import Settings, read_settings
from service.storage.accounts.secret_box import NoSecretKey, SecretBox
from service.storage.sql.engine import migrate, open_database, write


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return read_settings(tmp_path / "new" / "data", {})


def test_the_first_command_creates_folder_secret_and_schema(here: Settings) -> None:
    data_folder.prepare(here).dispose()
    assert stat.S_IMODE(here.data.stat().st_mode) == 0o700
    assert stat.S_IMODE((here.data / "secret.key").stat().st_mode) == 0o600
    assert SecretBox(here).open(SecretBox(here).seal("hush")) == "hush"


def test_preparing_again_keeps_the_secret(here: Settings) -> None:
    data_folder.prepare(here).dispose()
    secret = (here.data / "secret.key").read_text()
    data_folder.prepare(here).dispose()
    assert (here.data / "secret.key").read_text() == secret


def test_processes_that_start_at_once_agree_on_one_secret(here: Settings) -> None:
    script = (
        "import sys; from pathlib import Path; from service import data_folder; from service.settings import"
        " read_settings\nsettings = read_settings(Path(sys.argv[1]), {}); data_folder.prepare(settings).dispose();"
        " print((settings.data / 'secret.key').read_text())"
    )

    def prepare(_: int) -> str:
        return subprocess.run(
            [sys.executable, "-c", script, str(here.data)], capture_output=True, text=True, check=True
        ).stdout

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(prepare, range(3)))) == 1


def test_the_error_for_an_unusable_folder_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Refused, match="--data"):
        data_folder.prepare(read_settings(tmp_path / "file" / "data", {}))


def test_only_one_up_at_a_time_can_use_a_folder(here: Settings) -> None:
    data_folder.prepare(here).dispose()
    with (
        data_folder.running(here),
        pytest.raises(Refused, match="another `brigadewatch up`"),
        data_folder.running(here),
    ):
        pass
    with data_folder.running(here):
        pass


def test_other_commands_find_the_embedded_redis_while_up_runs(here: Settings) -> None:
    data_folder.prepare(here).dispose()
    with data_folder.published_redis_url(here, "redis://:secret@127.0.0.1:1/0"):
        assert data_folder.redis_url(here) == "redis://:secret@127.0.0.1:1/0"
        assert stat.S_IMODE((here.data / "redis.url").stat().st_mode) == 0o600
        assert data_folder.redis_url(replace(here, redis_url="redis://elsewhere")) == "redis://elsewhere"
    with pytest.raises(StoreUnavailable, match="REDIS_URL is not set"):
        data_folder.redis_url(here)


def test_other_commands_find_the_api_only_while_up_runs(here: Settings) -> None:
    data_folder.prepare(here).dispose()
    assert data_folder.api_url(here) is None
    with data_folder.running(here):
        assert data_folder.api_url(here) is None, "it is still starting"
        with data_folder.published_api_url(here, "http://127.0.0.1:8000"):
            assert data_folder.api_url(here) == "http://127.0.0.1:8000"
    (here.data / "api.url").write_text("http://127.0.0.1:8000")
    assert data_folder.api_url(here) is None, "left over from an `up` that was killed"


def test_a_process_that_may_not_create_a_secret_key_refuses_to_start_without_one(here: Settings) -> None:
    with pytest.raises(NoSecretKey, match="set BRIGADEWATCH_SECRET_KEY"):
        data_folder.prepare(here, make_secret=False)
    assert not here.data.exists()
    data_folder.prepare(here).dispose()
    data_folder.prepare(here, make_secret=False).dispose()


def test_a_secret_key_in_the_environment_needs_none_in_the_folder(here: Settings) -> None:
    data_folder.prepare(replace(here, secret_keys=("ab" * 32,)), make_secret=False).dispose()
    data_folder.prepare(replace(here, secret_keys=("ab" * 32,))).dispose()
    assert not (here.data / "secret.key").exists()


def modes(folder: Path) -> dict[str, str]:
    """Of every file in it that somebody else might read or write."""
    found = {str(path.relative_to(folder)): path.lstat().st_mode for path in folder.rglob("*")}
    return {name: f"{stat.S_IMODE(mode):04o}" for name, mode in found.items() if mode & 0o077}


@pytest.mark.only_on("sqlite", "PostgreSQL keeps its own files")
def test_whatever_a_command_writes_is_its_users_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    words = ["keys", "create", "--tenant", "news", "--create", "--scope", "read", "--data", str(folder)]
    subprocess.run([sys.executable, "-m", "service.cli", *words], check=True, capture_output=True, umask=0)
    assert {"brigadewatch.sqlite3", "secret.key"} <= {path.name for path in folder.iterdir()}
    assert modes(folder) == {}


def test_a_database_is_private_from_the_first_moment_whoever_opens_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        engine = open_database(f"sqlite:///{tmp_path / 'b.sqlite3'}")
        migrate(engine)
        with write(engine) as connection:
            connection.exec_driver_sql("CREATE TABLE x (y)")
            assert {path.name for path in tmp_path.iterdir()} >= {"b.sqlite3", "b.sqlite3-wal", "b.sqlite3-shm"}
            assert modes(tmp_path) == {}
        engine.dispose()
    finally:
        os.umask(old)


def test_files_that_others_could_read_are_tightened_once_and_named(
    here: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    data_folder.prepare(here).dispose()
    ours = [here.data / "brigadewatch.sqlite3", here.data / "brigadewatch.sqlite3-wal", here.data / "secret.key"]
    (here.data / "redis" / "appendonlydir").mkdir(parents=True)
    (here.data / "logs").mkdir()
    ours += [here.data / "redis" / "appendonlydir" / "a.aof", here.data / "logs" / "api.log"]
    strange, outside = here.data / "notes.txt", here.data.parent / "outside"
    for path in (*ours, strange, outside):
        path.touch()
        path.chmod(0o644)
    for folder in (here.data / "redis", here.data / "redis" / "appendonlydir", here.data / "logs"):
        folder.chmod(0o755)
    (here.data / "redis" / "link").symlink_to(outside)
    data_folder.prepare(here).dispose()
    assert {path.name for path in here.data.rglob("*") if path.lstat().st_mode & 0o077} == {"notes.txt", "link"}
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
    said = [record.getMessage() for record in caplog.records if "are private now" in record.getMessage()]
    assert len(said) == 1 and said[0].startswith("8 files") and "(was 0644)" in said[0]
    caplog.clear()
    data_folder.prepare(here).dispose()
    assert "private now" not in caplog.text


def test_a_database_behind_a_link_is_tightened_where_it_is(tmp_path: Path) -> None:
    there, folder = tmp_path / "disk", tmp_path / "data"
    there.mkdir()
    folder.mkdir()
    (there / "real.sqlite3").touch(mode=0o644)
    (there / "real.sqlite3").chmod(0o644)
    (folder / "brigadewatch.sqlite3").symlink_to(there / "real.sqlite3")
    data_folder.prepare(read_settings(folder, {})).dispose()
    assert modes(there) == {}
