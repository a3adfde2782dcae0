"""Bodies of answers that several routes share: a batch's receipt, the pipeline's counters, a problem."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from service.model import Frozen, ItemNote, RejectedItem
from service.moderation.target_assessment import Assessment


class Accepted(Frozen):
    """The receipt for a batch: its items are stored safely."""

    accepted: int = Field(description="Number of items that were stored.")
    rejected: list[RejectedItem] = Field(description="The first 100 items that were refused.")
    rejected_count: int = Field(description="Number of items that were refused, listed or not.")
    position: int = Field(
        description=(
            "Place of the batch's last item in the tenant's count of accepted items. Compare it with"
            " `analysed_position` of GET /v1/pipeline."
        )
    )


class AcceptedItems(Accepted):
    """The receipt for posted items, and what could not be used of them."""

    notes: list[ItemNote] = Field(
        description=(
            "The first 100 notes on items that were stored: an optional field could not be used and is unknown, or it"
            " was cut. Outcomes have none, since leaving out a field of theirs would change what was decided."
        )
    )
    notes_count: int = Field(description="Number of notes, listed or not.")


class AcceptedComplaints(AcceptedItems):
    """The receipt for a batch of complaints; with `assess=true`, and how their targets stand."""

    assessments: list[Assessment] | None = Field(
        None,
        description=(
            "With `assess=true`: one assessment for each target of the accepted complaints, in the order in which they"
            " first appear. Null: the complaints are stored, but their targets could not be assessed; ask for them."
        ),
    )


class Pipeline(Frozen):
    """How far the tenant's items have come. Counters are in items; except `pending` and `dead_letters`, they never
    decrease.
    """

    accepted: int = Field(description="Items acknowledged with 202.")
    archived: int = Field(description="Items in the archive.")
    duplicates: int = Field(description="Items sent again with the same content; ignored.")
    conflicting: int = Field(
        description="Items sent again under the same id with other content; the first version stands."
    )
    late: int = Field(description="Complaints older than the analysis window when they arrived: archived only.")
    analysed: int = Field(description="Items that the analysis has taken into account.")
    pending: int = Field(description="Items accepted but not yet analysed.")
    dead_letters: int = Field(description="Items that could not be archived; an operator has to look at them.")
    analysed_position: int = Field(description="Everything up to this `position` is analysed.")
    swept_position: int = Field(
        description="Everything up to this `position` has been part of a sweep over the whole window."
    )
    lag_seconds: float = Field(description="Seconds that the oldest pending item has been waiting; 0: nothing waits.")
    watermark: datetime | None = Field(
        description="Time of the latest complaint in the archive, by `occurred_at`. Null: there is none."
    )


class Problem(BaseModel):
    """A failure (RFC 9457, application/problem+json)."""

    type: str = Field("about:blank", description="Always `about:blank`: the status says which problem it is.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong and how to fix it, for people.")
    errors: list[RejectedItem] = Field(
        default_factory=list, description="The fields or items at fault, at most 100; empty where none is."
    )
    rejected_count: int | None = Field(None, description="Number of faults, listed or not. Null: none is listed.")
    request_id: str | None = Field(
        None, description="Names this request in the service's logs; the same as the header X-Request-ID."
    )
