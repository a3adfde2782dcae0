"""What a complaint loses before it is stored, and what a platform may go on asking by."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.intake.documents import Submission, read_document
from service.intake.items import COMPLAINT, canonical
from service.intake.privacy_filter import Erased, PrivacyFilter
from service.intake.text_fingerprints import signature_of
from service.model import Complaint

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
HIDING = PrivacyFilter(KEY, pseudonyms=True, keep_text=False)
TEXT = "he insults every reader of this page"
IDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=128)
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def body(**more: Any) -> dict[str, Any]:
    return {
        "id": "c-1",
        "occurred_at": "2026-10-31T10:00:00Z",
        "reporter": {"id": "r-77", "account_created_at": "2026-10-30T10:00:00Z", "fingerprint": "hmac:5f1c"},
        "target": {"id": "t-1", "author_id": "r-77", "excerpt": TEXT},
        "reason": "abuse",
        "text": TEXT,
        **more,
    }


def line(document: dict[str, Any]) -> bytes:
    return b"c" + json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


@given(IDS)
def test_a_pseudonym_is_one_s_own_known_again_and_no_longer_than_an_id_may_be(identity: str) -> None:
    found = HIDING.reporter(identity)
    assert found == HIDING.reporter(identity) == HIDING.reporter(found)
    assert found.startswith("p-") and len(found) == 34 and found.isascii()
    assert identity not in found or len(identity) < 8
    assert PrivacyFilter(OTHER, pseudonyms=True).reporter(identity) != found
    assert PrivacyFilter(KEY).reporter(identity) == identity


def test_a_pseudonym_of_another_key_or_of_nobody_is_an_id_like_any_other() -> None:
    forged = "p-" + "a" * 32
    assert HIDING.reporter(forged) != forged
    strange = PrivacyFilter(OTHER, pseudonyms=True).reporter("r-77")
    assert HIDING.reporter(strange) != strange
    assert HIDING.reporter(HIDING.reporter("r-77").upper()) != HIDING.reporter("r-77")


def test_neither_id_nor_words_nor_fingerprint_of_the_reporter_are_in_the_line_that_is_stored() -> None:
    stored = HIDING.line(line(body(target={"id": "t-1", "excerpt": "what the target says"})))
    found = json.loads(stored[1:])
    assert b"r-77" not in stored and b"insults" not in stored and b"hmac:5f1c" not in stored
    assert found["reporter"] == {
        "id": HIDING.reporter("r-77"),
        "account_created_at": "2026-10-30T10:00:00Z",
        "fingerprint": found["reporter"]["fingerprint"],
    }
    assert found["reporter"]["fingerprint"].startswith("f-")
    assert b64decode(found["text_signature"]) == signature_of(TEXT, KEY)
    assert set(found) == {"id", "occurred_at", "reporter", "target", "reason", "text_hash", "text_signature"}


def test_a_complaint_that_is_sent_again_after_its_signature_s_version_changed_is_the_same() -> None:
    stored = HIDING.body(body())
    earlier = {**stored, "text_signature": b64encode(bytes([9]) + bytes(128)).decode()}
    assert HIDING.comparable(earlier) == HIDING.comparable(body())
    assert HIDING.comparable(earlier) != HIDING.comparable(body(text=TEXT + "!"))


def test_targets_their_authors_excerpts_and_titles_stay_as_they_are() -> None:
    assert HIDING.body(body())["target"] == body()["target"]
    target = {"id": "t-1", "excerpt": "what it says", "context_title": "A thread", "context_url": "https://x.example/1"}
    assert HIDING.body(body(target=target))["target"] == target


def test_a_complaint_is_the_same_after_its_article_was_renamed_and_moved_and_another_with_other_words() -> None:
    target = {"id": "t-1", "excerpt": "what it says", "context_id": "a-1", "context_title": "Old", "context_url": "u"}
    stored = HIDING.body(body(target=target))
    assert HIDING.comparable(stored) == HIDING.comparable(body(target={**target, "context_title": "New"}))
    without = {name: value for name, value in target.items() if name not in ("context_title", "context_url")}
    assert HIDING.comparable(stored) == HIDING.comparable(body(target=without))  # sent before the platform knew them
    assert HIDING.comparable(stored) != HIDING.comparable(body(target={**target, "excerpt": "something else"}))


def test_a_short_text_leaves_a_hash_alone_and_no_text_nothing() -> None:
    short = HIDING.body(body(text="spam"))
    assert "text_hash" in short and "text_signature" not in short and "text" not in short
    without = body()
    del without["text"]
    assert "text_hash" not in HIDING.body(without)


@pytest.mark.parametrize(
    "privacy_filter",
    [HIDING, PrivacyFilter(KEY, pseudonyms=True), PrivacyFilter(KEY, keep_text=False), PrivacyFilter(KEY)],
)
def test_passing_twice_changes_nothing_more(privacy_filter: PrivacyFilter) -> None:
    once = privacy_filter.line(line(body()))
    assert privacy_filter.line(once) == once


def test_where_everything_is_kept_a_line_is_the_same_bytes() -> None:
    for kept in (line(body()), b'o{"id":"o"}', b'w{"id":"c-1"}'):
        assert PrivacyFilter(KEY).line(kept) is kept
    assert HIDING.line(b'w{"id":"r-77"}') == b'w{"id":"r-77"}'


def test_the_same_content_is_recognised_across_settings_and_other_words_are_not() -> None:
    for privacy_filter in (
        HIDING,
        PrivacyFilter(KEY, pseudonyms=True),
        PrivacyFilter(KEY, keep_text=False),
        PrivacyFilter(KEY),
    ):
        assert HIDING.comparable(privacy_filter.body(body())) == HIDING.comparable(body())
    assert HIDING.comparable(HIDING.body(body())) != HIDING.comparable(body(text=TEXT + "!"))
    assert HIDING.comparable(HIDING.body(body())) != HIDING.comparable(body(reporter={"id": "r-78"}))


@pytest.mark.parametrize("pseudonyms", [False, True])
@pytest.mark.parametrize("asked", ["id", "pseudonym"])
def test_an_erased_reporter_is_refused_by_id_and_by_pseudonym(pseudonyms: bool, asked: str) -> None:
    mark = HIDING.mark("r-77" if asked == "id" else HIDING.reporter("r-77"))
    privacy_filter = PrivacyFilter(KEY, pseudonyms=pseudonyms, erased={mark: "erased-1"})
    assert "r-77" not in mark and len(mark) == 64
    for sent in ("r-77", HIDING.reporter("r-77")):
        with pytest.raises(Erased, match="erased"):
            privacy_filter.line(line(body(reporter={"id": sent})))
    assert privacy_filter.line(line(body(reporter={"id": "r-7"}))).startswith(b"c")


@pytest.mark.parametrize("pseudonyms", [False, True])
def test_who_wrote_the_target_of_somebody_elses_complaint_is_named_by_the_token_once_erased(pseudonyms: bool) -> None:
    privacy_filter = PrivacyFilter(KEY, pseudonyms=pseudonyms, erased={HIDING.mark("r-77"): "erased-1"})
    about = body(reporter={"id": "r-5"}, target={**body()["target"], "author_id": "r-77"})
    kept = privacy_filter.body(about)
    assert kept["target"] == {**about["target"], "author_id": "erased-1"} and about["target"]["author_id"] == "r-77"
    assert privacy_filter.body(kept) == kept
    other = body(reporter={"id": "r-5"}, target={"id": "t-1", "author_id": "r-7"})
    assert privacy_filter.body(other)["target"] == other["target"]


def test_a_batch_lists_what_an_erased_reporter_sent_beside_what_was_taken() -> None:
    batch = Submission(PrivacyFilter(KEY, keep_text=False, erased={HIDING.mark("r-77"): "erased-1"}))
    document = b"\n".join(
        line({**body(), "id": f"c-{k}", "reporter": {"id": who}})[1:] for k, who in enumerate(("r-76", "r-77", "r-78"))
    )
    assert list(read_document(document, COMPLAINT, "ndjson", NOW, batch))
    assert [json.loads(kept[1:])["id"] for kept in batch.lines] == ["c-0", "c-2"]
    (refused,) = batch.rejected
    assert (refused.line, refused.id, refused.pointer, refused.detail.split(":")[0]) == (
        2,
        "c-1",
        "/reporter/id",
        "the reporter was erased",
    )


def test_the_key_is_in_no_representation() -> None:
    assert "key" not in repr(HIDING)


@pytest.mark.parametrize("pseudonyms", [False, True])
@pytest.mark.parametrize("keep_text", [False, True])
@pytest.mark.parametrize("erased", ["nobody", "r", "a"])
@given(
    text=st.none() | st.text(max_size=80) | st.just("one two three four five six seven"),
    more=st.fixed_dictionaries({}, optional={"reason": st.text(max_size=9), "notice_type": st.just("terms")}),
    author=st.sampled_from([None, "a", "r"]),
)
def test_a_line_made_of_a_complaint_is_the_same_as_one_that_is_parsed_again(
    pseudonyms: bool, keep_text: bool, erased: str, text: str | None, more: dict[str, Any], author: str | None
) -> None:
    filter_ = PrivacyFilter(KEY, pseudonyms=pseudonyms, keep_text=keep_text)
    filter_ = replace(filter_, erased={filter_.mark(erased): "erased-1"})
    complaint = Complaint.model_validate(
        {
            "id": "c",
            "occurred_at": "2026-01-01T00:00:00Z",
            "reporter": {"id": "r", "fingerprint": "f"},
            "target": {"id": "t"} | ({} if author is None else {"author_id": author}),
            **more,
        }
        | ({} if text is None else {"text": text})
    )
    try:
        expected = filter_.line(canonical(complaint, COMPLAINT))
    except Erased:
        with pytest.raises(Erased):
            filter_.line_of(complaint, COMPLAINT)
    else:
        assert filter_.line_of(complaint, COMPLAINT) == expected
