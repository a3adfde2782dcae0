"""JSON as databases, search engines and APIs wrap it, and which of several lists has the reports."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tabular_files import expected, facts, read, rows, written

from service.errors import Refused

ROWS = rows()
POSTS = [{"post_id": str(500 + k), "user_id": f"writer{k}", "created_at": "2026-09-01T10:00:00Z"} for k in range(11)]
HEADER = {"type": "header", "version": "5.2.1"}
KEYS = ("reporter", "post_id", "created_at")


def seconds(row: dict[str, Any]) -> int:
    return int(datetime.fromisoformat(row["created_at"]).timestamp())


def resource(row: dict[str, Any]) -> dict[str, Any]:
    about = {"type": "posts", "id": row["post_id"]}
    who = {"data": {"type": "users", "id": row["reporter"]}}
    return {
        "attributes": {"created-at": row["created_at"]},
        "relationships": {"reporter": who, "post": {"data": about}},
    }


DOCUMENTS: dict[str, Any] = {
    "GraphQL": {"data": {"reports": {"edges": [{"cursor": "x", "node": r} for r in ROWS], "pageInfo": {}}}},
    "JSON:API": {"data": list(map(resource, ROWS)), "included": [{"type": "users", "id": "1"}], "links": {}},
    "HAL": {"_embedded": {"reports": ROWS}, "_links": {"self": {"href": "/"}}, "page": {"size": 20}},
    "Elasticsearch": {"took": 4, "hits": {"total": {"value": 40}, "hits": [{"_id": "1", "_source": r} for r in ROWS]}},
    "Firebase": {"reports": {f"-N8{k}a": r for k, r in enumerate(ROWS)}},
    "Firestore": [r | {"created_at": {"_seconds": seconds(r), "_nanoseconds": 0}} for r in ROWS],
    "Firestore, typed": {"documents": [{"fields": {k: {"stringValue": r[k]} for k in KEYS}} for r in ROWS]},
    "rows beside columns": {"success": True, "columns": list(KEYS), "rows": [[r[k] for k in KEYS] for r in ROWS]},
    "phpMyAdmin": [
        HEADER,
        {"type": "table", "name": "posts", "data": POSTS},
        {"type": "table", "name": "f", "data": ROWS},
    ],
    "beside another list": {"posts": POSTS, "flags": ROWS},
    "DynamoDB": [{"Item": {k: {"S": r[k]} for k in KEYS} | {"open": {"BOOL": True}}} for r in ROWS],
    "CouchDB": {"total_rows": 40, "rows": [{"id": str(k), "key": str(k), "doc": r} for k, r in enumerate(ROWS)]},
    "the line of a log": [{"log": json.dumps(r) + "\n", "stream": "stdout"} for r in ROWS],
    "reports with notes": [r | {"notes": [{"user_id": "mod", "created_at": r["created_at"]}]} for r in ROWS],
}


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize("indent", [None, 1])
def test_reports_are_found_in_what_wraps_them(tmp_path: Path, kind: str, indent: int | None) -> None:
    items, refused, _ = read(written(tmp_path / "a.json", json.dumps(DOCUMENTS[kind], indent=indent)))
    assert (facts(items), refused, len(items)) == (expected(ROWS), [], len(ROWS))


def test_an_item_that_was_reported_is_no_wrapper(tmp_path: Path) -> None:
    given = [{"Item": {"id": r["post_id"]}, "Reporter": r["reporter"], "created_at": r["created_at"]} for r in ROWS]
    items, refused, _ = read(written(tmp_path / "a.json", json.dumps(given)))
    assert (facts(items), refused) == (expected(ROWS), [])


def test_objects_on_many_lines_each_are_read_one_after_another(tmp_path: Path) -> None:
    text = "\n".join(json.dumps(r, indent=2) for r in ROWS)
    items, refused, _ = read(written(tmp_path / "a.json", text))
    assert (facts(items), refused) == (expected(ROWS), [])
    with pytest.raises(Refused, match="not valid JSON"):
        read(written(tmp_path / "b.json", text[:-9]))


def test_reports_inside_the_posts_that_they_are_about(tmp_path: Path) -> None:
    given = [
        post
        | {
            "reports": [
                {"user": r["reporter"], "created_at": r["created_at"]} for r in ROWS if r["post_id"] == post["post_id"]
            ]
        }
        for post in POSTS
    ]
    items, refused, source = read(written(tmp_path / "a.json", json.dumps({"posts": given})))
    assert (facts(items), refused) == (expected(ROWS), []) and "posts.reports" in source.kind


def test_a_reporter_and_a_target_without_ids_are_not_the_api_s_form(tmp_path: Path) -> None:
    """As NodeBB lists its flags."""
    by_post: dict[str, list[dict[str, Any]]] = {}
    for r in rows():
        one = {"value": r["reason"], "timestampISO": r["created_at"], "reporter": {"username": r["reporter"]}}
        by_post.setdefault(r["post_id"], []).append(one)
    flags = [{"targetId": post, "target": {"pid": post}, "reports": ones} for post, ones in by_post.items()]
    items, refused, _ = read(written(tmp_path / "a.json", json.dumps({"flags": flags})))
    assert (facts(items), refused) == (expected(rows()), [])


def test_two_lists_of_reports_need_a_choice(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", json.dumps({"open": ROWS[:25], "closed": ROWS[25:]}))
    with pytest.raises(Refused, match="'open', 'closed' could each be the reports.*--sheet 'open'"):
        read(path)
    assert len(read(path, sheet="closed")[0]) == 15
    with pytest.raises(Refused, match="no part 'x'.*'open', 'closed'"):
        read(path, sheet="x")


def test_a_flag_with_its_reports_has_a_reporter_and_a_target_of_its_own_form(tmp_path: Path) -> None:
    flags, truth = [], set()
    for post in range(6):
        made = []
        for k in range(4):
            at = datetime(2026, 10, 1, 8 + k, post, tzinfo=UTC)
            who = {"username": f"user{k + post}", "uid": k + post, "reputation": 3}
            made.append({"timestamp": int(at.timestamp() * 1000), "timestampISO": at.isoformat(), "reporter": who})
            truth.add((str(k + post), str(900 + post), at))
        flags.append({"targetId": 900 + post, "target": {"pid": 900 + post, "uid": 5}, "datetime": 1, "reports": made})
    items, refused, _ = read(written(tmp_path / "flags.json", json.dumps({"flags": flags, "count": 6})))
    assert ({(i.reporter.id, i.target.id, i.occurred_at) for i in items}, refused) == (truth, [])


def test_fields_that_stand_in_a_list_by_name_are_columns(tmp_path: Path) -> None:
    """As in Google Analytics' events, of which each parameter has a value of one type."""
    given = [
        {
            "event_name": "report_content",
            "event_timestamp": r["created_at"],
            "event_params": [
                {"key": "ga_session_id", "value": {"string_value": None, "int_value": k}},
                {"key": "content_id", "value": {"string_value": r["post_id"], "int_value": None}},
            ][:: (-1) ** k],
            "user_id": r["reporter"],
        }
        for k, r in enumerate(ROWS)
    ]
    items, refused, source = read(written(tmp_path / "a.ndjson", "\n".join(map(json.dumps, given))))
    assert (facts(items), refused) == (expected(ROWS), [])
    assert not [note for note in source.notes if "lists are not read" in note]


