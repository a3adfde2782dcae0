"""The first one to look at: does it answer, does it keep up, is what it acknowledged safe?"""

from __future__ import annotations

from drawing.boards import board
from drawing.panels import Limits, Query, bars, lines, number

_ANSWERS = [
    number(
        "Stores that answer",
        "1: every API process reaches it; 0: none does, and posts get 503.",
        Query("min by (dependency) (brigadewatch_up)", "{{dependency}}"),
        "short",
        limits=Limits(None, 1, falling=True),
        alert="BrigadewatchStoreDown",
    ),
    number(
        "Kinds of process that are missing",
        "API, five workers and the clock: none may be missing for long.",
        Query("count(process:brigadewatch_processes:max == 0) or vector(0)"),
        "short",
        limits=Limits(None, 1),
        alert="BrigadewatchProcessMissing",
    ),
    number(
        "Requests that fail",
        "Share of answers with 5xx, of five minutes.",
        Query("brigadewatch:http_errors:ratio_rate5m"),
        "percentunit",
        limits=Limits(0.005, 0.02),
        alert="BrigadewatchRequestsFail",
        decimals=2,
    ),
    number(
        "A question takes (p99)",
        "The question before a removal. Askers give up after about 300 ms.",
        Query("brigadewatch:assessment_duration_seconds:p99_5m"),
        "s",
        limits=Limits(0.1, 0.3),
        alert="BrigadewatchAssessmentsSlow",
    ),
    number(
        "Longest wait",
        "Age of the oldest complaint that is not in the answers yet, of all tenants.",
        Query("max(tenant:brigadewatch_lag_seconds:max)"),
        "s",
        limits=Limits(10, 60),
        alert="BrigadewatchAnalysisBehind",
    ),
    number(
        "Alerts that fire",
        "Of this service; each has its section in the runbook.",
        Query('count(ALERTS{alertname=~"Brigadewatch.*", alertstate="firing"}) or vector(0)'),
        "short",
        limits=Limits(1, 3),
    ),
]
_TRAFFIC = [
    lines(
        "Items in and out",
        "Accepted with 202, refused as invalid, and archived. Archived lags behind accepted in a burst, and"
        " catches up.",
        [
            Query("sum(tenant:brigadewatch_accepted_items:rate5m)", "accepted"),
            Query("sum(tenant:brigadewatch_rejected_items:rate5m)", "refused as invalid"),
            Query("sum(tenant:brigadewatch_archived_items:rate5m)", "archived"),
        ],
        "cps",
    ),
    lines(
        "Requests by status",
        "All routes, the console's pages included.",
        [Query("sum by (status) (route:brigadewatch_http_requests:rate5m)", "{{status}}")],
        "reqps",
        stacked=True,
    ),
    lines(
        "Requests by route",
        "The ten busiest. Routes, never paths.",
        [Query("topk(10, sum by (route) (route:brigadewatch_http_requests:rate5m))", "{{route}}")],
        "reqps",
    ),
    lines(
        "Refused or cut by a limit",
        "429, 408 and 413, by which limit it was: backlog, unanalysed, redis-memory and bodies-held mean that there is"
        " no room; rates are what an operator allowed.",
        [Query("cause:brigadewatch_limited_requests:rate5m", "{{cause}}")],
        "reqps",
        alert="BrigadewatchTurnsComplaintsAway",
    ),
    lines(
        "Answers take (p95, by route)",
        "From a request's head to the head of its answer; its body is read in between.",
        [
            Query(
                "histogram_quantile(0.95, sum by (route, le)"
                " (rate(brigadewatch_http_request_duration_seconds_bucket[5m])))",
                "{{route}}",
            )
        ],
        "s",
    ),
    lines(
        "A question takes",
        "GET and POST about targets.",
        [
            Query("brigadewatch:assessment_duration_seconds:p50_5m", "half of them at most"),
            Query("brigadewatch:assessment_duration_seconds:p99_5m", "99 % of them at most"),
        ],
        "s",
        limits=Limits(0.1, 0.3),
        alert="BrigadewatchAssessmentsSlow",
    ),
    lines(
        "A question waits for the analysis",
        "Requests that ask after a position, and posts that ask.",
        [
            Query(
                "histogram_quantile(0.5, sum by (le) (rate(brigadewatch_assessment_wait_seconds_bucket[5m])))",
                "half of them at most",
            ),
            Query(
                "histogram_quantile(0.95, sum by (le) (rate(brigadewatch_assessment_wait_seconds_bucket[5m])))",
                "95 % of them at most",
            ),
        ],
        "s",
    ),
]
_PIPELINE = [
    lines(
        "What waits, and how long",
        "Age of the oldest item in the stream (to be archived) and in the feed (to be analysed), of all tenants.",
        [
            Query("max(brigadewatch_stream_oldest_age_seconds)", "to be archived"),
            Query("max(brigadewatch_feed_oldest_age_seconds)", "to be analysed"),
        ],
        "s",
        limits=Limits(10, 60),
        alert="BrigadewatchArchivingBehind",
    ),
    lines(
        "How much waits",
        "Batches in the streams, and archived items before analysis.",
        [
            Query("sum(max by (tenant) (brigadewatch_stream_batches))", "batches in the streams"),
            Query("sum(max by (tenant) (brigadewatch_feed_items))", "items before analysis"),
        ],
        "short",
    ),
    lines(
        "From accepted to in the answers",
        "Of items that were analysed: what they waited. Nothing is drawn while nothing is analysed; what waits then is"
        " on the left.",
        [
            Query("max(tenant:brigadewatch_analysis_lag_seconds:p50_5m)", "half of them at most"),
            Query("max(tenant:brigadewatch_analysis_lag_seconds:p95_5m)", "95 % of them at most"),
        ],
        "s",
    ),
    lines(
        "Workers' time in use",
        "1: a worker of this kind has no moment left. ingest and detect above 0.8 for long want another host.",
        [Query("work:brigadewatch_job_busy:ratio_rate5m", "{{work}}")],
        "percentunit",
        limits=Limits(0.8, 1),
    ),
    lines(
        "Jobs take (p95)",
        "By kind of work.",
        [Query("work:brigadewatch_job_duration_seconds:p95_15m", "{{work}}")],
        "s",
    ),
    lines(
        "Jobs that did not end well",
        "failed: a fault of ours. interrupted: a store did not answer. superseded: another worker went on, as it"
        " should be.",
        [Query('sum by (work, result) (work_result:brigadewatch_jobs:rate5m{result!="done"})', "{{work}} {{result}}")],
        "ops",
        alert="BrigadewatchJobsFail",
    ),
    bars(
        "Jobs that wait",
        "In RQ's queues. One of a kind and tenant waits at most.",
        Query("max by (queue) (brigadewatch_queue_jobs)", "{{queue}}"),
        "short",
        limits=Limits(50, 500),
    ),
    bars(
        "Planned work that is late",
        "Longest overdue, by kind: webhooks, polls, retention, erasures.",
        Query("max by (work) (brigadewatch_timer_overdue_seconds)", "{{work}}"),
        "s",
        limits=Limits(300, 900),
        alert="BrigadewatchWorkOverdue",
    ),
    bars(
        "Dead letters",
        "Items that failed five times over, by tenant.",
        Query("max by (tenant) (brigadewatch_dead_letters)", "{{tenant}}"),
        "short",
        limits=Limits(1, 100),
        alert="BrigadewatchDeadLetters",
    ),
]
_SAFE = [
    number(
        "Append-only file",
        "1: what is acknowledged is on disk.",
        Query("max(brigadewatch_redis_append_only) * max(brigadewatch_redis_append_only_write_ok)"),
        "short",
        limits=Limits(None, 1, falling=True),
        alert="BrigadewatchRedisNotDurable",
    ),
    number(
        "Keys evicted",
        "Since Redis' start. Each may be a complaint that is lost.",
        Query("max(brigadewatch_redis_evicted_keys_total)"),
        "short",
        limits=Limits(None, 1),
        alert="BrigadewatchRedisNotDurable",
    ),
    number("Redis' memory", "Used.", Query("max(brigadewatch_redis_memory_used_bytes)"), "bytes"),
    number(
        "Its bound",
        "maxmemory; 0: as much as there is.",
        Query("max(brigadewatch_redis_memory_max_bytes)"),
        "bytes",
        alert="BrigadewatchRedisNearlyFull",
    ),
    number(
        "Append-only file's size",
        "It is rewritten when it has doubled.",
        Query("max(brigadewatch_redis_append_only_size_bytes)"),
        "bytes",
        alert="BrigadewatchRedisRewriteFails",
    ),
    number("Database", "Without its log.", Query("max(brigadewatch_database_size_bytes)"), "bytes"),
    lines(
        "Memory by kind of process",
        "The largest process of each kind. The detect worker keeps the window; the sweep needs its memory while it"
        " runs.",
        [Query("max by (process) (brigadewatch_process_resident_memory_bytes)", "{{process}}")],
        "bytes",
        width=12,
    ),
    lines(
        "Redis' memory over time",
        "It grows with what waits; the rest is totals and memberships.",
        [
            Query("max(brigadewatch_redis_memory_used_bytes)", "used"),
            Query("max(brigadewatch_redis_memory_max_bytes) > 0", "bound"),
        ],
        "bytes",
        width=12,
    ),
]
_DOOR = [
    lines(
        "Signing in",
        "Attempts, by what came of them. lock-out and address-locked in numbers: somebody guesses.",
        [Query("sum by (result) (rate(brigadewatch_sign_ins_total[5m]))", "{{result}}")],
        "ops",
        alert="BrigadewatchPasswordGuessing",
    ),
    lines(
        "Webhooks of platforms",
        "taken, repeated and empty are well; wrong, missing and stale were refused.",
        [
            Query(
                "sum by (platform, result) (rate(brigadewatch_webhook_deliveries_total[5m]))", "{{platform}} {{result}}"
            )
        ],
        "ops",
        alert="BrigadewatchForgedWebhooks",
    ),
    lines(
        "Webhooks to platforms",
        "Attempts to deliver, by what came of them.",
        [
            Query(
                "sum by (result) (max by (result, tenant) (rate(brigadewatch_delivery_attempts_total[5m])))",
                "{{result}}",
            )
        ],
        "ops",
        alert="BrigadewatchSubscriptionDisabled",
    ),
]
BOARD = board(
    "brigadewatch-service",
    "brigadewatch: service",
    "Does it answer, does it keep up, is what it acknowledged safe?",
    [
        ("Does it answer?", _ANSWERS),
        ("What comes in, and how is it answered?", _TRAFFIC),
        ("Does the pipeline keep up?", _PIPELINE),
        ("Is what was acknowledged safe, and is there room?", _SAFE),
        ("Who is at the door?", _DOOR),
    ],
    tenants=False,
)
