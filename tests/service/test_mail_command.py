"""`brigadewatch mail test`: what the mail server answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from listening import free_port
from mail_server import SENDER, Mailbox, receiving
from typer.testing import CliRunner

from service.cli import app
from service.commands.common import UsageError
from service.errors import BrigadewatchError


def variables(folder: Path, port: int) -> dict[str, str]:
    return {
        "BRIGADEWATCH_DATA": str(folder),
        "BRIGADEWATCH_SMTP_HOST": "127.0.0.1",
        "BRIGADEWATCH_SMTP_PORT": str(port),
        "BRIGADEWATCH_SMTP_TLS": "none",
        "BRIGADEWATCH_SMTP_FROM": SENDER,
        "BRIGADEWATCH_PUBLIC_URL": "https://moderation.example.org",
    }


def test_a_test_message_arrives_and_a_failure_says_why(tmp_path: Path) -> None:
    with receiving(Mailbox()) as box:
        box.refuse = lambda receiver: "550 no such user" if receiver.startswith("nobody") else ""
        given = variables(tmp_path, box.port)
        done = CliRunner().invoke(app, ["mail", "test", "anna@example.org"], env=given)
        assert done.exit_code == 0 and "took the message for anna@example.org" in done.output
        assert box.receivers == ["anna@example.org"] and "arrives here" in box.texts()[0]
        refused = CliRunner().invoke(app, ["mail", "test", "nobody@example.org"], env=given).exception
        assert isinstance(refused, BrigadewatchError) and "550 no such user" in str(refused)
    down = CliRunner().invoke(app, ["mail", "test", "anna@example.org"], env=variables(tmp_path, free_port()))
    assert isinstance(down.exception, BrigadewatchError) and "ConnectionRefused" in str(down.exception)


@pytest.mark.parametrize(("address", "host"), [("anna", "127.0.0.1"), ("anna@example.org", "")])
def test_what_cannot_work_is_wrong_usage(tmp_path: Path, address: str, host: str) -> None:
    given = variables(tmp_path, 25) | {"BRIGADEWATCH_SMTP_HOST": host}
    assert isinstance(CliRunner().invoke(app, ["mail", "test", address], env=given).exception, UsageError)
