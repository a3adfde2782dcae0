"""One message to a chat room: claims what is due to its subscription and puts together what is new in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from sqlalchemy import Connection

from service.notifications.digest import Digest, select_news
from service.notifications.quiet_hours import day_start_us
from service.settings import Settings
from service.storage.cases.case_news import cases_now
from service.storage.webhooks import chat_deliveries
from service.storage.webhooks.deliveries import Claimed
from service.storage.webhooks.reported_cases import reported_us


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message that is ready to go."""

    format: str
    sealed_address: str
    claimed: Sequence[Claimed]  # the deliveries that it settles; at least one
    digest: Digest

    @property
    def case_ids(self) -> list[str]:
        """The cases that it reports."""
        return [one.case_id for one in self.digest.cases]

    @property
    def transaction(self) -> str:
        """The same for the same deliveries, so that Matrix recognises a message that was sent before."""
        return f"brigadewatch-{blake2b(' '.join(one.id for one in self.claimed).encode(), digest_size=16).hexdigest()}"


def claim(
    connection: Connection,
    settings: Settings,
    tenant: str,
    tenant_id: int,
    subscription_id: str,
    *,
    now_us: int,
    until_us: int,
) -> ChatMessage | None:
    """Take what is due, cancel what is not to be reported, and describe the rest; None: there is nothing to send."""
    batch = chat_deliveries.claim_batch(connection, tenant_id, subscription_id, now_us=now_us, until_us=until_us)
    if batch is None:
        return None
    if batch.test:
        digest = Digest(tenant, (), settings.public_url, test=True)
        return ChatMessage(batch.format, batch.sealed_address, batch.claimed, digest)
    named = {one.case_id for one in batch.occurrences if one.case_id is not None}
    current = cases_now(connection, tenant_id, named)
    before = reported_us(connection, subscription_id, {case.id for case in current.values()})
    news, left_out = select_news(batch.occurrences, current, before, day_start_us(now_us, batch.time_zone))
    claimed = chat_deliveries.leave_out(connection, batch.claimed, left_out, now_us)
    if not claimed:
        return None
    return ChatMessage(batch.format, batch.sealed_address, claimed, Digest(tenant, news, settings.public_url))
