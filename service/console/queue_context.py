"""The view of the queue that a case was opened from, which its pages and forms keep."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Form, Query
from sqlalchemy import Connection

from service.console.person import Person
from service.console.queue import TenantFilter, next_case
from service.console.queue_filters import LONGEST_ADDRESS, parse_query
from service.console.rendering import segment
from service.intake.privacy_filter import PrivacyFilter

Queue = Annotated[str, Query(max_length=LONGEST_ADDRESS)]
QueueField = Annotated[str, Form(max_length=LONGEST_ADDRESS)]


@dataclass(frozen=True, slots=True)
class QueueContext:
    """The queue view from which a case was opened."""

    queue: str  # as QueueQuery.text writes it
    privacy_filter: PrivacyFilter

    @property
    def back(self) -> str:
        """URL of that view."""
        return parse_query(self.queue).url()

    def to(self, cluster_id: str) -> str:
        """URL of a case that keeps this view."""
        return path_of(cluster_id, self.queue)

    def next_case(self, connection: Connection, person: Person, done: str, now: datetime) -> str | None:
        """The next waiting case in this view."""
        return next_case(
            connection,
            person.tenant_id,
            person.name,
            self.privacy_filter,
            self.queue,
            done=done,
            now=now,
            zone=person.preferences.zone,
        )


def _queue_context_from_query(privacy_filter: TenantFilter, queue: Queue = "") -> QueueContext:
    return QueueContext(parse_query(queue).text, privacy_filter)


def _queue_context_from_form(privacy_filter: TenantFilter, queue: QueueField = "") -> QueueContext:
    return QueueContext(parse_query(queue).text, privacy_filter)


QueueFromQuery = Annotated[QueueContext, Depends(_queue_context_from_query)]
QueueFromForm = Annotated[QueueContext, Depends(_queue_context_from_form)]


def path_of(cluster_id: str, queue: str = "") -> str:
    """URL of a case, with the queue view it was opened from."""
    return f"/console/clusters/{segment(cluster_id)}" + (f"?{urlencode({'queue': queue})}" if queue else "")
