"""A real mail server on loopback (aiosmtpd): it keeps what it gets, and refuses as a test tells it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from listening import free_port

from service.settings import SmtpSettings

SENDER = "moderation@example.org"


class Mailbox:
    """The server. `refuse` answers a receiver with a line like "550 no such user", or with an empty one to accept."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.receivers: list[str] = []
        self.refuse: Callable[[str], str] = lambda receiver: ""
        self.port = free_port()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refused = self.refuse(address)
        if refused:
            return refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        found: Any = message_from_bytes(envelope.content, policy=policy.SMTP)
        self.messages.append(found)
        self.receivers += envelope.rcpt_tos
        return "250 OK"

    def settings(self, **changes: Any) -> SmtpSettings:
        fields: dict[str, Any] = {"host": "127.0.0.1", "port": self.port, "tls": "none", "sender": SENDER, **changes}
        return SmtpSettings(**fields)

    def texts(self) -> list[str]:
        """The plain text of each message."""
        return [part.get_content() for one in self.messages if (part := one.get_body(("plain",))) is not None]


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    assert isinstance(data, LoginPassword)
    return AuthResult(success=(data.login, data.password) == (b"news", b"right"), handled=False)


@contextmanager
def receiving(
    box: Mailbox, tls: ssl.SSLContext | None = None, *, from_the_beginning: bool = False
) -> Iterator[Mailbox]:
    """The server, listening; with `tls` it insists on an encrypted connection and on a password."""
    options: dict[str, Any] = {}
    if tls is not None and from_the_beginning:
        options = {"ssl_context": tls}
    elif tls is not None:
        options = {
            "tls_context": tls,
            "require_starttls": True,
            "authenticator": _authenticate,
            "auth_required": True,
        }
    controller = Controller(box, hostname="127.0.0.1", port=box.port, **options)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
