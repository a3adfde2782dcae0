"""Documents of complaints and outcomes: whatever bytes come, what is refused is refused by item, and what is taken
comes out as it went in.
"""

from __future__ import annotations

import gzip
import json
import zlib
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from service.api.body import Gunzip
from service.errors import TooMany
from service.intake.documents import Form, Submission, UnreadableDocument, read_document
from service.intake.items import COMPLAINT, OUTCOME, Amended, Noun, canonical, read_line
from service.intake.privacy_filter import PrivacyFilter
from service.model import RejectedItem
from tests.fuzz.cases import SCALARS, TEXTS, cases, json_values

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOUNS = st.sampled_from([COMPLAINT, OUTCOME])
FIELDS = st.sampled_from(
    [
        "id",
        "occurred_at",
        "reporter",
        "target",
        "reason",
        "text",
        "notice_type",
        "trusted",
        "fingerprint",
        "account_created_at",
        "kind",
        "author_id",
        "context_id",
        "context_title",
        "context_url",
        "url",
        "excerpt",
        "attributes",
        "target_id",
        "decided_at",
        "verdict",
        "action",
        "decided_by",
        "complaint_id",
        "retracts",
        "machine",
        "text_hash",
        "text_signature",
    ]
)
GOOD = {"id": "good", "occurred_at": "2026-11-22T10:00:00Z", "reporter": {"id": "r"}, "target": {"id": "t"}}
NEARLY = st.fixed_dictionaries(
    {
        "id": TEXTS,
        "occurred_at": st.just("2026-11-22T10:00:00Z") | TEXTS,
        "reporter": st.fixed_dictionaries({"id": TEXTS}),
        "target": st.fixed_dictionaries({"id": TEXTS}),
    },
    optional={"reason": SCALARS, "text": TEXTS, "attributes": json_values(), "notice_type": SCALARS},
)
LINES = st.one_of(
    st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b"")),
    json_values(FIELDS).map(lambda value: json.dumps(value).encode()),
    NEARLY.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [
            b"{",
            b"[" * 5_000,
            b'{"a":' * 2_000,
            b"nul",
            b"\xff\xfe",
            b'{"id":"\\ud800"}',
            b'{"id":1,"id":2}',
            b"1" * 5_000,
            b"\x1e{}",
            b"\0",
            b"\r",
            b" ",
            b'{"__proto__":{}}',
        ]
    ),
)
EDGES = st.builds(PrivacyFilter, key=st.just(b"k" * 32), pseudonyms=st.booleans(), keep_text=st.booleans())


def read(document: bytes, form: Form, noun: Noun, privacy_filter: PrivacyFilter | None = None) -> Submission:
    batch = Submission(privacy_filter or PrivacyFilter())
    for _ in read_document(document, noun, form, NOW, batch):
        pass
    return batch


@cases(
    document=st.binary(max_size=400) | json_values(FIELDS).map(lambda value: json.dumps(value).encode()) | LINES,
    form=st.sampled_from(["json", "ndjson"]),
    noun=NOUNS,
)
def test_any_document_is_accepted_or_refused_with_our_own_message(document: bytes, form: Form, noun: Noun) -> None:
    try:
        batch = read(document, form, noun)
    except (UnreadableDocument, TooMany):
        return
    for item in batch.rejected:
        item.model_dump_json()


@cases(before=st.lists(LINES, max_size=6), after=st.lists(LINES, max_size=6), privacy_filter=EDGES)
def test_a_valid_line_is_accepted_whatever_the_other_lines_are(
    before: list[bytes], after: list[bytes], privacy_filter: PrivacyFilter
) -> None:
    good = json.dumps(GOOD).encode()
    batch = read(b"\n".join([*before, good, *after]), "ndjson", COMPLAINT, privacy_filter)
    filled = [line for line in [*before, good, *after] if line.strip(b" \t\r")]
    assert len(batch.lines) + batch.rejected_count == len(filled)
    assert privacy_filter.line(b"c" + canonical(read_line(good, COMPLAINT, NOW), COMPLAINT)[1:]) in batch.lines  # type: ignore[arg-type]
    assert all(b"\n" not in line for line in batch.lines)


@cases(items=st.lists(NEARLY | json_values(FIELDS), max_size=6), noun=NOUNS)
def test_an_array_and_ndjson_give_the_same_result(items: list[Any], noun: Noun) -> None:
    array = read(json.dumps(items).encode(), "json", noun) if items else Submission()
    lines = read(b"\n".join(json.dumps(item).encode() for item in items), "ndjson", noun)
    assert array.lines == lines.lines
    assert [(item.line, item.id, item.pointer) for item in array.rejected] == [
        (item.line, item.id, item.pointer) for item in lines.rejected
    ]


@cases(value=NEARLY, noun=NOUNS)
def test_parsing_a_canonical_line_changes_nothing(value: Any, noun: Noun) -> None:
    item = read_line(json.dumps(value).encode(), noun, NOW)
    if isinstance(item, RejectedItem):
        return
    line = canonical(item.item if isinstance(item, Amended) else item, noun)
    again = read_line(line[1:], noun, NOW)
    assert not isinstance(again, RejectedItem | Amended), "what is canonical needs no amendment"
    assert canonical(again, noun) == line


@cases(
    parts=st.lists(st.binary(max_size=300), min_size=1, max_size=3),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    junk=st.binary(max_size=8),
    level=st.integers(0, 9),
)
def test_gzip_is_decompressed_correctly_however_it_is_split(
    parts: list[bytes], cuts: list[int], junk: bytes, level: int
) -> None:
    body = b"".join(gzip.compress(part, level) for part in parts) + junk
    try:
        expected: bytes | None = gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        expected = None
    gunzip, found, at = Gunzip(), [], 0
    try:
        while at < len(body):
            step = cuts[at % len(cuts)]
            found += list(gunzip.feed(body[at : at + step]))
            at += step
        gunzip.end()
    except HTTPException as refused:
        assert refused.status_code == 400
        assert expected is None or junk.strip(b"\0") == b"", "padding of nulls is the one thing that Python lets pass"
        return
    assert b"".join(found) == expected


@cases(size=st.integers(0, 3_000_000), level=st.integers(1, 9))
def test_a_decompression_bomb_is_returned_in_small_slices(size: int, level: int) -> None:
    bomb = gzip.compress(bytes(size), level)
    given = 0
    for part in Gunzip().feed(bomb):
        assert len(part) <= 65_536
        given += len(part)
    assert given == size
