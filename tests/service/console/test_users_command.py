"""`brigadewatch users`: who makes accounts, and what they see."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from up import environment

from service.storage.accounts.passwords import verify_password
from service.storage.sql.engine import open_database
from service.storage.sql.schema import users

SECRET = "correct horse battery"


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(),
    )


@pytest.fixture
def data(tmp_path: Path) -> str:
    folder = str(tmp_path / "data")
    assert run("tenants", "create", "news", "--data", folder).returncode == 0
    return folder


def stored(data: str) -> dict[str, str]:
    engine = open_database(f"sqlite:///{data}/brigadewatch.sqlite3")
    with engine.connect() as connection:
        found = {row.name: row.password_hash for row in connection.execute(users.select())}
    engine.dispose()
    return found


def test_an_account_can_be_created_listed_reset_and_disabled(data: str, tmp_path: Path) -> None:
    made = run(
        "users",
        "create",
        "--tenant",
        "news",
        "--role",
        "moderator",
        "anna",
        "--password-file",
        "-",
        "--data",
        data,
        text=f"{SECRET}\n",
    )
    assert (made.returncode, made.stdout) == (0, ""), made.stderr
    assert verify_password(stored(data)["anna"], SECRET)
    assert stored(data)["anna"].startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    (tmp_path / "new").write_text("another horse battery\n")
    assert (
        run(
            "users",
            "set-password",
            "anna",
            "--tenant",
            "news",
            "--password-file",
            str(tmp_path / "new"),
            "--data",
            data,
        ).returncode
        == 0
    )
    assert verify_password(stored(data)["anna"], "another horse battery")
    assert run("users", "disable", "anna", "--tenant", "news", "--data", data).returncode == 0
    listed = [json.loads(line) for line in run("users", "list", "--tenant", "news", "--data", data).stdout.splitlines()]
    assert [(one["name"], one["role"], one["disabled_at"] is not None) for one in listed] == [
        ("anna", "moderator", True)
    ]


def test_invalid_input_is_refused_with_an_error_message(data: str) -> None:
    def create(
        *more: str, password: str = SECRET, tenant: str = "news", role: str = "viewer"
    ) -> subprocess.CompletedProcess[str]:
        return run("users", "create", "--tenant", tenant, "--role", role, *more, "--data", data, text=password)

    no_terminal = create("ben")
    assert (no_terminal.returncode, "--password-file" in no_terminal.stderr) == (2, True)
    short = create("ben", "--password-file", "-", password="short")
    assert (short.returncode, "5 characters" in short.stderr) == (1, True)
    assert create("ben", "--password-file", "-", role="god").returncode == 2
    assert create("ben", "--password-file", "-", tenant="nobodys").returncode == 2
    assert create("  ", "--password-file", "-").returncode == 1
    assert create("ben", "--password-file", "-").returncode == 0
    again = create("ben", "--password-file", "-")
    assert (again.returncode, "already" in again.stderr) == (1, True)
    assert list(stored(data)) == ["ben"]
