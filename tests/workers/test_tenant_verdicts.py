"""What is usual in a tenant is read from the archive as outcomes come, each once."""

from __future__ import annotations

from archive_lines import archive, batches, complaint, outcome
from sqlalchemy import Connection, Engine, event

from service.policy import DEFAULT_POLICY
from service.storage.accounts.tenants import create_tenant
from service.storage.complaints.archive_reader import outcomes_after
from service.storage.redis_store.leases import take_epoch
from service.storage.sql import schema
from workers.tenant_verdicts import TenantVerdicts


def test_outcomes_are_read_on_from_where_the_last_reading_ended(engine: Engine) -> None:
    tenant, other = create_tenant(engine, "paper", 0), create_tenant(engine, "other", 0)
    epoch, theirs = (take_epoch(engine, schema.ingest_state, each) for each in (tenant, other))
    archive(
        engine, other, theirs, batches([complaint("c9", 1, "r", "x"), outcome("o9", "x", 5, verdict="upheld")], first=1)
    )
    lines = [
        complaint("c1", 1, "r1", "a"),
        outcome("o1", "a", 5, verdict="upheld"),
        outcome("o2", "b", 6, verdict="rejected"),
    ]
    archive(engine, tenant, epoch, batches(lines, first=1))
    verdicts = TenantVerdicts(tenant)

    def upheld(connection: Connection) -> float:
        return verdicts.usual(connection, (), DEFAULT_POLICY).upheld

    with engine.connect() as connection:
        assert [o.id for o in outcomes_after(connection, tenant, 0)] == ["o1", "o2"]
        assert upheld(connection) == round((1 + 2) / (2 + 5), 2)

    later = [outcome("o3", "c", 7, verdict="upheld"), outcome("o4", "d", 8, decided_by="automatic")]
    archive(engine, tenant, epoch, batches(later, first=100))
    read: list[str] = []
    with engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", lambda c, cursor, sql, *rest: read.append(sql))
        assert upheld(connection) == round((2 + 2) / (3 + 5), 2), "what a machine decided counts nothing"
        before = [o.id for o in outcomes_after(connection, tenant, verdicts._seq)]
    assert before == [] and any("outcomes" in sql for sql in read)
