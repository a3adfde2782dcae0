"""What the API process counts about itself, as Prometheus metrics; plugged in as `app.state.observe`.

Counters start at zero with the process. With several API processes, each is scraped and the counters are summed.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_ASSESSMENT_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_WAIT_BUCKETS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)
_REQUEST_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
LIMITS = (
    "tenant-rate",
    "key-rate",
    "source-rate",
    "backlog",
    "unanalysed",
    "redis-memory",
    "bodies-held",
    "payloads",
    "slow-body",
    "large-body",
    "sign-in-address",
    "sign-in-crowd",
)
# lock-out: one wrong password too many; locked: the account is temporarily locked
SIGN_INS = (
    "signed-in",
    "wrong",
    "lock-out",
    "locked",
    "address-locked",
    "busy",
    "form-expired",
    "second-step",
    "code-wrong",
    "code-locked",
    "not-by-password",
    "sso-refused",
    "sso-failed",
)
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observations:
    """Counters of one API process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "brigadewatch_http_requests",
            "Requests answered, by route (never a path) and status.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._answered = Histogram(
            "brigadewatch_http_request_duration_seconds",
            "From a request's head to the head of its answer, its body read in between.",
            ["route"],
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self._limited = Counter(
            "brigadewatch_limited_requests",
            "Requests refused or cut off by a limit, by limit.",
            ["cause"],
            registry=registry,
        )
        self._accepted = Counter(
            "brigadewatch_accepted_items", "Items answered with 202.", ["tenant"], registry=registry
        )
        self._rejected = Counter(
            "brigadewatch_rejected_items", "Items refused as invalid.", ["tenant"], registry=registry
        )
        self._assessed = Histogram(
            "brigadewatch_assessment_duration_seconds",
            "Time to answer one request about targets, without the wait for the analysis.",
            buckets=_ASSESSMENT_BUCKETS,
            registry=registry,
        )
        self._waited = Histogram(
            "brigadewatch_assessment_wait_seconds",
            "Time that requests waited until a position was analysed, by result: analysed, or late.",
            ["result"],
            buckets=_WAIT_BUCKETS,
            registry=registry,
        )
        self._webhooks = Counter(
            "brigadewatch_webhook_deliveries",
            "Webhook deliveries from platforms, by result.",
            ["platform", "result"],
            registry=registry,
        )
        self._sign_ins = Counter(
            "brigadewatch_sign_ins",
            "Attempts to sign in to the console, by result.",
            ["result"],
            registry=registry,
        )
        for cause in LIMITS:  # shown as 0 from the start, so that the first one is an increase
            self._limited.labels(cause)
        for result in ("analysed", "late"):
            self._waited.labels(result)
        for result in SIGN_INS:
            self._sign_ins.labels(result)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered, its head after `seconds`; `route` is a template."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._answered.labels(route).observe(seconds)

    def limited(self, cause: str) -> None:
        """A request was refused or cut by a limit: one of LIMITS."""
        self._limited.labels(cause if cause in LIMITS else "other").inc()

    def accepted(self, tenant: str, n: int) -> None:
        """`n` items of the tenant are in the stream."""
        self._accepted.labels(tenant).inc(n)
        self._rejected.labels(tenant)

    def rejected(self, tenant: str, n: int) -> None:
        """`n` items of the tenant were refused."""
        self._rejected.labels(tenant).inc(n)

    def assessed(self, seconds: float) -> None:
        """One request about targets was answered after `seconds`, its wait for the analysis aside."""
        self._assessed.observe(seconds)

    def waited(self, seconds: float, *, analysed: bool) -> None:
        """One request waited for the analysis; `analysed`: it has come to the position that was asked for."""
        self._waited.labels("analysed" if analysed else "late").observe(seconds)

    def webhook(self, platform: str, result: str) -> None:
        """One delivery: taken, repeated, empty, unusable, or why it was refused (missing, malformed, wrong, stale,
        unverifiable, unknown).
        """
        self._webhooks.labels(platform, result).inc()

    def signed_in(self, result: str) -> None:
        """One attempt to sign in: one of SIGN_INS."""
        self._sign_ins.labels(result if result in SIGN_INS else "other").inc()
