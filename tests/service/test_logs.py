"""Log lines: one per event, whatever it contains, with the id of the current request or job."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from service import logs
from service.logs import Logfmt, LogLine


@pytest.fixture(autouse=True)
def _between_requests() -> Iterator[None]:
    token = logs._line.set(None)
    yield
    logs._line.reset(token)


def written(
    message: str,
    *arguments: Any,
    level: int = logging.INFO,
    facts: dict[str, Any] | None = None,
    error: BaseException | None = None,
) -> str:
    record = logging.LogRecord(
        "service.x",
        level,
        "",
        0,
        message,
        arguments,
        None if error is None else (type(error), error, error.__traceback__),
    )
    record.created = 1_795_000_000.25
    if facts is not None:
        record.facts = facts
    return Logfmt("worker-ingest").format(record)


def test_a_line_is_made_of_pairs_that_people_and_programs_can_read() -> None:
    assert (
        written("%d entries", 3)
        == 'time=2026-11-18T11:06:40.250Z level=info process=worker-ingest logger=service.x msg="3 entries"'
    )
    assert written(
        "job", facts={"work": "ingest", "seconds": 0.0123456789, "dry": True, "note": None, "empty": ""}
    ).endswith(' msg=job work=ingest seconds=0.0123457 dry=true empty=""')


@pytest.mark.parametrize(
    "text",
    ['a "quoted" = word', "two\nlines\r\n", "tab\tand \\ back", "\x1b[31mred", "nel\x85 and csi\x9b", "\u2028", ""],
)
def test_nothing_in_a_message_can_start_a_new_line_or_pair(text: str) -> None:
    line = written("%s", text, facts={"given": text})
    assert line.splitlines() == [line]
    assert all(sign.isprintable() for sign in line)
    assert line.count(" given=") == 1 and line.endswith('"')


def test_a_traceback_stays_within_its_line() -> None:
    try:
        raise RuntimeError("inside\nlevel=info msg=forged")
    except RuntimeError as error:
        line = written("failed", error=error, level=logging.ERROR)
    assert line.splitlines() == [line]
    assert 'exception="Traceback (most recent call last):\\n' in line and "RuntimeError: inside" in line


def test_lines_logged_during_a_request_carry_its_id() -> None:
    assert " id=" not in written("before")
    line = logs.begin("abc-1.x_Y")
    assert logs.current_id() == line.id == "abc-1.x_Y"
    assert " id=abc-1.x_Y" in written("meanwhile")


@pytest.mark.parametrize("given", [None, "", "-a", "a b", "a\nb", "a,b", "ä", "x" * 65, "../etc", 'a"b', "a=b"])
def test_a_missing_or_malformed_id_is_replaced(given: str | None) -> None:
    made = logs.begin(given).id
    assert made != given and len(made) == 16 and int(made, 16) >= 0


def test_facts_are_overwritten_added_up_or_collected_up_to_a_limit() -> None:
    logs.note(lost="before anything began")
    line = logs.begin()
    logs.note(tenant="news", position=1)
    logs.note(position=2)
    logs.add(items=3)
    logs.add(items=4, entries=1)
    logs.collect("requests", ["a", "b", "a"])
    logs.collect("requests", ["b", *map(str, range(200))])
    pairs = line.pairs()
    assert pairs.pop("requests") == ",".join(["a", "b", *map(str, range(98))])
    assert pairs == {"tenant": "news", "position": 2, "items": 7, "entries": 1, "requests_left_out": 102}
    assert LogLine("x").pairs() == {}


def test_an_unknown_log_level_is_an_error() -> None:
    with pytest.raises(ValueError, match="loud"):
        logs.configure("loud", "api")


def test_configured_logs_go_to_stderr_as_logfmt(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers.clear()
    try:
        logs.configure("info", "clock")
        logging.getLogger("x").info("tick")
        answers = httpx.MockTransport(lambda request: httpx.Response(200))
        httpx.Client(transport=answers).post("https://hooks.example.org/services/T0/B0/the-secret")
        for handler in root.handlers:
            handler.flush()
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    assert sys.stderr is not None
    logged = capsys.readouterr().err
    assert " level=info process=clock logger=x msg=tick\n" in logged
    assert "the-secret" not in logged, "whoever has a chat room's URL can post there"
