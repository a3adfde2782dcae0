"""What moderators and administrators see, set, export and erase; how the plugin comes and goes."""

from __future__ import annotations

import csv
import html
import io
import re
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from up import Up, make_key
from wordpress.people import bulk, press, report, send
from wordpress.programs import SUITES, core
from wordpress.servers import Database
from wordpress.site import PLUGIN, Site, fields_of

from brigadewatch_client import Client
from service.intake.items import COMPLAINT
from service.model import Complaint
from service.tabular.options import ReadingOptions
from service.tabular.reading import SourceFile

NAME = f"{PLUGIN.name}/{PLUGIN.name}.php"


def hold_back(site: Site, count: int = 2) -> int:
    """A comment that is hidden by its count, without an answer."""
    site.settings(url="http://127.0.0.1:9", key="k", when_unreachable="open", patience=0, threshold=count, timeout=0.3)
    (comment,) = site.comments(site.post())
    for k in range(count):
        report(site, comment, address=f"198.51.{k}.1", reason="spam", text=f"<b>Reason</b> {k}")
    assert site.status(comment) == "0"
    return comment


def test_moderators_see_reported_comments_alone_and_judge_them(site: Site) -> None:
    comment = hold_back(site)
    (other,) = site.comments(site.post(), comment_content="Nobody minds.")
    editor = site.signed_in()
    listed = editor.get("/wp-admin/edit-comments.php?brigadewatch=reported").text
    assert f"id='comment-{comment}'" in listed and f"id='comment-{other}'" not in listed
    assert re.search(r'Reported <span class="count">\(1\)</span>', listed)
    assert "2 reports" in listed and "Hidden by its reports" in listed and "It is spam (2)" in listed
    assert "Reason 1" in listed and "<b>Reason" not in listed
    assert f"id='comment-{comment}'" not in editor.get("/wp-admin/edit-comments.php?brigadewatch=kept").text
    assert "Hidden by their reports, to be decided</a>: 1" in editor.get("/wp-admin/").text
    bulk(editor, [comment], "brigadewatch_unfounded", "?brigadewatch=held")
    assert site.status(comment) == "1"
    (back,) = [one for one in site.queued("outcomes") if "verdict" in one]
    assert (back["verdict"], back["action"], back["decided_by"]) == ("rejected", "restored", "person")
    assert f"id='comment-{comment}'" not in editor.get("/wp-admin/edit-comments.php?brigadewatch=reported").text


def export(person: httpx.Client) -> httpx.Response:
    """Press the button above the list of reported comments."""
    listed = person.get("/wp-admin/edit-comments.php?brigadewatch=reported").text
    link = re.search(r'id="brigadewatch-export" href="([^"]+)"', listed)
    assert link, "there is no button"
    return person.get(html.unescape(link[1]))


def test_the_export_is_what_the_audit_reads(site: Site, tmp_path: Path) -> None:
    hold_back(site)
    (comment,) = site.comments(site.post(), comment_author_email="carla@example.org")
    name = f"reader{comment}"
    user = site.user(name)
    report(site, comment, browser=site.signed_in(name), text='=1+1; "quoted",\nsecond line')
    report(site, comment, address="203.0.113.77", agent="A browser's name")
    editor = site.signed_in()
    bulk(editor, [comment], "brigadewatch_unfounded", "?brigadewatch=reported")
    answer = export(editor)
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="brigadewatch-reports-[-0-9]+\.csv"', answer.headers["content-disposition"]
    )
    for private in ("203.0.113.77", "A browser's name", "carla@", f"{name}@", name):
        assert private not in answer.text
    path = tmp_path / "reports.csv"
    path.write_bytes(answer.content)
    source = SourceFile(path, COMPLAINT, datetime.now(UTC), ReadingOptions(preset="wordpress"))
    items = list(source.items())
    queued = {one["id"]: one for one in site.queued("complaints")}
    assert [one.id for one in items if isinstance(one, Complaint)] == list(queued), "none is refused"
    for item in items:
        assert isinstance(item, Complaint)
        sent = queued[item.id]
        assert sent["occurred_at"] == item.occurred_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert (item.target.id, item.target.context_id) == (sent["target"]["id"], sent["target"]["context_id"])
        assert (item.target.author_id, item.reason) == (sent["target"].get("author_id"), sent["reason"])
        assert item.reporter.fingerprint == sent["reporter"]["fingerprint"]
        assert item.target.attributes["is_reply"] == "no"
    mine = next(one for one in items if isinstance(one, Complaint) and one.reporter.id == str(user))
    assert mine.text == '\'=1+1; "quoted",\nsecond line' and mine.reporter.account_created_at
    ruled = {o.complaint_id: o.verdict for o in source.outcomes()}
    assert ruled == {one: "rejected" for one in queued if f"report-{site.target(comment)}-" in one}


