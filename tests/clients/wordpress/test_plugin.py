"""The WordPress plugin's hooks, run by php-cli on a small WordPress, against the service and against servers in
trouble.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from scripted_servers import ASSESSMENT, Scripted, nobody, raw_server, scripted
from up import Up, make_key
from wordpress_site import Site
from worlds import Row, draw_town

from brigadewatch_client import Client
from service.intake.items import COMPLAINT, OUTCOME, read_value
from service.model import RejectedItem

__all__ = ["nobody", "raw_server", "scripted"]
MODULES = {"curl", "pdo_sqlite", "json"}


def lacking() -> str:
    if shutil.which("php") is None:
        return "php is missing"
    have = set(subprocess.run(["php", "-m"], capture_output=True, text=True).stdout.lower().split())
    return f"php lacks {', '.join(sorted(MODULES - have))}" if MODULES - have else ""


pytestmark = pytest.mark.skipif(bool(lacking()), reason=f"{lacking()}: apt-get install php-cli php-curl php-sqlite3")
MODERATOR = 1
Made = Callable[..., Site]


@pytest.fixture
def site(tmp_path: Path) -> Made:
    """Makes a site at which ten reports hold a comment back."""

    def make(url: str, key: str = "key", when_unreachable: str = "open", **constants: Any) -> Site:
        given = {"URL": url, "KEY": key, "WHEN_UNREACHABLE": when_unreachable, "THRESHOLD": 10, **constants}
        made = Site(tmp_path, {f"BRIGADEWATCH_{name}": value for name, value in given.items() if value is not None})
        made.join(MODERATOR, moderates=True)
        made.write(5)
        return made

    return make


def readers(count: int, start: int = 1) -> list[dict[str, Any]]:
    """So many guests, each at an address of its own."""
    return [{"address": f"198.51.100.{k}", "agent": f"Browser/{k}"} for k in range(start, start + count)]


# -- With the service


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    started = Up(str(folder / "data"), folder / "up.log")
    yield started
    if started.process.poll() is None:
        started.process.terminate()
        started.process.wait(30)


def history(rows: list[Row], ends: datetime) -> Iterator[dict[str, Any]]:
    """A town's complaints as this plugin would have sent them, the last one at `ends`."""
    last = rows[-1].at
    for row in rows:
        at = ends - timedelta(seconds=last - row.at)
        yield {
            "id": f"report-{row.target}-{row.reporter}",
            "occurred_at": at,
            "reporter": {"id": str(row.reporter), "account_created_at": ends - timedelta(days=400)},
            "target": {"id": str(row.target), "author_id": str(row.author), "context_id": str(row.context)},
        }


def test_ten_readers_hold_a_comment_back_and_a_brigade_that_is_known_does_not(up: Up, site: Made) -> None:
    key = make_key(up.data)
    town = draw_town(7, members=14)
    brigade = sorted(town.brigades[0])
    blog = site(up.api, key, TIMEOUT=2.0)  # the machine of the tests is busy: 300 ms are tested below
    blog.join(*brigade)
    for comment in (77, 78):
        blog.write(comment, post=9_999, email="bea@example.org")
    for reader in readers(9):
        assert blog.report(5, **reader)["status"] == 200
    for member in brigade[:9]:
        blog.report(77, user=member, address=f"203.0.113.{member - 4_990}")
    assert blog.status(5) == blog.status(77) == "1"
    with Client(up.api, key, when_unreachable="closed", timeout=5, retry_for=60) as client:
        up.wait(lambda: client.may_remove("5", 10).reached)
        assert client.complain_many(history(town.rows, datetime.now(UTC) - timedelta(minutes=5))).rejected_count == 0
        blog.until_sent(up.wait)
        up.wait(
            lambda: (
                client.assess("5").complaints == 9
                and (a := client.assess("77")).complaints == 9
                and a.independent_complaints < 5
            ),
            seconds=60,
        )

        blog.report(5, **readers(1, start=50)[0])
        up.wait(lambda: blog.run("cron") and blog.status(5) == "0")
        assert [(o["action"], o["decided_by"], "verdict" in o) for o in blog.queued("outcomes")] == [
            ("removed", "automatic", False)
        ]
        for member in brigade[9:12]:
            blog.report(77, user=member, address=f"203.0.113.{member - 4_990}")
            assert blog.status(77) == "1", blog.sql(
                "SELECT * FROM wp_commentmeta WHERE meta_key = '_brigadewatch_advice'"
            )
        listed = blog.run("admin", get={"comment": 77}, user=MODERATOR)["body"]
        assert "reports: 12<br>left up: 9 complaints, of " in listed
        blog.keep(77, MODERATOR)
        blog.until_sent(up.wait)
        up.wait(lambda: (client.assess("5").complaints, client.assess("77").complaints) == (10, 12))

        for member in brigade:  # faster than anything is sent
            blog.report(78, user=member, address=f"203.0.113.{member - 4_990}")
            assert blog.status(78) == "1"
        still = "SELECT * FROM wp_commentmeta WHERE comment_id = 78 AND meta_key = '_brigadewatch_waiting'"
        assert blog.sql(still)
        up.wait(lambda: blog.run("cron") and not blog.sql(still))
        assert blog.status(78) == "1" and client.assess("78").complaints >= 10
    assert blog.log == []


