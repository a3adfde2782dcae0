"""Reading a delivery as the service does: the adapter, then the contract's own checks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from service.intake.documents import Submission
from service.model import JsonObject
from service.platforms import registry
from service.platforms.payload import Payload

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def read(platform: str, document: object, *, now: datetime = NOW, mapping: Mapping[str, Any] | None = None) -> Payload:
    return registry.read(platform, document, now, mapping)


def taken(delivery: Payload, *, now: datetime = NOW) -> list[JsonObject]:
    """The canonical documents of the items that the contract takes, each with its kind's letter as `kind`."""
    return [{"kind": line[:1].decode(), **json.loads(line[1:])} for line in batch_of(delivery, now=now).lines]


def batch_of(delivery: Payload, *, now: datetime = NOW) -> Submission:
    batch = Submission()
    for number, item in enumerate(delivery.items, 1):
        batch.add(item.read(now, batch.privacy_filter, number), item.noun)
    return batch
