"""What happens when a comment's count reaches the threshold: the answer, no answer, and none in time."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from scripted_servers import Scripted, raw_server, scripted
from up import Up
from wordpress.people import report
from wordpress.site import Site

__all__ = ["raw_server", "scripted"]
RECEIPT = {"accepted": 1, "rejected": [], "rejected_count": 0, "position": 41}


def assessment(recommendation: str, complaints: int, independent: float) -> dict[str, object]:
    return {
        "target_id": "t",
        "complaints": complaints,
        "independent_complaints": independent,
        "recommendation": recommendation,
        "clusters": [],
    }


def crowd(site: Site, comment: int, count: int, start: int = 1) -> list[float]:
    """So many readers report it one after another; the seconds that each waited."""
    seconds = []
    for k in range(start, start + count):
        began = time.monotonic()
        assert report(site, comment, address=f"198.51.{k}.1").status_code == 200
        seconds.append(time.monotonic() - began)
    return seconds


def state(site: Site, comment: int) -> str:
    return str(next(row["state"] for row in site.table("comments") if int(row["comment_id"]) == comment))


def test_an_honest_crowd_hides_a_comment_with_the_report_that_reaches_the_threshold(
    any_site: Site, up: Up, key: str
) -> None:
    site = any_site
    site.settings(url=up.api, key=key, when_unreachable="closed", threshold=4, timeout=5.0)
    (comment,) = site.comments(site.post())
    crowd(site, comment, 3)
    assert site.status(comment) == "1"
    crowd(site, comment, 1, start=4)
    assert (site.status(comment), state(site, comment)) == ("0", "held")


def test_only_the_report_that_reaches_the_threshold_waits_and_a_comment_is_asked_about_once_at_a_time(
    site: Site, raw_server: Callable[..., str]
) -> None:
    lock, open_now, most, asked = threading.Lock(), [0], [0], [0]

    def slow(sock: socket.socket, over: threading.Event) -> None:
        sock.settimeout(10)
        question = b"assess=true" in (head := sock.recv(65_536)) or head.startswith(b"GET /v1/targets/")
        if not question:  # a queue that is sent once the page is finished
            taken = json.dumps(RECEIPT).encode()
            sock.sendall(
                b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(taken) + taken
            )
            return
        with lock:
            open_now[0] += 1
            asked[0] += 1
            most[0] = max(most[0], open_now[0])
        while sock.recv(65_536):  # until it is given up
            pass
        with lock:
            open_now[0] -= 1

    url = raw_server(slow)
    site.settings(url=url, key="k", when_unreachable="closed", threshold=3, timeout=1.5)
    (comment,) = site.comments(site.post())
    crowd(site, comment, 2)
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda k: report(site, comment, address=f"203.0.{k}.1").status_code, range(6)))
    assert done == [200] * 6
    assert most[0] == 1 and asked[0] <= 2, (most, asked)
    assert (site.status(comment), state(site, comment)) == ("1", "waiting")


def test_many_comments_at_once_leave_processes_for_readers(site: Site, raw_server: Callable[..., str]) -> None:
    def silent(sock: socket.socket, over: threading.Event) -> None:
        over.wait(3.0)

    site.settings(url=raw_server(silent), key="k", when_unreachable="closed", threshold=1, timeout=2.0)
    post = site.post()
    comments = site.comments(post, 12)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda k: report(site, comments[k], address=f"203.0.{k}.1"), range(12)))
    assert {site.status(one) for one in comments} == {"1"}
    assert {row["state"] for row in site.table("comments")} == {"waiting"}
    # an outage costs a few readers a timeout, then nobody is asked for a while
    assert max(crowd(site, site.comments(post)[0], 1, start=99)) < 1.0


@pytest.mark.parametrize(("mode", "status"), [("open", "0"), ("closed", "1")])
def test_without_an_answer_the_comment_stays_up_until_the_bound(site: Site, mode: str, status: str) -> None:
    site.settings(url="http://127.0.0.1:9", key="k", when_unreachable=mode, threshold=2, timeout=0.3, patience=300)
    (comment,) = site.comments(site.post())
    crowd(site, comment, 2)
    site.cron()
    assert (site.status(comment), state(site, comment)) == ("1", "waiting")
    site.set_all("comments", "waiting_since", 1)
    site.cron()
    assert site.status(comment) == status
    letters = site.letters("Reported comment")
    words = {"open": "gave no answer in time. It is hidden", "closed": "It stays up until there is one or you decide"}
    assert len(letters) == 1 and words[mode] in letters[0]
    site.cron()
    assert len(site.letters("Reported comment")) == 1
    assert state(site, comment) == {"open": "held", "closed": "waiting"}[mode]


def test_while_the_answer_is_to_wait_it_stays_up_and_the_next_page_asks_again(site: Site, up: Up, key: str) -> None:
    site.settings(url=up.api, key=key, when_unreachable="open", threshold=3, timeout=2.0)
    post = site.post()
    (comment,) = site.comments(post)
    crowd(site, comment, 2)
    worker = up.child("detect")
    worker.suspend()
    try:
        crowd(site, comment, 1, start=3)
        assert (site.status(comment), state(site, comment)) == ("1", "waiting")
    finally:
        worker.resume()
    site.set_all("comments", "asked_at", 1)
    up.wait(lambda: site.browser().get(f"/?p={post}").status_code == 200 and site.status(comment) == "0")


def test_a_comment_that_was_to_stay_up_stays_up_in_an_outage(site: Site, scripted: Scripted) -> None:
    site.settings(url=scripted.url, key="k", when_unreachable="open", threshold=2, timeout=1.0, patience=0)
    held = assessment("hold", 2, 1.0)
    scripted.says((202, {}, RECEIPT | {"assessments": [held]}))
    (comment,) = site.comments(site.post())
    crowd(site, comment, 2)
    assert (site.status(comment), state(site, comment)) == ("1", "kept")
    scripted.says((503, {}, {}))
    crowd(site, comment, 2, start=7)
    site.cron()
    assert (site.status(comment), state(site, comment)) == ("1", "waiting")
    scripted.says((202, {}, RECEIPT), (200, {}, assessment("wait", 2, 1.0)))
    site.set_all("comments", "waiting_since", 1)
    site.php("delete_transient( 'brigadewatch_pause' );")
    site.cron()
    assert site.status(comment) == "1"  # a delay is no reason either, however long
    scripted.says((200, {}, assessment("none", 9, 8.0)))  # many others have reported it since
    site.cron()
    assert (site.status(comment), state(site, comment)) == ("0", "held")


def test_a_verdict_given_while_it_is_asked_about_stands(site: Site, raw_server: Callable[..., str]) -> None:
    (comment,) = site.comments(site.post())

    def judged_meanwhile(sock: socket.socket, over: threading.Event) -> None:
        sock.settimeout(10)
        question = b"assess=true" in sock.recv(65_536)
        if question:
            site.php("Brigadewatch\\judge( $id, 'rejected', 'kept' );", id=comment)
        answer = RECEIPT | ({"assessments": [assessment("none", 2, 2.0)]} if question else {})
        taken = json.dumps(answer).encode()
        sock.sendall(b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(taken) + taken)

    site.settings(url=raw_server(judged_meanwhile), key="k", when_unreachable="open", threshold=2, timeout=5.0)
    crowd(site, comment, 2)
    assert (site.status(comment), state(site, comment)) == ("1", "judged")


def test_what_another_plugin_shows_again_is_asked_about_when_it_is_reported_again(
    site: Site, scripted: Scripted
) -> None:
    site.settings(url=scripted.url, key="k", when_unreachable="open", threshold=2, timeout=1.0)
    scripted.says((202, {}, RECEIPT | {"assessments": [assessment("none", 2, 2.0)]}))
    (comment,) = site.comments(site.post())
    crowd(site, comment, 2)
    assert site.status(comment) == "0"
    site.php("wp_set_comment_status( $id, 'approve' );", id=comment)
    scripted.says((202, {}, RECEIPT | {"assessments": [assessment("none", 3, 3.0)]}))
    crowd(site, comment, 1, start=3)
    assert (site.status(comment), state(site, comment)) == ("0", "held")


def test_a_proxy_that_refuses_a_large_body_costs_no_report(site: Site, scripted: Scripted) -> None:
    comments = site.comments(site.post(), 4)
    for comment in comments:
        report(site, comment)
    too_large = (413, {}, {"detail": ["too large"]})
    scripted.says(too_large, (202, {}, RECEIPT), too_large, (202, {}, RECEIPT), (202, {}, RECEIPT))
    site.settings(url=scripted.url, key="k", when_unreachable="open")
    scripted.seen.clear()
    site.cron()
    assert site.table("queue") == []
    assert [len(seen.body.splitlines()) for seen in scripted.seen if seen.method == "POST"] == [4, 2, 2, 1, 1]


def test_a_key_that_may_not_forget_holds_nothing_else_up(site: Site, scripted: Scripted) -> None:
    (comment,) = site.comments(site.post())
    site.php("Brigadewatch\\enqueue( 'forget', 0, '7' ); Brigadewatch\\enqueue( 'forget', 0, '8' );")
    scripted.says((403, {}, {}), (202, {}, RECEIPT))
    site.settings(url=scripted.url, key="k", when_unreachable="open")
    site.cron()
    report(site, comment)
    site.cron()
    assert [row["kind"] for row in site.table("queue")] == ["forget", "forget"]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        None,
        {"recommendation": "remove", "complaints": 9, "independent_complaints": 9},
        {"recommendation": "none", "complaints": "9", "independent_complaints": 9},
        {"recommendation": "none", "complaints": 1, "independent_complaints": 1},
        "x" * 2_000_000,
    ],
)
def test_an_answer_that_is_none_hides_nothing(site: Site, scripted: Scripted, answer: object) -> None:
    site.settings(url=scripted.url, key="k", when_unreachable="open", threshold=2, timeout=1.0)
    scripted.says((202, {}, RECEIPT | {"assessments": [answer]}), (200, {}, answer))
    (comment,) = site.comments(site.post())
    crowd(site, comment, 2)
    assert (site.status(comment), state(site, comment)) == ("1", "waiting")


def test_its_reports_are_sent_before_it_is_asked_about(site: Site, scripted: Scripted) -> None:
    site.settings(url=scripted.url, key="k", when_unreachable="open", threshold=3, timeout=1.0)
    first, second = site.comments(site.post(), 2)
    site.php(
        "Brigadewatch\\pause_after( array( 'status' => 0, 'retry_after' => 60 ) );"
    )  # nothing is sent after a page
    crowd(site, first, 2)
    crowd(site, second, 2, start=20)
    site.php("delete_transient( 'brigadewatch_pause' );")
    scripted.says((202, {}, RECEIPT | {"assessments": [assessment("none", 3, 3.0)]}))
    scripted.seen.clear()
    crowd(site, first, 1, start=3)
    asked = scripted.seen[0]
    assert asked.path.startswith("/v1/complaints?assess=true&threshold=3&wait=")
    assert [json.loads(line)["target"]["id"] for line in asked.body.splitlines()] == [site.target(first)] * 3
    assert site.status(first) == "0"


def test_more_reports_than_one_question_takes_are_sent_first(site: Site, up: Up, key: str) -> None:
    site.settings(url=up.api, key=key, when_unreachable="closed", threshold=30, timeout=8.0)
    (comment,) = site.comments(site.post())
    site.php("Brigadewatch\\pause_after( array( 'status' => 0, 'retry_after' => 60 ) );")
    crowd(site, comment, 29)
    site.php("delete_transient( 'brigadewatch_pause' );")
    crowd(site, comment, 1, start=30)
    assert (site.status(comment), state(site, comment)) == ("0", "held")


def test_a_key_that_is_refused_is_said_to_administrators_alone(site: Site, up: Up) -> None:
    site.settings(url=up.api, key="bw_not_a_key", when_unreachable="closed", threshold=2, timeout=5.0)
    (comment,) = site.comments(site.post())
    crowd(site, comment, 2)
    assert site.status(comment) == "1"
    assert "refuses what this site sends (HTTP 401)" in site.signed_in().get("/wp-admin/").text
    name = f"reader{comment}"
    site.user(name, "editor")
    assert "refuses what this site sends" not in site.signed_in(name).get("/wp-admin/").text


@pytest.fixture(autouse=True)
def _no_worker_left_suspended(up: Up) -> Iterator[None]:
    yield
    for child in up.children():
        if child.status() == psutil.STATUS_STOPPED:
            child.resume()