def test_what_the_plugin_sends_is_valid_to_the_last_field(site: Made, nobody: str) -> None:
    blog = site(nobody, THRESHOLD=2)
    blog.join(17)
    blog.write(6, post=4, parent=5, user=17)
    blog.report(
        5,
        user=17,
        reason="spam",
        text='It\'s "spam" <script>alert(1)</script> \\ 😀' + "x" * 2_000,
        address="2001:db8::1",
    )
    blog.report(5, **readers(1)[0])
    blog.report(6, **readers(1)[0])
    now = datetime.now(UTC) + timedelta(minutes=1)
    complaints = blog.queued("complaints")
    for document, noun in [*((c, COMPLAINT) for c in complaints), *((o, OUTCOME) for o in blog.queued("outcomes"))]:
        assert not isinstance(read_value(document, noun, now), RejectedItem), document
    assert len(complaints) == 3 and len(blog.queued("outcomes")) == 1
    first, second, third = complaints
    assert (first["reporter"]["id"], first["reporter"]["account_created_at"], first["reason"]) == (
        "17",
        "2025-01-01T10:00:00Z",
        "spam",
    )
    assert first["text"].startswith('It\'s "spam" alert(1) \\ 😀') and len(first["text"]) == 1_000
    assert first["target"] == {
        "id": "5",
        "kind": "comment",
        "author_id": first["target"]["author_id"],
        "context_id": "3",
        "url": "https://news.example/?p=3#comment-5",
        "attributes": {"is_reply": False},
    }
    assert (third["target"]["author_id"], third["target"]["attributes"]) == ("17", {"is_reply": True})
    assert second["reporter"]["id"] == third["reporter"]["id"] != first["reporter"]["id"]
    assert len({c["id"] for c in complaints}) == 3


def test_no_address_agent_or_mail_leaves_the_site(site: Made, nobody: str) -> None:
    blog = site(nobody)
    blog.report(5, address="198.51.100.7", agent="Sleuth/1.0")
    blog.report(5, address="2001:db8:1:2:3:4:5:6", agent="Sleuth/1.0")
    raw = repr(blog.sql("SELECT option_value FROM wp_options")) + repr(
        blog.sql("SELECT meta_value FROM wp_commentmeta")
    )
    for secret in ("198.51.100", "2001:db8", "20010db8", "Sleuth", "anna@"):
        assert secret not in raw


# -- When it does not answer


@pytest.mark.parametrize(("when_unreachable", "status"), [("open", "0"), ("closed", "1")])
def test_without_an_answer_it_fails_as_configured(site: Made, nobody: str, when_unreachable: str, status: str) -> None:
    blog = site(nobody, when_unreachable=when_unreachable, THRESHOLD=3)
    for reader in readers(3):
        blog.report(5, **reader)
    assert blog.status(5) == status
    assert [o["decided_by"] for o in blog.queued("outcomes")] == (["automatic"] if status == "0" else [])
    assert "brigadewatch did not answer" in blog.run("admin", get={"comment": 5}, user=MODERATOR)["body"]


