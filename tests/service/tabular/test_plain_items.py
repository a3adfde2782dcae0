"""Lines in columns say what lines read as a POST say, whatever stands in them; ordinary lines are read in columns."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from tabular_files import NOW

from service.intake.items import COMPLAINT, MAX_LINE_BYTES
from service.intake.notes import NoteCount
from service.model import Complaint, RejectedItem, Reporter, Target, microseconds
from service.tabular.checked_complaints import CheckedComplaints, values_of
from service.tabular.column_reading import BatchColumns
from service.tabular.documents import ItemReader
from service.tabular.plain_items import plain_item
from service.tabular.tables import Batch

LATEST_US = microseconds(NOW + timedelta(minutes=5))

# Each value as it stands in the line.
PLAIN = {
    "": {
        "id": '"c-{k}"',
        "occurred_at": '"2026-10-0{d}T08:00:0{d}.25Z"',
        "reason": '"spam"',
        "text": '"please remove \\"this\\" \\u00e9 \\ud83d\\ude00 {k}\\n"',
        "notice_type": '"illegal_content"',
        "part_of": '"c-1"',
    },
    "reporter": {
        "id": '"r{m}"',
        "account_created_at": '"2020-01-0{d}T00:00:00+02:00"',
        "fingerprint": '"f{m}"',
        "trusted": "true",
    },
    "target": {
        "id": '"t{d}"',
        "kind": '"comment"',
        "author_id": '"a{d}"',
        "context_id": '"Ü x{d}"',
        "context_title": '"A title"',
        "context_url": '"https://example.org/"',
        "url": '"https://example.org/{k}"',
        "excerpt": '"words \\u0000 and more"',
        "attributes": '{{"is_reply": true, "n": 1, "x": 0.5, "s": "news"}}',
    },
}  # fmt: skip
ANYTHING = (
    *("null", "true", "1", "1.0", "-0", "1e400", "NaN", "Infinity", "123456789012345678901234567890", '""', '" "'),
    *("[]", "{{}}", '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\u007f"', '"\x7f"', '"\t"', '"\\t"', '"a'),
    *('"\xff"', '"2026-10-03T08:00:00Z"', '"2026-10-03"', '{{"a": 1, "a": []}}', '{{"a": [], "a": 1}}'),
    *('{{"id": "x"}}', '{{"id": 7, "id": "x"}}', '"false"', '"0"', "0", "", "nul"),
)  # fmt: skip
IDS = ('"{i128}"', '"{i129}"', '"\\n"', '"\u0085"', '" c 1 "', '"\u2028"')
TIMES = (
    *('"2026-10-03t08:00:00z"', '"2026-10-03T08:00:00+02:00"', '"2026-10-03T08:00:00-23:59"', '"2026-10-03T08:00:00"'),
    *('"2026-10-03T08:00:00+24:00"', '"2026-02-29T08:00:00Z"', '"2026-10-03T24:00:00Z"', '"2026-10-03T23:59:60Z"'),
    *('"2026-10-03T08:00:00.123456789Z"', '"2026-10-03T08:00:00.Z"', '"2026-10-03 08:00:00Z"', "1790000000"),
    *('"1970-01-01T00:00:00Z"', '"0001-01-01T00:00:00Z"', '"0001-01-02T00:00:00Z"', '"9999-12-31T23:59:59Z"'),
    *('"1000-01-01T00:00:00+23:59"', '"2999-12-31T23:59:59-23:59"', '"1970-12-31T23:59:59Z"'),
    *('"1971-01-01T00:00:00Z"', '"2026-11-22T00:05:00Z"', '"2026-11-22T00:05:00.000001Z"', '"２０26-10-03T08:00:00Z"'),
    *('"2026-10-0{d}T08:00:0{d}.25Z"', '"2026-10-0{d}T08:02:00Z"', '"2026-10-0{d}T09:00:00Z"'),
    *('"2026-10-03T08:00:00Z\\n"', '"2026-10-03T08:00:00\\u005a"'),
)  # fmt: skip
ATTRIBUTES = (
    *('{{"": 1}}', '{{"a": null}}', '{{"a": []}}', '{{"a": NaN}}', '{{"a": 1e400}}', '{{"a": 1.0, "a": 2}}'),
    *('{{"a": 99999999999999999999999999}}', '{{"a": -0.0, "b": 1E5}}', '{{"{i128}": 1}}', '{{"{i129}": 1}}'),
    *('{{"a": "{long1024}"}}', '{{"a": "{long1025}"}}', "{many32}", "{many33}"),
    *('{{"\\ud800": 1}}', '{{"a": "\\u0000"}}'),
)  # fmt: skip
LONG = tuple(f'"{{{name}}}"' for name in ("long64", "long65", "long300", "long301", "long512", "long513"))
LONG += ('"{é4096}"', '"{é4097}"')
ODD = {"id": IDS, "author_id": IDS, "context_id": IDS, "part_of": IDS, "attributes": ATTRIBUTES}
ODD |= {"occurred_at": TIMES, "account_created_at": TIMES, "notice_type": ('"terms"', '"Illegal Content"', '"other"')}
FILLED = {
    "i128": "i" * 128,
    "i129": "ü" * 129,
    "é4096": "é" * 4096,
    "é4097": "é" * 4097,
    "many32": json.dumps({f"a{k}": k for k in range(32)}),
    "many33": json.dumps({f"a{k}": k for k in range(33)}),
} | {f"long{n}": "w" * n for n in (64, 65, 300, 301, 512, 513, 1024, 1025)}


class LineMaker:
    """Writes lines: fields in any order, some absent, twice, unknown, or with an odd value."""

    def __init__(self, seed: int, odd: float) -> None:
        self._draw, self._odd = random.Random(seed), odd

    def line(self, k: int) -> bytes:
        """The k-th line."""
        draw = self._draw
        inside = {within: self._fields(within) for within in ("reporter", "target")}
        fields = self._fields("") + [(name, f"{{{{{', '.join(self._said(inside[name]))}}}}}") for name in inside]
        if draw.random() < 5 * self._odd:
            draw.shuffle(fields)
        if draw.random() < self._odd:
            fields.pop(draw.randrange(len(fields)))
        text = "{{" + ",".join(self._said(fields)) + "}}"
        made = text.format(k=k, d=1 + k % 9, m=k % 37, **FILLED).encode().replace("\xff".encode(), b"\xff")
        if draw.random() < self._odd:
            made = draw.choice((b"\xef\xbb\xbf" + made, made[:-1], made + b"}", made + made, b"[" + made + b"]", b"7"))
        if draw.random() < self._odd:
            made = made.replace(b",", draw.choice((b" , ", b",\r\t", b",,", b", " * 1900)), 1)
        return made

    def _fields(self, within: str) -> list[tuple[str, str]]:
        draw, found = self._draw, list[tuple[str, str]]()
        for name, plain in PLAIN[within].items():
            if name not in ("id", "occurred_at") and draw.random() < 0.3:
                continue
            for _ in range(2 if draw.random() < self._odd / 3 else 1):
                odd = draw.random() < self._odd
                found.append((name, draw.choice((*ODD.get(name, LONG), *ANYTHING)) if odd else plain))
        if draw.random() < self._odd / 3:
            found.append(("machine", "true"))
        return found

    def _said(self, fields: list[tuple[str, str]]) -> Iterator[str]:
        return (f'"{name}": {value}' for name, value in fields)


def read(lines: list[bytes]) -> tuple[str, list[RejectedItem], NoteCount]:
    """The columns, with the type of each value; what was refused; and the notes."""
    notes, found, refused = NoteCount(), CheckedComplaints(), list[RejectedItem]()
    reader = ItemReader(COMPLAINT, NOW, notes, as_lines=True)
    for part in BatchColumns().of(reader, Batch(range(1, len(lines) + 1), lines)):
        if isinstance(part, RejectedItem):
            refused.append(part)
        else:
            found = part
    return repr(found), refused, notes


def read_one_by_one(lines: list[bytes]) -> tuple[str, list[RejectedItem], NoteCount]:
    """The same by the checks of a POST alone."""
    notes = NoteCount()
    items = list(ItemReader(COMPLAINT, NOW, notes, as_lines=True).items(Batch(range(1, len(lines) + 1), lines)))
    complaints = CheckedComplaints.of(item for item in items if isinstance(item, Complaint))
    return repr(complaints), [item for item in items if isinstance(item, RejectedItem)], notes


def is_plain(line: bytes) -> bool:
    try:
        plain_item(line, LATEST_US)
    except Exception:
        return False
    return True


@pytest.mark.parametrize("odd", [0.02, 0.15])
@pytest.mark.parametrize("seed", range(6))
def test_columns_say_what_a_post_says(seed: int, odd: float) -> None:
    maker = LineMaker(seed, odd)
    lines = [maker.line(k) for k in range(1_500)]
    assert read(lines) == read_one_by_one(lines)
    _, refused, notes = read(lines)
    assert len(refused) > 30
    assert notes.count > 30
    plain = sum(map(is_plain, lines))
    assert plain > (800 if odd < 0.1 else 20)


def one(within: str, name: str, value: str, k: int = 5) -> bytes:
    """A line with one value of its own."""
    given = {key: dict(fields) for key, fields in PLAIN.items()}
    given[within][name] = value
    inner = {key: ", ".join(f'"{n}": {v}' for n, v in given[key].items()) for key in given}
    text = f'{{{{{inner[""]}, "reporter": {{{{{inner["reporter"]}}}}}, "target": {{{{{inner["target"]}}}}}}}}}'
    return text.format(k=k, d=1 + k % 9, m=k % 37, **FILLED).encode().replace("\xff".encode(), b"\xff")


@pytest.mark.parametrize(("within", "name"), [(within, name) for within in PLAIN for name in PLAIN[within]])
def test_any_value_of_a_field_is_read_as_in_a_post(within: str, name: str) -> None:
    values = dict.fromkeys((*ANYTHING, *IDS, *TIMES, *ATTRIBUTES, *LONG, *ODD.get(name, ())))
    for value in values:
        line = one(within, name, value)
        assert read([line]) == read_one_by_one([line]), value
        if is_plain(line):
            (item,) = ItemReader(COMPLAINT, NOW, NoteCount(), as_lines=True).items(Batch([1], [line]))
            assert isinstance(item, Complaint)
            assert repr(plain_item(line, LATEST_US)) == repr(values_of(item, judged=False))


def test_lines_with_every_field_of_the_model_are_plain() -> None:
    assert [*Reporter.model_fields] == [*PLAIN["reporter"]]
    assert [*Target.model_fields] == [*PLAIN["target"]]
    assert {*Complaint.model_fields} == {*PLAIN[""], "reporter", "target"}
    assert all(is_plain(one("", "reason", value)) for value in ('"spam"', "null", '"{long64}"'))


@pytest.mark.parametrize(
    ("within", "name", "longest"),
    [
        *(("", "id", 128), ("", "reason", 64), ("", "text", 4096), ("", "part_of", 128), ("reporter", "id", 128)),
        *(("reporter", "fingerprint", 512), ("target", "id", 128), ("target", "kind", 64), ("target", "url", 4096)),
        *(("target", "author_id", 128), ("target", "context_id", 128), ("target", "context_title", 300)),
        *(("target", "context_url", 4096), ("target", "excerpt", 4096)),
    ],
)
def test_what_is_as_long_as_it_may_be_is_plain(within: str, name: str, longest: int) -> None:
    assert is_plain(one(within, name, f'"{"é" * longest}"'))
    assert not is_plain(one(within, name, f'"{"é" * (longest + 1)}"'))


def test_ordinary_lines_are_read_in_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    passed, item = list[Any](), ItemReader.item
    monkeypatch.setattr(ItemReader, "item", lambda *given: passed.append(given[2]) or item(*given))
    odd = one("reporter", "trusted", "null")
    lines = [one("", "text", "null", k) for k in range(200)]
    assert len(read([*lines, odd])[1]) == 0
    assert passed == [odd]


def test_a_long_line_is_bounded_as_in_a_post() -> None:
    plain = one("", "text", "null")
    blanks = MAX_LINE_BYTES - len(plain)
    lines = [plain + b" " * (blanks + more) for more in (-1, 0, 1)]
    lines.append(plain[:-1] + b"," + b",".join(b'"id": "x"' for _ in range(2_100)) + b"}")
    assert read(lines) == read_one_by_one(lines)
    assert list(map(is_plain, lines)) == [True, True, False, False]
    assert [item.line for item in read(lines)[1]] == [3, 4]
