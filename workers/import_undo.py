"""Undo an import: withdraw its complaints and retract its outcomes, as a platform would.

Each turn looks at what the archive has of the import, once the archive has all that is in the stream, and takes back
what is left. It is done when nothing is left.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from service import logs
from service.intake.items import OUTCOME, canonical, withdrawal
from service.intake.namespaces import prefixed
from service.model import Outcome, moment
from service.storage.complaints import import_sending, imports
from service.storage.complaints.archive_reader import archived_ids
from service.storage.complaints.imports import ImportRecord
from service.storage.redis_store import redis_keys
from service.storage.redis_store.redis_identity import agree, user_of
from service.storage.redis_store.stream import StreamBatch
from service.storage.sql.engine import write
from workers.import_sending import LOOK_AGAIN_US, TURN_SECONDS, is_archived
from workers.resources import Resources
from workers.stream_append import append

BATCH_ITEMS = 500


def withdraw(tenant: str, number: int, one: ImportRecord, resources: Resources) -> int:
    """Take back what is left; the pause before the next look, in microseconds."""
    result = one.result or {}
    if not result.get("marked"):  # all that this import has in the stream lies before this position
        redis: Any = resources.redis
        position = int(redis.get(redis_keys.position(tenant)) or 0)
        _note(number, one, resources, position, {**result, "marked": 1})
        return 0
    position = one.position
    if not is_archived(tenant, number, resources, position):
        _note(number, one, resources, position, result)
        return LOOK_AGAIN_US
    identity = agree(resources.engine, resources.redis, user_of(resources.settings))
    deadline, taken_back, after, lists = time.monotonic() + TURN_SECONDS, 0, "", [_complaints, _outcomes]
    while lists:  # to the end where nothing is left, or a turn that looks at it all would not get there
        lines, after = lists[0](number, one, resources, after)
        if after == "":
            lists.pop(0)
        if not lines:
            continue
        batch = StreamBatch(len(lines), b"\n".join(lines), logs.current_id() or "")
        position = append(resources, tenant, number, batch, identity)
        taken_back += len(lines)
        _note(number, one, resources, position, {**result, "from": result.get("from", 0) + taken_back})
        if time.monotonic() > deadline:
            break
    if taken_back:
        return LOOK_AGAIN_US  # and see what is left
    with write(resources.engine) as connection:
        imports.finish(connection, number, one, imports.UNDONE, now_us=resources.now_us())
    return 0


def _note(number: int, one: ImportRecord, resources: Resources, position: int, result: dict[str, int]) -> None:
    with write(resources.engine) as connection:
        taken_back = min(result["total"], result.get("from", 0))
        import_sending.note_sent(connection, number, one, taken_back, position, result)


def _complaints(number: int, one: ImportRecord, resources: Resources, after: str) -> tuple[list[bytes], str]:
    """Withdrawals of the next complaints, and the last of their ids; empty at the end."""
    with resources.engine.connect() as connection:
        ids = import_sending.complaints_left(connection, number, one.id, after, BATCH_ITEMS)
    return [withdrawal(identity) for identity in ids], ids[-1] if len(ids) == BATCH_ITEMS else ""


def _outcomes(number: int, one: ImportRecord, resources: Resources, after: str) -> tuple[list[bytes], str]:
    """Retractions of the next outcomes that have none."""
    with resources.engine.connect() as connection:
        found = import_sending.outcomes_of_import(connection, number, one.id, after, BATCH_ITEMS)
        names = {identity: _retraction_id(one.id, identity) for identity, _ in found}
        there = archived_ids(connection, number, "outcomes", list(names.values()))
    decided_at = moment(resources.now_us())
    lines = [
        canonical(Outcome(id=names[identity], target_id=target, decided_at=decided_at, retracts=identity), OUTCOME)
        for identity, target in found
        if names[identity] not in there
    ]
    return lines, found[-1][0] if len(found) == BATCH_ITEMS else ""


def _retraction_id(import_id: str, outcome_id: str) -> str:
    """The same for the same outcome, and not among the import's own ids."""
    return prefixed(f"{import_id}-undo", hashlib.sha256(outcome_id.encode()).hexdigest()[:32])