def test_reports_that_a_bot_posts_in_a_channel_of_discord_are_read(tmp_path: Path) -> None:
    """As DiscordChatExporter writes them; the author of the messages is the bot."""
    messages = [
        {
            "id": str(10**18 + k),
            "timestamp": r["created_at"],
            "content": "",
            "author": {"id": "99887766", "name": "ReportBot", "isBot": True, "roles": []},
            "embeds": [
                {
                    "title": "New report",
                    "author": None,
                    "images": [],
                    "fields": [
                        {"name": "Reported by", "value": r["reporter"], "isInline": True},
                        {"name": "Reported message", "value": r["post_id"], "isInline": False},
                    ],
                }
            ],
            "reactions": [],
        }
        for k, r in enumerate(ROWS)
    ]
    path = written(
        tmp_path / "a.json", json.dumps({"guild": {"id": "1"}, "channel": {"id": "2"}, "messages": messages})
    )
    items, refused, source = read(path)
    assert (facts(items), refused) == (expected(ROWS), [])
    assert "author_id" not in {line.field for line in source.read_as}


def test_values_beside_their_words_for_people_are_values(tmp_path: Path) -> None:
    """As ServiceNow exports them."""
    given = [
        {
            "u_reported_by": {"value": r["reporter"], "display_value": "Somebody", "link": "https://x.example/1"},
            "u_content_id": {"value": r["post_id"], "display_value": f"Post {r['post_id']}"},
            "sys_created_on": {"value": r["created_at"], "display_value": "2026-10-01 08:30:00"},
        }
        for r in ROWS
    ]
    items, refused, _ = read(written(tmp_path / "a.json", json.dumps({"result": given})))
    assert (facts(items), refused) == (expected(ROWS), [])
