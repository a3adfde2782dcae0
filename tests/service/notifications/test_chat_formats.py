"""The bodies that chat services get: their limits and escapes, and hostile text in every place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hostile_texts import HOSTILE

from service.errors import Refused
from service.notifications.chat_formats import CHAT_FORMATS, ChatAddress, chat_address, chat_request
from service.notifications.digest import CaseNews, Digest

CONSOLE = "https://moderation.example.org"
ADDRESS = ChatAddress("https://chat.example.org/hooks/a/b", "token")


def digest_of(*cases: CaseNews, console: str | None = CONSOLE) -> Digest:
    return Digest("news", cases, console)


def case(number: int = 1, **changes: Any) -> CaseNews:
    fields: dict[str, Any] = {
        "sentence": "14 accounts complained about the same 20 targets.",
        "grown": False,
        **changes,
    }
    return CaseNews(f"k-{number}", 14, 20, **fields)


def body(format: str, digest: Digest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(chat_request(format, ADDRESS, digest, "t1").body)
    return found


def texts(value: Any) -> list[str]:
    """All texts in a body."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("format", CHAT_FORMATS)
def test_a_message_says_which_tenant_how_many_the_sentence_and_where(format: str) -> None:
    said = " ".join(texts(body(format, digest_of(case(held=("c-1", "c-2", "c-3", "c-4"))))))
    assert "1 new case in news" in said and "14 accounts, 20 targets" in said
    assert "complained about the same 20 targets" in said and f"{CONSOLE}/console/clusters/k-1" in said
    assert "On hold: c-1, c-2, c-3 and 1 more." in said
    alone = " ".join(texts(body(format, digest_of(case(), console=None))))
    assert "http" not in alone and "complained" in alone


@pytest.mark.parametrize("format", CHAT_FORMATS)
@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_write_pings_nobody_and_links_nowhere(format: str, text: str) -> None:
    found = body(format, digest_of(case(sentence=f"9 of 10 targets are by author {text}.", held=(text,))))
    joined = "\n".join(texts(found))
    assert "@" not in joined and "<!" not in joined and "evil.example" not in joined.lower()
    assert joined.count("://") == joined.count(f"{CONSOLE}/console/")
    assert not {"\u202e", "\u2066", "\u200b", "\x1b", "\x00"} & set(joined)
    if format == "discord":
        assert found["allowed_mentions"] == {"parse": []} and found["flags"] == 4
    if format == "matrix":
        assert found["m.mentions"] == {} and "formatted_body" not in found
    if format in ("mattermost", "discord"):  # a line break of theirs would begin a list, a heading or a quotation
        assert len(joined.splitlines()) == 2 and "](" not in joined


def test_slack_gets_the_words_of_the_platform_as_plain_text_and_escapes_the_rest() -> None:
    found = body("slack", digest_of(case(sentence="a & b <!channel> *bold* " + "x" * 5000)))
    kinds = [block["text"]["type"] for block in found["blocks"] if "text" in block]
    assert set(kinds) == {"plain_text"}
    assert all(len(block["text"]["text"]) <= 3000 for block in found["blocks"] if "text" in block)
    links = [element for block in found["blocks"] if "elements" in block for element in block["elements"]]
    assert links == [{"type": "mrkdwn", "text": f"<{CONSOLE}/console/clusters/k-1|Open k-1>", "verbatim": True}]
    assert body("slack", Digest("a&b", (), None, test=True))["text"] == "Test message from brigadewatch for a&amp;b"


@pytest.mark.parametrize("format", CHAT_FORMATS)
def test_a_night_full_of_cases_stays_within_the_limits(format: str) -> None:
    found = body(format, digest_of(*(case(n, sentence="🜏" * 900, held=("y" * 300,) * 5) for n in range(400))))
    assert len(found.get("blocks", [])) <= 50
    assert len(found.get("content", "").encode("utf-16-le")) // 2 <= 2000
    assert len(found.get("text", "")) <= 16_383 and len(found.get("body", "").encode()) < 60_000
    assert any("more case" in text for text in texts(found))


def test_matrix_is_put_with_the_token_and_an_id_of_the_transaction() -> None:
    address, shown = chat_address("matrix", "https://matrix.example.org/!room:example.org", "syt_secret")
    request = chat_request("matrix", address, digest_of(case()), "dlv_1/x")
    assert request.method == "PUT" and request.headers["Authorization"] == "Bearer syt_secret"
    assert request.url == (
        "https://matrix.example.org/_matrix/client/v3/rooms/%21room%3Aexample.org/send/m.room.message/dlv_1%2Fx"
    )
    assert shown == "https://matrix.example.org/!room:example.org"


def test_of_a_webhooks_url_only_the_host_and_the_end_are_shown() -> None:
    url = "https://hooks.slack.com/services/T000/B000/XXXXXXXXXXXXabcd"
    assert chat_address("slack", url, "") == (ChatAddress(url), "https://hooks.slack.com/…abcd")


@pytest.mark.parametrize(
    ("format", "url", "token"),
    [
        ("slack", "https://hooks.slack.com/", ""),
        ("slack", "https://hooks.slack.com/services/T/B/x", "a token"),
        ("matrix", "https://matrix.example.org/", "token"),
        ("matrix", "https://matrix.example.org/!room:example.org/x", "token"),
        ("matrix", "https://matrix.example.org/!room:example.org?a=b", "token"),
        ("matrix", "https://matrix.example.org/!room:example.org", ""),
        ("matrix", "https://matrix.example.org/!room:example.org", "two words"),
        ("matrix", "https://matrix.example.org/!room:example.org", "line\nbreak"),
    ],
)
def test_addresses_that_cannot_work_are_refused(format: str, url: str, token: str) -> None:
    with pytest.raises(Refused):
        chat_address(format, url, token)
