"""How the import page names things: what a column can be read as, how times are written, states."""

from __future__ import annotations

import re

from service.storage.complaints import imports
from service.storage.complaints.import_sending import READ_AGAIN
from service.storage.complaints.imports import ImportRecord
from service.tabular.reading_choice import AUTOMATIC, IGNORED

FIELDS = (  # of a column's menu
    (AUTOMATIC, "Automatic"),
    (IGNORED, "Do not read"),
    ("reporter_id", "Who reported"),
    ("target_id", "What was reported"),
    ("occurred_at", "When it was reported"),
    ("id", "The report’s own ID"),
    ("author_id", "Author of what was reported"),
    ("context_id", "Its thread or article"),
    ("context_title", "Title of the thread or article"),
    ("context_url", "Address of the thread or article"),
    ("kind", "Its kind"),
    ("url", "Its address"),
    ("excerpt", "Its text"),
    ("reason", "Reason"),
    ("text", "What the reporter wrote"),
    ("verdict", "How it was decided"),
    ("decided_at", "When it was decided"),
    ("account_created_at", "Age of the reporter’s account"),
    ("trusted", "Whether the reporter is trusted"),
    ("fingerprint", "Fingerprint of the device"),
    ("notice_type", "Type of notice"),
    ("part_of", "The report that it is part of"),
)
TIME_FORMATS = (
    ("", "Automatic"),
    ("day-first", "Day first (31/12/2026)"),
    ("month-first", "Month first (12/31/2026)"),
    ("year-first", "Year first (26.12.31)"),
    ("seconds", "Seconds since 1970"),
    ("milliseconds", "Milliseconds since 1970"),
    ("microseconds", "Microseconds since 1970"),
    ("excel", "Days of a spreadsheet"),
)
PRESETS = (
    ("", "None"),
    ("discourse-flags", "Discourse: post_actions"),
    ("mastodon-reports", "Mastodon: reports"),
    ("phpbb", "phpBB: reports"),
    ("wordpress", "WordPress: Comments › Reported"),
    ("zendesk", "Zendesk: tickets"),
)
STATES = {
    imports.READING: ("reading", "", "◔"),
    imports.READY: ("ready", "good", "✓"),
    imports.TRYING: ("being tried", "", "◔"),
    imports.IMPORTING: ("being imported", "", "◔"),
    imports.STOPPED: ("stopped", "warn", "!"),
    imports.IMPORTED: ("imported", "good", "✓"),
    imports.UNDOING: ("being undone", "", "◔"),
    imports.UNDONE: ("undone", "", "⊘"),
    imports.UNREADABLE: ("not readable", "bad", "!"),
}
_UNUSUAL = re.compile(r"[^\w. ()+,-]")
_LONGEST_NAME = 120  # bytes


def seconds_left(one: ImportRecord, now_us: int) -> float | None:
    """An estimate of how long the step under way still takes; None as long as nobody can tell."""
    result = one.result or {}
    begun = result.get("from", 0) / max(1, result.get("total", 1)) if one.state == imports.IMPORTING else 0.0
    done = one.progress - begun
    if not one.active or one.began_us is None or done < 0.02 or now_us <= one.began_us:
        return None
    return (now_us - one.began_us) / 1e6 * (1 - one.progress) / done


def share_read_again(one: ImportRecord) -> float | None:
    """How much of the file was read again, where an import does that before it sends; else None."""
    share = (one.result or {}).get(READ_AGAIN) if one.state == imports.IMPORTING else None
    return None if share is None else share / 1_000


def file_name(sent: str | None) -> str:
    """The name of an uploaded file, without folders and without signs that mean something elsewhere."""
    name = _UNUSUAL.sub("_", re.split(r"[/\\]", sent or "")[-1]).strip(". ")
    while len(name.encode()) > _LONGEST_NAME:
        name = name[1:]  # the end says what kind of file it is
    return name or "file"
