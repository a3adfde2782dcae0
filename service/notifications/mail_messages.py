"""Messages by e-mail: plain text, and the same as simple HTML. PURE: the id and the date are arguments.

The platform's words are as inert as in chat rooms, since mail programs make links of addresses too. Nothing is loaded
from anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from service.notifications.chat_formats import MOST_SENTENCE, MOST_TENANT, figures, held_text
from service.notifications.digest import CaseNews, Digest, case_url
from service.notifications.safe_text import inert

CASES_LISTED = 50


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who gets the message, and how it is stopped."""

    sender: str
    to: str
    message_id: str
    at: datetime
    unsubscribe_url: str
    preferences_url: str


def digest_message(digest: Digest, envelope: Envelope) -> EmailMessage:
    """What is new."""
    mentioned_on = list(dict.fromkeys(digest.mentions))
    mentions: list[tuple[str, str | None]] = [
        (f"A colleague mentioned you on case {inert(one, 60)}.", case_url(digest.console, one))
        for one in mentioned_on[:CASES_LISTED]
    ]
    paragraphs = mentions + [_case(case, digest) for case in digest.cases[:CASES_LISTED]]
    more = max(len(digest.cases) - CASES_LISTED, 0) + max(len(mentioned_on) - CASES_LISTED, 0)
    if more > 0:
        paragraphs.append((f"And {more:,} more.", None))
    if digest.test:
        paragraphs.append(("E-mail from brigadewatch arrives here.", None))
    elif digest.queue_url:
        paragraphs.append(("All open cases:", digest.queue_url))
    return _message(inert(digest.headline, MOST_TENANT + 60), paragraphs, envelope)


def confirmation_message(tenant: str, confirm_url: str, envelope: Envelope) -> EmailMessage:
    """Ask the owner of an address whether it is theirs."""
    words = (
        f"Somebody with an account for {inert(tenant, MOST_TENANT)} wants messages about new cases sent here."
        " If that was you, confirm it here while you are signed in. If not, ignore this message."
    )
    return _message("Confirm your address for brigadewatch", [(words, confirm_url)], envelope)


def _case(case: CaseNews, digest: Digest) -> tuple[str, str | None]:
    said = [f"{figures(case)}: {inert(case.sentence, MOST_SENTENCE)}", held_text(case)]
    return " ".join(part for part in said if part), case.url(digest.console)


def _message(subject: str, paragraphs: list[tuple[str, str | None]], envelope: Envelope) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject
    message["From"] = envelope.sender
    message["To"] = envelope.to
    message["Date"] = format_datetime(envelope.at)
    message["Message-ID"] = envelope.message_id
    message["Auto-Submitted"] = "auto-generated"
    message["List-Unsubscribe"] = f"<{envelope.unsubscribe_url}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    foot = (
        ("Change when you get these messages:", envelope.preferences_url),
        ("Stop them:", envelope.unsubscribe_url),
    )
    text = "\n\n".join(words if url is None else f"{words}\n{url}" for words, url in paragraphs)
    text += "\n\n-- \n" + "\n".join(f"{words} {url}" for words, url in foot) + "\n"
    message.set_content(text)
    body = "".join(f"<p>{escape(words)}{_link(url)}</p>" for words, url in paragraphs)
    small = "".join(f"<p>{escape(words)}{_link(url)}</p>" for words, url in foot)
    html = f'<html lang="en"><body><h1>{escape(subject)}</h1>{body}<hr>{small}</body></html>'
    message.add_alternative(html, subtype="html")
    return message


def _link(url: str | None) -> str:
    return "" if url is None else f'<br><a href="{escape(url)}">{escape(url)}</a>'
