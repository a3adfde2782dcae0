"""What only looks like a table of reports is refused: nothing is read for what it is not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tabular_files import START, csv_of, expected, facts, read, rows, written

from service.errors import Refused

ROWS = rows()


def test_a_list_of_contents_is_not_a_list_of_reports_by_those_who_wrote_them(tmp_path: Path) -> None:
    given = [
        {"post_id": str(700 + k), "user_id": r["author"], "created_at": r["created_at"], "num_reports": k % 4}
        for k, r in enumerate(ROWS)
    ]
    path = written(tmp_path / "a.csv", csv_of(given))
    with pytest.raises(Refused, match="each row has another 'post_id'.*may be who wrote it.*--column reporter=user_id"):
        read(path)
    assert len(read(path, columns={"reporter": "user_id"})[0]) == len(ROWS)
    named = [{"flagged_by" if name == "user_id" else name: value for name, value in row.items()} for row in given]
    assert len(read(written(tmp_path / "b.csv", csv_of(named)))[0]) == len(ROWS)


def test_what_a_reporter_wrote_is_not_what_was_reported(tmp_path: Path) -> None:
    given = [r | {"comment": ("spam", "rude", "bad bot 2")[k % 3]} for k, r in enumerate(ROWS)]
    alone = [{name: value for name, value in row.items() if name != "post_id"} for row in given]
    with pytest.raises(Refused, match="what was reported"):
        read(written(tmp_path / "a.csv", csv_of(alone)))
    about = [row | {"target_account.id": r["author"]} for row, r in zip(alone, ROWS, strict=True)]
    items, _, _ = read(written(tmp_path / "b.csv", csv_of(about)))
    assert {c.target.id for c in items} == {r["author"] for r in ROWS}
    numbered = [row | {"comment": r["post_id"]} for row, r in zip(alone, ROWS, strict=True)]
    assert {c.target.id for c in read(written(tmp_path / "c.csv", csv_of(numbered)))[0]} == {r["post_id"] for r in ROWS}


@pytest.mark.parametrize("many", ["ann,bob,cy", "ann; bob", "[1, 2]", 'a:2:{i:0;s:1:"7";i:1;s:1:"9";}', "ann, bob, cy"])
def test_several_reporters_in_one_cell_are_not_one_reporter(tmp_path: Path, many: str) -> None:
    given = [r | {"reporter": many if k % 2 else r["reporter"]} for k, r in enumerate(ROWS)]
    with pytest.raises(Refused, match="'reporter' has several accounts in one cell"):
        read(written(tmp_path / "a.csv", csv_of(given)))
    apart = [r | {"reporter": f"Doe, {r['reporter']}"} for r in ROWS]
    assert len(read(written(tmp_path / "b.csv", csv_of(apart)))[0]) == len(ROWS)


def test_of_a_log_that_has_reports_among_others_only_those_are_read(tmp_path: Path) -> None:
    given = [r | {"event": "report" if k % 3 else "delete"} for k, r in enumerate(ROWS)]
    items, _, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert facts(items) == expected([r for k, r in enumerate(ROWS) if k % 3])
    assert "rows left out, whose 'event' is 'delete' or the like: they report nothing: 14" in source.notes
    only = [r | {"event": ("report", "flagged")[k % 2], "action": "none"} for k, r in enumerate(ROWS)]
    assert len(read(written(tmp_path / "b.csv", csv_of(only)))[0]) == len(ROWS)


def test_who_wrote_in_a_thread_is_not_who_reported_it(tmp_path: Path) -> None:
    given = [{"id": k, "thread_id": k % 5, "user_id": k % 7, "created_at": r["created_at"]} for k, r in enumerate(ROWS)]
    path = written(tmp_path / "a.csv", csv_of(given))
    with pytest.raises(Refused, match="'user_id' may be who wrote in 'thread_id'.*--column reporter=user_id"):
        read(path)
    assert len(read(path, columns={"reporter": "user_id"})[0]) == len(ROWS)
    named = [{"reporter" if name == "user_id" else name: value for name, value in row.items()} for row in given]
    assert len(read(written(tmp_path / "b.csv", csv_of(named)))[0]) == len(ROWS)


def test_a_number_for_nothing_in_one_of_two_columns_is_no_target(tmp_path: Path) -> None:
    given = [
        {"reporter": r["reporter"], "post_id": k % 6 if k % 2 else 0, "comment_id": 0 if k % 2 else k % 6 + 1}
        | {"created_at": r["created_at"]}
        for k, r in enumerate(ROWS)
    ]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert refused == [] and {c.target.id.split("/")[0] for c in items} == {"post", "comment"}
    assert {c.target.id.split("/")[1] for c in items} == {"1", "3", "5"}


def test_a_time_that_goes_with_the_target_is_not_when_it_was_reported(tmp_path: Path) -> None:
    given = [r | {"created_at": (START + timedelta(hours=int(r["post_id"]))).isoformat()} for r in ROWS]
    path = written(tmp_path / "a.csv", csv_of(given))
    with pytest.raises(Refused, match="'created_at' is the same for all rows about one target"):
        read(path)
    both = [row | {"date": r["created_at"]} for row, r in zip(given, ROWS, strict=True)]
    items, refused, _ = read(written(tmp_path / "b.csv", csv_of(both)))
    assert refused == [] and [c.occurred_at.isoformat() for c in items] == [r["created_at"] for r in ROWS]


def test_who_handled_a_report_is_not_who_sent_it(tmp_path: Path) -> None:
    sent_from = {who: f"203.0.113.{k}" for k, who in enumerate(sorted({r["reporter"] for r in ROWS}))}
    given = [
        {
            "post_id": r["post_id"],
            "submitter_ip": sent_from[r["reporter"]],
            "user_id": k % 2,
            "created_at": r["created_at"],
        }
        for k, r in enumerate(ROWS)
    ]
    items, _, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert {c.reporter.id for c in items} == set(sent_from.values())
    assert "'user_id' does not go with 'submitter_ip', so it is not taken for who reported" in source.notes
    assert "people who share a value of 'submitter_ip' count as one reporter" in source.notes
    theirs = [row | {"user_id": r["reporter"]} for row, r in zip(given, ROWS, strict=True)]
    items, _, _ = read(written(tmp_path / "b.csv", csv_of(theirs)))
    assert {c.reporter.id for c in items} == {r["reporter"] for r in ROWS}


def test_when_a_moderator_looked_is_not_when_it_was_reported_and_is_not_offered_for_it(tmp_path: Path) -> None:
    for name in ("check_time", "processed_at", "triaged_on"):
        given = [{"reporter_id": r["reporter"], "comment_id": r["post_id"], name: r["created_at"]} for r in ROWS]
        with pytest.raises(Refused, match="--column time=COLUMN"):
            read(written(tmp_path / "a.csv", csv_of(given)))


def test_the_entry_of_a_page_is_finer_than_the_account_and_that_of_a_form_is_a_row(tmp_path: Path) -> None:
    given = [
        {
            "reporting_id": r["reporter"],
            "reported_id": r["author"],
            "entry_id": r["post_id"],
            "created_at": r["created_at"],
        }
        for r in ROWS
    ]
    assert {c.target.id for c in read(written(tmp_path / "a.csv", csv_of(given)))[0]} == {r["post_id"] for r in ROWS}
    of_form = [row | {"entry_id": 900 + k} for k, row in enumerate(given)]
    assert {c.target.id for c in read(written(tmp_path / "b.csv", csv_of(of_form)))[0]} == {r["author"] for r in ROWS}


def test_the_reporter_s_own_account_beside_an_address_is_not_what_was_reported(tmp_path: Path) -> None:
    given = [
        {"reporter_email": f"{r['reporter']}@{('a', 'b')[k % 9 == 0]}.example", "user_id": r["reporter"]}
        | {"created_at": r["created_at"], "reason": "spam"}
        for k, r in enumerate(ROWS)
    ]
    with pytest.raises(Refused, match="no column was recognised for what was reported"):
        read(written(tmp_path / "complaints.csv", csv_of(given)))


def test_an_account_beside_those_who_reported_was_reported(tmp_path: Path) -> None:
    given = [{"reported_by": r["reporter"], "user_id": r["post_id"], "created_at": r["created_at"]} for r in ROWS]
    items, _, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert facts(items) == expected(ROWS)
    assert any("whole accounts are the targets" in note for note in source.notes)


@pytest.mark.parametrize("name", ["abuse_reports.csv", "export.csv"])
def test_the_only_id_beside_reporters_was_reported_if_the_file_is_one_of_reports(tmp_path: Path, name: str) -> None:
    given = [{"user_id": r["reporter"], "enquete_id": r["post_id"], "created_at": r["created_at"]} for r in ROWS]
    path = written(tmp_path / name, csv_of(given))
    if name == "export.csv":
        with pytest.raises(Refused, match="--column target=enquete_id"):
            read(path)
    else:
        assert facts(read(path)[0]) == expected(ROWS)


def test_an_address_is_who_reported_only_where_nobody_else_may_be(tmp_path: Path) -> None:
    given = [{"post_id": r["post_id"], "reason": "spam", "created_at": r["created_at"]} for r in ROWS]
    with_ip = [row | {"ip": f"192.0.2.{r['reporter'][4:]}"} for row, r in zip(given, ROWS, strict=True)]
    items, _, source = read(written(tmp_path / "a.csv", csv_of(with_ip)))
    assert facts(items) == {(f"192.0.2.{who[4:]}", post, at) for who, post, at in expected(ROWS)}
    assert "people who share a value of 'ip' count as one reporter" in source.notes
    damaged = [row | {"repXrter_id": r["reporter"]} for row, r in zip(with_ip, ROWS, strict=True)]
    with pytest.raises(Refused, match="no column was recognised for who reported"):
        read(written(tmp_path / "b.csv", csv_of(damaged)))
    requests = [{k: v for k, v in row.items() if k != "reason"} for row in with_ip]
    with pytest.raises(Refused, match="no column was recognised for who reported"):
        read(written(tmp_path / "c.csv", csv_of(requests)))


def test_what_moderators_did_about_reports_does_not_make_a_table_a_log(tmp_path: Path) -> None:
    """`Reported to the police` is an outcome; rows with other outcomes are reports, too."""
    given = [r | {"action": ("Reported to police", "Content removed")[k % 2]} for k, r in enumerate(ROWS)]
    assert facts(read(written(tmp_path / "a.csv", csv_of(given)))[0]) == expected(ROWS)


def test_records_are_what_was_reported_and_accounts_where_a_row_has_none(tmp_path: Path) -> None:
    """As Bluesky's events have them."""
    given = [
        {"createdBy": r["reporter"], "createdAt": r["created_at"], "reason": "spam"}
        | {"subjectDid": f"did:{r['author']}", "subjectUri": f"at://{r['author']}/{r['post_id']}" if k % 4 else ""}
        for k, r in enumerate(ROWS)
    ]
    items, _, source = read(written(tmp_path / "reports_of_users.csv", csv_of(given)))
    assert {item.target.id.split("/", 1)[1] for item in items} >= {"did:writer0"}
    assert any("the finer one where a row has it" in line.why for line in source.read_as)


