"""A question before a removal, as it was asked, and its answer: for one target, for several, and with a post."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request

from service.api.api_context import api_context, metrics_sink
from service.api.problems import Invalid
from service.api.tenant_start import with_tenant_initialised
from service.errors import StoreUnavailable
from service.model import RejectedItem
from service.moderation.assessment import assess
from service.moderation.target_assessment import Assessment
from service.storage.accounts.tenants import KeyRecord
from service.storage.redis_store.assessments import Standings, read_targets

MOST = 10**15  # of thresholds, counts and positions: integers of that size survive every JSON parser
LONGEST_WAIT_MS = 5_000
_INTEGER = re.compile(r"0*[0-9]{1,16}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Question:
    """What a caller asks of targets."""

    threshold: int
    after: int | None = None  # the position that the answer has to contain; None: whatever is analysed
    wait_ms: int = 0  # how long the caller waits for that
    counted: int = 0  # complaints by the caller's own count
    may_wait: bool = False  # the caller knows the recommendation `wait`


def question_of(request: Request, key: KeyRecord) -> Question:
    """The question in the query of a request. Raises Invalid."""
    if not request.scope.get("query_string"):
        return Question(key.default_threshold)
    after, wait_ms, counted = (
        whole_parameter(request, "after", 0, MOST),
        whole_parameter(request, "wait", 0, LONGEST_WAIT_MS),
        whole_parameter(request, "counted", 0, MOST),
    )
    return Question(
        requested_threshold(request, key),
        after,
        wait_ms or 0,
        counted or 0,
        may_wait=any(one is not None for one in (after, wait_ms, counted)),
    )


def requested_threshold(request: Request, key: KeyRecord) -> int:
    """The request's threshold, or the tenant's own. Raises Invalid for anything but one integer from 1."""
    given = whole_parameter(request, "threshold", 1, MOST)
    return key.default_threshold if given is None else given


def whole_parameter(request: Request, name: str, low: int, high: int) -> int | None:
    """An integer from the query, None without it; that it is given once was checked with the key.

    Raises Invalid for anything but an integer within the bounds.
    """
    given = request.query_params.get(name)
    if given is None:
        return None
    if _INTEGER.match(given) and low <= int(given) <= high:
        return int(given)
    detail = f"{name} is {given[:40]!r}; expected one integer from {low} to {high}"
    raise Invalid(detail, [RejectedItem(detail=detail, pointer=f"/{name}")])


async def answers_to(
    request: Request, key: KeyRecord, target_ids: Sequence[str], question: Question
) -> list[Assessment]:
    """One assessment per requested id, in the same order; waits as long as the question allows.

    Raises Invalid for a position beyond the last one, StoreUnavailable or PositionAbsent while Redis cannot answer.
    """
    began, waited = time.perf_counter(), 0.0
    standings = await standings_of(request, key, target_ids)
    after = question.after
    if after is not None and after > standings.analysed:
        _check_position(after, standings)
        if question.wait_ms:
            waiting_since = time.perf_counter()
            await api_context(request).waiters.until(key.tenant, after, question.wait_ms / 1_000)
            waited = time.perf_counter() - waiting_since
            standings = await standings_of(request, key, target_ids)
            metrics_sink(request).waited(waited, analysed=after <= standings.analysed)
    fresh = standings.freshness(after)
    found = [
        assess(
            target_id,
            standing,
            fresh,
            threshold=question.threshold,
            counted=question.counted,
            may_wait=question.may_wait,
        )
        for target_id, standing in zip(target_ids, standings.targets, strict=True)
    ]
    metrics_sink(request).assessed(time.perf_counter() - began - waited)
    return found


async def standings_of(request: Request, key: KeyRecord, target_ids: Sequence[str]) -> Standings:
    """What Redis holds about the targets. Raises StoreUnavailable or PositionAbsent while it cannot answer."""
    api = api_context(request)
    return await with_tenant_initialised(request, key, lambda: read_targets(api.redis, key.tenant, target_ids))


def _check_position(after: int, standings: Standings) -> None:
    if after <= standings.position:
        return
    if standings.restored:
        raise StoreUnavailable(
            f"position {after} lies beyond the last one, {standings.position}: positions were restored within the last"
            " hour; send again what was not answered since, and ask without `after`"
        )
    detail = (
        f"after is {after}, beyond the last position, {standings.position}: send the `position` that a POST answered"
    )
    raise Invalid(detail, [RejectedItem(detail=detail, pointer="/after")])
