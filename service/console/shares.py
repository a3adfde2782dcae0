"""How much of this process one person, and one tenant, may use at a time: requests, and downloads among them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from starlette.exceptions import HTTPException

from service.api.fair_share import FairShare
from service.console.person import Person
from service.console.sign_in import LIVE, present

REQUESTS, REQUESTS_OF_ONE = 400, 16  # a browser opens six connections, or one with many requests in it
DOWNLOADS, DOWNLOADS_OF_ONE = 24, 2  # a process has 40 threads; a long file keeps one busy
_AGAIN = {"Retry-After": "5"}


def add_shares(app: FastAPI) -> None:
    """Give the console its places."""
    app.state.requests_at_once = FairShare(REQUESTS, REQUESTS_OF_ONE)
    app.state.downloads_at_once = FairShare(DOWNLOADS, DOWNLOADS_OF_ONE)


async def few_requests(request: Request, person: Annotated[Person, Depends(present)]) -> AsyncIterator[None]:
    """A dependency of every page: 429 for a person with too many requests under way. Open pages that listen for events
    are counted elsewhere (sse.py).
    """
    if request.url.path.startswith(LIVE):
        yield
        return
    share: FairShare = request.app.state.requests_at_once
    if not share.take(person.tenant_id, person.user_id):
        raise HTTPException(
            429, f"More than {REQUESTS_OF_ONE} of your requests are under way. Try again in a few seconds.", _AGAIN
        )
    try:
        yield
    finally:
        share.give_back(person.tenant_id, person.user_id)


async def few_downloads(request: Request, person: Annotated[Person, Depends(present)]) -> AsyncIterator[None]:
    """A dependency of every download, held until it has been sent."""
    share: FairShare = request.app.state.downloads_at_once
    if not share.take(person.tenant_id, person.user_id):
        mine = "Your tenant has many downloads under way"
        if share.places - len(share) > 0 and share.has_room(person.tenant_id, None):
            mine = f"You have {DOWNLOADS_OF_ONE} downloads under way"
        raise HTTPException(429, f"{mine}. Wait until one has ended, then try again.", _AGAIN)
    try:
        yield
    finally:
        share.give_back(person.tenant_id, person.user_id)


download = [Depends(few_downloads)]