def test_guests_are_not_one_account(tmp_path: Path) -> None:
    given = [
        {
            "customer_id": 0 if k % 4 == 0 else 100 + int(r["reporter"][4:]),
            "customer_email": "g@x.org" if k % 4 == 0 else "",
        }
        | {"product_id": r["post_id"], "reason": "spam", "reported_at": r["created_at"]}
        for k, r in enumerate(ROWS)
    ]
    items, refused, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert (len(items), refused) == (30, []) and "0" not in {item.reporter.id for item in items}
    assert "reports by '0', who is not one account, left out: 10" in source.notes
    own = [{"reporter_id": row["customer_id"], "target_id": "p", "occurred_at": row["reported_at"]} for row in given]
    assert len(read(written(tmp_path / "b.csv", csv_of(own)))[0]) == len(ROWS)


def test_a_case_under_which_reports_of_several_people_are_gathered_is_what_was_reported(tmp_path: Path) -> None:
    """As XenForo joins them with what moderators wrote."""
    given = [
        {"report_comment_id": k, "report_id": r["post_id"], "comment_date": r["created_at"], "user_id": r["reporter"]}
        | {"message": "see rule 4", "is_report": int(k % 4 > 0)}
        for k, r in enumerate(ROWS)
    ]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert (facts(items), refused) == (expected([r for k, r in enumerate(ROWS) if k % 4]), [])


