"""A client of brigadewatch: ask before you remove, send complaints and decisions.

    from brigadewatch_client import Client

    watch = Client("https://watch.example", KEY, when_unreachable="open")
    complaint = Complaint("c-1029", occurred_at=now, reporter="r-77", target="comment-5")
    for target in watch.report_and_ask(complaint, threshold=8, counted={"comment-5": 9}).removable:
        hide(target)

`AsyncClient` is the same with `await`.
"""

from brigadewatch_client.asynchronous import AsyncClient
from brigadewatch_client.documents import (
    Advice,
    Assessment,
    ClusterOnTarget,
    Complaint,
    FinalRecommendation,
    Noted,
    Outcome,
    Receipt,
    Recommendation,
    Rejected,
    Reported,
    WhenUnreachable,
)
from brigadewatch_client.errors import BrigadewatchError, Refused, Unreachable
from brigadewatch_client.synchronous import Client

__all__ = [
    "Advice",
    "Assessment",
    "AsyncClient",
    "BrigadewatchError",
    "Client",
    "ClusterOnTarget",
    "Complaint",
    "FinalRecommendation",
    "Noted",
    "Outcome",
    "Receipt",
    "Recommendation",
    "Refused",
    "Rejected",
    "Reported",
    "Unreachable",
    "WhenUnreachable",
]
