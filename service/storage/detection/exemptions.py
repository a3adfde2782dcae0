"""What makes a tenant's complaints exempt from discounts: the allow-list and the registry of trusted flaggers."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from service.moderation.allowances import Exemptions, to_be_asked, with_exemptions
from service.moderation.cluster_state import ClusterState
from service.storage.accounts.flagger_registry import flaggers_of
from service.storage.complaints.trusted_notices import exempt_by_themselves
from service.storage.sql.schema import allowed_reporters


def exemptions_of(connection: Connection, tenant_id: int) -> Exemptions:
    """The tenant's, as they are now."""
    table = allowed_reporters.c
    allowed = frozenset(connection.scalars(select(table.reporter_key).where(table.tenant_id == tenant_id)))
    return Exemptions(allowed, flaggers_of(connection, tenant_id))


def changed_clusters(
    connection: Connection, tenant_id: int, states: Collection[ClusterState], exemptions: Exemptions
) -> dict[str, ClusterState]:
    """Those of the clusters in which a complaint is exempt that was not, or the other way round, as they are then."""
    seqs = to_be_asked(states, exemptions)
    anyway = exempt_by_themselves(connection, tenant_id, seqs, exemptions.flaggers)
    return with_exemptions(states, exemptions.allowed, anyway)
