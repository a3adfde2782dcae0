"""Send an uploaded file into the tenant's stream, as a POST of its complaints and outcomes would, in the order of their
times.

What was sent is counted after it is in the stream. A worker that is killed in between sends a batch again, which
changes nothing, since its items have the same ids.
"""

from __future__ import annotations

import logging
import time
from array import array
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from service import logs
from service.errors import Refused
from service.intake.documents import Submission
from service.intake.items import COMPLAINT, OUTCOME, canonical, read_line
from service.intake.namespaces import prefixed
from service.intake.privacy_filter import PrivacyFilter
from service.model import Complaint, microseconds
from service.storage.accounts.secret_box import SecretBox
from service.storage.complaints import import_sending
from service.storage.complaints.archive_reader import ingest_state_of
from service.storage.complaints.import_content import ContentSeal
from service.storage.complaints.imports import WORK, ImportRecord
from service.storage.privacy.privacy_filters import open_privacy_filter
from service.storage.redis_store import redis_keys
from service.storage.redis_store.job_queue import others_wait
from service.storage.redis_store.redis_identity import agree, user_of
from service.storage.redis_store.stream import StreamBatch
from service.storage.redis_store.unseen import marker
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of
from service.tabular.options import ReadingOptions
from service.tabular.reading import SourceFile
from service.wall_clock import now
from workers.import_lines import ImportLines, ResidentImport
from workers.import_reading import StepStopped, options_of, plain_file, reading_progress
from workers.resources import Resources
from workers.stream_append import append

log = logging.getLogger(__name__)

BATCH_ITEMS = 2_000
TURN_SECONDS, SHARE_SECONDS = 8.0, 2.0  # of a turn; and of one for which others wait
LOOK_AGAIN_US = 300_000  # for the archive to have what was sent
_OURS = ("row-", "verdict-")  # ids that the reader makes of the reporter's: keyed, nobody can try names against them


def own_id(import_id: str, privacy_filter: PrivacyFilter, identity: str) -> str:
    """The id of an item under the id of its import."""
    return prefixed(import_id, privacy_filter.derived(identity) if identity.startswith(_OURS) else identity)


def lines_of(
    path: Path,
    options: ReadingOptions,
    import_id: str,
    privacy_filter: PrivacyFilter,
    at: datetime,
    progress: Callable[[int], None],
) -> ImportLines:
    """The file's items under the import's ids. Raises Refused for a file that cannot serve."""
    found, times, ids = ImportLines(), array("q"), array("q")
    source = SourceFile(path, COMPLAINT, at, options, progress)
    for item in source.items():
        if not isinstance(item, Complaint):
            found.unread += 1
            continue
        act = item.part_of and own_id(import_id, privacy_filter, item.part_of)
        renamed = item.model_copy(update={"id": own_id(import_id, privacy_filter, item.id), "part_of": act})
        found.lines.append(canonical(renamed, COMPLAINT))
        times.append(microseconds(item.occurred_at))
        ids.append(key_of(renamed.id))
    found.complaints, found.duplicates = len(ids), len(ids) - len(np.unique(np.frombuffer(ids, np.int64)))
    for outcome in source.outcomes():
        about = outcome.complaint_id and own_id(import_id, privacy_filter, outcome.complaint_id)
        mine = {"id": own_id(import_id, privacy_filter, outcome.id), "complaint_id": about}
        found.lines.append(canonical(outcome.model_copy(update=mine), OUTCOME))
        times.append(microseconds(outcome.decided_at))
    at_us = np.frombuffer(times, np.int64)
    order = np.argsort(at_us, kind="stable")  # complaints before outcomes of the same time
    found.lines = [found.lines[number] for number in order.tolist()]
    found.times = at_us[order]
    return found


