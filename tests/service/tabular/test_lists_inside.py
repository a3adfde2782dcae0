"""Reports in lists that the objects of a file hold, as a post has its reports, and what such a file leaves unclear."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tabular_files import expected, facts, read, rows, written

from service.errors import Refused

ROWS = rows()
POSTS = sorted({row["post_id"] for row in ROWS})


def reports_of(post: str, **names: str) -> list[dict[str, Any]]:
    """The reports of a post, with other names of `reporter` and `created_at`."""
    return [
        {names.get(key, key): row[key] for key in ("reporter", "created_at", "reason")}
        for row in ROWS
        if row["post_id"] == post
    ]


def posts(**names: str) -> list[dict[str, Any]]:
    """The posts as a database has them, each with its reports."""
    return [
        {
            "_id": {"$oid": post},
            "title": "The words of the post",
            "author": f"writer{post}",
            "createdAt": {"$date": "2026-09-01T00:00:00Z"},
            "likes": [{"user": "fan"}],
            "reports": reports_of(post, **names),
        }
        for post in POSTS
    ]


@pytest.mark.parametrize("names", [{}, {"reporter": "user", "created_at": "createdAt"}, {"reporter": "by"}])
@pytest.mark.parametrize("suffix", ["json", "ndjson"])
def test_a_post_that_holds_its_reports_is_what_was_reported(tmp_path: Path, suffix: str, names: dict[str, str]) -> None:
    given = posts(**names)
    text = "\n".join(map(json.dumps, given)) if suffix == "ndjson" else json.dumps(given)
    items, refused, source = read(written(tmp_path / f"a.{suffix}", text))
    assert (facts(items), refused) == (expected(ROWS), [])
    assert all(item.reason in ("spam", "abuse", "hate") or item.reason for item in items)
    assert "'reports'" in source.kind and "lists are not read: likes" in source.notes


def test_a_list_under_keys_of_its_own_leaves_no_columns_of_each_key(tmp_path: Path) -> None:
    """As Firebase exports it."""
    given = {f"-N{post}": {"text": "The words of the post"} | held(post) for post in POSTS}
    items, refused, source = read(written(tmp_path / "a.json", json.dumps(given)))
    assert facts(items) == {(who, f"-N{post}", at) for who, post, at in expected(ROWS)}
    assert (refused, [line.column for line in source.read_as if "reports.-R" in line.column]) == ([], [])


def held(post: str) -> dict[str, Any]:
    return {"reports": {f"-R{post}{k}": one for k, one in enumerate(reports_of(post))}}


def test_what_is_reported_once_or_twice_is_not_lost_beside_what_is_reported_often(tmp_path: Path) -> None:
    """Of a mapping by id, and of XML, where one element is no list."""
    count = {post: min(k + 1, len(reports_of(post))) for k, post in enumerate(POSTS)}
    players = {
        f"26000{post}": {"displayName": f"mad {post}"}
        | {"reporters": {r["reporter"][4:]: {"at": r["created_at"], "jobId": f"x{r['created_at']}"} for r in some}}
        for post, number in count.items()
        for some in [reports_of(post)[:number]]
    }
    items, refused, _ = read(written(tmp_path / "a.json", json.dumps({"reportedPlayers": players})))
    right = {(r["reporter"][4:], f"26000{post}") for post, number in count.items() for r in reports_of(post)[:number]}
    assert ({(who, what) for who, what, _ in facts(items)}, refused) == (right, [])
    assert min(count.values()) == 1 < max(count.values())
    posts_of_xml = "".join(
        f"<post><id>{post}</id><title>Some words</title><reports>"
        + "".join(
            f"<report><reporter><id>{r['reporter']}</id></reporter><at><utc>{r['created_at']}</utc></at></report>"
            for r in reports_of(post)[:number]
        )
        + "</reports></post>"
        for post, number in count.items()
    )
    items, refused, _ = read(written(tmp_path / "a.xml", f"<posts>{posts_of_xml}</posts>"))
    of_posts = {(r["reporter"], post) for post, number in count.items() for r in reports_of(post)[:number]}
    assert ({(who, what) for who, what, _ in facts(items)}, refused) == (of_posts, [])


def test_reports_under_keys_without_a_digit_are_a_list(tmp_path: Path) -> None:
    """As Firebase makes keys at random."""
    letters = "abcdefghijklmnopqrst"
    given = {
        f"-N{''.join(letters[(k // 20**n + n) % 20] for n in range(18))}": {
            "reporterUid": r["reporter"],
            "postId": r["post_id"],
            "createdAt": r["created_at"],
        }
        for k, r in enumerate(ROWS)
    }
    items, refused, _ = read(written(tmp_path / "a.json", json.dumps(given)))
    assert (len(given), facts(items), refused) == (len(ROWS), expected(ROWS), [])


def test_reports_with_a_name_and_a_value_are_no_fields(tmp_path: Path) -> None:
    given = [
        {"_id": post, "title": "The words of the post"}
        | {"reports": [{"name": r["reporter"], "value": 1, "created_at": r["created_at"]} for r in some]}
        for post in POSTS
        for some in [reports_of(post)[:1]]
    ]
    path = written(tmp_path / "a.json", json.dumps(given))
    items, _, _ = read(path, columns={"reporter": "name"})
    assert {(who, what) for who, what, _ in facts(items)} == {(reports_of(p)[0]["reporter"], p) for p in POSTS}


def test_people_who_hold_what_they_reported_are_the_reporters(tmp_path: Path) -> None:
    people = sorted({row["reporter"] for row in ROWS})
    given = [
        {"username": who, "joined": "2020-01-01"}
        | {
            "reports_made": [
                {k: r[k] for k in ("post_id", "created_at", "reason")} for r in ROWS if r["reporter"] == who
            ]
        }
        for who in people
    ]
    items, refused, _ = read(written(tmp_path / "a.ndjson", "\n".join(map(json.dumps, given))))
    assert (facts(items), refused) == (expected(ROWS), [])


def test_of_two_people_of_whom_one_holds_the_other_nobody_is_taken_for_the_reporter(tmp_path: Path) -> None:
    """As Lichess keeps its reports; elsewhere people hold those that they made."""
    given = [{"user": f"player{post}", "open": True, "atoms": reports_of(post, reporter="by")} for post in POSTS]
    path = written(tmp_path / "a.ndjson", "\n".join(map(json.dumps, given)))
    for options in ({}, {"sheet": "atoms"}):
        asked = "'by' is in lists that 'user' holds.*--column reporter=by --column target=user"
        with pytest.raises(Refused, match=asked):
            read(path, **options)
    items, _, _ = read(path, columns={"reporter": "by", "target": "user"})
    assert facts(items) == {(who, f"player{post}", at) for who, post, at in expected(ROWS)}


def test_reports_with_lists_of_other_things_are_read_themselves(tmp_path: Path) -> None:
    given = [row | {"notes": [{"user_id": "mod", "created_at": row["created_at"], "text": "Seen"}]} for row in ROWS]
    items, refused, _ = read(written(tmp_path / "a.ndjson", "\n".join(map(json.dumps, given))))
    assert (facts(items), refused, len(items)) == (expected(ROWS), [], len(ROWS))


def test_a_list_that_may_be_the_reports_is_named(tmp_path: Path) -> None:
    given = [{"page": f"p{post}", "entries": [{"x": 1, "y": r["created_at"]} for r in ROWS]} for post in POSTS]
    with pytest.raises(Refused, match="if the reports are the objects in 'entries': --sheet entries"):
        read(written(tmp_path / "a.ndjson", "\n".join(map(json.dumps, given))))
