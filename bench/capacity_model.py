"""Extrapolate what an installation needs to 10^9 complaints in a window, from figures that other commands measured.

    .venv/bin/python bench/capacity_model.py [--core-hour 0.04] [--memory 3] [--disk 0.1]

It measures nothing: every figure below names the command that it comes from, and all of them were taken on two cores
with windows of up to 1.4 million complaints (the pairs of a sweep: 11 million). Prices are those given, in dollars.
"""

from __future__ import annotations

from figures import parser_of

DAYS = 14  # of a window
PEAK = 10  # times the mean rate
SWEEPS = 24  # a day
US_ACCEPTED, US_ARCHIVED, US_DETECTED = (
    33.2,
    39.0,
    34.6,
)  # CPU a complaint: API with Redis, ingest, ticks (end_to_end.py)
MERGED_US_PER_MILLION = 11.4  # and a tick copies its indexes: 8 us a complaint at 700,000, ticks of 1,000 (analysis.py)
SWEPT_US = 38.0  # CPU a complaint: 20 for the pairs of 11 million in DuckDB, 18 for the rest of 1.4 million (large.py)
WINDOW_BYTES, SWEEP_BYTES = 196, 533  # a complaint (window_memory.py)
SPILLED_BYTES = 300  # a complaint and sweep: what an engine writes down, or sends from host to host (large.py)
ARCHIVE_BYTES = 801  # a complaint in PostgreSQL (capacity.py)
INGEST_RATE, COPY_RATE, REDIS_RATE = (
    25_000,
    68_000,
    170_000,
)  # a second: end_to_end.py, bulk_insert.py, ingest_workers.py
GB = 1e9


def row(window: float, core_hour: float, memory: float, disk: float) -> str:
    """One line of the table."""
    per_second = window / DAYS / 86_400
    tick_us = US_DETECTED + MERGED_US_PER_MILLION * window / 1e6
    live_cores = per_second * PEAK * (US_ACCEPTED + US_ARCHIVED + tick_us) / 1e6
    sweep_seconds = window * SWEPT_US / 1e6
    cores = live_cores / PEAK + sweep_seconds * SWEEPS / 86_400
    resident, swept = window * WINDOW_BYTES / GB, window * SWEEP_BYTES / GB
    spilled, year = window * SPILLED_BYTES / GB, window / DAYS * 365 * ARCHIVE_BYTES / GB
    month = cores * core_hour * 730 + (resident + swept) * memory + year * disk
    return (
        f"| {window:,.0f} | {window / DAYS:,.0f} | {per_second * PEAK:,.0f} | {live_cores:,.2f} |"
        f" {per_second * PEAK * tick_us / 1e6 * 100:,.0f} % | {sweep_seconds:,.0f} s | {resident:,.2f} GB |"
        f" {swept:,.2f} GB | {spilled:,.1f} GB | {year:,.0f} GB | ${month:,.0f} |"
    )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--core-hour", type=float, default=0.04, help="price of a core for an hour")
    parser.add_argument("--memory", type=float, default=3.0, help="price of a GB of memory for a month")
    parser.add_argument("--disk", type=float, default=0.1, help="price of a GB of disk for a month")
    chosen = parser.parse_args()
    print(
        "| in a window | a day | a second, peak | live cores, peak | of them one detect worker's | CPU of a sweep |"
        " detect worker | sweep in memory | spilled or shuffled | archive, a year | a month |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for power in range(6, 10):
        print(row(10.0**power, chosen.core_hour, chosen.memory, chosen.disk))
    print(f"one ingest worker {INGEST_RATE:,}/s, PostgreSQL by COPY {COPY_RATE:,} rows/s, one Redis {REDIS_RATE:,}/s")


if __name__ == "__main__":
    main()