def test_failing_closed_it_asks_again_by_cron_until_there_is_an_answer(
    site: Made, nobody: str, scripted: Scripted
) -> None:
    blog = site(nobody, when_unreachable="closed", THRESHOLD=2)
    for reader in readers(2):
        blog.report(5, **reader)
    blog.run("cron")
    assert blog.status(5) == "1"
    blog.constants["BRIGADEWATCH_URL"] = scripted.url
    scripted.says(
        (
            200,
            {},
            {**ASSESSMENT, "target_id": "5", "complaints": 2, "independent_complaints": 2.0, "recommendation": "none"},
        )
    )
    blog.run("cron")
    assert blog.status(5) == "0"


@pytest.mark.parametrize("trickle", [False, True])
def test_a_page_is_delivered_and_the_comment_held_while_the_service_hangs(
    site: Made, raw_server: Any, trickle: bool
) -> None:
    def hang(sock: socket.socket, over: threading.Event) -> None:
        if trickle:
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not over.wait(0.05):
            if trickle:
                sock.sendall(b" ")

    url = raw_server(hang)
    blog = site(url, when_unreachable="closed", THRESHOLD=1)
    blog.report(5, **readers(1)[0])  # returns, although the service hangs until the end of the test
    assert blog.status(5) == "1"


def test_a_page_is_delivered_before_complaints_are_sent(site: Made, raw_server: Any) -> None:
    asked = threading.Event()

    def hang(sock: socket.socket, over: threading.Event) -> None:
        sock.recv(65_536)
        asked.set()
        over.wait(60)

    blog = site(raw_server(hang))
    blog.report(5, **readers(1)[0])
    assert not asked.is_set()  # without FPM, cron sends it
    taken = blog.report(5, fpm=True, **readers(1, start=9)[0])
    # the reader has the page before the process has ended, which sends in the meantime
    assert asked.is_set() and taken["page_seconds"] < taken["seconds"]
    assert len(blog.queued()) == 2


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, {}),
        (200, {}, b"<html>wifi</html>"),
        (200, {}, {"complaints": "many"}),
        (401, {}, {"detail": "no"}),
        (302, {"Location": "http://127.0.0.1:1/"}, {}),
    ],
)
def test_an_answer_that_is_none_is_an_outage(site: Made, scripted: Scripted, answer: Any) -> None:
    scripted.says(answer)
    blog = site(scripted.url, when_unreachable="closed", THRESHOLD=1)
    blog.report(5, **readers(1)[0])
    assert blog.status(5) == "1"


# -- The question


@pytest.mark.parametrize(
    ("complaints", "independent", "recommendation", "status"),
    [
        (3, 3.0, "none", "0"),
        (3, 1.0, "hold", "1"),
        (3, 3.0, "review", "0"),
        (9, 1.5, "hold", "1"),
        (0, 0.0, "wait", "1"),
        (2, 2.0, "none", "1"),  # version 0.2 says so where it has not seen the third report
        (0, 0.0, "none", "1"),
    ],
)
def test_the_advice_is_followed_and_reports_not_seen_yet_remove_nothing(
    site: Made, scripted: Scripted, complaints: int, independent: float, recommendation: str, status: str
) -> None:
    scripted.says(
        (
            200,
            {},
            {
                **ASSESSMENT,
                "target_id": "5",
                "complaints": complaints,
                "independent_complaints": independent,
                "recommendation": recommendation,
            },
        )
    )
    blog = site(scripted.url, THRESHOLD=3)
    for reader in readers(3):
        blog.report(5, **reader)
    assert blog.status(5) == status
    (asked,) = [seen for seen in scripted.seen if seen.method == "GET"]  # the third report alone asks
    assert (asked.path, asked.headers["authorization"]) == ("/v1/targets/5?threshold=3&counted=3", "Bearer key")


def assessed(complaints: int, recommendation: str) -> tuple[int, dict[str, str], Any]:
    counts = {"complaints": complaints, "independent_complaints": float(complaints)}
    return 200, {}, {**ASSESSMENT, "target_id": "5", "recommendation": recommendation, **counts}


