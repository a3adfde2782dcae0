"""The events about campaigns. PURE: the caller records them in the transaction that makes the change.

- campaign.formed  two clusters or more are one campaign now; once for each campaign.
- campaign.grown   another cluster belongs to it; once for each campaign and cluster, though it may leave and return.
"""

from __future__ import annotations

from urllib.parse import quote

from service.model import moment
from service.moderation.events import Event

FORMED, GROWN = "campaign.formed", "campaign.grown"
_NAMED = 20  # clusters


def campaign_events(
    campaign: str, before: frozenset[str], after: frozenset[str], span_us: tuple[int, int]
) -> list[Event]:
    """What is reported when a campaign's clusters were `before` (empty: it is new) and are `after`."""
    first_at, last_at = (moment(us).isoformat().replace("+00:00", "Z") for us in span_us)
    data = {
        "campaign_id": campaign,
        "cluster_count": len(after),
        "clusters": sorted(after)[:_NAMED],
        "first_at": first_at,
        "last_at": last_at,
        "url": f"/v1/campaigns/{quote(campaign, safe='')}",
    }
    if not before:
        return [Event(FORMED, campaign, data)]
    return [
        Event(GROWN, f"{campaign}/{cluster}", {**data, "cluster_id": cluster}) for cluster in sorted(after - before)
    ]
