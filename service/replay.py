"""Send files of complaints and outcomes to a running service, in the order in which they happened.

Every file is read twice: first for its times (to count lines, to check the order, and to refuse early if the tenant
already has later complaints), then to send it. A file in order is streamed; any other is sorted in memory, about a
kilobyte per line. Only one request is sent at a time, since the order of two would be random; the next batch is read
meanwhile. Requests without an answer are repeated: ids make that harmless.
"""

from __future__ import annotations

import gzip
import heapq
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pydantic_core
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service.errors import Refused, StoreUnavailable
from service.intake.encoding import MARK, wide_encoding

COMPLAINTS, OUTCOMES = "complaints", "outcomes"
GIVE_UP_SECONDS = 120.0  # without any progress
SHOWN = 10  # rejections, and notes
MAX_OUTCOMES = 5_000  # of one request; the API takes 10,000 lines
MAX_BATCH_BYTES = 6 * 1024 * 1024  # of one request; the API takes 8 MiB
_TIME_FIELD = {COMPLAINTS: "occurred_at", OUTCOMES: "decided_at"}
_SORTS_FIRST = ""  # time of malformed lines at the beginning of a file

Line = tuple[str, str, bytes]  # UTC time, kind, line


@dataclass(frozen=True, slots=True)
class ReplayBatch:
    """The complaints of a span of time and the outcomes within it, one request for each kind."""

    complaints: list[bytes]
    outcomes: list[bytes]

    def __len__(self) -> int:
        return len(self.complaints) + len(self.outcomes)


@dataclass
class Summary:
    """What a replay did."""

    accepted: int = 0
    rejected: int = 0
    first_errors: list[dict[str, Any]] = field(default_factory=list)
    notes: int = 0
    first_notes: list[dict[str, Any]] = field(default_factory=list)
    retries: int = 0
    position: int = 0
    sending_seconds: float = 0.0
    total_seconds: float = 0.0
    flagged: int = 0

    def count(self, answer: dict[str, Any]) -> None:
        """Add the answer to one batch."""
        self.accepted += answer.get("accepted", 0)
        self.position = max(self.position, answer.get("position", 0))
        errors = answer.get("rejected", answer.get("errors", []))
        self.rejected += answer.get("rejected_count") or len(errors)
        self.first_errors += errors[: SHOWN - len(self.first_errors)]
        notes = answer.get("notes", [])  # a service before this version says nothing
        self.notes += answer.get("notes_count", len(notes))
        self.first_notes += notes[: SHOWN - len(self.first_notes)]


@dataclass(frozen=True, slots=True)
class Survey:
    """What the first pass over the files found."""

    lines: int
    first_time: datetime | None  # of a complaint
    in_order: dict[Path, bool]


