"""Reports as readers send them: who counts, who is refused, and what is stored and sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from wordpress.people import report, send
from wordpress.site import Site

from service.intake.items import COMPLAINT, read_value
from service.model import RejectedItem


def test_each_comment_has_a_button_in_pages_rest_and_ajax(any_site: Site) -> None:
    site = any_site
    post = site.post()
    first, second = site.comments(post, 2)
    reader = site.browser()
    answer = reader.get(f"/?p={post}")
    page = answer.text
    assert page.count('class="brigadewatch-report"') == 2, (answer.url, answer.history, page)
    assert f"brigadewatch-report={first}" in page and "brigadewatch/assets/report.js" in page
    rendered = reader.get("/", params={"rest_route": f"/wp/v2/comments/{second}"}).json()["content"]["rendered"]
    assert f"brigadewatch-report={second}" in rendered
    loaded = site.php(
        "define( 'DOING_AJAX', true ); define( 'WP_ADMIN', true ); $_REQUEST['action'] = 'theme_more_comments';"
        " return apply_filters( 'comment_text', 'text', get_comment( $id ), array() );",
        id=first,
    )
    assert f"brigadewatch-report={first}" in loaded
    listed = site.signed_in().get("/wp-admin/edit-comments.php").text
    assert "I disagree, number 0." in listed and "brigadewatch-report=" not in listed
    assert "brigadewatch-report=" not in reader.get("/", params={"feed": "comments-rss2"}).text


def test_the_form_shows_the_comment_and_a_report_is_stored_and_queued(site: Site) -> None:
    article = site.post("Tea & <em>coffee</em>, it's < 3 €")
    (comment,) = site.comments(article, comment_content="You <em>all</em> are wrong.")
    reader = site.browser(address="2001:db8:1:2:3:4:5:6", agent="Sleuth/1.0")
    shown = reader.get("/", params={"brigadewatch-report": str(comment)})
    assert "You all are wrong." in shown.text and shown.headers["x-frame-options"] == "SAMEORIGIN"
    assert "no-store" in shown.headers["cache-control"]
    answer = send(reader, shown, reason="spam", text='It\'s "spam" <script>alert(1)</script> \\ 😀' + "x" * 2_000)
    assert answer.status_code == 200 and "Your report was received" in answer.text
    (sent,) = site.queued("complaints")
    now = datetime.now(UTC) + timedelta(minutes=1)
    assert not isinstance(read_value(sent, COMPLAINT, now), RejectedItem), sent
    assert sent["target"]["id"] == site.target(comment) and sent["target"]["kind"] == "comment"
    assert sent["target"]["context_title"].startswith("Tea & coffee, it") and "<em>" not in str(sent["target"])
    assert sent["target"]["context_url"].startswith("http") and "comment" not in sent["target"]["context_url"]
    assert sent["reason"] == "spam" and sent["text"].startswith('It\'s "spam"') and len(sent["text"]) == 1_000
    raw = repr(site.table("reports")) + repr(site.table("queue"))
    for secret in ("2001:db8", "20010db8", "Sleuth", "bea@"):
        assert secret not in raw


def test_one_person_counts_once_whatever_the_browser_is_called(site: Site) -> None:
    (comment,) = site.comments(site.post())
    site.settings(url="http://127.0.0.1:9", key="k", when_unreachable="open", patience=0, threshold=8, timeout=0.3)
    for name in range(8):  # eight agents at one address
        assert report(site, comment, address="203.0.113.5", agent=f"Agent {name}").status_code == 200
    (state,) = site.table("comments")
    assert (int(state["people"]), site.status(comment)) == (2, "1")
    browser = site.browser(address="203.0.113.6", agent="Mine")
    report(site, comment, browser=browser)
    for place in range(7, 15):  # one browser that moves
        browser.headers["X-Test-IP"] = f"203.0.113.{place}"
        browser.headers["User-Agent"] = f"Mine {place}"
        assert "reported this comment before" in report(site, comment, browser=browser).text
    assert int(site.table("comments")[0]["people"]) == 3
    for place in range(20, 25):  # five more people
        report(site, comment, address=f"203.0.113.{place}")
    assert (int(site.table("comments")[0]["people"]), site.status(comment)) == (8, "0")


def test_a_page_elsewhere_cannot_make_visitors_report(site: Site) -> None:
    (comment,) = site.comments(site.post())
    victim, attacker = site.browser("198.51.100.9"), site.browser("203.0.113.66")
    mine = attacker.get("/", params={"brigadewatch-report": str(comment)})  # a token of the attacker's own
    victim.get("/", params={"brigadewatch-report": str(comment)})  # the victim has a cookie
    for headers in (
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},  # an old browser: the token is not this browser's
    ):
        assert send(victim, mine, headers=headers).status_code == 403, headers
    assert send(site.browser("198.51.100.10"), mine, headers={}).status_code == 403  # no cookie at all
    assert site.table("reports") == []
    again = victim.get("/", params={"brigadewatch-report": str(comment)})
    assert send(victim, again, headers={"Origin": "null", "Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert len(site.table("reports")) == 1


def test_nobody_reports_their_own_comment(site: Site) -> None:
    post = site.post()
    writer = site.user(f"writer{post}")
    (mine,) = site.comments(post, user_id=writer)
    assert site.signed_in(f"writer{post}").get("/", params={"brigadewatch-report": str(mine)}).status_code == 403
    guest = site.browser()
    answer = guest.post(
        "/wp-comments-post.php",
        data={
            "comment": "My own words.",
            "author": "Bea",
            "email": "bea@example.org",
            "wp-comment-cookies-consent": "yes",
            "comment_post_ID": str(post),
            "comment_parent": "0",
        },
    )
    assert answer.status_code == 200
    (other,) = site.comments(post)  # by the same address, bea@example.org
    assert guest.get("/", params={"brigadewatch-report": str(other)}).status_code == 403


def test_late_evidence_is_kept_and_hidden_comments_are_not_shown(site: Site) -> None:
    (comment,) = site.comments(site.post(), comment_content="A secret to be hidden.")
    reader = site.browser()
    shown = reader.get("/", params={"brigadewatch-report": str(comment)})
    site.php("return wp_set_comment_status( $id, 'hold' );", id=comment)
    late = site.browser("198.51.100.3").get("/", params={"brigadewatch-report": str(comment)})
    assert late.status_code == 404 and "secret" not in late.text
    assert send(reader, shown, text="It names my child.").status_code == 200
    assert [row["text"] for row in site.table("reports")] == ["It names my child."]


def test_comments_below_a_post_with_a_password_are_not_shown(site: Site) -> None:
    post = site.post()
    (comment,) = site.comments(post, comment_content="A secret among members.")
    site.php("wp_update_post( array( 'ID' => $id, 'post_password' => 'sesame' ) );", id=post)
    answer = site.browser().get("/", params={"brigadewatch-report": str(comment)})
    assert answer.status_code == 404 and "secret" not in answer.text


@pytest.mark.parametrize("asked", ["0", "999999", "-1", "1e3", "9" * 40, "1 OR 1=1", "", "../x"])
def test_an_unknown_comment_is_404(site: Site, asked: str) -> None:
    assert site.browser().get("/", params={"brigadewatch-report": asked}).status_code == 404


def test_odd_fields_are_answered_in_words(site: Site) -> None:
    (comment,) = site.comments(site.post())
    reader = site.browser()
    shown = reader.get("/", params={"brigadewatch-report": str(comment)})
    form = {"token": [], "reason[]": ["abuse"], "text[a]": "x"}
    answer = reader.post(f"/?brigadewatch-report={comment}", data=form)
    assert answer.status_code == 403 and "open for too long" in answer.text
    assert reader.post("/", params={"brigadewatch-report[]": str(comment)}).status_code < 500
    taken = send(reader, shown, reason="never heard of", text="\ud7ff\x01\x00 ok")
    assert taken.status_code == 200 and site.table("reports")[0]["reason"] == "other"


def test_too_many_reports_from_an_address_are_refused_for_a_while(site: Site) -> None:
    comments = site.comments(site.post(), 4)
    site.settings(url="http://127.0.0.1:9", key="k", when_unreachable="closed", reports_per_hour=3)
    codes = [report(site, one, address="203.0.113.9").status_code for one in comments]
    assert codes == [200, 200, 200, 429]
    assert report(site, comments[3], address="203.0.113.10").status_code == 200


def test_links_of_version_0_lead_to_the_form(site: Site) -> None:
    (comment,) = site.comments(site.post())
    old = "/wp-admin/admin-post.php"
    answer = site.browser().get(old, params={"action": "brigadewatch_report", "comment": str(comment)})
    assert answer.status_code == 200 and "Send report" in answer.text


def test_reports_of_version_0_count_and_nobody_counts_twice(site: Site) -> None:
    (comment,) = site.comments(site.post())
    reader = site.browser("198.51.100.20", "Old browser")
    report(site, comment, browser=reader)
    mark, document = site.table("reports")[0]["mark"], site.queued("complaints")[0]
    site.php(
        "tests_as_version_0_left_it( $comment, $mark, $line );", comment=comment, mark=mark, line=json.dumps(document)
    )
    shown = site.browser("198.51.100.20", "Old browser")  # without the cookie: version 0.1 had none
    assert "reported this comment before" in report(site, comment, browser=shown).text
    assert [row["decided"] for row in site.table("comments")] == ["rejected"]
    assert [one["id"] for one in site.queued("complaints")] == [document["id"]]


def test_the_queue_costs_little(site: Site) -> None:
    """The bar of half a millisecond a report is measured in bench/; here the number of statements."""
    (comment,) = site.comments(site.post())
    count = site.php(
        "global $wpdb; $_SERVER['HTTP_USER_AGENT'] = 'x'; $c = get_comment( $id ); $before = $wpdb->num_queries;"
        " Brigadewatch\\take_report( $c, 'abuse', '' ); return $wpdb->num_queries - $before;",
        id=comment,
    )
    assert count <= 14


def test_a_report_with_an_emoji_is_taken_by_a_database_that_knows_none(site: Site) -> None:
    (comment,) = site.comments(site.post())
    change = "ALTER TABLE wp_brigadewatch_reports CONVERT TO CHARACTER SET {}"
    site.database.run(change.format("utf8mb3"), site.name)
    try:
        assert "was received" in report(site, comment, text="Shame 😡 on him").text
        assert site.table("reports")[0]["text"] == "Shame &#x1f621; on him"
    finally:
        site.database.run(change.format("utf8mb4"), site.name)
    assert site.queued("complaints")[0]["text"] == "Shame 😡 on him"


def test_a_report_that_cannot_be_sent_later_is_not_taken(site: Site) -> None:
    (comment,) = site.comments(site.post())
    site.database.run("RENAME TABLE wp_brigadewatch_queue TO wp_elsewhere", site.name)
    try:
        answer = report(site, comment)
    finally:
        site.database.run("RENAME TABLE wp_elsewhere TO wp_brigadewatch_queue", site.name)
    assert answer.status_code == 503 and "could not be stored" in answer.text
    assert site.table("reports") == []
    assert "brigadewatch_queue' doesn't exist" in site.log() and "a report could not be stored" in site.log()
    site.debug_log.unlink()
    assert report(site, comment).status_code == 200