def test_while_reports_are_not_analysed_cron_asks_again(site: Made, scripted: Scripted) -> None:
    blog = site(scripted.url, THRESHOLD=2)
    scripted.says(assessed(0, "wait"))
    for reader in readers(2):
        blog.report(5, **reader)
    assert "left up while reports are analysed" in blog.run("admin", get={"comment": 5}, user=MODERATOR)["body"]
    blog.run("cron")
    assert blog.status(5) == "1"
    scripted.says(assessed(2, "none"))
    blog.run("cron")
    assert blog.status(5) == "0"
    waiting = "SELECT * FROM wp_commentmeta WHERE meta_key IN ('_brigadewatch_waiting', '_brigadewatch_since')"
    assert blog.sql(waiting) == []


@pytest.mark.parametrize(("when_unreachable", "status"), [("open", "0"), ("closed", "1")])
def test_after_the_sites_patience_it_decides_as_without_an_answer(
    site: Made, scripted: Scripted, when_unreachable: str, status: str
) -> None:
    blog = site(scripted.url, when_unreachable=when_unreachable, THRESHOLD=1)
    scripted.says(assessed(0, "wait"))
    blog.report(5, **readers(1)[0])
    assert blog.status(5) == "1"
    blog.sql("UPDATE wp_commentmeta SET meta_value = meta_value - 200 WHERE meta_key = '_brigadewatch_since'")
    blog.run("cron")
    assert blog.status(5) == "1"
    blog.sql("UPDATE wp_commentmeta SET meta_value = meta_value - 100 WHERE meta_key = '_brigadewatch_since'")
    blog.run("cron")
    assert blog.status(5) == status


# -- The form


def test_the_link_is_under_comments_that_are_up_and_needs_no_script(site: Made, nobody: str) -> None:
    blog = site(nobody)
    shown = blog.run("front", get={"comment": 5})["body"]
    assert 'href="https://news.example/wp-admin/admin-post.php?action=brigadewatch_report&#038;comment=5"' in shown
    form = blog.run("admin-post", get={"action": "brigadewatch_report", "comment": "5"})["body"]
    assert '<form method="post"' in form and "<script" not in form
    blog.write(6, status="0")
    assert "report" not in blog.run("front", get={"comment": 6})["body"].lower()


@pytest.mark.parametrize("comment", ["6", "7", "99", "", "x", "5 OR 1=1", "99999999999999999999999", ["5"], {"a": "b"}])
def test_only_comments_that_everybody_sees_can_be_reported(site: Made, nobody: str, comment: Any) -> None:
    blog = site(nobody)
    blog.write(6, status="0")
    blog.write(7, post=950)
    for asked in (
        {"get": {"action": "brigadewatch_report", "comment": comment}},
        {"post": {"action": "brigadewatch_report", "comment": comment}},
    ):
        assert blog.run("admin-post", **asked)["status"] == 404
    assert blog.queued() == []


@pytest.mark.parametrize("nonce", [None, "", "0000000000", ["x"]])
def test_a_form_without_its_nonce_is_shown_again_and_counts_nothing(site: Made, nobody: str, nonce: Any) -> None:
    blog = site(nobody)
    answer = blog.run(
        "admin-post",
        post={"action": "brigadewatch_report", "comment": "5"} | ({} if nonce is None else {"_wpnonce": nonce}),
    )
    assert answer["status"] == 403
    assert '<form method="post"' in answer["body"]
    assert blog.queued() == []


def test_a_reader_counts_once(site: Made, nobody: str) -> None:
    blog = site(nobody, THRESHOLD=2)
    for _ in range(3):
        assert blog.report(5, address="198.51.100.7")["status"] == 200
    assert blog.status(5) == "1"
    assert len(blog.queued()) == 1


def test_an_address_that_reports_without_end_is_slowed_down(site: Made, nobody: str) -> None:
    blog = site(nobody, REPORTS_PER_HOUR=2)
    for k, status in ((11, 200), (12, 200), (13, 429)):
        blog.write(k)
        assert blog.report(k, address="198.51.100.7", agent=f"Changing/{k}")["status"] == status
    assert len(blog.queued()) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"reason": ["x"]},
        {"reason": "<b>"},
        {"text": ["x"]},
        {"text": "\x00\x01 \u202e" * 400},
        {"reason": "other", "text": "a\nb"},
    ],
)
def test_strange_fields_are_taken_for_what_they_are(site: Made, nobody: str, fields: Any) -> None:
    blog = site(nobody)
    assert blog.report(5, **fields)["status"] == 200
    (complaint,) = blog.queued()
    assert complaint["reason"] == "other" if "reason" in fields else complaint["reason"] == "abuse"
    assert not isinstance(read_value(complaint, COMPLAINT, datetime.now(UTC) + timedelta(hours=1)), RejectedItem)


