"""Places of a process are shared: nobody takes them all, and each is given back."""

from __future__ import annotations

import asyncio

import fakeredis
import pytest

from service.api import analysis_waiters
from service.api.analysis_waiters import AnalysisWaiters
from service.api.fair_share import FairShare


def taken(share: FairShare, tenant: str, times: int, one: str | None = None) -> int:
    return sum(share.take(tenant, one or f"{tenant}/{number}") for number in range(times))


def test_one_tenant_gets_half_two_a_third_each_and_there_is_room_for_the_next() -> None:
    share = FairShare(60)
    assert taken(share, "a", 100) == 30
    assert taken(share, "b", 100) == 15
    assert taken(share, "c", 100) > 0
    assert len(share) < 60


def test_one_holder_has_a_bound_of_their_own_and_gets_it_back() -> None:
    share = FairShare(60, 3)
    assert taken(share, "a", 10, "anna") == 3
    assert share.has_room("a", "ben")
    share.give_back("a", "anna")
    assert taken(share, "a", 10, "anna") == 1
    for _ in range(3):
        share.give_back("a", "anna")
    assert len(share) == 0 and taken(share, "a", 100) == 30


def test_a_tenant_with_its_share_of_waiting_requests_is_answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis_waiters, "MOST", 8)

    async def go() -> int:
        client = fakeredis.FakeAsyncRedis()
        waiters = AnalysisWaiters(client)
        waiting = [asyncio.ensure_future(waiters.until("greedy", 5, 600.0)) for _ in range(4)]
        await asyncio.sleep(0)
        await asyncio.wait_for(waiters.until("greedy", 5, 600.0), 60)
        other = asyncio.ensure_future(waiters.until("other", 5, 600.0))
        await asyncio.sleep(0)
        still = sum(not one.done() for one in [*waiting, other])
        for one in [*waiting, other]:
            one.cancel()
        await asyncio.gather(*waiting, other, return_exceptions=True)
        await waiters.close()
        assert len(waiters._places) == 0
        await client.aclose()
        return still

    assert asyncio.run(go()) == 5
