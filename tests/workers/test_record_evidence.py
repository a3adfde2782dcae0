"""Members' records, live: from the archive, of coordinated groups alone, each member read once between sweeps."""

from __future__ import annotations

import numpy as np
from archive_lines import archive, batches, complaint, outcome
from sqlalchemy import Engine

from service.model import Evidence
from service.storage.accounts.tenants import create_tenant
from service.storage.redis_store.leases import take_epoch
from service.storage.sql import schema
from service.storage.sql.hashing import key_of
from workers.detection.groups import Group
from workers.record_evidence import RecordEvidence

EMPTY = np.empty(0, np.int64)
NOW = 10**15


def group(people: list[str], targets: list[str], score: float) -> Group:
    evidence = (Evidence(signal="base", value=1, usual=1, p_value=None, contribution=score, text="base"),)
    return Group(
        "repeat",
        frozenset(map(key_of, people)),
        frozenset(map(key_of, targets)),
        EMPTY,
        EMPTY,
        EMPTY,
        EMPTY,
        np.empty(0, bool),
        evidence,
        {},
    )


def test_members_records_are_read_from_the_archive_without_the_groups_own_targets(engine: Engine) -> None:
    tenant = create_tenant(engine, "paper", 0)
    epoch = take_epoch(engine, schema.ingest_state, tenant)
    people = [f"r{k}" for k in range(4)]
    lines = [complaint(f"c{p}-{t}", 1, p, t) for p in people for t in ("elsewhere", "here", f"own-{p}")]
    verdicts = [outcome("o1", "elsewhere", 5, verdict="rejected"), outcome("o2", "here", 5, verdict="upheld")]
    archive(engine, tenant, epoch, batches([*lines, *verdicts], first=1))
    recording = RecordEvidence(tenant, 0.0)
    coordinated, crowd = group(people, ["here"], 1.0), group(people, ["here"], -1.0)
    with engine.connect() as connection:
        told = recording.recorded(connection, {coordinated: coordinated, crowd: crowd}, NOW, 0.4)
    assert told[crowd] is crowd, "readers are not looked up"
    (record,) = told[coordinated].evidence[1:]
    assert record.signal == "record" and record.value == 1 and record.contribution > 0
    assert record.text.startswith("On other targets, moderators upheld 0 and rejected 4 complaints by 4 members")

    archive(engine, tenant, epoch, batches([outcome("o3", "own-r0", 5, verdict="upheld")], first=100))
    with engine.connect() as connection:
        again = recording.recorded(connection, {coordinated: coordinated}, NOW, 0.4)
        assert again[coordinated].evidence[1:] == (record,), "a member is read once between sweeps"
        recording.forget()
        (fresh,) = recording.recorded(connection, {coordinated: coordinated}, NOW, 0.4)[coordinated].evidence[1:]
    assert fresh.text.startswith("On other targets, moderators upheld 1 and rejected 4 complaints by 4 members")
