"""What counts as a person's verdict, what does not, and what is taken back."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from wordpress.people import bulk, press, report, row_link
from wordpress.site import PASSWORD, Site, fields_of


def reported(site: Site, count: int = 1, **values: Any) -> list[int]:
    """Visible comments with one report each; the queue is empty."""
    comments = site.comments(site.post(), count, **values)
    for one in comments:
        assert report(site, one).status_code == 200
    site.database.run("DELETE FROM wp_brigadewatch_queue", site.name)
    return comments


def told(site: Site) -> list[tuple[str, str | None, str | None, str, bool]]:
    """(target, verdict, action, by whom, whether it takes something back) of each outcome in the queue."""
    return [
        (o["target_id"], o.get("verdict"), o.get("action"), o["decided_by"], "retracts" in o)
        for o in site.queued("outcomes")
    ]


@pytest.mark.parametrize(("action", "status"), [("action=spamcomment", "spam"), ("action=trashcomment", "trash")])
def test_a_row_action_is_a_verdict_and_undo_takes_it_back(site: Site, action: str, status: str) -> None:
    (comment,) = reported(site)
    editor = site.signed_in()
    press(editor, comment, action)
    assert site.status(comment) == status
    assert told(site) == [(site.target(comment), "upheld", "removed", "person", False)]
    verdict = site.queued("outcomes")[0]["id"]
    undo = {"spam": "action=unspamcomment", "trash": "action=untrashcomment"}[status]
    press(editor, comment, undo, f"?comment_status={status}")
    assert site.status(comment) == "1"
    assert told(site)[1:] == [(site.target(comment), None, "restored", "person", True)]
    assert site.queued("outcomes")[1]["retracts"] == verdict
    assert site.table("comments")[0]["decided"] == ""


def test_spam_then_bin_then_back_takes_back_the_one_verdict(site: Site) -> None:
    (comment,) = reported(site)
    editor = site.signed_in()
    press(editor, comment, "action=spamcomment")
    site.php("wp_trash_comment( $id );", id=comment)  # by a plugin: nothing that readers see
    press(editor, comment, "action=untrashcomment", "?comment_status=trash")
    press(editor, comment, "action=unspamcomment", "?comment_status=spam")
    verdicts = [o for o in site.queued("outcomes") if "verdict" in o]
    assert len(verdicts) == 1 and site.queued("outcomes")[-1]["retracts"] == verdicts[0]["id"]


def test_taking_back_the_last_verdict_brings_the_one_before_into_force(site: Site) -> None:
    (comment,) = reported(site)
    editor = site.signed_in()
    press(editor, comment, "action=brigadewatch_unfounded", "?brigadewatch=reported")
    press(editor, comment, "action=spamcomment")
    press(editor, comment, "action=unspamcomment", "?comment_status=spam")
    unfounded, upheld, back = site.queued("outcomes")
    assert (unfounded["verdict"], unfounded["action"], upheld["verdict"]) == ("rejected", "kept", "upheld")
    assert back["retracts"] == upheld["id"]
    assert site.table("comments")[0]["decided"] == "rejected"


def test_bulk_actions_are_verdicts_on_the_chosen_comments_alone(site: Site) -> None:
    chosen, other = reported(site, 2)
    editor = site.signed_in()
    bulk(editor, [chosen], "spam")
    assert told(site) == [(site.target(chosen), "upheld", "removed", "person", False)]
    bulk(editor, [other], "brigadewatch_unfounded")
    assert told(site)[1:] == [(site.target(other), "rejected", "kept", "person", False)]


def test_quick_actions_and_the_edit_form_are_verdicts(site: Site) -> None:
    first, second = reported(site, 2)
    editor = site.signed_in()
    page = editor.get(f"/wp-admin/comment.php?action=editcomment&c={first}").text
    fields = fields_of(page, "editedcomment") | {"comment_status": "trash", "content": "x", "newcomment_author": "Bea"}
    fields |= {"mm": fields["hidden_mm"], "newcomment_author_email": "bea@example.org", "newcomment_author_url": ""}
    editor.post("/wp-admin/comment.php", data=fields)
    assert site.status(first) == "trash"
    link = row_link(editor.get("/wp-admin/edit-comments.php").text, second, "action=spamcomment")
    answer = editor.post(
        "/wp-admin/admin-ajax.php",
        data={
            "action": "delete-comment",
            "id": str(second),
            "spam": "1",
            "_ajax_nonce": link.rpartition("_wpnonce=")[2],
        },
    )
    assert site.status(second) == "spam", answer.text
    assert [(t, v, b) for t, v, _, b, _ in told(site)] == [
        (site.target(first), "upheld", "person"),
        (site.target(second), "upheld", "person"),
    ]


def test_rest_and_xmlrpc_changes_are_verdicts(site: Site) -> None:
    first, second = reported(site, 2)
    password = site.php(
        "$name = array( 'name' => 'tests ' . wp_rand() );"
        " return WP_Application_Passwords::create_new_application_password( 1, $name )[0];"
    )
    basic = base64.b64encode(f"editor-in-chief:{password}".encode()).decode()
    answer = site.browser().request(
        "DELETE", f"/index.php?rest_route=/wp/v2/comments/{first}", headers={"Authorization": f"Basic {basic}"}
    )
    assert site.status(first) == "trash", answer.text
    call = (
        "<?xml version='1.0'?><methodCall><methodName>wp.editComment</methodName><params>"
        f"<param><value><int>1</int></value></param><param><value><string>editor-in-chief</string></value></param>"
        f"<param><value><string>{PASSWORD}</string></value></param><param><value><int>{second}</int></value></param>"
        "<param><value><struct><member><name>status</name><value><string>spam</string></value></member></struct></value>"
        "</param></params></methodCall>"
    )
    answer = site.browser().post("/xmlrpc.php", content=call, headers={"Content-Type": "text/xml"})
    assert site.status(second) == "spam", answer.text
    assert [(t, v, b) for t, v, _, b, _ in told(site)] == [
        (site.target(first), "upheld", "person"),
        (site.target(second), "upheld", "person"),
    ]


def test_what_akismet_finds_in_a_moderators_request_is_nobodys_verdict(site: Site) -> None:
    """Akismet's "Check for Spam" marks a whole queue in the moderator's own request."""
    comments = reported(site, 3)
    answer = site.signed_in().post(
        "/wp-admin/admin-ajax.php",
        data={"action": "akismet_recheck_queue", "all": ",".join(map(str, comments)), "id": str(comments[0])},
    )
    assert answer.status_code == 200 and [site.status(one) for one in comments] == ["spam"] * 3
    assert told(site) == [(site.target(one), None, "removed", "automatic", False) for one in comments]


def test_what_another_plugin_adds_to_the_bulk_actions_is_nobodys_verdict(site: Site) -> None:
    (comment,) = reported(site)
    plugin = site.root / "wp-content" / "mu-plugins" / "other-check.php"
    plugin.write_text(
        "<?php add_filter( 'handle_bulk_actions-edit-comments', function ( $back, $action, $ids ) {"
        " if ( 'other_check' === $action ) { array_map( 'wp_spam_comment', $ids ); } return $back; }, 10, 3 );"
    )
    try:
        bulk(site.signed_in(), [comment], "other_check")
    finally:
        plugin.unlink()
    assert site.status(comment) == "spam"
    assert told(site) == [(site.target(comment), None, "removed", "automatic", False)]


def test_nobody_judges_the_reports_of_their_own_comment(site: Site) -> None:
    name = f"proud{site.post()}"
    author = site.user(name, "author")
    (comment,) = site.comments(site.post(author=author), user_id=author)
    report(site, comment)
    listed = site.signed_in(name).get("/wp-admin/edit-comments.php").text
    assert f"comment-{comment}" in listed and "brigadewatch_unfounded&" not in listed
    press(site.signed_in(name), comment, "action=spamcomment")
    assert [(v, b) for _, v, _, b, _ in told(site)] == [(None, "automatic")]


def test_a_verdict_is_kept_while_the_settings_cannot_be_used(site: Site) -> None:
    (comment,) = reported(site)
    site.settings(url="", key="k", when_unreachable="closed")
    press(site.signed_in(), comment, "action=spamcomment")
    assert [v for _, v, *_ in told(site)] == ["upheld"]


def test_what_a_person_takes_out_of_spam_is_hidden_by_its_count_again(site: Site) -> None:
    site.settings(url="http://127.0.0.1:9", key="k", when_unreachable="open", patience=0, threshold=2, timeout=0.3)
    (comment,) = site.comments(site.post())
    for place in (1, 2):
        report(site, comment, address=f"198.51.100.{place}")
    editor = site.signed_in()
    press(editor, comment, "action=spamcomment")
    press(editor, comment, "action=unspamcomment", "?comment_status=spam")
    (row,) = site.table("comments")
    assert (site.status(comment), row["state"], row["decided"], row["hidden"]) == ("0", "held", "", "1")


def test_authors_judge_the_comments_below_their_own_posts(site: Site) -> None:
    name = f"author{site.post()}"
    author = site.user(name, "author")
    (comment,) = site.comments(site.post(author=author))
    report(site, comment)
    press(site.signed_in(name), comment, "action=spamcomment")
    assert told(site) == [(site.target(comment), "upheld", "removed", "person", False)]


def test_a_post_that_goes_into_the_bin_takes_its_comments_along_unjudged(site: Site) -> None:
    post = site.post()
    (comment,) = site.comments(post)
    report(site, comment)
    site.php("wp_trash_post( $id );", id=post)
    assert told(site) == [(site.target(comment), None, "removed", "automatic", False)]
    site.php("wp_untrash_post( $id );", id=post)
    assert told(site)[1:] == [(site.target(comment), None, "restored", "automatic", False)]
    site.php("wp_trash_post( $id ); wp_delete_post( $id );", id=post)
    assert told(site)[2:] == [(site.target(comment), None, "removed", "automatic", False)]
    assert site.table("reports") == [] and site.table("comments") == []


def test_a_visible_comment_deleted_with_its_post_is_not_judged(site: Site) -> None:
    post = site.post()
    (comment,) = site.comments(post)
    report(site, comment)
    site.php("wp_delete_post( $id, true );", id=post)
    assert told(site) == [(site.target(comment), None, "removed", "automatic", False)]


def test_approving_what_was_hidden_by_count_is_a_verdict_and_unapproving_takes_it_back(site: Site) -> None:
    site.settings(url="http://127.0.0.1:9", key="k", when_unreachable="open", patience=0, threshold=2, timeout=0.3)
    (comment,) = site.comments(site.post())
    for place in (1, 2):
        report(site, comment, address=f"198.51.100.{place}")
    assert site.status(comment) == "0"
    editor = site.signed_in()
    press(editor, comment, "action=approvecomment")
    assert site.status(comment) == "1"
    press(editor, comment, "action=unapprovecomment")
    assert told(site) == [
        (site.target(comment), None, "removed", "automatic", False),
        (site.target(comment), "rejected", "restored", "person", False),
        (site.target(comment), None, "removed", "person", True),
    ]


def test_nothing_is_sent_about_comments_that_nobody_reported(site: Site) -> None:
    (comment,) = site.comments(site.post())
    press(site.signed_in(), comment, "action=spamcomment")
    assert site.table("queue") == []
