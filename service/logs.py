"""Logs: one line an event, as `key=value` (logfmt), with one canonical line a request and a job.

Whatever a request or a job has to tell about itself is noted on the way (`note`, `add`, `collect`) and written once, at
its end. Every other line that is logged meanwhile carries the same id, so that one word finds all of it. An id goes
with what was posted into the stream, and into the line of the job that archived it.

Lines hold no texts, no ids of people and no secrets: routes instead of paths, counts instead of items. The ids of
sources, which are the ends of the paths that platforms post to, are replaced whatever says them: an access log, a
traceback, a library's own message.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from json import dumps
from secrets import token_hex

Fact = str | int | float | bool | None
MOST_COLLECTED = 100  # of one kind in one line; how many were left out is said
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", re.ASCII)
_PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f\x7f-\x9f\u2028\u2029]+\Z")
_CONTROL = re.compile("[\x7f-\x9f\u2028\u2029]")
_SOURCE = re.compile(
    r"(/v1/webhooks/[^/\s\"'?#]{1,40}/)[^/\s\"'?#]+|(/v1/sources/)[^/\s\"'?#]+|([?&]cursor=)[^&\s\"']+|src_[0-9a-zA-Z]+"
)


@dataclass(slots=True)
class LogLine:
    """What one request or job will have told at its end."""

    id: str
    facts: dict[str, Fact] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)

    def pairs(self) -> dict[str, Fact]:
        """All of it; lists joined by commas, with the number of those left out."""
        told = dict(self.facts)
        for name, values in self.lists.items():
            told[name] = ",".join(values[:MOST_COLLECTED])
            if len(values) > MOST_COLLECTED:
                told[f"{name}_left_out"] = len(values) - MOST_COLLECTED
        return told


_line: ContextVar[LogLine | None] = ContextVar("line", default=None)


def begin(asked: str | None = None) -> LogLine:
    """Begin the line of a request or job, under the id that was asked for; under a new one where that is none, or not
    one to be written down.
    """
    line = LogLine(asked if asked is not None and _ID.match(asked) else token_hex(8))
    _line.set(line)
    return line


def current_id() -> str | None:
    """The id of the request or job that is under way; None between them."""
    line = _line.get()
    return None if line is None else line.id


def note(**facts: Fact) -> None:
    """Have the line at the end tell this."""
    line = _line.get()
    if line is not None:
        line.facts.update(facts)


def add(**counts: int) -> None:
    """Have the line at the end tell these numbers, added to what was said before."""
    line = _line.get()
    if line is not None:
        for name, count in counts.items():
            before = line.facts.get(name)
            line.facts[name] = count + (before if isinstance(before, int) else 0)


def collect(name: str, values: Iterable[str]) -> None:
    """Have the line at the end list these too, each once, MOST_COLLECTED at most."""
    line = _line.get()
    if line is not None:
        listed = line.lists.setdefault(name, [])
        had = set(listed)
        listed += [value for value in dict.fromkeys(values) if value not in had]


def redacted(text: str) -> str:
    """The text with every source id, and whatever else stands at the end of such a path (or in a cursor, which may hold
    one), replaced by a sign.
    """
    return _SOURCE.sub(lambda match: f"{match[1] or match[2] or match[3] or 'src_'}…", text)


class Logfmt(logging.Formatter):
    """Records as lines of key=value, tracebacks included: nothing in a message can begin a line of its own."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """The line as it is written."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told: dict[str, Fact] = {
            "time": at,
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "msg": record.getMessage(),
        }
        under_way = current_id()
        if under_way is not None:
            told["id"] = under_way
        told |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[0] is not None:
            told["exception"] = self.formatException(record.exc_info)
        return redacted(" ".join(f"{name}={_written(value)}" for name, value in told.items() if value is not None))


def configure(level: str, process: str) -> None:
    """Log to stderr from `level` on, as this kind of process. Raises ValueError for a level that there is not."""
    if level.upper() not in logging.getLevelNamesMapping():
        raise ValueError(f"{level!r} is no level of a log")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Logfmt(process))
    logging.basicConfig(level=level.upper(), handlers=[handler])


def _written(value: Fact) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    if _PLAIN.match(text):
        return text
    return _CONTROL.sub(lambda sign: f"\\u{ord(sign[0]):04x}", dumps(text, ensure_ascii=False))
