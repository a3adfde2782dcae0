"""Handing over messages: encrypted, with a password, and what is said when it does not work."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest
from listening import free_port
from loopback import certificate
from mail_server import SENDER, Mailbox, receiving

from service.outbound.smtp import MailRefused, MailServerDown, mail_server
from service.settings import SmtpSettings


def message(to: str = "anna@example.org") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = SENDER, to, "3 new cases"
    made.set_content("Zoë")
    return made


def test_a_message_arrives_over_starttls_with_a_password(tmp_path: Path) -> None:
    server_tls, client_tls = certificate(tmp_path, "127.0.0.1")
    with receiving(Mailbox(), server_tls) as box:
        settings = box.settings(tls="starttls", user="news", password="right")
        with mail_server(settings, client_tls) as server:
            server.send(message())
            server.send(message("bert@example.org"))
        assert box.receivers == ["anna@example.org", "bert@example.org"]
        assert box.messages[0].get_content().strip() == "Zoë"
        with (
            pytest.raises(MailServerDown, match="does not accept user and password") as refused,
            mail_server(box.settings(tls="starttls", user="news", password="wrong"), client_tls),
        ):
            pass
        assert "wrong" not in str(refused.value)


def test_a_server_whose_certificate_nobody_knows_gets_nothing(tmp_path: Path) -> None:
    server_tls, client_tls = certificate(tmp_path, "127.0.0.1")
    with (
        receiving(Mailbox(), server_tls) as box,
        pytest.raises(MailServerDown, match="CERTIFICATE"),
        mail_server(box.settings(tls="starttls")),
    ):
        pass
    with receiving(Mailbox(), server_tls, from_the_beginning=True) as box:
        with mail_server(box.settings(tls="tls"), client_tls) as server:
            server.send(message())
        assert box.receivers == ["anna@example.org"]


def test_a_server_without_encryption_gets_nothing_where_it_is_wanted() -> None:
    with (
        receiving(Mailbox()) as box,
        pytest.raises(MailServerDown, match="STARTTLS"),
        mail_server(box.settings(tls="starttls")),
    ):
        pass


@pytest.mark.parametrize(("line", "permanent"), [("550 no such user", True), ("451 try later", False)])
def test_a_refused_receiver_is_no_reason_to_stop(line: str, permanent: bool) -> None:
    with receiving(Mailbox()) as box, mail_server(box.settings()) as server:
        box.refuse = lambda receiver: line if receiver.startswith("anna") else ""
        with pytest.raises(MailRefused, match=line) as refused:
            server.send(message())
        assert refused.value.permanent is permanent
        server.send(message("bert@example.org"))
        assert box.receivers == ["bert@example.org"]


def test_a_server_that_is_down_is_said_so() -> None:
    with (
        pytest.raises(MailServerDown, match="ConnectionRefused"),
        mail_server(SmtpSettings("127.0.0.1", free_port(), "none", SENDER)),
    ):
        pass
