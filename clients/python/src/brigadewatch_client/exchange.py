"""Pure: how questions and items look on the wire, and what the answers mean."""

from __future__ import annotations

import gzip
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode

from brigadewatch_client.documents import Assessment, Complaint, Noted, Outcome, Receipt, Rejected, time_text
from brigadewatch_client.errors import BrigadewatchError, Refused, Unreachable

MAX_TARGETS = 500  # per request
MAX_REPORTED = 20  # complaints of a post that asks about their targets
LONGEST_WAIT_SECONDS = 5.0  # for which the service lets a question wait
MAX_ITEMS = 1_000  # in one batch; the service takes 10,000, smaller ones are answered sooner
MAX_BATCH_BYTES = 4 * 1024 * 1024  # the service takes 8 MiB
MAX_ID_CHARACTERS = 128
MAX_ITEM_BYTES = 1024 * 1024  # the service refuses a longer line
WORTH_COMPRESSING_BYTES = 1_024
LARGEST = 10**15  # of thresholds, counts and positions
_FORBIDDEN_IN_ID = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_BUSY = (408, 425, 429)  # the only 4xx that asking again can change


@dataclass(frozen=True, slots=True)
class Question:
    """A request, ready to be sent."""

    method: str
    path: str
    content: bytes = b""
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, wholly read."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    at: datetime  # when it was read: a Retry-After may be a date


@dataclass(frozen=True, slots=True)
class Batch:
    """Items that go out together: `indexes[k]` is the place of line k + 1 in what was given; `refused` are too long to
    be sent at all.
    """

    lines: Sequence[bytes]
    indexes: Sequence[int]
    refused: Sequence[Rejected]
    given: int  # items up to and including this batch


def segment(identifier: object) -> str:
    """An id as one segment of a path. Raises ValueError for what the service would refuse as an id."""
    if (
        not isinstance(identifier, str)
        or not 1 <= len(identifier) <= MAX_ID_CHARACTERS
        or _FORBIDDEN_IN_ID.search(identifier)
    ):
        raise ValueError(
            f"{identifier!r:.150} is not a valid id: use 1 to 128 characters, without control characters and surrogates"
        )
    # Dots too: clients and proxies resolve the segments "." and "..".
    return quote(identifier, safe="").replace(".", "%2E")


def ask_one(
    target_id: str,
    threshold: int | None,
    *,
    after: int | None = None,
    wait: float | None = None,
    counted: int | None = None,
) -> Question:
    """GET /v1/targets/{id}; `wait` in seconds."""
    query = _query(
        threshold=threshold,
        after=None if after is None else _whole("after", after),
        wait=milliseconds(wait),
        counted=None if counted is None else _whole("counted", counted),
    )
    return Question("GET", f"/v1/targets/{segment(target_id)}{query}")


def ask_brief(target_id: str, threshold: int | None) -> Question:
    """GET /v1/targets/{id}/brief."""
    return Question("GET", f"/v1/targets/{segment(target_id)}/brief{_query(threshold=threshold)}")


def ask_many(
    target_ids: Sequence[str], threshold: int | None, *, after: int | None = None, wait: float | None = None
) -> Question:
    """POST /v1/targets/assess, of 1 to 500 ids; `wait` in seconds."""
    for target_id in target_ids:
        segment(target_id)
    body: dict[str, Any] = {"target_ids": list(target_ids)}
    if threshold is not None:
        body["threshold"] = _threshold(threshold)
    if after is not None:
        body["after"] = _whole("after", after)
    if wait is not None:
        body["wait"] = milliseconds(wait)
    return Question("POST", "/v1/targets/assess", json.dumps(body).encode(), {"Content-Type": "application/json"})


def post_batch(path: str, batch: Batch) -> Question | None:
    """POST of NDJSON, compressed where that is worth it; None when no line is left to post."""
    if not batch.lines:
        return None
    content, headers = b"\n".join(batch.lines), {"Content-Type": "application/x-ndjson"}
    if len(content) >= WORTH_COMPRESSING_BYTES:
        content, headers["Content-Encoding"] = gzip.compress(content, 6, mtime=0), "gzip"
    return Question("POST", path, content, headers)


def report(batch: Batch, threshold: int, wait: float) -> Question | None:
    """POST /v1/complaints that asks about the complaints' targets; `wait` in seconds. None: nothing is left to post."""
    query = _query(assess="true", threshold=_threshold(threshold), wait=milliseconds(wait))
    return post_batch(f"/v1/complaints{query}", batch)


