"""Which server `up` starts where REDIS_URL names none, and what it says when there is none or it does not start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from service import embedded_redis as module
from service.data_folder import prepare
from service.errors import Refused
from service.settings import Settings
from service.supervisor import running


def program(folder: Path, name: str, version: str) -> str:
    """Something that says which version it is, and does nothing else."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "Redis server v={version} sha=0"\necho "cannot read format 80" >&2\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing but the shell, and the test's programs in front."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin")
    monkeypatch.setattr(
        module.shutil, "which", lambda name: str(p) if (p := tmp_path / "bin" / name).exists() else None
    )
    return tmp_path / "bin"


def test_a_system_server_that_is_too_old_is_passed_over(path: Path, settings: Settings) -> None:
    prepare(settings).dispose()
    program(path, "redis-server", "6.0.16")
    fits = program(path, "valkey-server", "7.2.5")
    said: list[str] = []
    assert module.embedded_redis(settings, said.append).command[0] == fits
    assert len(said) == 1
    assert "6.0.16, 6.2 or newer is needed" in said[0]


def test_the_packaged_one_is_the_last_choice(path: Path, settings: Settings) -> None:
    prepare(settings).dispose()
    program(path, "redis-server", "6.0.16")
    assert module.embedded_redis(settings, print).command[0] == module._packaged_valkey()


def test_where_all_are_too_old_they_are_named(path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    old = program(path, "redis-server", "5.0.7")
    monkeypatch.setattr(module, "_packaged_valkey", lambda: None)
    with pytest.raises(Refused, match=rf"{old} is version 5.0.7; Redis 6.2 or newer, or Valkey, is needed"):
        module.embedded_redis(settings, lambda text: None)


def test_a_server_that_ends_at_once_is_not_waited_for(path: Path, settings: Settings) -> None:
    """As one does that cannot read the file that a newer one wrote."""
    prepare(settings).dispose()
    program(path, "redis-server", "7.0.15")
    with (
        pytest.raises(Refused, match="cannot read format 80"),
        running(replace(settings, redis_url=None), host="127.0.0.1", port=0, ops_port=0, say=lambda text: None),
    ):
        pass