def test_ids_that_could_be_seconds_are_ids(tmp_path: Path) -> None:
    given = [
        {"botId": 268477000 + int(r["post_id"]), "reporterId": r["reporter"], "reportDate": r["created_at"]}
        for r in ROWS
    ]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert (facts(items), refused) == ({(w, str(268477000 + int(p)), at) for w, p, at in expected(ROWS)}, [])


def test_a_column_that_most_rows_leave_empty_is_not_what_was_reported(tmp_path: Path) -> None:
    given = [
        {"image_id": 3 if k % 7 == 0 else "", "barcode": r["post_id"], "user_id": r["reporter"], "reason": "spam"}
        | {"created_at": r["created_at"]}
        for k, r in enumerate(ROWS)
    ]
    assert facts(read(written(tmp_path / "a.csv", csv_of(given)))[0]) == expected(ROWS)


@pytest.mark.parametrize("what", ["target_id", "post_id", "Link to the post"])
def test_a_few_reports_that_are_each_about_another_post_are_not_about_their_thread(tmp_path: Path, what: str) -> None:
    given = [
        {"reporter_id": r["reporter"], what: f"p{k}", "thread_id": f"t{k % 6}", "occurred_at": r["created_at"]}
        for k, r in enumerate(ROWS[:18])
    ]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert ({item.target.id for item in items}, refused) == ({f"p{k}" for k in range(18)}, [])


