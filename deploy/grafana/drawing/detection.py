"""Can the flags be trusted, what was found, and does anybody look at it?"""

from __future__ import annotations

from drawing.boards import board
from drawing.panels import Limits, Query, bars, lines, number

T = 'tenant=~"$tenant"'
_FOUND = [
    number(
        "Cases that wait",
        "Flagged, open or escalated: a person's turn.",
        Query(f"sum(max by (tenant) (brigadewatch_cases_waiting{{{T}}}))"),
        "short",
        limits=Limits(50, 100),
        alert="BrigadewatchCasesPileUp",
    ),
    number(
        "Flagged",
        "Coordinated, as far as is known, and discounted.",
        Query(f'sum(max by (tenant, kind, status) (brigadewatch_clusters{{disposition="flagged", {T}}})) or vector(0)'),
        "short",
    ),
    number(
        "Held back",
        "Above the day's quota of new flags: discounted, not shown as new.",
        Query(
            f'sum(max by (tenant, kind, status) (brigadewatch_clusters{{disposition="held_back", {T}}})) or vector(0)'
        ),
        "short",
        limits=Limits(None, 1),
        alert="BrigadewatchFlagsHeldBack",
    ),
    number(
        "Reliable",
        "Coordinated, and right by people's judgement: shown, not discounted.",
        Query(
            f'sum(max by (tenant, kind, status) (brigadewatch_clusters{{disposition="reliable", {T}}})) or vector(0)'
        ),
        "short",
    ),
    number(
        "Removed because of them",
        "Targets that were removed while a cluster inflated their count, and that nobody has looked at again.",
        Query(f'sum(max by (tenant, state) (brigadewatch_restorations{{state="open", {T}}})) or vector(0)'),
        "short",
        limits=Limits(1, 50),
    ),
    number(
        "Self-check",
        "Clusters that would be flagged if nobody complained together. 0 is right.",
        Query(f"max(brigadewatch_selfcheck_false_clusters{{{T}}})"),
        "short",
        limits=Limits(None, 1),
        alert="BrigadewatchSelfCheckFlags",
    ),
    lines(
        "Clusters by what they are",
        "flagged discounts; revoked and merged are history.",
        [
            Query(
                "sum by (kind, disposition) (max by (tenant, kind, disposition, status)"
                f" (brigadewatch_clusters{{{T}}}))",
                "{{kind}} {{disposition}}",
            )
        ],
        "short",
        width=12,
    ),
    bars(
        "By how far a person is",
        "open, escalated, snoozed, decided.",
        Query(
            f"sum by (status) (max by (tenant, kind, disposition, status) (brigadewatch_clusters{{{T}}}))", "{{status}}"
        ),
        "short",
        width=12,
    ),
]
_RIGHT = [
    lines(
        "Decisions of people",
        "coordinated: they agree with the flag. not_coordinated in numbers: its thresholds are too low for this"
        " community.",
        [
            Query(
                f"sum by (verdict) (max by (tenant, verdict, reason) (brigadewatch_decisions_total{{{T}}}))",
                "{{verdict}}",
            )
        ],
        "short",
    ),
    bars(
        "Their reasons",
        "brigade, patrol, outrage, duplicate, other.",
        Query(
            f"sum by (reason) (max by (tenant, verdict, reason) (brigadewatch_decisions_total{{{T}}}))", "{{reason}}"
        ),
        "short",
    ),
    lines(
        "Share of flags that people agreed with",
        "coordinated among coordinated and not_coordinated, ever. Few decisions say little.",
        [
            Query(
                "sum by (tenant) (max by (tenant, verdict, reason)"
                f' (brigadewatch_decisions_total{{verdict="coordinated", {T}}})) / sum by (tenant) (max by (tenant,'
                f' verdict, reason) (brigadewatch_decisions_total{{verdict=~"coordinated|not_coordinated", {T}}}))',
                "{{tenant}}",
            )
        ],
        "percentunit",
        limits=Limits(0.9, 0.7, falling=True),
    ),
    lines(
        "Self-check over time",
        "What it would flag where nobody complains together.",
        [Query(f"max by (tenant) (brigadewatch_selfcheck_false_clusters{{{T}}})", "{{tenant}}")],
        "short",
        limits=Limits(None, 1),
        alert="BrigadewatchSelfCheckFlags",
    ),
    lines(
        "Self-check looked at",
        "Complaints that it shuffled. Few: it says little.",
        [Query(f"max by (tenant) (brigadewatch_selfcheck_complaints{{{T}}})", "{{tenant}}")],
        "short",
    ),
    lines(
        "Age of the self-check",
        "It runs once a day, when nothing else has to be done.",
        [Query(f"time() - max by (tenant) (brigadewatch_selfcheck_finished_timestamp_seconds{{{T}}})", "{{tenant}}")],
        "s",
        limits=Limits(172_800, 259_200),
        alert="BrigadewatchSelfCheckMissing",
    ),
]
_WINDOW = [
    lines(
        "Complaints in the window",
        "What is compared: the last fourteen days by event time. Memory of the detect worker grows with it.",
        [Query(f"max by (tenant) (brigadewatch_detection_window_complaints{{{T}}})", "{{tenant}}")],
        "short",
    ),
    lines(
        "Edges of the co-report graph",
        "Pairs of accounts that meet more often than chance would have it.",
        [Query(f"max by (tenant) (brigadewatch_detection_validated_pairs{{{T}}})", "{{tenant}}")],
        "short",
    ),
    lines(
        "Pairs that are weighed",
        "Validated or not.",
        [Query(f"max by (tenant) (brigadewatch_detection_kept_pairs{{{T}}})", "{{tenant}}")],
        "short",
    ),
    lines(
        "Slices that were capped",
        "Meetings that were not paired, since too many complaints stood on the target before them. Much of it: a target"
        " with a crowd.",
        [Query(f"max by (tenant) (rate(brigadewatch_detection_cut_pairs_total{{{T}}}[5m]))", "{{tenant}}")],
        "cps",
    ),
    lines(
        "Histories that were compared",
        "Pairs of accounts joined, and groups grown from them.",
        [
            Query(f"sum(max by (tenant) (rate(brigadewatch_detection_joined_pairs_total{{{T}}}[5m])))", "pairs"),
            Query(f"sum(max by (tenant) (rate(brigadewatch_detection_grown_groups_total{{{T}}}[5m])))", "groups"),
        ],
        "cps",
    ),
    lines(
        "Too late to be analysed",
        "Complaints older than the window when they came: archived and counted, not compared.",
        [Query(f'max by (tenant) (rate(brigadewatch_archived_items_total{{result="late", {T}}}[5m]))', "{{tenant}}")],
        "cps",
    ),
]
_FRESH = [
    lines(
        "Since the last sweep",
        "A sweep refits what is usual and revokes what no longer holds. An idle tenant needs none.",
        [Query(f"time() - max by (tenant) (brigadewatch_sweep_finished_timestamp_seconds{{{T}}})", "{{tenant}}")],
        "s",
        alert="BrigadewatchSweepBehind",
    ),
    lines(
        "A sweep takes",
        "It runs in a process of its own, and grows with the window.",
        [Query(f"max by (tenant) (brigadewatch_sweep_duration_seconds{{{T}}})", "{{tenant}}")],
        "s",
    ),
    lines(
        "Analysed, not swept",
        "Items that the last sweep had not seen.",
        [
            Query(
                f'max by (tenant) (brigadewatch_position{{stage="analysed", {T}}}) - max by (tenant)'
                f' (brigadewatch_position{{stage="swept", {T}}})',
                "{{tenant}}",
            )
        ],
        "short",
    ),
]
BOARD = board(
    "brigadewatch-detection",
    "brigadewatch: detection",
    "What was found, can it be trusted, and does anybody look at it?",
    [
        ("What was found, and who looks at it?", _FOUND),
        ("Was it right?", _RIGHT),
        ("What is compared?", _WINDOW),
        ("Is it up to date?", _FRESH),
    ],
    tenants=True,
    since="now-7d",
)