def report_batch(complaints: Complaint | Mapping[str, Any] | Iterable[Complaint | Mapping[str, Any]]) -> Batch:
    """The complaints of one report. Raises ValueError for more than one request may hold, and as `batches` does."""
    given = [complaints] if isinstance(complaints, Complaint | Mapping) else list(complaints)
    if len(given) > MAX_REPORTED:
        raise ValueError(
            f"{len(given)} complaints, and at most {MAX_REPORTED} may be reported at once: use complain_many, then"
            " assess_many with the receipt's position as `after`"
        )
    made = list(batches(given))
    if len(made) > 1:
        raise ValueError(f"the complaints have more than {MAX_BATCH_BYTES} bytes together: report fewer at once")
    return made[0] if made else Batch((), (), (), 0)


def targets_of(batch: Batch, receipt: Receipt | None) -> list[str]:
    """The targets of the complaints that were taken, each once, in order; without a receipt those of all complaints."""
    rejected = set() if receipt is None else {one.index for one in receipt.rejected}
    found: dict[str, None] = {}
    for line, index in zip(batch.lines, batch.indexes, strict=True):
        target = json.loads(line).get("target") if index not in rejected else None
        target_id = target.get("id") if isinstance(target, dict) else None
        if isinstance(target_id, str):
            found[target_id] = None
    return list(found)


def batches(items: Iterable[Complaint | Outcome | Mapping[str, Any]]) -> Iterator[Batch]:
    """The items in groups that fit into a request.

    Raises ValueError, with the item's place, for one that cannot be written as JSON.
    """
    lines: list[bytes] = []
    indexes: list[int] = []
    refused: list[Rejected] = []
    size = given = 0
    for index, item in enumerate(items):
        line = _line(item, index)
        given = index + 1
        if len(line) > MAX_ITEM_BYTES:
            identifier = line_id(line)
            refused.append(Rejected(index, identifier, f"{len(line)} bytes, and an item has at most {MAX_ITEM_BYTES}"))
            continue
        if lines and (len(lines) == MAX_ITEMS or size + len(line) > MAX_BATCH_BYTES):
            yield Batch(lines, indexes, refused, index)
            lines, indexes, refused, size = [], [], [], 0
        lines.append(line)
        indexes.append(index)
        size += len(line) + 1
    if lines or refused:
        yield Batch(lines, indexes, refused, given)


def line_id(line: bytes) -> str | None:
    """The id of a line that was made here, if it has one."""
    document = json.loads(line)
    identifier = document.get("id") if isinstance(document, dict) else None
    return identifier if isinstance(identifier, str) else None


def read_document(answer: Answer, *expected: int) -> Any:
    """The JSON of an answer with one of these statuses. Raises Refused or Unreachable for every other answer."""
    if answer.status not in expected:
        raise failure(answer)
    try:
        return json.loads(answer.content)
    except ValueError:
        raise Unreachable(
            f"an answer that is not JSON came back: is this brigadewatch? {_beginning(answer.content)}",
            status=answer.status,
        ) from None


def read_assessment(answer: Answer, target_id: str) -> Assessment:
    """One assessment, of the target that was asked about."""
    return _assessment(read_document(answer, 200), target_id, answer.status)


def read_assessments(answer: Answer, target_ids: Sequence[str]) -> list[Assessment]:
    """One assessment per id asked, in that order."""
    document = read_document(answer, 200)
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list) or len(items) != len(target_ids):
        raise Unreachable("an answer that holds no assessments came back: is this brigadewatch?", status=answer.status)
    return [_assessment(item, target_id, answer.status) for item, target_id in zip(items, target_ids, strict=True)]


