"""Restorations over HTTP: what was removed while a cluster inflated its count."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from service.api.api_context import api_context
from service.api.case_documents import told
from service.api.clusters import Reading
from service.api.pages import Cursor, Limit, ListOf, link_next, page_asked, several
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
    "independent_complaints": 4.333333,
    "threshold": 8,
    "clusters": ["k-5d0f4a1c9be2"],
    "removed_at": "2021-12-23T14:05:00Z",
    "removed_by": "automatic",
    "opened_at": "2021-12-23T14:40:00Z",
    "changed_at": "2021-12-23T14:40:00Z",
}


class RestorationItem(BaseModel):
    """A target that was removed while a cluster inflated its count."""

    target_id: str
    state: RestorationState = Field(
        description=(
            "open: nobody has looked since; stands: a person or an appeal has found it rightly removed, knowing of the"
            " cluster; restored: it is back"
        )
    )
    harm: float = Field(
        description=(
            "what to look at first: 1 for an automatic removal, plus how far the independent count fell short of the"
            " threshold times the share that was discounted; 0 to 2"
        )
    )
    complaints: int = Field(description="that stood when it was removed")
    independent_complaints: float = Field(description="of these, by what is known now")
    threshold: int
    clusters: list[str] = Field(description="that carried it over the threshold")
    removed_at: datetime
    removed_by: str = Field(description="automatic, person or appeal")
    opened_at: datetime
    changed_at: datetime = Field(description="of its state")


@router.get(
    "/v1/restorations",
    response_model=ListOf[RestorationItem],
    summary="What has to be put right?",
    openapi_extra={"x-scope": "read"},
    responses=told({"items": [RESTORATION_EXAMPLE], "next_cursor": None}, 400, 422),
)
def list_restorations(
    request: Request,
    response: Response,
    key: Reading,
    state: Annotated[
        Annotated[list[str], several(*STATES)] | None,
        Query(
            description="open (default), restored, stands; several separated by commas or repeated; any: all of them"
        ),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ListOf[RestorationItem]:
    """Targets removed at a count that was over the threshold only with coordinated complaints; greatest harm first.

    One is withdrawn when its cluster is revoked. Automatic outcomes say what is removed; only people's settle anything.
    """
    filters = {} if state is None else {"state": _named(state)}
    page, by = page_asked(
        cursor,
        list_name="restorations",
        key_types_by_sort=restorations.SORT_KEY_TYPES,
        sort=None,
        default_sort="-harm",
        filters=filters,
    )
    chosen = filters.get("state", "open") if page is None else page.filters.get("state", "")
    with api_context(request).engine.connect() as connection:
        items, after = restorations.list_restorations(
            connection, key.tenant_id, _states(chosen), after=page.after if page else None, limit=limit
        )
    next_cursor = link_next(response, "/v1/restorations", limit, Page("restorations", by, {"state": chosen}, ()), after)
    return ListOf(items=[RestorationItem(**asdict(item)) for item in items], next_cursor=next_cursor)


def _named(states: list[str]) -> str:
    """The filter as cursors carry it. Raises Invalid for a state that there is not."""
    wanted = {word for text in states for word in text.split(",")}
    if wanted == {"any"}:
        return "any"
    if not wanted or not wanted <= set(STATES):
        why = f"it is any of {', '.join(STATES)}, or any"
        raise Invalid(f"state: {why}", [RejectedItem(detail=why, pointer="/state")])
    return ",".join(sorted(wanted))


def _states(named: str) -> list[RestorationState] | None:
    if named == "any":
        return None
    chosen = [state for state in STATES if state in named.split(",")]
    if not chosen or ",".join(sorted(chosen)) != named:
        raise InvalidCursor(
            "the cursor was not made by this list: take next_cursor as it was given, or leave it out to begin again"
        )
    return chosen
