"""Logs: one line per event, as `key=value` (logfmt), with one canonical line for each request and each job.

A request or job collects its facts along the way (`note`, `add`, `collect`), and they are written once, at its end.
Every other line logged meanwhile carries the same id, so that one search finds all of them. The id travels with the
posted items through the stream, into the line of the job that archives them.

Lines contain no texts, no ids of people and no secrets: routes instead of paths, counts instead of items. Ids of
sources, the last part of the paths that platforms post to, are replaced wherever they occur: in an access log, in a
traceback, in a library's message.
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
MOST_COLLECTED = 100  # values of one kind in one line; the line also gives the number left out
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", re.ASCII)
_PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f\x7f-\x9f\u2028\u2029]+\Z")
_CONTROL = re.compile("[\x7f-\x9f\u2028\u2029]")
_SOURCE = re.compile(
    r"(/v1/webhooks/[^/\s\"'?#]{1,40}/)[^/\s\"'?#]+|(/v1/sources/)[^/\s\"'?#]+|([?&]cursor=)[^&\s\"']+|src_[0-9a-zA-Z]+"
)


@dataclass(slots=True)
class LogLine:
    """What one request or job will log at its end."""

    id: str
    facts: dict[str, Fact] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)

    def pairs(self) -> dict[str, Fact]:
        """All facts; lists joined by commas, with the number of values left out."""
        pairs = dict(self.facts)
        for name, values in self.lists.items():
            pairs[name] = ",".join(values[:MOST_COLLECTED])
            if len(values) > MOST_COLLECTED:
                pairs[f"{name}_left_out"] = len(values) - MOST_COLLECTED
        return pairs


_line: ContextVar[LogLine | None] = ContextVar("line", default=None)


def begin(given: str | None = None) -> LogLine:
    """Begin the line of a request or job under the given id, or under a new one if it is missing or malformed."""
    line = LogLine(given if given is not None and _ID.match(given) else token_hex(8))
    _line.set(line)
    return line


def current_id() -> str | None:
    """The id of the current request or job; None outside of one."""
    line = _line.get()
    return None if line is None else line.id


def note(**facts: Fact) -> None:
    """Add facts to the line of the current request or job."""
    line = _line.get()
    if line is not None:
        line.facts.update(facts)


def add(**counts: int) -> None:
    """Add numbers to the line of the current request or job, summed with earlier ones of the same name."""
    line = _line.get()
    if line is not None:
        for name, count in counts.items():
            before = line.facts.get(name)
            line.facts[name] = count + (before if isinstance(before, int) else 0)


def collect(name: str, values: Iterable[str]) -> None:
    """Add values to a list in the line of the current request or job: each once, at most MOST_COLLECTED."""
    line = _line.get()
    if line is not None:
        listed = line.lists.setdefault(name, [])
        before = set(listed)
        listed += [value for value in dict.fromkeys(values) if value not in before]


def redacted(text: str) -> str:
    """Replace source ids wherever they occur, whatever else stands at the end of their paths, and cursors."""
    return _SOURCE.sub(lambda match: f"{match[1] or match[2] or match[3] or 'src_'}…", text)


class Logfmt(logging.Formatter):
    """Formats records as lines of key=value, tracebacks included; nothing in a message can start a new line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        pairs: dict[str, Fact] = {
            "time": at,
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "msg": record.getMessage(),
        }
        id_now = current_id()
        if id_now is not None:
            pairs["id"] = id_now
        pairs |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[0] is not None:
            pairs["exception"] = self.formatException(record.exc_info)
        return redacted(" ".join(f"{name}={_written(value)}" for name, value in pairs.items() if value is not None))


def configure(level: str, process: str) -> None:
    """Log to stderr from `level` on, under the name `process`. Raises ValueError for an unknown level."""
    if level.upper() not in logging.getLevelNamesMapping():
        raise ValueError(f"unknown log level {level!r}")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Logfmt(process))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    # It would write down the URL of every request, and whoever has a chat room's URL can post there.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _written(value: Fact) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    if _PLAIN.match(text):
        return text
    return _CONTROL.sub(lambda sign: f"\\u{ord(sign[0]):04x}", dumps(text, ensure_ascii=False))