def test_the_export_is_for_those_who_may_export_and_leaves_out_what_a_site_does_not_send(site: Site) -> None:
    (comment,) = site.comments(site.post())
    report(site, comment, text="He lives next to me.")
    admin = site.signed_in()
    assert "He lives next to me." in export(admin).text
    name = f"moderator{comment}"
    site.user(name, "editor")
    moderator = site.signed_in(name)
    assert "brigadewatch-export" not in moderator.get("/wp-admin/edit-comments.php?brigadewatch=reported").text
    assert moderator.get("/wp-admin/admin-post.php?action=brigadewatch_export").status_code == 403
    assert admin.get("/wp-admin/admin-post.php?action=brigadewatch_export").status_code == 403, "no nonce"
    assert "reporter_id" not in site.browser().get("/wp-admin/admin-post.php?action=brigadewatch_export").text
    plugin = site.root / "wp-content" / "mu-plugins" / "less.php"
    plugin.write_text(
        "<?php add_filter( 'brigadewatch_complaint', function ( $document ) {"
        " unset( $document['text'], $document['reporter']['fingerprint'] ); return $document; } );"
    )
    try:
        text = export(admin).text
        assert "He lives next to me." not in text and site.table("reports")[0]["address"] not in text
        assert f'"{site.target(comment)}"' in text
    finally:
        plugin.unlink()


def test_on_a_slow_site_the_export_has_the_time_that_was_sent(site: Site) -> None:
    plugin = site.root / "wp-content" / "mu-plugins" / "slow.php"
    plugin.write_text(
        "<?php add_filter( 'get_comment_link', function ( $link ) {"
        " usleep( 'POST' === $_SERVER['REQUEST_METHOD'] ? 1100000 : 0 ); return $link; } );"
    )
    try:
        (comment,) = site.comments(site.post())
        report(site, comment)
    finally:
        plugin.unlink()
    (sent,) = site.queued("complaints")
    (row,) = csv.DictReader(io.StringIO(export(site.signed_in()).text.removeprefix("\ufeff")))
    assert row["occurred_at"] == sent["occurred_at"]


def test_moderators_get_the_usual_mail_and_none_if_they_want_none(site: Site) -> None:
    hold_back(site)
    (letter,) = site.letters("Reported comment")
    assert letter.startswith("To: editor@example.org\n") and "Subject: [The News] Reported comment:" in letter
    assert "edit-comments.php?brigadewatch=reported" in letter
    site.start_over()
    site.php("update_option( 'moderation_notify', '0' );")
    try:
        comment = hold_back(site)
        site.php("Brigadewatch\\send_letter( get_comment( $id ), array( 'recommendation' => 'none' ) );", id=comment)
        assert site.letters("Reported comment", 0) == []
    finally:
        site.php("update_option( 'moderation_notify', '1' );")


