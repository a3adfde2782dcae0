"""E-mail: try the mail server."""

from __future__ import annotations

from typing import Annotated

import typer

from service.commands.common import Data, UsageError, say, settings_from
from service.errors import BrigadewatchError, Refused
from service.wall_clock import now_us

mail = typer.Typer(no_args_is_help=True, help="E-mail about new cases (docs/how-to/messages-to-people.md).")


@mail.callback()
def _group() -> None:
    """Without this, typer would make the one command the group itself."""


@mail.command("test")
def mail_test(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Where the message goes.")], data: Data = None
) -> None:
    """Send a test message with the settings BRIGADEWATCH_SMTP_*, and say what the mail server answers.

    Example: `brigadewatch mail test anna@example.org`
    """
    from email.utils import make_msgid

    from service.model import moment
    from service.notifications.digest import Digest
    from service.notifications.mail_messages import Envelope, digest_message
    from service.outbound.smtp import MailRefused, MailServerDown, mail_server
    from service.storage.accounts.mail_preferences import checked_address

    settings = settings_from(data)
    smtp, console = settings.smtp, f"{settings.public_url}/console/mail"
    if smtp is None:
        raise UsageError("no mail server is set: set BRIGADEWATCH_SMTP_HOST and the others (docs/configuration.md)")
    try:
        to = checked_address(address)
    except Refused as error:
        raise UsageError(str(error)) from None
    sender_host = smtp.sender.rpartition("@")[2]
    envelope = Envelope(smtp.sender, to, make_msgid(domain=sender_host), moment(now_us()), console, console)
    try:
        with mail_server(smtp) as server:
            server.send(digest_message(Digest("this installation", (), settings.public_url, test=True), envelope))
    except (MailServerDown, MailRefused) as error:
        raise BrigadewatchError(f"{smtp.host}:{smtp.port} did not take the message: {error}") from None
    say(f"{smtp.host}:{smtp.port} took the message for {to}")
