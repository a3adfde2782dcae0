"""Reports about several kinds of things: each row says in its own column what was reported."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tabular_files import START, read

from service.errors import Refused

ROWS = 120
Made = Callable[[int], dict[str, Any]]


def read_of(folder: Path, made: Made, *, refuse: bool = False) -> tuple[dict[tuple[str, str], int], Any]:
    """How often who reported what, by the ids without their kinds; and the source."""
    given = [
        {"reporter_id": f"{100 + k % 23}"} | made(k) | {"created_at": (START + timedelta(minutes=37 * k)).isoformat()}
        for k in range(ROWS)
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(given[0]))
    writer.writeheader()
    writer.writerows(given)
    path = folder / "reports.csv"
    path.write_text(text.getvalue())
    items, refused, source = read(path)
    assert bool(refused) == refuse
    found: dict[tuple[str, str], int] = {}
    for item in items:
        key = item.reporter.id, item.target.id.rsplit("/", 1)[-1]
        found[key] = found.get(key, 0) + 1
    return found, source


def expected(target: Callable[[int], Any], rows: Iterable[int] = range(ROWS)) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for k in rows:
        key = f"{100 + k % 23}", str(target(k))
        found[key] = found.get(key, 0) + 1
    return found


def one_of(*names: str) -> Made:
    """Each row fills one of the columns."""

    def made(k: int) -> dict[str, Any]:
        return {name: 5000 + k * 7 % 31 if k % len(names) == number else "" for number, name in enumerate(names)}

    return made


@pytest.mark.parametrize(
    "names",
    [
        ("voyage_id", "demande_id"),
        ("torrent_id", "request_id", "reported_user"),
        ("RestaurantId", "BlogId"),
        ("target_user_id", "target_book_id", "target_chapter_id", "target_comment_id"),
        ("promptId", "commentId"),
        ("guid", "rating_id", "collection_id", "user_id"),
    ],
)
def test_where_each_row_fills_one_of_several_columns_that_is_what_was_reported(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    found, _ = read_of(tmp_path, one_of(*names))
    assert found == expected(lambda k: 5000 + k * 7 % 31)


@pytest.mark.parametrize("account", ["reported_user_id", "reportee_id", "user_id", "reported_pubkey"])
def test_the_account_was_reported_where_a_row_names_no_content(account: str, tmp_path: Path) -> None:
    found, source = read_of(
        tmp_path, lambda k: {account: 900 + k % 17, "message_id": 5000 + k % 17 if k % 17 % 3 else ""}
    )
    assert found == expected(lambda k: 5000 + k % 17 if k % 17 % 3 else 900 + k % 17)
    assert not any("whole accounts" in note for note in source.notes)


def test_a_comment_comes_before_its_post(tmp_path: Path) -> None:
    found, _ = read_of(tmp_path, lambda k: {"postId": 700 + k % 9, "commentId": 5000 + k % 27 if k % 2 else ""})
    assert found == expected(lambda k: 5000 + k % 27 if k % 2 else 700 + k % 9)


def test_the_finest_of_a_reply_its_post_the_account_and_the_community(tmp_path: Path) -> None:
    def made(k: int) -> dict[str, Any]:
        thing = k % 24
        return {
            "suspect_community_id": 3 + thing % 4,
            "suspect_user_id": 60 + thing % 12,
            "suspect_post_id": 400 + thing if thing % 6 else "",
            "suspect_post_reply_id": 9000 + thing if thing % 6 > 3 else "",
        }

    found, _ = read_of(tmp_path, made)
    finest = [9000 + t if t % 6 > 3 else 400 + t if t % 6 else 60 + t % 12 for t in range(24)]
    assert found == expected(lambda k: finest[k % 24])


def test_a_number_for_nothing_is_no_target(tmp_path: Path) -> None:
    found, _ = read_of(
        tmp_path, lambda k: {"post_id": 500 + k % 29 if k % 4 else 0, "pm_id": 0 if k % 4 else 80 + k % 11}
    )
    assert found == expected(lambda k: 500 + k % 29 if k % 4 else 80 + k % 11)
    alone, source = read_of(tmp_path, lambda k: {"post_id": 500 + k % 29 if k % 4 else 0})
    assert alone == {key: n for key, n in expected(lambda k: 500 + k % 29 if k % 4 else 0).items() if key[1] != "0"}
    assert "reports about '0', which is not one target, left out: 30" in source.notes


WORK = ["resolution_id", "assigned_queue_id", "reviewed_by_id", "evidence_id", "warning_message_id", "log_message_id"]
WORK += ["merged_into_id", "duplicate_of_id", "parent_report_id", "appeal_id", "session_id", "deleted_by_id", "ban_id"]
WORK += ["ticket_id", "order_id", "deletedbyid", "first_post_id"]


@pytest.mark.parametrize("other", WORK)
@pytest.mark.parametrize("unique", [False, True])
def test_what_moderators_and_systems_add_to_a_report_is_not_what_was_reported(
    other: str, unique: bool, tmp_path: Path
) -> None:
    def of(k: int) -> int:
        return 40_000 - 7 * k if unique else 40 + k % 7

    beside, _ = read_of(tmp_path, lambda k: {"post_id": 500 + k % 29, other: of(k) if k % 3 else ""})
    assert beside == expected(lambda k: 500 + k % 29)
    made = {k: {"post_id": 500 + k % 29 if k % 3 else "", other: "" if k % 3 else of(k)} for k in range(ROWS)}
    instead, _ = read_of(tmp_path, made.__getitem__, refuse=True)
    kept = [k for k in range(ROWS) if k % 3]
    assert instead == expected(lambda k: 500 + k % 29, kept)


def test_a_few_rows_without_a_target_change_no_other_s_id(tmp_path: Path) -> None:
    found, source = read_of(
        tmp_path,
        lambda k: {"post_id": 500 + k % 29 if k != 50 else "", "reported_user_id": 900 + k % 29 // 3},
        refuse=True,
    )
    assert found == expected(lambda k: 500 + k % 29, [k for k in range(ROWS) if k != 50])
    assert len(source.read_as) and not any("kind/id" in note for note in source.notes)


def test_an_id_that_some_rows_have_beside_the_only_other_one_is_doubted(tmp_path: Path) -> None:
    found, source = read_of(
        tmp_path,
        lambda k: {"enterprise_id": 500 + k % 29, "service_id": 80 + k % 13 if k % 3 else "", "reason": "spam"},
    )
    assert found == expected(lambda k: 500 + k % 29)
    assert any("80 of 120 rows have a 'service_id': make sure" in note for note in source.notes)


def test_several_ids_for_each_account_are_doubted_also_where_numbers_could_be_times(tmp_path: Path) -> None:
    found, source = read_of(tmp_path, lambda k: {"reported_user_id": 900 + k % 12, "chat_id": 8400 + k % 36})
    assert found == expected(lambda k: 900 + k % 12)
    assert any("each 'reported_user_id' has several 'chat_id'" in note for note in source.notes)


def test_a_dump_of_django_in_xml_is_read_by_the_names_of_its_fields(tmp_path: Path) -> None:
    objects = "".join(
        f'<object model="reports.report" pk="{k}">'
        f'<field name="user" rel="ManyToOneRel" to="auth.user">{100 + k % 23}</field>'
        f'<field name="reported_user" rel="ManyToOneRel" to="auth.user">{900 + k % 12}</field>'
        '<field name="handled_by" rel="ManyToOneRel" to="auth.user"><None></None></field>'
        f'<field name="date_created" type="DateTimeField">{(START + timedelta(k)).isoformat()}</field></object>'
        for k in range(50)
    )
    path = tmp_path / "dump.xml"
    path.write_text(f'<?xml version="1.0" encoding="utf-8"?><django-objects version="1.0">{objects}</django-objects>')
    items, refused, _ = read(path)
    assert not refused
    assert [(c.reporter.id, c.target.id) for c in items] == [(f"{100 + k % 23}", f"{900 + k % 12}") for k in range(50)]


def test_ids_that_mongoexport_wraps_are_read_without_what_is_around_them(tmp_path: Path) -> None:
    digits = [f"{k:024x}" for k in range(0xABC000, 0xABC000 + 29)]
    found, _ = read_of(tmp_path, lambda k: {"postId": f"ObjectId({digits[k % 29]})"})
    assert found == expected(lambda k: digits[k % 29])


def test_guids_in_braces_are_no_lists(tmp_path: Path) -> None:
    guids = [f"{{ec8030f7-c20a-464f-9b0e-{k:012x}}}" for k in range(29)]
    found, _ = read_of(tmp_path, lambda k: {"addon_guid": guids[k % 29], "reason": "spam"})
    assert found == expected(lambda k: guids[k % 29])


@pytest.mark.parametrize(
    ("who", "others"),
    [
        ("uid", {"username": lambda k: f"nick{k % 23}"}),
        ("sender_user_id", {"user_id": lambda k: 900 + k % 29 // 3}),
        ("from_user_id", {"user_id": lambda k: 900 + k % 29 // 3}),
        ("reporter_objectId", {"reporter_name": lambda k: f"Ann {k % 23}"}),
        ("reportedbyuser", {"reporteduser": lambda k: 900 + k % 29 // 3}),
        ("A02_ID_DENUNCIANTE", {"A02_ID_DENUNCIADO": lambda k: 900 + k % 29 // 3, "A05_ID": lambda k: k + 1}),
    ],
)
def test_who_reported_is_told_apart_from_others(
    who: str, others: dict[str, Callable[[int], Any]], tmp_path: Path
) -> None:
    when = "A05_DATA" if who.startswith("A02") else "created_at"
    post = "A03_POST_ID" if who.startswith("A02") else "post_id"
    given = [
        {name: value(k) for name, value in others.items()}
        | {who: 100 + k % 23, post: 500 + k % 29, when: (START + timedelta(minutes=37 * k)).isoformat()}
        for k in range(ROWS)
    ]
    path = tmp_path / "reports.csv"
    path.write_text("\n".join([",".join(given[0]), *(",".join(map(str, row.values())) for row in given)]))
    items, _, _ = read(path)
    assert [(c.reporter.id, c.target.id) for c in items] == [
        (f"{100 + k % 23}", f"{500 + k % 29}") for k in range(ROWS)
    ]


def test_addresses_tell_people_apart_where_names_do_not_or_are_missing(tmp_path: Path) -> None:
    for beside in ({"reporter_name": lambda k: "Ann Lee"}, {"username": lambda k: f"nick{k % 23}" if k % 2 else ""}):
        address = "reporter_email" if "reporter_name" in beside else "email"
        given = [
            {name: value(k) for name, value in beside.items()}
            | {
                address: f"p{k % 23}@mail.example",
                "url": f"https://site.example/{k % 29}",
                "created_at": START + timedelta(k),
            }
            for k in range(50)
        ]
        path = tmp_path / "abuse_reports.csv"
        path.write_text("\n".join([",".join(given[0]), *(",".join(map(str, row.values())) for row in given)]))
        items, _, _ = read(path)
        assert [c.reporter.id for c in items] == [f"p{k % 23}@mail.example" for k in range(50)]


def test_sentences_without_blanks_are_not_accounts_but_nicknames_are(tmp_path: Path) -> None:
    given = [f"第{k}个帖子里全是广告链接。,{500 + k % 29},{(START + timedelta(k)).isoformat()}" for k in range(50)]
    path = tmp_path / "report.csv"
    path.write_text("\n".join(["reporter,post_id,created_at", *given]))
    with pytest.raises(Refused, match="no column was recognised for who reported"):
        read(path)
    nicknames = [row.replace("帖子里全是广告链接。", "号深夜食堂的老板娘") for row in given]
    path.write_text("\n".join(["reporter,post_id,created_at", *nicknames]))
    assert {c.reporter.id for c in read(path)[0]} == {f"第{k}个号深夜食堂的老板娘" for k in range(50)}
