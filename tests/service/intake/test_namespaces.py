"""Ids under a namespace: apart from the same ids elsewhere, and never too long."""

from __future__ import annotations

import hashlib
import json

import pytest

from service.fields import ID_CHARACTERS, is_id
from service.intake.documents import Submission, read_document
from service.intake.items import COMPLAINT, OUTCOME, Noun
from service.intake.namespaces import document_under, is_namespace, item_under, prefixed
from service.intake.privacy_filter import PrivacyFilter
from service.model import Complaint, Outcome, moment
from service.platforms.items import Item, complaint

NOW = moment(1_795_000_000_000_000)
WHOLE = {
    "id": "1",
    "occurred_at": "2026-11-01T10:00:00Z",
    "reporter": {"id": "501", "fingerprint": "device", "trusted": True},
    "target": {
        "id": "31",
        "kind": "post",
        "author_id": "99",
        "context_id": "7",
        "attributes": {"community": "community/3", "score": 1.0, "is_reply": True},
    },
    "reason": "spam",
}


@pytest.mark.parametrize("text", ["a", "0", "forum2", "a-b", "a--b", "x" * 32, "the-second-forum"])
def test_what_may_be_a_namespace(text: str) -> None:
    assert is_namespace(text)


@pytest.mark.parametrize("text", ["", "-", "-a", "a-", "A", "a:b", "a b", "a\n", "ä", "²", "x" * 33, "a_b", "a.b"])
def test_what_may_not(text: str) -> None:
    assert not is_namespace(text)


def test_a_long_id_keeps_its_beginning_and_stays_apart_from_others() -> None:
    fits = "x" * (ID_CHARACTERS - len("forum2:"))
    assert prefixed("forum2", fits) == f"forum2:{fits}"
    longer = prefixed("forum2", fits + "x")
    whole = f"forum2:{fits}x"
    assert longer == whole[:95] + "~" + hashlib.sha256(whole.encode()).hexdigest()[:32]
    assert len(longer) == ID_CHARACTERS and is_id(longer)
    assert len({prefixed(n, "x" * 127 + end) for n in ("forum2", "forum3") for end in "ab"}) == 4
    assert prefixed(None, fits + "x") == fits + "x"


def test_every_id_of_a_document_and_nothing_else_is_put_under_it() -> None:
    under = document_under("n", WHOLE)
    assert under == {
        **WHOLE,
        "id": "n:1",
        "reporter": {**WHOLE["reporter"], "id": "n:501"},  # type: ignore[dict-item]
        "target": {**WHOLE["target"], "id": "n:31", "author_id": "n:99", "context_id": "n:7"},  # type: ignore[dict-item]
    }
    assert WHOLE["id"] == "1" and document_under(None, WHOLE) is WHOLE
    outcome = {"id": "o2", "target_id": "31", "complaint_id": "1", "retracts": "o1", "verdict": "upheld"}
    assert document_under("n", outcome) == {
        "id": "n:o2",
        "target_id": "n:31",
        "complaint_id": "n:1",
        "retracts": "n:o1",
        "verdict": "upheld",
    }
    assert document_under("n", {"id": "1"}) == {"id": "n:1"}  # a withdrawal
    assert document_under("n", {"id": "2", "part_of": "1"}) == {"id": "n:2", "part_of": "n:1"}


def test_what_cannot_be_an_id_is_left_for_the_check() -> None:
    broken = {"id": "", "complaint_id": 7, "target_id": "x" * 129, "retracts": None, "reporter": ["id"], "target": "31"}
    assert document_under("n", broken, ("community",)) == broken


def test_an_adapter_says_which_attributes_are_ids() -> None:
    item = Item(COMPLAINT, WHOLE, id_attributes=("community",)).under("n")
    assert item.id == "n:1"
    assert item.document["target"]["attributes"] == {"community": "n:community/3", "score": 1.0, "is_reply": True}
    assert item.under(None) is item


def test_an_id_that_tells_the_reporter_is_keyed_under_its_namespace_too() -> None:
    made = complaint(
        id="report/501", occurred_at=NOW, reporter={"id": "501"}, target={"id": "31"}, id_tells_reporter=True
    )
    ids = [made.under(n).read(NOW, PrivacyFilter()).id for n in (None, "n", "m", "n")]  # type: ignore[union-attr]
    assert ids[1] == ids[3] and len(set(ids)) == 3 and ids[1].startswith("n:report/") and "501" not in ids[1]
    assert {one.rpartition("/")[2] for one in ids} == {ids[0].rpartition("/")[2]}


@pytest.mark.parametrize(("form", "noun"), [("json", COMPLAINT), ("ndjson", COMPLAINT), ("ndjson", OUTCOME)])
def test_a_posted_document_is_put_under_it_after_the_check(form: str, noun: Noun) -> None:
    item: dict[str, object] = (
        WHOLE
        if noun is COMPLAINT
        else {"id": "o", "target_id": "31", "decided_at": "2026-11-01T10:00:00Z", "action": "kept", "retracts": "p"}
    )
    read = noun.model.model_validate(item)
    assert isinstance(read, Complaint | Outcome)
    kept = item_under("n", read)
    assert item_under(None, read) is read
    assert kept.model_dump() == noun.model.model_validate(document_under("n", item)).model_dump()
    marks: list[tuple[str, str | None, bool]] = []
    batch = Submission(marker=lambda *mark: marks.append(mark) or b"", namespace="n")  # type: ignore[func-returns-value, arg-type]
    for _ in read_document(json.dumps(item).encode(), noun, form, NOW, batch):  # type: ignore[arg-type]
        pass
    assert (b'"id":"n:' in batch.lines[0]) and not batch.rejected
    assert marks == ([("n:31", "n:501", True)] if noun is COMPLAINT else [])


def test_a_refused_item_is_named_as_it_was_sent() -> None:
    batch = Submission(namespace="n")
    for _ in read_document(b'{"id": "1"}', COMPLAINT, "json", NOW, batch):
        pass
    assert [one.id for one in batch.rejected] == ["1"]
