"""Messages as chat services take them: Slack, Mattermost, Discord and Matrix. PURE.

- Slack: an incoming webhook takes text and blocks; at most 50 blocks, 3,000 characters in each; & < > are escaped. The
  platform's words stand in plain_text, which formats and links nothing.
- Mattermost: an incoming webhook takes Markdown, of which @channel and @all would ping a room.
- Discord: a webhook takes content of at most 2,000 characters; allowed_mentions with an empty list pings nobody.
- Matrix has no incoming webhooks: a bot's access token sends an m.room.message. An empty m.mentions pings nobody, and a
  body without formatted_body is plain text. The transaction's id makes a repeated request send nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from urllib.parse import quote, unquote, urlsplit

from service.errors import Refused
from service.notifications.digest import HELD_SHOWN, CaseNews, Digest
from service.notifications.safe_text import inert, without_markdown

ChatFormat = Literal["slack", "mattermost", "discord", "matrix"]
SubscriptionFormat = Literal["brigadewatch", "slack", "mattermost", "discord", "matrix"]
SIGNED: SubscriptionFormat = "brigadewatch"
CHAT_FORMATS: tuple[str, ...] = get_args(ChatFormat)
CASES_SHOWN = 10
MOST_SENTENCE, MOST_ID, MOST_TENANT = 600, 80, 60
MOST_DISCORD = 2_000
SUPPRESS_EMBEDS = 1 << 2  # Discord: no preview of the link, which would open the console
_ROOM_PATH, _MESSAGE_PATH = "/_matrix/client/v3/rooms/", "/send/m.room.message"


@dataclass(frozen=True, slots=True)
class ChatAddress:
    """Where messages go, as it is sealed: the address of a webhook lets everybody who has it post."""

    url: str
    token: str = ""  # of Matrix

    def to_json(self) -> str:
        """For the secret box."""
        return json.dumps({"url": self.url, "token": self.token})

    @classmethod
    def from_json(cls, text: str) -> ChatAddress:
        """What `to_json` wrote."""
        found = json.loads(text)
        return cls(found["url"], found["token"])


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request that posts a message."""

    method: str
    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def chat_address(format: str, url: str, token: str) -> tuple[ChatAddress, str]:
    """The address to seal, and what may be shown of it. Raises Refused.

    Slack, Mattermost and Discord give out one URL with its secret in the path. Of Matrix, `url` is the homeserver's
    address with the room's id as its path (https://matrix.example.org/!room:example.org), `token` a bot's.
    """
    parts = urlsplit(url)
    host = f"{parts.scheme}://{parts.netloc}"
    if format != "matrix":
        if token:
            raise Refused("only the format matrix has an access token: the others have theirs in the URL")
        if len(parts.path.strip("/")) < 4:
            raise Refused("this is not the URL of an incoming webhook: copy the whole address, with its path")
        return ChatAddress(url), f"{host}/…{url[-4:]}"
    prefix, _, room = unquote(parts.path).rpartition("/!")
    if not room or "/" in room or parts.query or parts.fragment:
        raise Refused(
            "for Matrix, give the homeserver's address followed by the room's id, like"
            " https://matrix.example.org/!room:example.org"
        )
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise Refused("for Matrix, give the access token of the account that posts, without spaces")
    sent_to = f"{host}{quote(prefix)}{_ROOM_PATH}{quote('!' + room, safe='')}{_MESSAGE_PATH}"
    return ChatAddress(sent_to, token), f"{host}{prefix}/!{room}"


def chat_request(format: str, address: ChatAddress, digest: Digest, transaction: str) -> ChatRequest:
    """The request that posts the digest. `transaction` is the same whenever the same message is sent again."""
    body = json.dumps(_WRITERS[format](digest), ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json"}
    if format != "matrix":
        return ChatRequest("POST", address.url, body, headers)
    url = f"{address.url}/{quote(transaction, safe='')}"
    return ChatRequest("PUT", url, body, {**headers, "Authorization": f"Bearer {address.token}"})


def figures(case: CaseNews) -> str:
    """How many accounts and targets."""
    accounts, targets = f"{case.accounts:,} account", f"{case.targets:,} target"
    return f"{accounts}{'' if case.accounts == 1 else 's'}, {targets}{'' if case.targets == 1 else 's'}"


def held_text(case: CaseNews) -> str:
    """Which targets are on hold; empty if none is. The ids are inert."""
    shown = [inert(one, MOST_ID) for one in case.held[:HELD_SHOWN]]
    more = len(case.held) - len(shown)
    return "" if not shown else f"On hold: {', '.join(shown)}{f' and {more:,} more' if more else ''}."


def _slack(digest: Digest) -> dict[str, Any]:
    headline = _headline(digest)
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(headline[:150])}]
    for case in digest.cases[:CASES_SHOWN]:
        blocks.append({"type": "section", "text": _plain(_sentences(case))})
        if url := case.url(digest.console):
            blocks.append(_slack_link(url, f"Open {case.case_id}"))
    rest = _rest(digest, CASES_SHOWN)
    if rest:
        blocks.append({"type": "section", "text": _plain(rest)})
    if rest and digest.queue_url:
        blocks.append(_slack_link(digest.queue_url, "All open cases"))
    return {"text": _slack_escaped(headline), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text[:3000], "emoji": False}


def _slack_link(url: str, words: str) -> dict[str, Any]:
    text = f"<{_slack_escaped(url)}|{_slack_escaped(words)}>"
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}


def _slack_escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _mattermost(digest: Digest) -> dict[str, Any]:
    return {"text": _markdown(digest, CASES_SHOWN)}


def _discord(digest: Digest) -> dict[str, Any]:
    shown = next(
        n for n in range(CASES_SHOWN, -1, -1) if n == 0 or _discord_length(_markdown(digest, n)) <= MOST_DISCORD
    )
    return {"content": _markdown(digest, shown), "allowed_mentions": {"parse": []}, "flags": SUPPRESS_EMBEDS}


def _discord_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _markdown(digest: Digest, most: int) -> str:
    lines = [f"**{without_markdown(_headline(digest))}**"]
    for case in digest.cases[:most]:
        url = case.url(digest.console)
        lines.append(f"- {without_markdown(_sentences(case))}" + (f" <{url}>" if url else ""))
    if rest := _rest(digest, most):
        lines.append(rest + (f" <{digest.queue_url}>" if digest.queue_url else ""))
    return "\n".join(lines)


def _matrix(digest: Digest) -> dict[str, Any]:
    lines = [_headline(digest)]
    for case in digest.cases[:CASES_SHOWN]:
        lines.append(" ".join(part for part in (f"• {_sentences(case)}", case.url(digest.console)) if part))
    if rest := _rest(digest, CASES_SHOWN):
        lines.append(" ".join(part for part in (rest, digest.queue_url) if part))
    return {"msgtype": "m.text", "body": "\n".join(lines), "m.mentions": {}}


def _headline(digest: Digest) -> str:
    return inert(digest.headline, MOST_TENANT + 60)


def _sentences(case: CaseNews) -> str:
    said = [f"{figures(case)}: {inert(case.sentence, MOST_SENTENCE)}", held_text(case)]
    return " ".join(part for part in said if part)


def _rest(digest: Digest, shown: int) -> str:
    more = len(digest.cases) - shown
    return f"And {more:,} more case{'' if more == 1 else 's'}." if more > 0 else ""


_WRITERS: Mapping[str, Callable[[Digest], dict[str, Any]]] = {
    "slack": _slack,
    "mattermost": _mattermost,
    "discord": _discord,
    "matrix": _matrix,
}
