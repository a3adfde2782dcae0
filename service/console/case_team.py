"""What the case page shows of the team: the case's queue, who it is assigned to, and which tags and templates exist."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from service.console.person import Person
from service.storage.cases import placements, queues
from service.storage.cases.note_templates import list_templates
from service.storage.cases.placements import Placement
from service.storage.cases.tag_reads import tags_in_use
from service.storage.detection import patrol_proposals


def team_context(connection: Connection, person: Person, cluster_id: str, *, right_together: bool) -> dict[str, Any]:
    """For case.html. `right_together`: the case was decided so, and may be proposed as a good patrol."""
    placed = placements.placements_of(connection, person.tenant_id, [cluster_id]).get(cluster_id)
    proposed = patrol_proposals.waiting(connection, person.tenant_id, cluster_id) if right_together else []
    return {
        "proposal": proposed[0] if proposed else None,
        "longest_reason": patrol_proposals.LONGEST_NOTE,
        "known_tags": tags_in_use(connection, person.tenant_id),
        "placement": placed or Placement(None, None, None),
        "templates": list_templates(connection, person.tenant_id),
        "queues": queues.list_queues(connection, person.tenant_id),
        "colleagues": queues.assignable(connection, person.tenant_id) if person.may("moderator") else [],
    }
