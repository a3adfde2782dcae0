"""Names of all Redis keys. A tenant's name is [a-z0-9-]{1,40}, so no external id is ever part of a key."""

PREFIX = "bw"
IDENTITY = f"{PREFIX}:identity"  # random; the same stands in SQL (redis_store/redis_identity.py)
PROPOSED_IDENTITY = f"{PREFIX}:identity:proposed"  # until SQL knows it
TENANTS_WAITING = f"{PREFIX}:waiting"  # set: tenants whose stream may hold something (a hint: the stream decides)
TENANTS_DIRTY = f"{PREFIX}:dirty"  # set: tenants with something to analyse (a hint: SQL decides)
HURRIED = f"{PREFIX}:hurried"  # list: tenants that somebody has just asked about; wakes the clock


def stream(tenant: str) -> str:
    """The queue of record: one entry a batch."""
    return f"{PREFIX}:{tenant}:stream"


def position(tenant: str) -> str:
    """Counter of acknowledged items; absent until Redis has been (re)filled from SQL."""
    return f"{PREFIX}:{tenant}:position"


def progress(tenant: str) -> str:
    """Hash: archived, analysed (positions), as_of_us, dead (items), decided and taken (the latest decision and the
    latest that the analysis has taken in, by sequence number): a copy of SQL for readers; noticed: set once
    trusted_notices holds all targets.
    """
    return f"{PREFIX}:{tenant}:progress"


def totals(tenant: str) -> str:
    """Hash: target key (16 hex digits) -> number of standing complaints."""
    return f"{PREFIX}:{tenant}:totals"


def memberships(tenant: str) -> str:
    """Hash: target key -> JSON of the clusters on it (service/storage/redis_store/assessments.py)."""
    return f"{PREFIX}:{tenant}:memberships"


def trusted_notices(tenant: str) -> str:
    """Hash: target key -> number of standing notices by trusted flaggers, where there is any."""
    return f"{PREFIX}:{tenant}:trusted-notices"


def unseen(tenant: str) -> str:
    """Sorted set: generations of complaints that are not analysed yet, named by their first position, sorted by the
    last. With a colon and a generation appended: a hash of complaints by target (redis_store/unseen.py).
    """
    return f"{PREFIX}:{tenant}:unseen"


def known_members(tenant: str) -> str:
    """Set: keyed hashes of the reporters whose complaints are discounted (redis_store/unseen.py)."""
    return f"{PREFIX}:{tenant}:known-members"


def hurry(tenant: str) -> str:
    """Set for a moment while somebody waits for the analysis of the tenant's complaints."""
    return f"{PREFIX}:{tenant}:hurry"


def restored(tenant: str) -> str:
    """Set for an hour after the position was restored from SQL: clients may hold later positions."""
    return f"{PREFIX}:{tenant}:restored"


def lease(work: str, tenant: str) -> str:
    """Lease of the worker that does `work` (ingest, detect, sweep) for the tenant."""
    return f"{PREFIX}:{tenant}:lease:{work}"


def spent(tenant: str, policy: str, owner: int, per_second: float) -> str:
    """The rate bucket of the tenant, key or source: "debt at", in microseconds; absent: it is full."""
    return f"{PREFIX}:{tenant}:spent:{policy}:{owner}:{per_second:g}"


def checked(tenant: str) -> str:
    """Set for a day after a self-check was enqueued."""
    return f"{PREFIX}:{tenant}:checked"


def enqueued(work: str, tenant: str) -> str:
    """Set while a job of that kind waits in RQ, so that the clock does not pile up jobs, or rests after a failure."""
    return f"{PREFIX}:{tenant}:enqueued:{work}"


def failures(work: str, tenant: str) -> str:
    """The job's failures in a row, as JSON (service/storage/redis_store/job_failures.py); absent: the latest one
    succeeded, or it was not tried for a while.
    """
    return f"{PREFIX}:{tenant}:failures:{work}"


def delivered(tenant: str, digest: str) -> str:
    """Set for a week once a webhook delivery's items are in the stream; `digest` is hexadecimal, of the source and the
    event.
    """
    return f"{PREFIX}:{tenant}:delivered:{digest}"


def recent_deliveries(tenant: str, source: str, proven: bool) -> str:
    """List: the last deliveries of a source (hexadecimal, of its id), for a day; separately those without a valid
    signature.
    """
    return f"{PREFIX}:{tenant}:{'recent' if proven else 'unproven'}:{source}"


def kept_forms(tenant: str, user_id: int) -> str:
    """List: what this person of the console was about to submit when their session had ended, sealed, for an hour."""
    return f"{PREFIX}:{tenant}:kept-forms:{user_id}"


def tallies(tenant: str) -> str:
    """Hash: what workers count for the metrics (service/ops/worker_metrics.py); the empty name: of the whole
    installation.
    """
    return f"{PREFIX}:{tenant}:tallies"


DETECTORS = (
    f"{PREFIX}:detectors"  # sorted set: the living detect workers by their latest beat (workers/tenant_assignment.py)
)
HOMES = f"{PREFIX}:homes"  # hash: tenant -> the detect worker that holds it; absent with a single worker
CLOCK_STEPS = f"{PREFIX}:clock-steps"  # list: the latest steps of the wall clock (service/ops/clock_steps.py)
PROCESSES = f"{PREFIX}:processes"  # hash: the living processes by kind (service/ops/processes.py)
WRITE_PROBE = f"{PREFIX}:write-probe"  # written to see whether Redis takes writes (redis_store/health.py)
REFUSED_WRITE = f"{PREFIX}:refused-write"  # why the database refused a worker's write within the last minute
