"""Presets: exports of known software, with the rows that are not reports left out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tabular_files import read, written

from service.errors import Refused


def test_discourse_s_post_actions_without_likes_and_with_verdicts(tmp_path: Path) -> None:
    text = "id,post_id,user_id,post_action_type_id,deleted_at,created_at,agreed_at,disagreed_at,deferred_at\n"
    text += "1,31,5,2,,2026-10-01 10:00:00,,,\n"
    text += "2,31,6,8,,2026-10-01 10:01:00,2026-10-02 10:00:00,,\n"
    text += "3,31,7,4,,2026-10-01 10:02:00,,2026-10-02 11:00:00,\n"
    text += "4,31,8,3,2026-10-01 12:00:00,2026-10-01 10:03:00,,,\n"
    text += "5,32,8,3,,2026-10-01 10:04:00,,,2026-10-02 10:00:00\n"
    items, refused, source = read(written(tmp_path / "a.csv", text), preset="discourse-flags")
    assert [(c.id, c.reporter.id, c.target.id) for c in items] == [("2", "6", "31"), ("3", "7", "31"), ("5", "8", "32")]
    assert refused == [] and any(note.startswith("2 rows left out: likes") for note in source.notes)
    assert [(o.complaint_id, o.verdict) for o in source.outcomes()] == [("2", "upheld"), ("3", "rejected")]
    assert source.outcomes()[1].decided_at == datetime(2026, 10, 2, 11, tzinfo=UTC)


def test_phpbb_s_reports_without_private_messages_and_guests(tmp_path: Path) -> None:
    text = "report_id;reason_id;post_id;pm_id;user_id;report_closed;report_time;report_text\n"
    text += "1;4;77;0;12;0;1790000000;rude\n2;4;0;9;13;0;1790000100;rude\n3;4;77;0;1;0;1790000200;spam\n"
    text += "4;4;78;0;14;1;1790000300;spam\n"
    items, refused, source = read(written(tmp_path / "a.csv", text), preset="phpbb")
    assert [(c.id, c.reporter.id, c.target.id) for c in items] == [("1", "12", "77"), ("4", "14", "78")]
    assert refused == [] and items[0].occurred_at.timestamp() == 1790000000
    assert any(note.startswith("2 rows left out: reports of private messages and by guests") for note in source.notes)


def test_mastodon_s_reports_are_about_accounts(tmp_path: Path) -> None:
    text = "id,status_ids,comment,created_at,updated_at,account_id,target_account_id,category\n"
    text += '31,"{5001,5002}",,2026-11-01 11:00:00.123,2026-11-01 12:00:00,231,8,spam\n'
    text += "32,{},see his posts,2026-11-01 11:05:00,2026-11-01 12:00:00,232,8,other\n"
    items, refused, _ = read(written(tmp_path / "a.csv", text), preset="mastodon-reports")
    assert refused == [] and next((c.reporter.id, c.target.id, c.reason) for c in items) == ("231", "8", "spam")


def test_wordpress_reports_have_verdicts_and_keep_their_columns_whatever_they_hold(tmp_path: Path) -> None:
    text = "id,occurred_at,reporter_id,account_created_at,fingerprint,target_id,author_id,context_id,is_reply,"
    text += "reason,text,verdict\r\n"
    place = '"f1","2-15","3","2-9","yes"'
    text += f'"r-ab","2026-10-01T10:00:00Z","7","2020-01-01T00:00:00Z",{place},"spam","","rejected"\r\n'
    text += f'"r-cd","2026-10-01T10:01:00Z","guest-cd","",{place},"abuse","so ""rude"",\nreally",""\r\n'
    text += "The export broke off here: the database did not answer.\r\n"
    items, refused, source = read(written(tmp_path / "a.csv", text), preset="wordpress")
    assert [(c.reporter.id, c.target.id, c.target.author_id, c.target.context_id) for c in items] == [
        ("7", "2-15", "3", "2-9"),
        ("guest-cd", "2-15", "3", "2-9"),
    ]
    assert items[1].text == 'so "rude",\nreally' and items[0].reporter.account_created_at is not None
    assert items[0].target.attributes == {"is_reply": "yes"}
    assert [(o.complaint_id, o.verdict) for o in source.outcomes()] == [("r-ab", "rejected")]
    assert len(refused) == 1, "an export that broke off is seen"


def test_zendesk_s_tickets_need_the_field_that_names_the_content(tmp_path: Path) -> None:
    text = '{"tickets": [{"id": 1, "requester_id": 5, "created_at": "2026-11-01T10:00:00Z", "link_to_it": "p/7"},'
    text += '{"id": 2, "requester_id": 6, "created_at": "2026-11-01T10:01:00Z", "link_to_it": "p/7"}]}'
    path = written(tmp_path / "tickets.json", text)
    with pytest.raises(Refused, match=r"what was reported \(target\)"):
        read(path, preset="zendesk")
    items, _, _ = read(path, preset="zendesk", columns={"target": "link_to_it"})
    assert [(c.reporter.id, c.target.id) for c in items] == [("5", "p/7"), ("6", "p/7")]


def test_a_long_export_whose_first_flags_have_no_verdict_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.tabular.reading.SAMPLE", 5)
    monkeypatch.setattr("service.tabular.text.BLOCK", 300)
    text = "id,post_id,user_id,post_action_type_id,created_at,agreed_at\n" + "".join(
        f"{k},{k % 3},{k % 7},3,2026-11-01T10:{k}:00Z,{'2026-11-02T10:00:00Z' if k == 58 else ''}\n"
        for k in range(10, 60)
    )
    items, refused, source = read(written(tmp_path / "a.csv", text), preset="discourse-flags")
    assert (len(items), refused) == (50, [])
    assert [(o.complaint_id, o.verdict, o.decided_at.day) for o in source.outcomes()] == [("58", "upheld", 2)]


def test_a_preset_for_another_table_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="--preset phpbb reads .*missing: report_id, user_id"):
        read(written(tmp_path / "a.csv", "id,post_id,report_time\n1,2,3\n"), preset="phpbb")
