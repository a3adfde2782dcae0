"""Restorations over HTTP: targets that were removed while a cluster inflated their count."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from service.api.api_context import api_context
from service.api.auth import Reading
from service.api.openapi_parts import answers, described
from service.api.pages import Cursor, Limit, ListOf, link_next, requested_page, several
from service.api.problems import Invalid
from service.errors import InvalidCursor
from service.model import RejectedItem
from service.moderation.restorations import RestorationState
from service.storage.cases import restorations
from service.storage.sql.cursors import Page

router = APIRouter(tags=["restorations"])
STATES: tuple[RestorationState, ...] = get_args(RestorationState)
RESTORATION_EXAMPLE: dict[str, Any] = {
    "target_id": "comment/5",
    "state": "open",
    "harm": 1.292824,
    "complaints": 12,
    "independent_complaints": 4.172851,
    "threshold": 8,
    "clusters": ["k-5d0f4a1c9be2"],
    "removed_at": "2021-12-23T14:05:00Z",
    "removed_by": "automatic",
    "opened_at": "2021-12-23T14:40:00Z",
    "changed_at": "2021-12-23T14:40:00Z",
}


class RestorationItem(BaseModel):
    """A target that was removed while a cluster inflated its count."""

    target_id: str = Field(description="The target that was removed.")
    state: RestorationState = Field(
        description=(
            "`open`: not reviewed since. `stands`: a person or an appeal confirmed the removal, knowing of the"
            " cluster. `restored`: the target is back."
        )
    )
    harm: float = Field(
        description=(
            "Urgency, 0 to 2: 1 for an automatic removal, plus how far the independent count fell short of the"
            " threshold times the share of complaints that was discounted."
        )
    )
    complaints: int = Field(description="Standing complaints when it was removed.")
    independent_complaints: float = Field(description="Independent count of those complaints, as known now.")
    threshold: int = Field(description="Number of complaints at which the tenant removes.")
    clusters: list[str] = Field(description="Ids of the clusters that carried it over the threshold.")
    removed_at: datetime = Field(description="When it was removed.")
    removed_by: str = Field(description="`automatic`, `person` or `appeal`.")
    opened_at: datetime = Field(description="When the service noticed that it may have to be put back.")
    changed_at: datetime = Field(description="When `state` last changed.")


@router.get(
    "/v1/restorations",
    response_model=ListOf[RestorationItem],
    summary="List restorations",
    openapi_extra=described("read"),
    responses=answers({"items": [RESTORATION_EXAMPLE], "next_cursor": None}, 200, "One page.", 400, 422),
)
def list_restorations(
    request: Request,
    response: Response,
    key: Reading,
    state: Annotated[
        Annotated[list[str], several(*STATES)] | None,
        Query(
            description=(
                "`open` (default), `restored`, `stands`; several are separated by commas or repeated; `any`: all of"
                " them."
            )
        ),
    ] = None,
    sort: Annotated[
        Literal["-harm", "-changed_at"] | None,
        Query(description="`-harm` (default): the most harmful first. `-changed_at`: the latest changes first."),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ListOf[RestorationItem]:
    """Targets that were removed at a count that only coordinated complaints carried over the threshold.

    One disappears when its cluster is revoked. Only outcomes by people or on appeal settle it.
    """
    filters = {} if state is None else {"state": _named(state)}
    page, by = requested_page(
        cursor,
        list_name="restorations",
        key_types_by_sort=restorations.SORT_KEY_TYPES,
        sort=sort,
        default_sort="-harm",
        filters=filters,
    )
    chosen = filters.get("state", "open") if page is None else page.filters.get("state", "")
    with api_context(request).engine.connect() as connection:
        items, after = restorations.list_restorations(
            connection, key.tenant_id, _states(chosen), sort=by, after=page.after if page else None, limit=limit
        )
    next_cursor = link_next(response, "/v1/restorations", limit, Page("restorations", by, {"state": chosen}, ()), after)
    return ListOf(items=[RestorationItem(**asdict(item)) for item in items], next_cursor=next_cursor)


def _named(states: list[str]) -> str:
    """The filter in the form that cursors contain. Raises Invalid for an unknown state."""
    wanted = {word for text in states for word in text.split(",")}
    if wanted == {"any"}:
        return "any"
    if not wanted or not wanted <= set(STATES):
        unknown = ", ".join(sorted(wanted - set(STATES)))[:80]
        why = f"{unknown!r} is not a state; allowed: {', '.join(STATES)}, or only any"
        raise Invalid(f"state: {why}", [RejectedItem(detail=why, pointer="/state")])
    return ",".join(sorted(wanted))


def _states(named: str) -> list[RestorationState] | None:
    if named == "any":
        return None
    chosen = [state for state in STATES if state in named.split(",")]
    if not chosen or ",".join(sorted(chosen)) != named:
        raise InvalidCursor(
            "the cursor does not belong to this list: use next_cursor unchanged, or leave it out to start over"
        )
    return chosen
