"""Commands that only read or change an installation create nothing where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from up import environment

from service.settings import read_settings
from service.storage.accounts.tenants import find_key
from service.storage.sql.engine import open_database

COMMANDS = (
    ("tenants", "list"),
    ("tenants", "show", "news"),
    ("tenants", "set", "news", "--rate", "5"),
    ("policy", "show"),
    ("policy", "set", "default_threshold=9"),
    ("policy", "reset"),
    ("keys", "list"),
    ("keys", "revoke", "1"),
    ("keys", "create", "--tenant", "news", "--scope", "read"),
    ("users", "list"),
    ("users", "create", "--tenant", "news", "--role", "admin", "anna"),
    ("users", "set-password", "anna"),
    ("users", "disable", "anna"),
    ("users", "reset-link", "anna"),
    ("sso", "set", "--all", "--issuer", "https://a.example", "--client-id", "a", "--role", "a=news/viewer"),
    ("sso", "show", "--all"),
    ("sso", "test", "--tenant", "news"),
    ("sso", "remove", "--tenant", "news"),
    ("sso", "rules", "--tenant", "news"),
    ("sources", "list", "--tenant", "news"),
    ("sources", "remove", "src_1", "--tenant", "news"),
    ("sources", "rotate", "src_1", "--tenant", "news"),
    ("sources", "add", "--tenant", "news", "--platform", "discourse", "--no-secret"),
    ("dead-letters", "list"),
    ("dead-letters", "drop", "--all"),
    ("dead-letters", "retry"),
    ("erase", "r1", "--tenant", "news"),
    ("export", "--tenant", "news", "--out", "exported"),
    ("rebuild",),
    ("secrets", "rotate"),
)


def run(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env={**environment(), "PYTHONPATH": str(Path(__file__).parents[2])},
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_in_the_wrong_folder_names_it_and_creates_nothing(command: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*command, folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert str(tmp_path / "brigadewatch-data" / "brigadewatch.sqlite3") in done.stderr
    assert "--data" in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_no_database_and_stays_empty(tmp_path: Path) -> None:
    (tmp_path / "brigadewatch.sqlite3").touch()
    done = run("users", "list", "--data", str(tmp_path))
    assert done.returncode == 1 and "no tables" in done.stderr
    assert [(one.name, one.stat().st_size) for one in tmp_path.iterdir()] == [("brigadewatch.sqlite3", 0)]


def test_keys_are_listed_and_revoked_all_or_none(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    made = [
        run("keys", "create", "--tenant", tenant, "--create", "--scope", "read", "--name", name, "--data", data)
        for tenant, name in (("news", "forum"), ("news", "dashboard"), ("other", "theirs"))
    ]
    keys = [one.stdout.strip() for one in made]
    listed = [json.loads(line) for line in run("keys", "list", "--tenant", "news", "--data", data).stdout.splitlines()]
    assert sorted((one["id"], one["name"], one["scopes"], one["revoked_at"]) for one in listed) == [
        (1, "forum", ["read"], None),
        (2, "dashboard", ["read"], None),
    ]
    refused = run("keys", "revoke", "1", "3", "--tenant", "news", "--data", data)
    assert refused.returncode == 1 and "no key 3" in refused.stderr
    engine = open_database(read_settings(Path(data), {}).database_url)
    assert all(find_key(engine, key) for key in keys), "another tenant's key: nothing was revoked"
    assert run("keys", "revoke", "1", "1", "--tenant", "news", "--data", data).returncode == 0
    assert [find_key(engine, key) is not None for key in keys] == [False, True, True]
    engine.dispose()
    again = run("keys", "revoke", "1", "--tenant", "news", "--data", data)
    assert again.returncode == 1 and "--all" in again.stderr
    ids = [
        [
            json.loads(line)["id"]
            for line in run("keys", "list", *every, "--tenant", "news", "--data", data).stdout.splitlines()
        ]
        for every in ((), ("--all",))
    ]
    assert ids == [[2], [2, 1]]
    assert not any(key in json.dumps(listed) for key in keys)
