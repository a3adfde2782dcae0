"""What a file says wrongly is refused with its line, and nothing is read for what it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from tabular_files import csv_of, expected, facts, read, rows, written

from service.errors import Refused
from service.intake.items import OUTCOME

ROWS = rows()
HEAD = "id,occurred_at,reporter_id,target_id,text\n"


def line(k: int, text: str = "fine") -> str:
    return f"{k},2026-10-01T10:{k:02}:00Z,{20 + k},77,{text}\n"


def test_an_open_quote_costs_its_row_and_names_its_line(tmp_path: Path) -> None:
    items, refused, _ = read(
        written(tmp_path / "a.csv", HEAD + line(1) + line(2, '"see below') + "".join(map(line, range(3, 10))))
    )
    assert [c.id for c in items] == ["1", "3", "4", "5", "6", "7", "8", "9"]
    assert [(r.line, r.detail) for r in refused] == [(3, "a quote that opens in this row never closes")]


def test_a_quote_that_holds_all_rows_leaves_no_remark_under_an_empty_table(tmp_path: Path) -> None:
    rows = "".join(line(k) for k in range(2, 40))
    items, refused, _ = read(written(tmp_path / "a.csv", HEAD + line(1, '"see below') + "\n" + rows.rstrip() + '"\n'))
    assert len(items) < 39 and len(refused) > 0


@pytest.mark.parametrize("closing", ['5"', 'say "hi', '"good"', '"two\nlines"'])
def test_an_open_quote_that_a_later_one_closes_swallows_no_row(tmp_path: Path, closing: str) -> None:
    text = HEAD + line(1) + line(2, '"see below') + line(3) + line(4, closing) + line(5)
    items, refused, _ = read(written(tmp_path / "a.csv", text))
    assert {"1", "3", "5"} <= {c.id for c in items} and 3 in [r.line for r in refused]
    assert len(items) + len(refused) >= 5


def test_lines_are_the_file_s_after_a_field_of_several_lines(tmp_path: Path) -> None:
    text = HEAD + line(1, '"one\ntwo, and ""more""\n\nthree"') + line(2) + "3,2026-10-01T10:00:00Z,1,77,a,b\n" + line(4)
    items, refused, _ = read(written(tmp_path / "a.csv", text))
    assert items[0].text == 'one\ntwo, and "more"\n\nthree'
    assert [c.id for c in items] == ["1", "2", "4"] and [r.line for r in refused] == [7]


def test_lines_are_the_file_s_across_blocks_of_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.tabular.text.BLOCK", 700)
    long = '"' + "words\n" * 400 + 'end"'
    text = HEAD + "".join(line(k) for k in range(1, 40)) + line(40, long) + line(41) + line(42, "a,b") + line(43)
    items, refused, _ = read(written(tmp_path / "a.csv", text))
    assert len(items) == 42 and [r.line for r in refused] == [40 + 1 + 400 + 2]


def test_rows_with_more_or_fewer_fields_are_refused_and_empty_ones_are_none(tmp_path: Path) -> None:
    text = (
        csv_of(ROWS)
        + "a,b\nuser1,500,x,2026-10-01T00:00:00Z,rude, off topic\n,,,,\n\nuser1,501,x,2026-10-01T00:00:00Z,r,,,\n"
    )
    items, refused, _ = read(written(tmp_path / "a.csv", text))
    assert len(items) == len(ROWS) + 1
    assert [(r.line, r.detail[:16]) for r in refused] == [(42, "the row has 2 fi"), (43, "the row has 6 fi")]


def test_a_file_in_which_most_quotes_are_wrong_is_refused_as_a_whole(tmp_path: Path) -> None:
    text = HEAD + "".join(f'{k},2026-10-01T10:00:00Z,r,t,"a"b\n' for k in range(2_000))
    with pytest.raises(Refused, match="quotes that do not match"):
        read(written(tmp_path / "a.csv", text))


@pytest.mark.parametrize("word", ["NULL", "\\N", "None", "nan", "-", "n/a", "", "null"])
def test_words_for_nothing_are_unknown_in_optional_columns(tmp_path: Path, word: str) -> None:
    given = [row | ({"author": word} if k % 2 else {}) for k, row in enumerate(ROWS)]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert (facts(items), refused) == (expected(ROWS), [])
    assert [c.target.author_id for c in items[1::2]] == [None] * 20


def test_a_row_without_a_reporter_is_refused(tmp_path: Path) -> None:
    given = [row | ({"reporter": "NULL"} if k == 3 else {}) for k, row in enumerate(ROWS)]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert len(items) == 39 and [(r.line, r.detail) for r in refused] == [(5, "'reporter' is empty")]


@pytest.mark.parametrize("number", ["1.10123E+17", "1,10123E+17", "1e18"])
def test_ids_in_a_spreadsheet_s_notation_are_refused(tmp_path: Path, number: str) -> None:
    given = [row | {"post_id": number} for row in ROWS]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given, ";")))
    assert items == [] and len(refused) == len(ROWS) and "spreadsheet" in refused[0].detail


def test_ids_of_a_column_of_floats_are_whole_numbers(tmp_path: Path) -> None:
    given = [row | {"post_id": row["post_id"] + ".0"} for row in ROWS]
    assert facts(read(written(tmp_path / "a.csv", csv_of(given)))[0]) == expected(ROWS)


def test_counters_of_two_tables_stay_apart(tmp_path: Path) -> None:
    given = [row | {"target_type": ("post", "comment")[k % 2], "post_id": "5"} for k, row in enumerate(ROWS)]
    items, _, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert {c.target.id for c in items} == {"post/5", "comment/5"}
    assert any("kind/id" in note for note in source.notes)


def test_a_target_in_one_column_of_two_is_the_one_that_is_there(tmp_path: Path) -> None:
    given = [
        {
            "reporter": r["reporter"],
            "post_id": r["post_id"] if k % 2 else "",
            "comment_id": "" if k % 2 else r["post_id"],
        }
        | {"created_at": r["created_at"]}
        for k, r in enumerate(ROWS)
    ]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert refused == [] and len(items) == len(ROWS)
    assert items[0].target.id == "comment/500" and items[1].target.id == "post/501"


def test_a_column_beyond_the_thirty_second_is_left_away_and_said(tmp_path: Path) -> None:
    given = [row | {f"c{k}": "x" for k in range(40)} for row in ROWS]
    items, refused, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert refused == [] and len(items[0].target.attributes) == 32
    assert any(note.startswith("not used: ") and "c39" in note for note in source.notes)


def test_what_differs_between_complaints_about_a_target_does_not_describe_it(tmp_path: Path) -> None:
    given = [row | {"moderator": f"m{k % 3}", "section": f"s{int(row['post_id']) % 4}"} for k, row in enumerate(ROWS)]
    items, _, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert set(items[0].target.attributes) == {"section"}
    assert any("moderator" in note for note in source.notes)


def test_rows_without_an_id_get_the_same_one_in_each_export(tmp_path: Path) -> None:
    first, _, source = read(written(tmp_path / "a.csv", csv_of(ROWS)))
    again, _, _ = read(written(tmp_path / "b.csv", csv_of(ROWS[::-1], ";")))
    assert {c.id for c in first} == {c.id for c in again} and len({c.id for c in first}) == len(ROWS)
    assert any("no id of their own" in note for note in source.notes)


def test_an_id_that_repeats_with_other_contents_is_not_taken_for_one(tmp_path: Path) -> None:
    given = [{"id": str(k % 4)} | row for k, row in enumerate(ROWS)]
    items, _, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert len({c.id for c in items}) == len(ROWS) and any("'id' has the same value" in n for n in source.notes)


def test_zero_times_in_optional_columns_are_unknown(tmp_path: Path) -> None:
    zeros = ("0001-01-01T00:00:00Z", "0000-00-00 00:00:00", "2020-01-01T00:00:00Z")
    given = [row | {"reporter_created_at": zeros[k % 3]} for k, row in enumerate(ROWS)]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert refused == [] and [c.reporter.account_created_at is None for c in items[:3]] == [True, True, False]


def test_a_verdict_column_becomes_outcomes_of_the_complaints_that_it_judges(tmp_path: Path) -> None:
    words = ("dismissed", "upheld", "pending", "odd")
    given = [row | {"status": words[k % 4]} for k, row in enumerate(ROWS)]
    items, _, source = read(written(tmp_path / "a.csv", csv_of(given)))
    outcomes = source.outcomes()
    assert len(outcomes) == 20 and {o.complaint_id for o in outcomes} <= {c.id for c in items}
    assert [o.verdict for o in outcomes[:2]] == ["rejected", "upheld"]
    assert max(c.occurred_at for c in items) == outcomes[0].decided_at
    assert any("odd" in note for note in source.notes) and any("have no time" in note for note in source.notes)


def test_outcomes_in_other_words_are_read_and_unknown_words_refused(tmp_path: Path) -> None:
    text = "post;decision;decided\n77;Dismissed;2026-10-02 10:00:00 UTC\n78;no violation;2026-10-02 10:00:00 UTC\n"
    text += "79;approved;2026-10-02 10:00:00 UTC\n80;pending;2026-10-02 10:00:00 UTC\n"
    text = text.replace(";decided\n", ";resolved_at\n")
    items, refused, source = read(written(tmp_path / "o.csv", text), OUTCOME)
    assert [(o.target_id, o.verdict) for o in items] == [("77", "rejected"), ("78", "rejected")]
    assert [r.line for r in refused] == [4] and any("do not judge" in note for note in source.notes)


def test_an_open_quote_in_the_first_column_swallows_no_row(tmp_path: Path) -> None:
    lines = csv_of(ROWS[:8]).splitlines(keepends=True)
    lines[3], lines[6] = '"' + lines[3], lines[6].replace(",", '",', 1)
    items, refused, _ = read(written(tmp_path / "a.csv", "".join(lines)))
    assert len(items) + len(refused) == 8 and 4 in [r.line for r in refused]


def test_a_swallowed_row_that_lacks_its_last_field_is_one(tmp_path: Path) -> None:
    lines = [f"0.{k},spam,w{k % 4},u{k % 9},2026-07-{k + 1:02}T08:30:00Z,{5000 + k % 7}" for k in range(28)]
    lines[20] = '"' + lines[20].rpartition(",")[0]
    lines[21] = lines[21].replace(",", '",', 1)
    text = "\n".join(["score,reason,author,reporter,created_at,post_id", *lines]) + "\n"
    items, refused, _ = read(written(tmp_path / "a.csv", text))
    assert [r.line for r in refused] == [22] and len(items) == 27
    prose = text.replace(
        lines[20], '"first, 2 of 3, then w0, or so\nand so on"' + "".join(lines[20].partition(",")[1:]) + ",5001"
    )
    prose = prose.replace('0.21",', "0.21,")
    items, refused, _ = read(written(tmp_path / "b.csv", prose))
    assert (len(items), refused) == (28, []), "a text of several lines"


def test_texts_of_several_lines_are_no_swallowed_rows(tmp_path: Path) -> None:
    texts = ("one, two\nthree, four", "a\nb\nc", 'he said: "x, y"\n"z"\n', "\n", "1,2\n3,4\n5,6")
    for first in (True, False):
        given = [
            ({"note": texts[k % 5]} | row) if first else (row | {"note": texts[k % 5], "end": "x"})
            for k, row in enumerate(ROWS)
        ]
        items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
        assert (facts(items), refused) == (expected(ROWS), [])


def test_a_row_that_a_quote_swallows_is_one_though_what_stands_first_differs(tmp_path: Path) -> None:
    text = "reason|author|id|post_id|ip|reporter|updated_at|created_at\n" + "".join(
        f"{('other', 'rude, really', 'spam')[k % 3]}|w{k % 4}|{k}|{5000 + k % 5}|{('', chr(34))[k == 4]}10.0.0.{k}"
        f"{('', chr(34))[k == 5]}|u{k % 3}|2026-11-01T00:00:00Z|2026-07-{k:02}T08:30:00Z\n"
        for k in range(1, 15)
    )
    items, refused, _ = read(written(tmp_path / "a.csv", text))
    assert [r.line for r in refused] == [5] and len(items) == 13
    prose = text.replace('"10.0.0.4', '"10.0.0.4\nin 2019, 3 of 4\nother|than, that"').replace('5"|', "5|")
    items, refused, _ = read(written(tmp_path / "b.csv", prose))
    assert (len(items), refused) == (14, []), "a text of several lines"


def test_a_row_that_a_quote_swallows_is_one_where_it_says_that_there_is_no_value(tmp_path: Path) -> None:
    text = ",status.id,target_account.id,score,created_at,reporter.id\n" + "".join(
        f",{5000 + k % 5},{('w1', 'NULL', chr(92) + 'N')[k % 3]},{('', chr(34))[k == 7]}0.0{k}{('', chr(34))[k == 8]},"
        f"2026-07-{k:02}T08:30:00Z,u{k % 3}\n"
        for k in range(1, 18)
    )
    items, refused, _ = read(written(tmp_path / "a.csv", text))
    assert [r.line for r in refused] == [8] and len(items) == 16


def test_a_quote_between_two_rows_that_ends_like_a_row_swallows_none(tmp_path: Path) -> None:
    """The first column is empty, so that lines cannot be known by how they begin."""
    lines = [f",w{k % 4},did:plc:{k % 9},08 Jul 2026 {8 + k // 6:02}:{k % 6}0:00,{5000 + k % 7}" for k in range(30)]
    lines[20:22] = [lines[20].replace(",w0", ',"w0', 1), lines[21].replace(",w1", ',w1"', 1)]
    text = "\n".join([",Author,Reporter,Created At,Post ID", *lines]) + "\n"
    items, refused, _ = read(written(tmp_path / "a.csv", text))
    assert (len(items), [r.line for r in refused]) == (29, [22])


def test_what_is_left_of_a_last_row_after_a_blank_line_is_refused(tmp_path: Path) -> None:
    text = HEAD + "".join(map(line, range(1, 20))) + "\n" + "20,2026-10-01T10:20:00Z,40\n"
    items, refused, source = read(written(tmp_path / "a.csv", text))
    assert (len(items), [r.line for r in refused]) == (19, [22])
    remark = HEAD + "".join(map(line, range(1, 20))) + "\n" + "Exported by,anna,2026-10-02\n"
    items, refused, source = read(written(tmp_path / "b.csv", remark.replace("2026-10-02", "")))
    assert (len(items), refused) == (19, []) and any("under the table" in note for note in source.notes)