def test_the_settings_page_takes_refuses_and_tests(site: Site, up: Up, key: str) -> None:
    site.php("delete_option( 'brigadewatch' );")
    editor = site.signed_in()
    page = editor.get("/wp-admin/options-general.php?page=brigadewatch").text
    assert "There are no report buttons until everything below is set" in page
    post = site.post()
    site.comments(post)
    assert "brigadewatch-report=" not in site.browser().get(f"/?p={post}").text

    def save(**values: str) -> str:
        fields = {k: v for k, v in fields_of(page, "options.php").items() if not k.startswith("brigadewatch")}
        given = {f"brigadewatch[{name}]": value for name, value in values.items()}
        return editor.post("/wp-admin/options.php", data=fields | given).text

    answer = save(url="watch.example", key=key, when_unreachable="closed", threshold="1,5", timeout="0,7", restore="1")
    assert "The address has to be like https://watch.example" in answer
    assert "Threshold has to be a whole number from 1 to 10000, not 1.5" in answer
    answer = save(url=up.api + "/", when_unreachable="closed", threshold="5", restore="1")
    stored = site.php("return get_option( 'brigadewatch' );")
    assert stored == {
        "url": up.api,
        "key": key,
        "when_unreachable": "closed",
        "threshold": 5,
        "timeout": 0.7,
        "restore": True,
    }
    assert key not in answer and "••••" + key[-4:] in answer
    assert "brigadewatch-report=" in site.browser().get(f"/?p={post}").text
    link = re.search(r'href="([^"]*test=1[^"]*)"', answer)
    assert link
    assert "brigadewatch answers, and takes the key." in editor.get(link[1].replace("&#038;", "&")).text
    site.settings(url=up.api, key=make_key(up.data, "read"), when_unreachable="closed")
    assert "scopes ingest and read" in editor.get(link[1].replace("&#038;", "&")).text
    site.settings(url=f"{site.url}/nothing", key="k", when_unreachable="closed")
    assert "not as brigadewatch does (HTTP 404)" in editor.get(link[1].replace("&#038;", "&")).text


def test_only_administrators_reach_the_settings(site: Site) -> None:
    name = f"editor{site.post()}"
    site.user(name, "editor")
    answer = site.signed_in(name).get("/wp-admin/options-general.php?page=brigadewatch")
    assert answer.status_code == 403


def test_constants_win_and_are_shown_as_such(site: Site) -> None:
    plugin = site.root / "wp-content" / "mu-plugins" / "constants.php"
    plugin.write_text("<?php define( 'BRIGADEWATCH_THRESHOLD', 3 ); define( 'BRIGADEWATCH_WHEN_UNREACHABLE', 'shut' );")
    try:
        page = site.signed_in().get("/wp-admin/options-general.php?page=brigadewatch").text
        assert "Set in wp-config.php by BRIGADEWATCH_THRESHOLD." in page
        assert "BRIGADEWATCH_WHEN_UNREACHABLE: Choose what happens" in page
    finally:
        plugin.unlink()


def test_site_health_and_notices_say_what_waits_too_long(site: Site) -> None:
    (comment,) = site.comments(site.post())
    report(site, comment)
    site.set_all("queue", "queued_at", int(time.time()) - 7200)
    site.php(
        "wp_clear_scheduled_hook( 'brigadewatch_minute' );"
        " Brigadewatch\\pause_after( array( 'status' => 0, 'retry_after' => 60 ) );"
    )
    assert "1 report or decision waits to be sent, for 2 hours now." in site.signed_in().get("/wp-admin/").text
    folder = site.root / "wp-content" / "plugins" / "brigadewatch"
    health = site.php(
        'require_once "$folder/admin/site-health.php"; return Brigadewatch\\health_of_settings();', folder=str(folder)
    )
    assert health["status"] == "recommended" and "wp-cron.php" in health["description"]


def test_a_site_behind_a_proxy_is_told_so(site: Site) -> None:
    comments = site.comments(site.post(), 12)
    site.settings(url="http://127.0.0.1:9", key="k", when_unreachable="closed", reports_per_hour=100)
    for k, one in enumerate(comments):
        report(site, one, address="10.0.0.1", agent=f"Browser {k}")
    assert "behind a proxy" in site.signed_in().get("/wp-admin/").text