# -- What moderators decide


def told(blog: Site) -> list[tuple[Any, ...]]:
    return [(o.get("verdict"), o["action"], o["decided_by"]) for o in blog.queued("outcomes")]


@pytest.mark.parametrize(
    ("before", "after", "outcomes"),
    [
        ("1", "spam", [("upheld", "removed", "person")]),
        ("1", "trash", [("upheld", "removed", "person")]),
        ("1", "hold", [(None, "removed", "person")]),
        ("0", "approve", [("rejected", "restored", "person")]),
        ("spam", "approve", [("rejected", "restored", "person")]),
        ("0", "spam", [("upheld", "removed", "person")]),
        ("spam", "hold", []),
        ("trash", "hold", []),
        ("1", "approve", []),
    ],
)
def test_what_a_moderator_does_is_told_as_a_persons_decision(
    site: Made, nobody: str, before: str, after: str, outcomes: Any
) -> None:
    blog = site(nobody)
    blog.report(5, **readers(1)[0])
    blog.sql("UPDATE wp_comments SET comment_approved = ?", before)
    blog.call("wp_set_comment_status", 5, after, user=MODERATOR)
    assert told(blog) == outcomes


def test_what_no_person_did_is_told_as_automatic(site: Made, nobody: str) -> None:
    blog = site(nobody)
    blog.report(5, **readers(1)[0])
    blog.call("wp_set_comment_status", 5, "spam")  # a filter such as Akismet, in a visitor's request
    blog.call("wp_set_comment_status", 5, "approve")
    assert told(blog) == [(None, "removed", "automatic"), (None, "restored", "automatic")]


def test_decisions_about_comments_that_nobody_reported_are_not_told(site: Made, nobody: str) -> None:
    blog = site(nobody)
    blog.call("wp_set_comment_status", 5, "spam", user=MODERATOR)
    blog.call("wp_delete_comment", 5, True, user=MODERATOR)
    assert blog.queued() == []


@pytest.mark.parametrize(
    ("function", "arguments", "user", "outcomes"),
    [
        ("wp_delete_comment", [5, True], MODERATOR, [("upheld", "removed", "person")]),
        ("wp_delete_comment", [5, True], 0, [(None, "removed", "automatic")]),
        ("wp_delete_comment", [5, False], MODERATOR, [("upheld", "removed", "person")]),
        ("wp_delete_post", [3], MODERATOR, [(None, "removed", "automatic")]),
    ],
)
def test_a_deletion_is_told_once_and_one_with_its_post_judges_nothing(
    site: Made, nobody: str, function: str, arguments: list[Any], user: int, outcomes: Any
) -> None:
    blog = site(nobody)
    blog.report(5, **readers(1)[0])
    blog.call(function, *arguments, user=user)
    if blog.sql("SELECT 1 FROM wp_comments"):
        blog.call("wp_delete_comment", 5, True)  # the bin is emptied
    assert told(blog) == outcomes


def test_what_a_person_has_kept_is_not_held_back_by_count_again(site: Made, nobody: str) -> None:
    blog = site(nobody, THRESHOLD=2)
    blog.report(5, **readers(1)[0])
    assert blog.keep(5, MODERATOR)["status"] == 302
    for reader in readers(3, start=20):
        blog.report(5, **reader)
    assert blog.status(5) == "1"
    assert told(blog)[0] == ("rejected", "kept", "person")


def test_only_moderators_with_the_links_nonce_can_say_unfounded(site: Made, nobody: str) -> None:
    blog = site(nobody)
    blog.join(17)
    blog.report(5, **readers(1)[0])
    assert blog.run("admin-post", get={"action": "brigadewatch_keep", "comment": "5"}, user=MODERATOR)["status"] == 403
    assert blog.run("admin-post", get={"action": "brigadewatch_keep", "comment": "5"}, user=17)["status"] == 404
    assert "brigadewatch_keep" not in blog.run("admin", get={"comment": 5}, user=17)["body"]
    assert told(blog) == []


