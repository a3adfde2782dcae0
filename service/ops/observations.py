"""What the API process counts about itself, as Prometheus metrics; plugged in as `app.state.observe`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_ASSESSMENT_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Observations:
    """Counters of one API process; they begin at zero with it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._accepted = Counter("brigadewatch_accepted_items", "Items answered with 202 since this process started.", ["tenant"], registry=registry)
        self._rejected = Counter("brigadewatch_rejected_items", "Items refused as invalid since this process started.", ["tenant"], registry=registry)
        self._assessed = Histogram(
            "brigadewatch_assessment_duration_seconds", "Time to answer one question about targets.", buckets=_ASSESSMENT_BUCKETS, registry=registry,
        )
        self._webhooks = Counter(
            "brigadewatch_webhook_deliveries", "Deliveries of platforms since this process started, by what became of them.", ["platform", "result"], registry=registry,
        )

    def accepted(self, tenant: str, n: int) -> None:
        """`n` items of the tenant are in the stream."""
        self._accepted.labels(tenant).inc(n)

    def rejected(self, tenant: str, n: int) -> None:
        """`n` items of the tenant were refused."""
        self._rejected.labels(tenant).inc(n)

    def assessed(self, seconds: float) -> None:
        """One GET or POST about targets was answered after `seconds`."""
        self._assessed.observe(seconds)

    def webhook(self, platform: str, result: str) -> None:
        """One delivery: taken, repeated, empty, unusable, or why it was refused (missing, malformed, wrong, stale, unverifiable, unknown)."""
        self._webhooks.labels(platform, result).inc()
