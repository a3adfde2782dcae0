"""One line a tenant, and then the chosen ones: what they send, how long they wait, who is told."""

from __future__ import annotations

from drawing.boards import board
from drawing.panels import Limits, Query, bars, lines, rows

T = 'tenant=~"$tenant"'
_ALL = [
    rows(
        "Tenants",
        "As they are now.",
        [
            ("items/s", f"sum by (tenant) (tenant:brigadewatch_accepted_items:rate5m{{{T}}})", "cps"),
            ("waits", f"max by (tenant) (tenant:brigadewatch_lag_seconds:max{{{T}}})", "s"),
            ("accepted", f"max by (tenant) (brigadewatch_accepted_position{{{T}}})", "short"),
            ("window", f"max by (tenant) (brigadewatch_detection_window_complaints{{{T}}})", "short"),
            ("cases that wait", f"max by (tenant) (brigadewatch_cases_waiting{{{T}}})", "short"),
            ("dead letters", f"max by (tenant) (brigadewatch_dead_letters{{{T}}})", "short"),
            ("webhooks that wait", f"max by (tenant) (brigadewatch_deliveries_waiting{{{T}}})", "short"),
            (
                "worker time",
                f"sum by (tenant) (max by (tenant, work) (rate(brigadewatch_job_busy_seconds_total{{{T}}}[5m])))",
                "percentunit",
            ),
        ],
        by="tenant",
    )
]
_SENDS = [
    lines(
        "Accepted",
        "Items answered with 202.",
        [Query(f"tenant:brigadewatch_accepted_items:rate5m{{{T}}}", "{{tenant}}")],
        "cps",
    ),
    lines(
        "Refused as invalid",
        "Their platform sends what cannot be used: its answers say which field.",
        [Query(f"tenant:brigadewatch_rejected_items:rate5m{{{T}}}", "{{tenant}}")],
        "cps",
    ),
    lines(
        "What archived items were",
        "duplicates: sent again. conflicting: an id with other content; the first one stays. late: older than the"
        " window.",
        [
            Query(
                f"sum by (result) (max by (tenant, result) (rate(brigadewatch_archived_items_total{{{T}}}[5m])))",
                "{{result}}",
            )
        ],
        "cps",
    ),
    lines(
        "Latest complaint",
        "How far event time is behind now. Growing: nothing comes in (or history is replayed).",
        [Query(f"time() - max by (tenant) (brigadewatch_watermark_timestamp_seconds{{{T}}})", "{{tenant}}")],
        "s",
        smallest=None,
    ),
    lines(
        "Acknowledged items",
        "Position of each tenant's stream; absent while Redis is being rebuilt.",
        [Query(f"max by (tenant) (brigadewatch_accepted_position{{{T}}})", "{{tenant}}")],
        "short",
    ),
    lines(
        "Worker time",
        "What each takes of the workers. A tenant that takes most of it wants a rate.",
        [
            Query(
                f"sum by (tenant) (max by (tenant, work) (rate(brigadewatch_job_busy_seconds_total{{{T}}}[5m])))",
                "{{tenant}}",
            )
        ],
        "percentunit",
        stacked=True,
        alert="BrigadewatchTenantOverRate",
    ),
]
_WAITS = [
    lines(
        "Oldest that waits",
        "To be archived or analysed.",
        [Query(f"tenant:brigadewatch_lag_seconds:max{{{T}}}", "{{tenant}}")],
        "s",
        limits=Limits(10, 60),
        alert="BrigadewatchAnalysisBehind",
    ),
    lines(
        "From accepted to in the answers (p95)",
        "Of items that were analysed.",
        [Query(f"tenant:brigadewatch_analysis_lag_seconds:p95_5m{{{T}}}", "{{tenant}}")],
        "s",
    ),
    lines(
        "Items before analysis",
        "Archived, not analysed.",
        [Query(f"max by (tenant) (brigadewatch_feed_items{{{T}}})", "{{tenant}}")],
        "short",
    ),
]
_TOLD = [
    lines(
        "Cases that wait for a person",
        "Flagged, open or escalated.",
        [Query(f"max by (tenant) (brigadewatch_cases_waiting{{{T}}})", "{{tenant}}")],
        "short",
        alert="BrigadewatchCasesPileUp",
    ),
    bars(
        "Webhooks that wait",
        "To be sent, or sent again.",
        Query(f"max by (tenant) (brigadewatch_deliveries_waiting{{{T}}})", "{{tenant}}"),
        "short",
        limits=Limits(100, 1_000),
    ),
    bars(
        "Subscriptions that are off",
        "Nothing is sent to them until somebody enables them.",
        Query(f"max by (tenant) (brigadewatch_subscriptions_disabled{{{T}}})", "{{tenant}}"),
        "short",
        limits=Limits(None, 1),
        alert="BrigadewatchSubscriptionDisabled",
    ),
    lines(
        "Attempts to deliver",
        "By what came of them.",
        [
            Query(
                "sum by (tenant, result) (max by (tenant, result)"
                f" (rate(brigadewatch_delivery_attempts_total{{{T}}}[5m])))",
                "{{tenant}} {{result}}",
            )
        ],
        "ops",
    ),
    lines(
        "Platforms that are asked",
        "Since the last answer of the one that waits longest.",
        [
            Query(
                f"max by (tenant, platform) (time() - brigadewatch_poll_success_timestamp_seconds{{{T}}})",
                "{{tenant}} {{platform}}",
            )
        ],
        "s",
        limits=Limits(600, 1_800),
        alert="BrigadewatchSourceSilent",
    ),
    lines(
        "Polls",
        "By how they ended.",
        [
            Query(
                "sum by (tenant, platform, result) (max by (tenant, platform, result)"
                f" (rate(brigadewatch_polls_total{{{T}}}[5m])))",
                "{{tenant}} {{platform}} {{result}}",
            )
        ],
        "ops",
    ),
]
BOARD = board(
    "brigadewatch-tenants",
    "brigadewatch: tenants",
    "What each tenant sends, how long it waits, and who is told.",
    [
        ("How is everybody?", _ALL),
        ("What do they send?", _SENDS),
        ("How long do they wait?", _WAITS),
        ("Who is told, and who is asked?", _TOLD),
    ],
    tenants=True,
)