def test_without_cron_an_old_queue_is_sent_by_a_page(site: Site, up: Up, key: str) -> None:
    (comment,) = site.comments(site.post())
    report(site, comment)
    site.settings(url=up.api, key=key, when_unreachable="closed")
    site.php("delete_transient( 'brigadewatch_pause' );")
    site.set_all("queue", "queued_at", int(time.time()) - 300)
    report(site, comment, address="203.0.113.9")
    up.wait(lambda: site.table("queue") == [])
    with Client(up.api, key, when_unreachable="closed", timeout=10) as client:
        up.wait(lambda: client.assess(site.target(comment)).complaints == 2)


def send_all(site: Site, up: Up) -> None:
    """Cron each moment until nothing waits: also past the pause after a request that a busy machine did not answer."""

    def sent() -> bool:
        site.cron()
        return site.table("queue") == []

    up.wait(sent, 90)


def test_a_person_s_data_is_exported_erased_and_forgotten_in_the_service(site: Site, up: Up, key: str) -> None:
    site.settings(url=up.api, key=key, when_unreachable="closed")
    (comment,) = site.comments(site.post())
    name = f"reader{comment}"
    site.user(name)
    report(site, comment, browser=site.signed_in(name), text="He lives next to me.")
    send_all(site, up)
    exported = site.php("return Brigadewatch\\export_reports( $mail );", mail=f"{name}@example.org")
    assert exported["done"] and "He lives next to me." in repr(exported["data"])
    erased = site.php("return Brigadewatch\\erase_reports( $mail );", mail=f"{name}@example.org")
    assert erased["items_removed"] and "cannot be found by an e-mail address" in erased["messages"][0]
    (row,) = site.table("reports")
    assert (row["user_id"], row["text"]) == ("0", "")
    with Client(up.api, key, when_unreachable="closed", timeout=10) as client:
        up.wait(lambda: client.assess(site.target(comment)).complaints == 1)
        send_all(site, up)
        assert client.assess(site.target(comment)).complaints == 1  # the count stays


def test_deleting_a_user_forgets_them(site: Site) -> None:
    (comment,) = site.comments(site.post())
    name = f"leaver{comment}"
    user = site.user(name)
    report(site, comment, browser=site.signed_in(name))
    site.php(
        "foreach ( array( 'user', 'ms' ) as $part ) { require_once ABSPATH . \"wp-admin/includes/$part.php\"; }"
        " is_multisite() ? wpmu_delete_user( $id ) : wp_delete_user( $id );",
        id=user,
    )
    assert [row["line"] for row in site.table("queue") if row["kind"] == "forget"] == [f'"{user}"']
    assert site.table("reports")[0]["user_id"] == "0"


def test_deleting_accounts_lifts_no_limit(site: Site) -> None:
    (comment,) = site.comments(site.post())
    users = [site.user(f"puppet{comment}x{k}") for k in range(4)]
    for k in range(4):
        report(site, comment, browser=site.signed_in(f"puppet{comment}x{k}", address="203.0.113.7"))
    site.php("array_map( 'Brigadewatch\\forget_user', $users );", users=users)
    assert site.php("return Brigadewatch\\people( $id );", id=comment) == 2
    assert len(site.table("reports")) == 4


def test_a_network_s_sites_do_not_share_ids(site: Site) -> None:
    if not site.multisite:
        assert site.php("return Brigadewatch\\scoped( 7 );") == "7"
        return
    settings = {"url": "http://127.0.0.1:9", "key": "k", "when_unreachable": "closed"}
    found = site.php("return tests_second_site( $settings );", settings=settings)
    blog, post, comment = found
    browser = site.browser()
    shown = browser.get("/second/", params={"brigadewatch-report": str(comment)})

    assert send(browser, shown).status_code == 200
    line = site.database.run(f"SELECT line FROM wp_{blog}_brigadewatch_queue", site.name)
    assert f'"id":"{blog}-{comment}"' in line and f'"context_id":"{blog}-{post}"' in line
    assert site.table("reports") == []


