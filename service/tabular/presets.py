"""Exports of known software that need more than names of columns: rows that are not reports, and how they ended. PURE.

discourse-flags: the table `post_actions`, as the Data Explorer exports it. Likes and bookmarks are left out, so are
flags that were taken back (`deleted_at`). `agreed_at` and `disagreed_at` are verdicts, `deferred_at` (ignored) is none.
phpbb: the table `phpbb_reports`. Reports of private messages (`post_id` 0) and by guests (`user_id` 1, all of them one
account) are left out.
mastodon-reports: the table `reports`. The targets are accounts, since a report names any number of posts.
wordpress: what our plugin for WordPress exports (Comments › Reported). WordPress itself keeps no reports.
zendesk: tickets, as JSON, NDJSON or CSV of the API's names. Which field names the reported content is the help desk's
own choice: `--column target=...` says it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.errors import Refused
from service.moderation.phrases import plural
from service.tabular.tables import Batch, Table
from service.tabular.values import is_unknown, plain_text

Cells = Mapping[str, Any]
_NOT_FLAGS = frozenset(("1", "2", "5"))  # bookmark, like, vote


@dataclass(frozen=True, slots=True)
class Preset:
    """How the export of one kind of software is read."""

    columns: Mapping[str, str]  # field, as --column takes it, to column
    needs: Sequence[str] = ()  # further columns
    keep: Callable[[Cells], bool] | None = None
    left_out: str = ""  # what the rows are that are not kept
    ended: Callable[[Cells], tuple[str | None, Any]] | None = None  # verdict and its time


def _number(value: Any) -> str:
    return plain_text(value).strip().removesuffix(".0")


def _is_flag(cells: Cells) -> bool:
    return _number(cells["post_action_type_id"]) not in _NOT_FLAGS and is_unknown(cells.get("deleted_at"))


def _flag_ended(cells: Cells) -> tuple[str | None, Any]:
    for column, verdict in (("agreed_at", "upheld"), ("disagreed_at", "rejected")):
        if not is_unknown(cells.get(column)):
            return verdict, cells[column]
    return None, None


PRESETS = {
    "discourse-flags": Preset(
        {"id": "id", "reporter": "user_id", "target": "post_id", "time": "created_at"},
        ("post_action_type_id",),
        _is_flag,
        "likes, bookmarks and flags that were taken back",
        _flag_ended,
    ),
    "phpbb": Preset(
        {"id": "report_id", "reporter": "user_id", "target": "post_id", "time": "report_time"},
        (),
        lambda cells: _number(cells["post_id"]) != "0" and _number(cells["user_id"]) != "1",
        "reports of private messages and by guests",
    ),
    "mastodon-reports": Preset(
        {"id": "id", "reporter": "account_id", "target": "target_account_id", "time": "created_at"}
    ),
    "wordpress": Preset(
        {
            "id": "id",
            "time": "occurred_at",
            "reporter": "reporter_id",
            "account_created_at": "account_created_at",
            "fingerprint": "fingerprint",
            "target": "target_id",
            "author": "author_id",
            "context": "context_id",
            "reason": "reason",
            "text": "text",
            "verdict": "verdict",
        }
    ),
    "zendesk": Preset({"id": "id", "reporter": "requester_id", "time": "created_at"}),
}


class PresetTable:
    """A table without the rows that are not reports, and with a verdict where the preset knows one."""

    def __init__(self, table: Table, name: str) -> None:
        preset = PRESETS[name]
        self._table, self._preset = table, preset
        wanted = [*preset.columns.values(), *preset.needs]
        if missing := [column for column in wanted if column not in table.header]:
            raise Refused(f"--preset {name} reads the columns {', '.join(wanted)}; missing: {', '.join(missing)}")
        self.header = table.header + (["verdict", "decided_at"] if preset.ended else [])
        self.notes = table.notes

    @property
    def kind(self) -> str:
        """What the file is, for people."""
        return self._table.kind

    def batches(self) -> Iterator[Batch]:
        """The rows that are reports."""
        left = 0
        for batch in self._table.batches():
            lines, rows = [], []
            for line, row in zip(batch.lines, batch.rows, strict=True):
                cells = dict(zip(self._table.header, row, strict=True))
                if self._preset.keep is not None and not self._preset.keep(cells):
                    left += 1
                    continue
                lines.append(line)
                rows.append([*row, *self._preset.ended(cells)] if self._preset.ended else row)
            yield Batch(lines, rows, batch.refused)
        if left:
            self.notes.append(f"{plural(left, 'row')} left out: {self._preset.left_out}")