class Replay:
    """Posts to the tenant of `key` at `url`.

    Raises Refused when the service rejects a request, StoreUnavailable when it does not answer.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        batch: int = 500,
        rate: float | None = None,
        client: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client or httpx.Client(base_url=url, timeout=60)
        self._headers = {"Authorization": f"Bearer {key}"}
        self._batch, self._rate, self._sleep = batch, rate, sleep
        self._summary = Summary()

    def run(
        self,
        complaints: Sequence[Path],
        outcomes: Sequence[Path],
        *,
        force: bool = False,
        progress: Progress | None = None,
    ) -> Summary:
        """Send everything, wait until the service has analysed and swept it, and count the flagged clusters.

        `progress` is a started rich progress bar; None: a new one, on a terminal only. Raises Refused for a tenant with
        later complaints, unless `force`.
        """
        began = time.monotonic()
        survey = survey_files(complaints, outcomes)
        if not force:
            self._refuse_later_tenant(survey.first_time)
        if progress is None:
            with progress_bar() as own:
                self._send_and_wait(complaints, outcomes, survey, own)
        else:
            self._send_and_wait(complaints, outcomes, survey, progress)
        self._summary.flagged = self._count_flagged()
        self._summary.total_seconds = time.monotonic() - began
        return self._summary

    def _send_and_wait(
        self, complaints: Sequence[Path], outcomes: Sequence[Path], survey: Survey, progress: Progress
    ) -> None:
        sending = progress.add_task("sending", total=survey.lines)
        began, sent = time.monotonic(), 0
        batches = cut(merged(complaints, outcomes, survey), self._batch)
        with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
            following = reader.submit(next, batches, None)
            while (batch := following.result()) is not None:
                following = reader.submit(next, batches, None)
                self._post(COMPLAINTS, batch.complaints)
                self._post(OUTCOMES, batch.outcomes)
                sent += len(batch)
                progress.update(sending, completed=sent)
                if self._rate and (ahead := sent / self._rate - (time.monotonic() - began)) > 0:
                    self._sleep(ahead)
        self._summary.sending_seconds = time.monotonic() - began
        self._wait_for_sweep(progress)

    def _refuse_later_tenant(self, first: datetime | None) -> None:
        watermark = self._get("/v1/pipeline").get("watermark")
        if watermark and first and datetime.fromisoformat(watermark) > first:
            raise Refused(
                f"the tenant already has complaints up to {watermark}, but the files begin at {first.isoformat()}:"
                " complaints older than its analysis window would be stored without being analysed; use a new tenant,"
                " or --force to send them anyway"
            )

    def _post(self, kind: str, lines: list[bytes]) -> None:
        if not lines:
            return
        answer = self._request(
            "POST",
            f"/v1/{kind}",
            content=b"\n".join(lines),
            headers={**self._headers, "Content-Type": "application/x-ndjson"},
        )
        if answer.status_code in (202, 422):
            self._summary.count(answer.json())
        elif answer.status_code == 413 and len(lines) > 1:  # a lower limit than the default one: send halves
            self._post(kind, lines[: len(lines) // 2])
            self._post(kind, lines[len(lines) // 2 :])
        else:
            raise Refused(_refusal(answer))

    def _get(self, path: str, **params: Any) -> dict[str, Any]:
        answer = self._request("GET", path, params=params, headers=self._headers)
        if answer.status_code != 200:
            raise Refused(_refusal(answer))
        found: dict[str, Any] = answer.json()
        return found

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        deadline, pause = time.monotonic() + GIVE_UP_SECONDS, 0.2
        while True:
            try:
                answer = self._client.request(method, path, **options)
                if answer.status_code not in (429, 502, 503, 504):
                    return answer
                problem = _refusal(answer)
                pause = _retry_after(answer, pause)
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}: {error}"
            if time.monotonic() + pause > deadline:
                raise StoreUnavailable(
                    f"no answer to {method} {str(self._client.base_url).rstrip('/')}{path} for {GIVE_UP_SECONDS:.0f} s;"
                    f" last problem: {problem}"
                )
            self._summary.retries += 1
            self._sleep(pause)
            pause = min(pause * 2, 5.0)

    def _wait_for_sweep(self, progress: Progress) -> None:
        waiting = progress.add_task("analysing", total=self._summary.position)
        moved_at, before = time.monotonic(), (-1, -1, -1)
        while True:
            state = self._get("/v1/pipeline")
            progress.update(waiting, completed=min(state["analysed_position"], self._summary.position))
            if state["pending"] == 0 and state["swept_position"] >= self._summary.position:
                return
            current = (state["analysed_position"], state["swept_position"], state["pending"])
            if current != before:
                moved_at, before = time.monotonic(), current
            if time.monotonic() - moved_at > GIVE_UP_SECONDS:
                raise StoreUnavailable(
                    f"no progress for {GIVE_UP_SECONDS:.0f} s: {state['pending']} pending, swept up to position"
                    f" {state['swept_position']} of {self._summary.position}; are the workers and the clock running?"
                )
            self._sleep(0.25)

    def _count_flagged(self) -> int:
        return sum(1 for _ in self.flagged())

    def flagged(self) -> Iterator[dict[str, Any]]:
        """The tenant's flagged clusters of any status, highest score first."""
        cursor: str | None = None
        while True:
            page = (
                self._get("/v1/clusters", cursor=cursor)
                if cursor
                else self._get("/v1/clusters", disposition="flagged", status="any", sort="-score", limit=100)
            )
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return


def survey_files(complaints: Sequence[Path], outcomes: Sequence[Path]) -> Survey:
    """Count the lines, find the first complaint's time, and see which files are in order."""
    lines, first, in_order = 0, None, {}
    for kind, paths in ((COMPLAINTS, complaints), (OUTCOMES, outcomes)):
        for path in paths:
            before, ordered = _SORTS_FIRST, True
            for at, _, _ in _timed(path, kind):
                lines += 1
                ordered = ordered and before <= at
                before = at
                if kind == COMPLAINTS and at and (first is None or at < first):
                    first = at
            in_order[path] = ordered
    return Survey(lines, None if first is None else datetime.fromisoformat(first), in_order)