def test_addresses_of_tickets_are_not_what_was_reported(tmp_path: Path) -> None:
    given = [
        {
            "id": k,
            "url": f"https://desk.example/tickets/{k}",
            "requester_id": r["reporter"],
            "created_at": r["created_at"],
        }
        for k, r in enumerate(ROWS)
    ]
    with pytest.raises(Refused, match="each row has another 'url': it may be the address of the report itself"):
        read(written(tmp_path / "a.csv", csv_of(given)))


@pytest.mark.parametrize("word", ["status_id", "entity", "product_id"])
def test_fewer_contents_than_accused_accounts_are_a_state_or_a_kind(tmp_path: Path, word: str) -> None:
    given = [
        {
            "reporter_id": r["reporter"],
            word: k % 6,
            "reported_user_id": f"a{r['post_id']}",
            "created_at": r["created_at"],
        }
        for k, r in enumerate(ROWS)
    ]
    items, _, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert facts(items) == {(who, f"a{post}", at) for who, post, at in expected(ROWS)}


def test_a_list_of_comments_is_not_one_of_reports_about_their_posts(tmp_path: Path) -> None:
    given = [
        {"comment_id": 700 + k, "post_id": r["post_id"], "user_id": r["reporter"], "created_at": r["created_at"]}
        | {"is_flagged": k % 9 == 0}
        for k, r in enumerate(ROWS)
    ]
    with pytest.raises(Refused, match="each row has another 'comment_id': 'user_id' may be who wrote it"):
        read(written(tmp_path / "a.csv", csv_of(given)))


def test_reviews_that_are_each_reported_once_are_not_their_product(tmp_path: Path) -> None:
    given = [
        {"review_id": f"r{(k * 7) % 41}", "product_id": r["post_id"], "reporter": r["reporter"]}
        | {"reported_at": r["created_at"]}
        for k, r in enumerate(ROWS)
    ]
    items, _, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert {item.target.id for item in items} == {f"r{(k * 7) % 41}" for k in range(len(ROWS))}
