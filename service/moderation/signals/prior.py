"""Prior: of the groups that act together, what share turned out to be unfounded in this tenant? PURE.

It is where the question starts before any verdict on the group's own targets. It is measured on the tenant's groups
whose targets or cases people have decided; while there are few, the policy's prior_unfounded counts for most of it.
"""

from __future__ import annotations

from service.model import Evidence
from service.moderation.log_odds import log_odds
from service.moderation.phrases import percent, plural
from service.moderation.signals.signal import Signal
from service.moderation.usual import Usual

PRIOR = "prior"
EVEN = 0.5


def evidence(usual: Usual) -> Evidence:
    """The signal, the same for all clusters of a tenant."""
    share = percent(usual.unfounded)
    known = f"from {plural(usual.known, 'group')} reviewed here" if usual.known else "no group was reviewed here yet"
    return Evidence(
        signal=PRIOR,
        value=usual.unfounded,
        usual=EVEN,
        p_value=None,
        contribution=log_odds(usual.unfounded),
        text=f"Before its own targets are reviewed, {share} of groups that act together are unfounded ({known}).",
    )


SIGNAL = Signal(name=PRIOR, title="Earlier cases", question="unfounded", unit="share")
