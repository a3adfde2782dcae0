"""A client of brigadewatch: ask before you remove, send complaints and decisions.

    from brigadewatch_client import Client

    watch = Client("https://watch.example", KEY, when_unreachable="open")
    if watch.may_remove("comment-5", threshold=8).remove:
        hide("comment-5")

`AsyncClient` is the same with `await`.
"""

from brigadewatch_client.asynchronous import AsyncClient
from brigadewatch_client.documents import (
    Advice,
    Assessment,
    ClusterOnTarget,
    Complaint,
    Outcome,
    Receipt,
    Recommendation,
    Rejected,
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
    "Outcome",
    "Receipt",
    "Recommendation",
    "Refused",
    "Rejected",
    "Unreachable",
    "WhenUnreachable",
]
