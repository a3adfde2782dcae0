"""Hand messages to the operator's mail server. One connection a run, bounded in time, with verified certificates."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from service.errors import BrigadewatchError
from service.settings import SmtpSettings

TIMEOUT_SECONDS = 15.0  # of each step of the conversation
_LONGEST_ERROR = 300


class MailServerDown(BrigadewatchError):
    """The mail server cannot be reached, does not accept the connection, or ended it: nothing was sent."""


class MailRefused(BrigadewatchError):
    """The mail server refused this message or its receiver."""

    def __init__(self, text: str, permanent: bool) -> None:
        super().__init__(text)
        self.permanent = permanent


class MailServer:
    """An open connection to the mail server."""

    def __init__(self, connection: smtplib.SMTP) -> None:
        self._connection = connection

    def send(self, message: EmailMessage) -> None:
        """Hand over one message to one receiver. Raises MailRefused or MailServerDown."""
        try:
            self._connection.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            self._refused(code, text)
        except smtplib.SMTPSenderRefused as error:  # the operator's address: nobody's message would pass
            raise MailServerDown(_words(error)) from None
        except smtplib.SMTPDataError as error:
            self._refused(error.smtp_code, error.smtp_error)
        except (smtplib.SMTPException, OSError) as error:
            raise MailServerDown(_words(error)) from None

    def _refused(self, code: int, text: bytes | str) -> None:
        words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        if code == 421:  # it closes the connection
            raise MailServerDown(f"{code} {words}"[:_LONGEST_ERROR])
        raise MailRefused(f"{code} {words}"[:_LONGEST_ERROR], permanent=code >= 500)


@contextmanager
def mail_server(settings: SmtpSettings, tls: ssl.SSLContext | None = None) -> Iterator[MailServer]:
    """A connection that is signed in. Raises MailServerDown. `tls` replaces this machine's certificates."""
    context = tls or ssl.create_default_context()
    try:
        connection = _connected(settings, context)
    except (smtplib.SMTPException, OSError) as error:
        raise MailServerDown(_words(error)) from None
    try:
        yield MailServer(connection)
    finally:
        try:
            connection.quit()
        except (smtplib.SMTPException, OSError):
            connection.close()


def _connected(settings: SmtpSettings, context: ssl.SSLContext) -> smtplib.SMTP:
    if settings.tls == "tls":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(
            settings.host, settings.port, timeout=TIMEOUT_SECONDS, context=context
        )
    else:
        connection = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT_SECONDS)
    try:
        if settings.tls == "starttls":
            connection.starttls(context=context)
        if settings.user:
            connection.login(settings.user, settings.password)
    except BaseException:
        connection.close()
        raise
    return connection


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"the mail server does not accept user and password ({error.smtp_code})"
    return f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]
