"""How a person's name is replaced inside one stored value, and where it is left alone."""

from __future__ import annotations

import json

from service.storage.privacy.name_replacement import NameReplacement


def test_a_sentence_loses_a_name_only_where_it_differs_from_a_word() -> None:
    names = NameReplacement({"r-77": "TOKEN", "this": "OTHER", "7": "SEVENTH"})
    assert (
        names.in_column("prose", "r-77 and r-777 did this 7 times; also r-77.")
        == "TOKEN and r-777 did this 7 times; also TOKEN."
    )
    assert names.in_column(
        "document", json.dumps([{"signal": "aim_author", "text": "7 of 7 targets are by author 7, where 1 % are."}])
    ) == json.dumps([{"signal": "aim_author", "text": "7 of 7 targets are by author SEVENTH, where 1 % are."}])


def test_a_document_loses_a_name_only_in_fields_about_people() -> None:
    names = NameReplacement({"flagged": "TOKEN"})
    before = {"disposition": "flagged", "reporters": ["flagged", "ann"], "reporter": {"id": "flagged"}}
    after = {"disposition": "flagged", "reporters": ["TOKEN", "ann"], "reporter": {"id": "TOKEN"}}
    assert json.loads(names.in_column("document", json.dumps(before))) == after


def test_an_id_is_replaced_whole_even_if_it_reads_like_json_or_a_word() -> None:
    names = NameReplacement({"this": "OTHER", '["x"]': "TOKEN"})
    assert names.in_column("reporter id", "this") == "OTHER"
    assert names.in_column("reporter id", "this one") == "this one"
    assert names.in_column("author id", '["x"]') == "TOKEN"


def test_the_subject_of_an_audit_entry_changes_only_if_it_is_a_person() -> None:
    names = NameReplacement({"ann": "TOKEN"})
    assert names.in_column("subject", "reporter:ann") == "reporter:TOKEN"
    assert names.in_column("subject", "cluster:ann") == "cluster:ann"