def merged(complaints: Sequence[Path], outcomes: Sequence[Path], survey: Survey) -> Iterator[Line]:
    """All lines by time; at equal times complaints come before outcomes, and files in the given order."""
    streams: list[Iterable[Line]] = []
    for kind, paths in ((COMPLAINTS, complaints), (OUTCOMES, outcomes)):
        for path in paths:
            timed = _timed(path, kind)
            streams.append(timed if survey.in_order[path] else sorted(timed, key=_by_time))
    return heapq.merge(*streams, key=_by_time)


def cut(lines: Iterable[Line], size: int) -> Iterator[ReplayBatch]:
    """Batches of at most `size` complaints, each with the outcomes of its span of time."""
    batch, n_bytes = ReplayBatch([], []), 0
    for _, kind, line in lines:
        (batch.complaints if kind == COMPLAINTS else batch.outcomes).append(line)
        n_bytes += len(line) + 1
        if len(batch.complaints) >= size or len(batch.outcomes) >= MAX_OUTCOMES or n_bytes >= MAX_BATCH_BYTES:
            yield batch
            batch, n_bytes = ReplayBatch([], []), 0
    if len(batch):
        yield batch


def progress_bar() -> Progress:
    """The progress bar of a replay: on stderr, and only on a terminal."""
    return Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=False,
    )


def print_summary(summary: Summary) -> None:
    """Print the summary to stdout."""
    rate = (summary.accepted + summary.rejected) / summary.sending_seconds if summary.sending_seconds else 0.0
    print(
        f"{summary.accepted:,} items accepted, {summary.rejected:,} rejected; sent in {summary.sending_seconds:.1f} s"
        f" ({rate:,.0f} per second), analysed after {summary.total_seconds:.1f} s"
    )
    if summary.retries:
        print(f"{summary.retries} requests were repeated because the service was busy or did not answer")
    _print_items("rejected", summary.first_errors, summary.rejected)
    if summary.notes:
        print(f"{summary.notes:,} optional fields of accepted items could not be used as they were:")
    _print_items("noted", summary.first_notes, summary.notes)
    print(f"{summary.flagged} flagged clusters")


def _print_items(what: str, first: Sequence[dict[str, Any]], count: int) -> None:
    for item in first:
        name = item.get("id") or f"line {item.get('line', '?')} of a request, without an id"
        print(f"  {what} {name}: {' '.join(filter(None, (item.get('pointer'), item.get('detail'))))}")
    if count > len(first):
        print(f"  ... and {count - len(first):,} more")


def _timed(path: Path, kind: str) -> Iterator[Line]:
    """The lines of a file with their times; a line without a valid time gets that of the line before, and the service
    rejects it.
    """
    at = _SORTS_FIRST
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for number, raw in enumerate(file):
            if number == 0 and (fault := wide_encoding(raw)) is not None:
                raise Refused(f"{path} {fault}")
            line = raw.removeprefix(MARK).strip()
            if line:
                at = _utc_text(line, _TIME_FIELD[kind]) or at
                yield at, kind, line


def _utc_text(line: bytes, name: str) -> str | None:
    """The line's time in UTC, as text of a fixed length, which sorts by time; None if there is no valid one."""
    try:
        moment = datetime.fromisoformat(pydantic_core.from_json(line)[name])
        return moment.astimezone(UTC).isoformat(timespec="microseconds") if moment.tzinfo else None
    except (ValueError, TypeError, KeyError, IndexError, OverflowError):
        return None


def _by_time(line: Line) -> str:
    return line[0]


def _retry_after(answer: httpx.Response, otherwise: float) -> float:
    try:
        seconds = float(answer.headers.get("Retry-After", otherwise))
    except ValueError:
        return otherwise
    return otherwise if math.isnan(seconds) else min(max(seconds, 0.05), 60.0)


def _refusal(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        return f"{answer.status_code} {problem.get('title', '')}: {problem.get('detail', '')}"
    except (json.JSONDecodeError, AttributeError, UnicodeDecodeError):
        return f"{answer.status_code}: {answer.text[:200]}"
