"""The data folder: made by whoever comes first, private, held by one `up`."""

from __future__ import annotations

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


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return read_settings(tmp_path / "new" / "data", {})


def test_whoever_comes_first_makes_folder_secret_and_schema(here: Settings) -> None:
    data_folder.prepare(here).dispose()
    assert stat.S_IMODE(here.data.stat().st_mode) == 0o700
    assert stat.S_IMODE((here.data / "secret.key").stat().st_mode) == 0o600
    assert SecretBox(here).open(SecretBox(here).seal("told once")) == "told once"


def test_a_second_time_changes_nothing(here: Settings) -> None:
    data_folder.prepare(here).dispose()
    secret = (here.data / "secret.key").read_text()
    data_folder.prepare(here).dispose()
    assert (here.data / "secret.key").read_text() == secret


def test_several_processes_at_once_agree_on_one_secret(here: Settings) -> None:
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


def test_a_folder_that_cannot_be_made_is_told_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Refused, match="--data"):
        data_folder.prepare(read_settings(tmp_path / "file" / "data", {}))


def test_one_up_holds_a_folder(here: Settings) -> None:
    data_folder.prepare(here).dispose()
    with (
        data_folder.running(here),
        pytest.raises(Refused, match="another `brigadewatch up`"),
        data_folder.running(here),
    ):
        pass
    with data_folder.running(here):
        pass


def test_other_commands_find_the_embedded_redis_while_it_runs(here: Settings) -> None:
    data_folder.prepare(here).dispose()
    with data_folder.published_redis_url(here, "redis://:secret@127.0.0.1:1/0"):
        assert data_folder.redis_url(here) == "redis://:secret@127.0.0.1:1/0"
        assert stat.S_IMODE((here.data / "redis.url").stat().st_mode) == 0o600
        assert data_folder.redis_url(replace(here, redis_url="redis://elsewhere")) == "redis://elsewhere"
    with pytest.raises(StoreUnavailable, match="REDIS_URL is not set"):
        data_folder.redis_url(here)


def test_a_process_that_may_not_make_a_key_refuses_without_one_and_makes_nothing(here: Settings) -> None:
    with pytest.raises(NoSecretKey, match="set BRIGADEWATCH_SECRET_KEY"):
        data_folder.prepare(here, make_secret=False)
    assert not here.data.exists()
    data_folder.prepare(here).dispose()
    data_folder.prepare(here, make_secret=False).dispose()


def test_a_key_in_the_environment_needs_none_in_the_folder(here: Settings) -> None:
    data_folder.prepare(replace(here, secret_keys=("ab" * 32,)), make_secret=False).dispose()
    data_folder.prepare(replace(here, secret_keys=("ab" * 32,))).dispose()
    assert not (here.data / "secret.key").exists()
