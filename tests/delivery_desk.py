"""One tenant with its subscriptions, and the deliver job at simulated times."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from conftest import NOW_US
from loopback import Receiver
from sqlalchemy import Engine, select

from service.moderation.events import Event
from service.notifications.chat_formats import ChatAddress
from service.notifications.digest import USUAL_EVENTS
from service.notifications.quiet_hours import QuietHours
from service.ops.worker_metrics import DELIVERY_ATTEMPTS, counted
from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import create_tenant
from service.storage.redis_store import redis_keys
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.outbox_rows import event_id
from service.storage.webhooks import deliveries as log
from service.storage.webhooks import subscriptions
from service.storage.webhooks.outbox import record
from service.webhooks.signing import new_secret
from workers.deliver import Courier
from workers.resources import Resources

SECOND, HOUR = 1_000_000, 3_600_000_000


@dataclass(frozen=True, slots=True)
class Clocked(Resources):
    """The stores, at a time that the test sets."""

    at: list[int] = field(default_factory=lambda: [NOW_US])

    def now_us(self) -> int:
        return self.at[0]


class Desk:
    """One tenant with its subscriptions, and the deliver job at simulated times."""

    def __init__(self, settings: Settings, engine: Engine, redis: Any, name: str = "paper") -> None:
        self.resources = Clocked(replace(settings, outbound_allow="127.0.0.0/8:1"), engine, redis)
        self.engine, self.name, self.tenant = engine, name, create_tenant(engine, name, 0)
        self.box = SecretBox(settings)
        self.secrets: dict[str, str] = {}
        self._openings: list[str] = []
        self._courier: Courier | None = None

    def subscribe(self, receiver: Receiver, *types: str, path: str = "/hook") -> str:
        """A new subscription of that receiver, which the operator opened."""
        secret = new_secret()
        with write(self.engine) as connection:
            made = subscriptions.create(
                connection,
                self.tenant,
                url=receiver.url + path,
                events=types,
                description="",
                sealed_secret=self.box.seal(secret),
                by="test",
                now_us=self.now_us,
            )
        self.secrets[made.id] = secret
        self._openings.append(receiver.opening)
        self.restart()
        return made.id

    def subscribe_chat(
        self,
        receiver: Receiver,
        *types: str,
        format: str = "slack",
        address: ChatAddress | None = None,
        quiet_hours: QuietHours | None = None,
        time_zone: str = "UTC",
    ) -> str:
        """A new subscription of a chat format, which the operator opened."""
        address = address or ChatAddress(f"{receiver.url}/services/T/B/secret")
        with write(self.engine) as connection:
            made = subscriptions.create(
                connection,
                self.tenant,
                url="shown",
                events=types or USUAL_EVENTS,
                description="",
                sealed_secret=self.box.seal(address.to_json()),
                by="test",
                now_us=self.now_us,
                format=format,
                quiet_hours=quiet_hours,
                time_zone=time_zone,
            )
        self._openings.append(receiver.opening)
        self.restart()
        return made.id

    @property
    def now_us(self) -> int:
        return self.resources.now_us()

    @property
    def courier(self) -> Courier:
        if self._courier is None:
            self._courier = Courier(
                replace(
                    self.resources, settings=replace(self.resources.settings, outbound_allow=",".join(self._openings))
                )
            )
        return self._courier

    def restart(self) -> None:
        """End the worker's threads; the next job makes new ones."""
        if self._courier is not None:
            self._courier.close()
        self._courier = None

    def happens(self, *found: Event) -> list[str]:
        """The events' ids."""
        with write(self.engine) as connection:
            record(connection, self.tenant, found, self.now_us)
        return [event_id(self.tenant, one) for one in found]

    def work(self) -> None:
        """One job, and whatever it left under way."""
        self.courier.run(self.name)
        self.courier.settle()

    def due_us(self) -> int | None:
        with self.engine.connect() as connection:
            found: int | None = connection.scalar(
                select(schema.timers.c.due_us).where(
                    schema.timers.c.work == "deliver", schema.timers.c.tenant_id == self.tenant
                )
            )
            return found

    def until(self, end_us: int) -> None:
        """Let time pass: each job runs when it is due, as the clock would have it."""
        for _ in range(10_000):
            due = self.due_us()
            if due is None or due > end_us:
                self.resources.at[0] = max(end_us, self.now_us)
                return
            self.resources.at[0] = max(self.now_us, due)
            self.work()
        raise AssertionError("the job asks for itself again and again")

    def deliveries(self, subscription: str) -> list[log.DeliveryRecord]:
        with self.engine.connect() as connection:
            return log.list_page(connection, self.tenant, subscription, state=None, after=None, limit=100)[0]

    def subscription(self, subscription: str) -> subscriptions.StoredSubscription:
        with self.engine.connect() as connection:
            return subscriptions.read(connection, self.tenant, subscription)

    def counted(self) -> dict[str, int]:
        found: Any = self.resources.redis.hgetall(redis_keys.tallies("paper"))
        return {result: int(value) for (result,), value in counted(found, DELIVERY_ATTEMPTS).items()}

    def audit(self) -> list[tuple[str, str]]:
        with self.engine.connect() as connection:
            return [
                (row.actor, row.action)
                for row in connection.execute(select(schema.audit_trail).order_by(schema.audit_trail.c.id))
            ]
