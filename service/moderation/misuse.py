"""Frequent, manifestly unfounded notices (DSA Art. 23(2)–(4)): what people marked, and which step may follow. PURE.

The platform decides; nothing is suspended by this service. Only notices of illegal content (Art. 16) count, not flags
under house rules, and a notice that was rejected is not yet *manifestly* unfounded: a person marks each. A suspension
needs an earlier warning and a further such notice since, has an end, and names the redress (recital 63, Art. 20).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from service.errors import Refused
from service.moderation.phrases import plural

Step = Literal["warned", "suspended", "restored"]
Standing = Literal["none", "warned", "suspended", "over"]

FEWEST = 2  # marked notices before a warning: one is not "frequently"
LONGEST = timedelta(days=366)  # of a suspension: "a reasonable period of time"
LONGEST_REASON = 2_000  # characters of what a person writes about gravity or intention


@dataclass(frozen=True, slots=True)
class Notice:
    """A standing notice of illegal content; not by a trusted flagger within the area and time of their status, whose
    misuse is a matter of Art. 22(6).
    """

    row: int  # of the archive
    id: str
    target_id: str
    at: datetime
    reason: str | None
    verdict: str | None  # a person's, that stands
    manifest: bool  # a person marked it as manifestly unfounded

    @property
    def may_be_marked(self) -> bool:
        """Only what a person rejected can be manifestly unfounded."""
        return self.verdict == "rejected"


@dataclass(frozen=True, slots=True)
class MisuseFacts:
    """Art. 23(3)(a) and (b): the absolute number, and the proportion to all notices of the same time."""

    manifest: int
    notices: int
    days: int

    @property
    def share(self) -> float:
        """The share of the notices that is manifestly unfounded; 0 without notices."""
        return self.manifest / self.notices if self.notices else 0.0


@dataclass(frozen=True, slots=True)
class StepTaken:
    """A step that a person recorded: the platform took it."""

    step: Step
    at: datetime
    until: datetime | None  # of a suspension
    by: str
    manifest: int  # the facts at that time
    notices: int
    days: int
    gravity: str  # Art. 23(3)(c): how grave the misuse is, and its consequences
    intention: str  # Art. 23(3)(d): the intention, where it can be identified


def facts_of(notices: Iterable[Notice], *, now: datetime, days: int) -> MisuseFacts:
    """The facts of the last `days`."""
    recent = [notice for notice in notices if notice.at > now - timedelta(days=days)]
    return MisuseFacts(sum(notice.manifest for notice in recent), len(recent), days)


def standing_of(steps: Sequence[StepTaken], now: datetime) -> Standing:
    """Where the reporter stands; `steps` in time order. After a suspension, the next one needs a new warning."""
    if not steps:
        return "none"
    last = steps[-1]
    if last.step == "suspended":
        return "suspended" if last.until is not None and last.until > now else "over"
    return "warned" if last.step == "warned" else "over"


def said_in(steps: Iterable[StepTaken], step: Step, *, by: str, gravity: str, intention: str) -> bool:
    """Whether one of these steps is this one: the same, by the same person, with the same words."""
    return any(
        (one.step, one.by, one.gravity, one.intention) == (step, by, gravity.strip(), intention.strip())
        for one in steps
    )


def check(
    step: Step,
    steps: Sequence[StepTaken],
    notices: Sequence[Notice],
    *,
    now: datetime,
    days: int,
    until: datetime | None = None,
    gravity: str = "",
    intention: str = "",
) -> None:
    """Raise Refused if this step cannot follow, with the reason and the way out."""
    standing, facts = standing_of(steps, now), facts_of(notices, now=now, days=days)
    for name, text in (("gravity", gravity), ("intention", intention)):
        if len(text) > LONGEST_REASON:
            raise Refused(f"the {name} has {len(text):,} characters, at most {LONGEST_REASON:,} are possible")
    if step == "restored":
        if standing != "suspended":
            raise Refused("no suspension is in force, so none can be ended")
        return
    if standing == "suspended":
        raise Refused("a suspension is in force: record that it ended before the next step")
    if step == "warned":
        if facts.manifest < FEWEST:
            raise Refused(
                f"{plural(facts.manifest, 'notice')} of the last {days} days {'is' if facts.manifest == 1 else 'are'}"
                f" marked as manifestly unfounded; a warning needs at least {FEWEST}"
            )
        return
    _check_suspension(standing, steps, notices, now, until, gravity)


def _check_suspension(
    standing: Standing,
    steps: Sequence[StepTaken],
    notices: Sequence[Notice],
    now: datetime,
    until: datetime | None,
    gravity: str,
) -> None:
    if standing != "warned":
        raise Refused("a suspension needs an earlier warning: record the warning first")
    if not any(notice.manifest and notice.at > steps[-1].at for notice in notices):
        raise Refused("no notice since the warning is marked as manifestly unfounded: the warning may have been enough")
    if until is None or not now < until <= now + LONGEST:
        raise Refused(f"a suspension needs an end within the next {LONGEST.days} days")
    if not gravity.strip():
        raise Refused("write how grave the misuse is and what it led to (Art. 23(3)): it belongs in the decision")


def letter(step: Step, facts: MisuseFacts, *, until: datetime | None, gravity: str = "", intention: str = "") -> str:
    """A draft of what a person may send to the reporter about this step."""
    counted = (
        f"In the last {facts.days} days you sent {plural(facts.notices, 'notice')} of illegal content. Our moderators"
        f" found {facts.manifest:,} of them manifestly unfounded: it was evident, without any detailed examination,"
        " that the content is not illegal."
    )
    redress = (
        "If you think that we are wrong, reply to this message, or use our internal complaint-handling system where it"
        " is open to you: a person will look at it again. You may also go to an out-of-court dispute settlement body or"
        " to a court."
    )
    if step == "warned":
        then = (
            "Please send notices only about content that you believe to be illegal. If you go on to send manifestly"
            " unfounded notices, we will stop processing your notices and complaints for a limited time."
        )
        return f"Hello,\n\n{counted}\n\n{then}\n\n{redress}\n"
    if step == "restored":
        return "Hello,\n\nwe process your notices and complaints again, as before.\n"
    end = "a limited time" if until is None else f"{until:%Y-%m-%d %H:%M} UTC"
    reasons = [f"How grave it is: {gravity.strip()}"] if gravity.strip() else []
    reasons += [f"Intention: {intention.strip()}"] if intention.strip() else []
    return (
        f"Hello,\n\n{counted} You went on after our warning. Until {end} we do not process notices and complaints from"
        " your account. You can use everything else as before, and report an immediate threat to life to the police."
        + "".join(f"\n\n{reason}" for reason in reasons)
        + f"\n\n{redress}\n"
    )
