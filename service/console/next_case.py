"""Which case comes next in the list that the moderator works through?"""

from __future__ import annotations

from datetime import datetime
from typing import get_args
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import Connection

from service.storage import cases
from service.storage.cases import ClusterFilter, Sort, filter_of

_FILTERS = {"disposition", "status", "kind", "min_score", "reporter", "target", "author", "since_us", "until_us"}
LONGEST = 2_048


def queue_of(text: str) -> str:
    """The list's address parameters as they came along with the case, cleaned; what is too long or no query is dropped."""
    if len(text) > LONGEST:
        return ""
    try:
        return urlencode([(name, value) for name, value in parse_qsl(text, keep_blank_values=False, max_num_fields=40) if name not in ("cursor", "queue")])
    except ValueError:
        return ""


def next_case(connection: Connection, tenant_id: int, queue: str, *, done: str, now: datetime) -> str | None:
    """The first case of the list but `done`; None: the list has no other. Only what is open or escalated comes next."""
    given = dict(parse_qsl(queue))
    texts = {name: value for name, value in given.items() if name in _FILTERS}
    try:
        chosen = filter_of({**ClusterFilter().named(), **texts})
    except (ValueError, OverflowError):
        chosen = ClusterFilter()
    sort: Sort = next((s for s in get_args(Sort) if s == given.get("sort")), "-score")
    items, _ = cases.list_clusters(connection, tenant_id, chosen, sort=sort, after=None, limit=20, now=now)
    return next((item.id for item in items if item.id != done and item.status in ("open", "escalated")), None)
