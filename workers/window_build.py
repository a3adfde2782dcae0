"""Builds a tenant's resident window from SQL: after a start, a lost lease, or a change of thresholds."""

from __future__ import annotations

import logging

from sqlalchemy import Connection

from service.intake.privacy_filter import PrivacyFilter
from service.intake.text_fingerprints import VERSION
from service.storage.accounts.policy_overrides import policy_of
from service.storage.accounts.tenant_settings import settings_of
from service.storage.accounts.tenants import tenant_id
from service.storage.cases import clusters
from service.storage.complaints.archive_reader import analysis_state_of
from service.storage.complaints.feed_reader import read_feed_window
from service.storage.complaints.signature_renewal import mark_renewed, renew_signatures
from service.storage.detection.exemptions import changed_clusters, exemptions_of
from service.storage.detection.sweeps import latest_sweep
from service.storage.redis_store.leases import take_analysis_epoch
from service.storage.sql.engine import write
from workers import sweep_codec
from workers.array_memory import no_holes
from workers.feed_columns import parts_of
from workers.resources import Resources
from workers.tenant_analyzer import TenantAnalyzer
from workers.tenant_filter import open_filter_or_warn

log = logging.getLogger(__name__)

SECOND_US = 1_000_000


def build_analyzer(tenant: str, resources: Resources) -> TenantAnalyzer:
    """The window as it stands in SQL: loaded up to the last sweep, ticked from there to the cursor.

    Raises the tenant's epoch: any other process that holds the window can commit nothing from now on.
    """
    number = tenant_id(resources.engine, tenant)
    epoch = take_analysis_epoch(resources.engine, number)
    privacy_filter = open_filter_or_warn(tenant, number, resources)
    _renew_signatures(tenant, number, epoch, resources, privacy_filter)
    secret = None if privacy_filter is None else privacy_filter.key
    with resources.engine.connect() as connection:
        state, policy = analysis_state_of(connection, number), policy_of(connection, number)
        stored = clusters.load(connection, number)
        analyzer = TenantAnalyzer(tenant, number, epoch, policy, state, stored, secret)
        load_window(analyzer, connection)
        analyzer.names_at_build = analyzer.detector.window.names
        # After a change of thresholds the next look is at all targets.
        analyzer.notifier.begin(
            connection,
            clusters.summaries(stored.values()),
            everything=state.policy_version not in (None, policy.version),
        )
        # Where the stored clusters do not follow the allow-list and the registry yet, the next step sees to that.
        exemptions = exemptions_of(connection, number)
        if not changed_clusters(connection, number, list(stored.values()), exemptions):
            analyzer.clusters.exemptions = exemptions
    return analyzer


def load_window(analyzer: TenantAnalyzer, connection: Connection) -> None:
    """Bring the stored complaints into an empty window, by the analyzer's thresholds. Reads only."""
    number, state, policy = analyzer.number, analyzer.state, analyzer.policy
    sweep = latest_sweep(connection, number, state.cursor_seq)
    if sweep is not None:
        since = (sweep.watermark_us or 0) - policy.window_seconds * SECOND_US
        rows = read_feed_window(connection, number, since, sweep.seq)
        fitted = sweep_codec.unpack(sweep.payload)
        analyzer.detector.inferred = fitted.contexts
        with no_holes():
            analyzer.detector.load(parts_of((row.batch for row in rows), since))
            analyzer.detector.adopt(fitted, sweep.seq)
    since, swept = (state.watermark_us or 0) - policy.window_seconds * SECOND_US, 0 if sweep is None else sweep.seq
    for row in read_feed_window(connection, number, since, state.cursor_seq, swept):
        for _ in analyzer.detect(row.batch):
            pass  # these groups were analysed before


def _renew_signatures(
    tenant: str, number: int, epoch: int, resources: Resources, privacy_filter: PrivacyFilter | None
) -> None:
    """After an upgrade to another version of text signatures, once: those of kept texts anew, before they are read."""
    with resources.engine.connect() as connection:
        state, policy = analysis_state_of(connection, number), policy_of(connection, number)
        kept = settings_of(connection, number).keep_text
    if state.signature_version >= VERSION or (kept and privacy_filter is None):
        return
    if kept and privacy_filter is not None:
        since = (state.watermark_us or 0) - policy.window_seconds * SECOND_US
        count = renew_signatures(
            resources.engine, number, privacy_filter, least_words=policy.text_min_words, since_us=since
        )
        log.info("tenant %s: %d signatures of kept texts computed again", tenant, count)
    with write(resources.engine) as connection:
        mark_renewed(connection, number, epoch=epoch)