def send(tenant: str, number: int, one: ImportRecord, resources: Resources) -> int:
    """Send batches until all is in the stream or others wait; the pause before the next turn, in microseconds."""
    box = SecretBox(resources.settings)
    privacy_filter = open_privacy_filter(resources.engine, box, number)
    held = _held(tenant, number, one, resources, privacy_filter)
    identity = agree(resources.engine, resources.redis, user_of(resources.settings))
    sent, position, result = one.sent, one.position, {"refused": 0, **(one.result or {}), "total": len(held.lines)}
    result.pop(import_sending.READ_AGAIN, None)
    began = time.monotonic()
    while lines := held.batch(sent, BATCH_ITEMS):
        _check_time(number, resources, int(held.times[sent]), lines[0])
        batch = Submission(privacy_filter, marker=marker(privacy_filter.key))
        for line in lines:
            noun = COMPLAINT if line[:1] == COMPLAINT.letter else OUTCOME
            batch.add(read_line(line[1:], noun, now()), noun)
        if batch.lines:
            joined, marks = b"\n".join(batch.lines), b"".join(batch.marks)
            entry = StreamBatch(len(batch.lines), joined, logs.current_id() or "", marks)
            position = append(resources, tenant, number, entry, identity)
        sent += len(lines)
        result["refused"] += batch.rejected_count
        with write(resources.engine) as connection:
            if not import_sending.note_sent(connection, number, one, sent, position, result):
                resources.kept(ResidentImport).drop()
                return 0
        spent = time.monotonic() - began
        share = TURN_SECONDS if spent < SHARE_SECONDS or not others_wait(resources.redis, WORK) else SHARE_SECONDS
        if sent < len(held.lines) and spent > share:
            return 0
    return _finish(tenant, number, one, resources, held, position, result)


def _held(
    tenant: str, number: int, one: ImportRecord, resources: Resources, privacy_filter: PrivacyFilter
) -> ImportLines:
    resident = resources.kept(ResidentImport)
    if resident.import_id != one.id:
        with resources.engine.connect() as connection:
            seal = ContentSeal.of(connection, SecretBox(resources.settings), number, one.id)

        def reading(share: float) -> None:
            with write(resources.engine) as connection:
                if not import_sending.note_reading(connection, number, one, share):
                    raise StepStopped

        reading(0.0)
        with plain_file(resources, number, one, seal) as path:
            progress = reading_progress(path, reading)
            resident.lines = lines_of(path, options_of(one), one.id, privacy_filter, now(), progress)
        resident.tenant, resident.import_id = tenant, one.id
    return resident.lines


def _check_time(number: int, resources: Resources, first_us: int, line: bytes) -> None:
    """Refuse to go on where newer complaints have come in meanwhile, so that these would not be analysed."""
    if line[:1] != COMPLAINT.letter:
        return
    with resources.engine.connect() as connection:
        why = import_sending.too_old(connection, number, first_us)
    if why:
        raise Refused(f"newer complaints came in meanwhile, and the rest is too old now: {why}. Undo this import first")


def _finish(
    tenant: str,
    number: int,
    one: ImportRecord,
    resources: Resources,
    held: ImportLines,
    position: int,
    result: dict[str, int],
) -> int:
    """Once the archive has all of it, count what became of it."""
    if not is_archived(tenant, number, resources, position):
        with write(resources.engine) as connection:
            import_sending.note_sent(connection, number, one, len(held.lines), position, result)
        return LOOK_AGAIN_US
    with resources.engine.connect() as connection:
        found = import_sending.archived(connection, number, one.id)
    outcomes = len(held.lines) - held.complaints
    missing = held.complaints - held.duplicates + outcomes - result["refused"] - found.complaints - found.outcomes
    if missing > 0 and "again" not in result:  # a Redis that fell back to an older state: once more, ids are the same
        with write(resources.engine) as connection:
            import_sending.note_sent(connection, number, one, 0, position, {**result, "again": 1, "refused": 0})
        return 0
    counts = {
        "complaints": found.complaints,
        "standing": found.standing,
        "repeats": found.repeats,
        "late": found.late,
        "outcomes": found.outcomes,
        "duplicates": held.duplicates,
        "refused": result["refused"] + held.unread,
        "missing": max(0, missing),
    }
    with write(resources.engine) as connection:
        import_sending.finish_import(connection, number, one, counts, resources.now_us())
    resources.kept(ResidentImport).drop()
    log.info("tenant %s: import %s is done: %s", tenant, one.id, counts)
    return 0


def is_archived(tenant: str, number: int, resources: Resources, position: int) -> bool:
    """Whether the archive has all up to that position, or the stream lost it."""
    with resources.engine.connect() as connection:
        archived = ingest_state_of(connection, number).archived_position
    redis: Any = resources.redis
    return archived >= position or int(redis.get(redis_keys.position(tenant)) or 0) < position