def read_receipt(answer: Answer, batch: Batch) -> Receipt:
    """What became of a batch: 202, or 422 when none of it was valid.

    Raises Refused or Unreachable for every other answer.
    """
    if answer.status == 422:
        refusal = failure(answer)
        if not isinstance(refusal, Refused) or not refusal.errors:
            raise refusal
        rejected = tuple(Rejected(*_item(error, batch)) for error in refusal.errors)
        return Receipt(0, (*batch.refused, *rejected), len(batch.refused) + refusal.rejected_count)
    document = read_document(answer, 202)
    try:
        rejected = tuple(Rejected(*_item(error, batch)) for error in document["rejected"])
        notes = tuple(Noted(*_item(note, batch)) for note in document.get("notes", ()))
        assessed = document.get("assessments")
        return Receipt(
            int(document["accepted"]),
            (*batch.refused, *rejected),
            len(batch.refused) + int(document["rejected_count"]),
            int(document["position"]),
            None if assessed is None else tuple(Assessment.read(one) for one in assessed),
            notes,
            int(document.get("notes_count", len(notes))),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Unreachable(
            "the answer is not a receipt: check that the URL is that of brigadewatch", status=answer.status
        ) from None


def failure(answer: Answer) -> BrigadewatchError:
    """What an answer other than the expected one means."""
    problem = _problem(answer)
    detail_text = problem.get("detail")
    detail = detail_text if isinstance(detail_text, str) else _beginning(answer.content)
    if 400 <= answer.status < 500 and answer.status not in _BUSY:
        errors = (
            [e for e in problem["errors"] if isinstance(e, dict)] if isinstance(problem.get("errors"), list) else []
        )
        count = problem.get("rejected_count")
        return Refused(
            f"{answer.status}: {detail}",
            status=answer.status,
            errors=errors,
            rejected_count=count if isinstance(count, int) else len(errors),
        )
    if 300 <= answer.status < 400:
        return Refused(
            f"{answer.status}: redirected to {answer.headers.get('location', 'nowhere')!r:.200}; redirects are not"
            " followed, give the final address",
            status=answer.status,
        )
    return Unreachable(
        f"{answer.status}: {detail}",
        status=answer.status,
        retry_after=retry_after(answer.headers.get("retry-after"), answer.at),
    )


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After asks to wait, from seconds or a date; None without a readable one."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except (ValueError, TypeError, OverflowError):
            return None
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def seconds(name: str, value: object, most: float) -> float:
    """The value. Raises ValueError for anything but a number from 0 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError(f"{name} is {value!r:.60} and has to be a number of seconds from 0 to {most:g}")
    return value


def milliseconds(wait: object) -> int | None:
    """A wait in seconds, as the service expects it. Raises ValueError for one that it does not allow."""
    return None if wait is None else round(1_000 * seconds("wait", wait, LONGEST_WAIT_SECONDS))


def counts(counted: Mapping[str, int] | None) -> Mapping[str, int]:
    """The platform's own counts by target. Raises ValueError for any that is not a count."""
    if not isinstance(counted, Mapping | None):
        raise ValueError(f'counted is {counted!r:.60} and has to be a count a target, such as {{"comment-5": 9}}')
    return {target_id: _whole("counted", count) for target_id, count in (counted or {}).items()}


def _query(**parameters: Any) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    if "threshold" in given:
        _threshold(given["threshold"])
    return "?" + urlencode(given) if given else ""


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise ValueError(f"{name} is {value!r:.60} and has to be an integer from 0 to {LARGEST}")
    return value


def _threshold(threshold: object) -> int:
    if isinstance(threshold, bool) or not isinstance(threshold, int) or not 1 <= threshold <= LARGEST:
        raise ValueError(f"threshold is {threshold!r:.60} and has to be an integer from 1 to {LARGEST}")
    return threshold


def _line(item: Complaint | Outcome | Mapping[str, Any], index: int) -> bytes:
    document = item.document() if isinstance(item, Complaint | Outcome) else dict(item)
    try:
        # ASCII alone, so that a lone surrogate reaches the service, which refuses the one item that holds it.
        return json.dumps(document, default=_json_value, allow_nan=False, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"item {index} cannot be sent: {error}") from None


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _assessment(document: Any, target_id: str, status: int) -> Assessment:
    try:
        assessment = Assessment.read(document)
    except ValueError as error:
        raise Unreachable(f"{error}: is this brigadewatch?", status=status) from None
    if assessment.target_id != target_id:
        raise Unreachable(
            f"asked about {target_id!r}, and the answer is about {assessment.target_id!r:.150}", status=status
        )
    return assessment


def _item(error: Mapping[str, Any], batch: Batch) -> tuple[int, str | None, str, str]:
    """Place, id, detail and pointer of what the service says about an item."""
    line = error.get("line")
    index = batch.indexes[line - 1] if isinstance(line, int) and 1 <= line <= len(batch.indexes) else -1
    identifier, pointer = error.get("id"), error.get("pointer")
    return (
        index,
        identifier if isinstance(identifier, str) else None,
        str(error.get("detail", "")),
        pointer if isinstance(pointer, str) else "",
    )


def _problem(answer: Answer) -> dict[str, Any]:
    try:
        document = json.loads(answer.content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _beginning(content: bytes) -> str:
    return repr(content[:100].decode("utf-8", "replace")) if content else "without a word"
