"""What an assessment, or none, means for a platform that is about to remove something; how long it waits for one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from brigadewatch_client import exchange
from brigadewatch_client.documents import Advice, Assessment, FinalRecommendation, Receipt, Reported, WhenUnreachable
from brigadewatch_client.errors import Unreachable
from brigadewatch_client.exchange import Batch

LONGEST_PATIENCE_SECONDS = 86_400.0
USUAL_PAUSE_SECONDS = 0.25  # before the next question, where the service does not say


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a question may take, from now on. Raises ValueError for values out of bounds.

    Each request lets the service wait for `wait` seconds; while it says to wait, it is asked again for `seconds`.
    """

    wait: float
    seconds: float
    _over: float = field(init=False)  # by the monotonic clock

    def __post_init__(self) -> None:
        exchange.seconds("wait", self.wait, exchange.LONGEST_WAIT_SECONDS)
        exchange.seconds("patience", self.seconds, LONGEST_PATIENCE_SECONDS)
        object.__setattr__(self, "_over", time.monotonic() + self.seconds)

    def left(self) -> float:
        """Seconds until it is over, 0 then."""
        return max(0.0, self._over - time.monotonic())

    def next_wait(self) -> float:
        """Seconds for which the next request lets the service wait."""
        return min(self.wait, self.left())


def advise(assessment: Assessment, threshold: int, counted: int | None) -> Advice | None:
    """What an assessment recommends; None: to ask again.

    `none` and `review` mean that too where the platform counted `threshold` complaints and the service knows of fewer:
    they were said without the others. A service that was asked with `counted` says `wait` itself, but a post that asks
    cannot send it, and version 0.2 does not know it.
    """
    recommendation = assessment.recommendation
    if recommendation == "wait":
        return None
    if recommendation != "hold" and counted is not None and assessment.complaints < threshold <= counted:
        return None
    return Advice(assessment.target_id, recommendation, reached=True, assessment=assessment)


def pause(assessment: Assessment) -> float:
    """In how many seconds to ask again."""
    asked = assessment.retry_after_ms
    return USUAL_PAUSE_SECONDS if asked is None else max(0.01, asked / 1_000)


def unreached(target_id: str, when_unreachable: WhenUnreachable, error: Unreachable) -> Advice:
    """What to do without an answer."""
    return Advice(target_id, _without_answer(when_unreachable), reached=False, why=str(error))


def undecided(assessment: Assessment, when_unreachable: WhenUnreachable, seconds: float) -> Advice:
    """What to do after `seconds` in which the answer was to wait."""
    return Advice(
        assessment.target_id,
        _without_answer(when_unreachable),
        reached=False,
        assessment=assessment,
        why=f"complaints that are not analysed yet decide, and the answer was still to wait after {seconds:g} s",
    )


def unreported(
    batch: Batch, threshold: int, counted: Mapping[str, int], when_unreachable: WhenUnreachable, error: Unreachable
) -> Reported:
    """What to do about the targets of complaints that could not be sent."""
    advice = [unreached(target_id, when_unreachable, error) for target_id in exchange.targets_of(batch, None)]
    return reported(None, advice, threshold, counted)


def reported(receipt: Receipt | None, advice: Iterable[Advice], threshold: int, counted: Mapping[str, int]) -> Reported:
    """The advice by target, below the threshold where neither the service nor the platform counted enough."""
    return Reported(
        receipt,
        {one.target_id: replace(one, below=_known(one, counted.get(one.target_id, 0)) < threshold) for one in advice},
    )


def _known(advice: Advice, counted: int) -> int:
    assessment = advice.assessment
    return counted if assessment is None else max(counted, assessment.complaints + (assessment.unseen or 0))


def _without_answer(when_unreachable: WhenUnreachable) -> FinalRecommendation:
    return "none" if when_unreachable == "open" else "hold"
