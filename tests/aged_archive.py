"""A newspaper whose past can be made older, for what is deleted by age."""

from __future__ import annotations

import sqlalchemy as sa
from flow import Newspaper

from service.storage.accounts.tenant_settings import change_settings
from service.storage.privacy import retention_guard
from service.storage.redis_store import redis_keys
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import field_of, key_of
from workers import detect, retain

DAY_US = 86_400_000_000
AGED = (
    schema.complaints.c.received_us,
    schema.feed.c.received_us,
    schema.outcomes.c.received_us,
    schema.withdrawals.c.received_us,
    schema.dead_letters.c.received_us,
    schema.events.c.at_us,
    schema.retention_state.c.before_us,
)


class Archive(Newspaper):
    """A newspaper whose past can be made older."""

    def keeps(self, days: int | None) -> None:
        with write(self.engine) as connection:
            change_settings(connection, self.id, actor="test", now_us=1, retention_days=days)

    def ages(self, days: float) -> None:
        """Everything that is stored was received so much earlier."""
        with write(self.engine) as connection:
            for column in AGED:
                connection.execute(sa.update(column.table).values({column.name: column - round(days * DAY_US)}))

    def consents(self, records: int) -> None:
        with write(self.engine) as connection:
            retention_guard.consent(connection, self.id, records=records, actor="test", now_us=self.resources.now_us())

    def retains(self) -> None:
        retain.run(self.name, self.resources)

    def states(self) -> dict[str, int]:
        with self.engine.connect() as connection:
            return {
                row.id: row.state
                for row in connection.execute(
                    sa.select(schema.complaints.c.id, schema.complaints.c.state).where(
                        schema.complaints.c.tenant_id == self.id
                    )
                )
            }

    def total(self, target: str) -> int:
        """As Redis has it."""
        return int(self.redis.hget(redis_keys.totals(self.name), field_of(key_of(target))) or 0)

    def window(self) -> set[int]:
        """Seqs that are resident."""
        detect.run(self.name, self.resources)
        window = self.resident().detector.window
        return set(window.seq[: window.size][~window.gone[: window.size]].tolist())


def told(paper: Archive, *lines: bytes) -> None:
    paper.accepts(*lines)
    paper.works()