def test_deactivation_and_deletion_leave_nothing(database: Database, site: Site) -> None:
    hold_back(site)
    assert site.php("return tests_deactivate( $name );", name=NAME) == [False, False]
    site.php("require_once ABSPATH . 'wp-admin/includes/plugin.php'; uninstall_plugin( $name );", name=NAME)
    tables = database.run("SHOW TABLES LIKE '%brigadewatch%'", site.name)
    options = database.run("SELECT option_name FROM wp_options WHERE option_name LIKE '%brigadewatch%'", site.name)
    assert (tables, options) == ("", "")
    assert site.php("return tests_activate( $name );", name=NAME) is None


def test_as_a_must_use_plugin_it_works_without_notices(site: Site) -> None:
    folder = site.root / "wp-content" / "mu-plugins"
    site.php("tests_deactivate( $name );", name=NAME)
    site.put_into_must_use()
    try:
        post = site.post()
        (comment,) = site.comments(post)
        page = site.browser().get(f"/?p={post}").text
        assert "mu-plugins/brigadewatch/assets/report.js" in page
        assert report(site, comment).status_code == 200
        assert press(site.signed_in(), comment, "action=spamcomment").status_code == 200
    finally:
        shutil.rmtree(folder / "brigadewatch")
        (folder / "brigadewatch.php").unlink()
        site.php("tests_activate( $name );", name=NAME)


def test_the_command_line_tells_and_sends(site: Site, up: Up, key: str) -> None:
    def run(name: str) -> list[str]:
        stub = str(Path(__file__).with_name("wp_cli_stub.php"))
        said: list[str] = site.php("require $stub; return tests_command( $name );", stub=stub, name=name)
        return said

    (comment,) = site.comments(site.post())
    report(site, comment)
    first, *rest = run("status")
    assert first == "brigadewatch is Brigadewatch\\Command"
    assert rest[0].startswith("waiting to be sent: 1 (the oldest for ") and "comments below the threshold: 1" in rest
    assert rest[-1].startswith("Error: There is no answer:")
    assert run("send")[-1] == "Error: 1 items still wait: see `wp brigadewatch status`."
    site.settings(url=up.api, key=key, when_unreachable="closed")
    assert run("send")[-1] == "Success: Nothing waits."
    assert run("status")[-1] == "Success: brigadewatch answers, and takes the key."
    site.settings(url=up.api, key=key)
    assert any(line.startswith("Warning: Choose what happens") for line in run("status"))


def test_wordpress_is_installed_with_the_plugin_already_in_place(database: Database, tmp_path: Path) -> None:
    site = Site(tmp_path, core(SUITES[0]), database, "early", must_use=True)
    try:
        assert "brigadewatch" not in site.log_of_installing
        site.start_over()
        (comment,) = site.comments(site.post())
        assert report(site, comment).status_code == 200 and len(site.table("reports")) == 1
        assert site.log() == ""
    finally:
        site.close_browsers()
        site.end()


@pytest.mark.parametrize("state", ["restored", "open"])
def test_what_a_moderator_restores_in_the_service_is_shown_again(site: Site, state: str) -> None:
    comment = hold_back(site)
    listed = [{"target_id": site.target(comment), "complaints": 9, "independent_complaints": 2.5, "clusters": ["k1"]}]
    site.php("tests_follow_restorations( $listed, $state );", listed=listed, state=state)
    if state == "restored":
        assert site.status(comment) == "1"
        last = site.queued("outcomes")[-1]
        assert (last["action"], last["decided_by"], "verdict" in last) == ("restored", "automatic", False)
    else:
        assert site.status(comment) == "0"
        assert len(site.letters("look whether to show it again")) == 1
        page = site.signed_in().get("/wp-admin/edit-comments.php?brigadewatch=held").text
        assert "/console/clusters/k1" in page and "Accounts that complain together" in page