# -- The queue


def test_what_was_not_taken_for_sure_is_sent_again(site: Made, scripted: Scripted) -> None:
    blog = site(scripted.url)
    for reader in readers(3):
        blog.report(5, **reader)
    blog.call("wp_set_comment_status", 5, "spam", user=MODERATOR)
    scripted.says((503, {"Retry-After": "120"}, {"detail": "rebuilt"}))
    blog.run("cron")
    blog.run("cron")
    assert len(scripted.seen) == 1  # a pause was asked for
    assert len(blog.queued()) == 4
    blog.sql("DELETE FROM wp_options WHERE option_name = '_transient_brigadewatch_pause'")
    scripted.says((202, {}, {"accepted": 3, "rejected": [], "rejected_count": 0, "position": 3}))
    blog.run("cron")
    assert blog.queued() == [] and blog.log == []
    assert [s.path for s in scripted.seen] == ["/v1/complaints", "/v1/complaints", "/v1/outcomes"]
    assert scripted.seen[0].body == scripted.seen[1].body
    assert scripted.seen[1].body.count(b"\n") == 2


def test_a_refused_key_keeps_everything_and_is_shown_to_the_administrator(site: Made, scripted: Scripted) -> None:
    blog = site(scripted.url)
    blog.report(5, **readers(1)[0])
    scripted.says((401, {}, {"detail": "invalid key"}))
    blog.run("cron")
    assert len(blog.queued()) == 1
    assert "look at BRIGADEWATCH_URL and BRIGADEWATCH_KEY" in blog.run("admin", user=MODERATOR)["body"]


def test_a_refused_batch_is_logged_and_does_not_block_the_others(site: Made, scripted: Scripted) -> None:
    blog = site(scripted.url)
    blog.report(5, **readers(1)[0])
    scripted.says((422, {}, {"detail": "no valid complaints (1 refused)"}))
    blog.run("cron")
    assert blog.queued() == []
    assert "no valid complaints (1 refused)" in blog.log[0]


# -- The constants


@pytest.mark.parametrize(
    ("constants", "words"),
    [
        ({"WHEN_UNREACHABLE": None}, "BRIGADEWATCH_WHEN_UNREACHABLE has to be"),
        ({"WHEN_UNREACHABLE": "maybe"}, "BRIGADEWATCH_WHEN_UNREACHABLE"),
        ({"URL": None}, "BRIGADEWATCH_URL"),
        ({"URL": "watch.example"}, "BRIGADEWATCH_URL"),
        ({"URL": "https://u:p@x"}, "BRIGADEWATCH_URL"),
        ({"KEY": ""}, "BRIGADEWATCH_KEY"),
        ({"THRESHOLD": 0}, "BRIGADEWATCH_THRESHOLD"),
        ({"THRESHOLD": "8"}, "BRIGADEWATCH_THRESHOLD"),
        ({"TIMEOUT": 0}, "BRIGADEWATCH_TIMEOUT"),
        ({"TIMEOUT": "fast"}, "BRIGADEWATCH_TIMEOUT"),
        ({"PATIENCE": -1}, "BRIGADEWATCH_PATIENCE"),
        ({"PATIENCE": "long"}, "BRIGADEWATCH_PATIENCE"),
        ({"REPORTS_PER_HOUR": -1}, "BRIGADEWATCH_REPORTS_PER_HOUR"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_said_and_nothing_else_happens(
    tmp_path: Path, constants: dict[str, Any], words: str
) -> None:
    given = {"URL": "http://127.0.0.1:9", "KEY": "k", "WHEN_UNREACHABLE": "open", **constants}
    blog = Site(tmp_path, {f"BRIGADEWATCH_{name}": value for name, value in given.items() if value is not None})
    blog.write(5)
    assert words in blog.run("admin", get={"comment": 5})["body"]
    assert blog.run("front", get={"comment": 5})["body"] == "I disagree."
    assert blog.run("admin-post", get={"action": "brigadewatch_report", "comment": "5"})["body"] == ""
