"""All kinds of jobs. To add one, write its module in workers/ and one line here."""

from __future__ import annotations

from dataclasses import dataclass

USUAL_WAITING_MS = 5_000
LOOK_AGAIN_SECONDS = 900
DAY_SECONDS = 86_400
SLACK_SECONDS = 60  # of a plan against the clock of another host


@dataclass(frozen=True, slots=True)
class JobKind:
    """One kind of job: `run(tenant, resources)` of a module, done by the workers of a queue."""

    work: str  # its name, in Redis, in metrics and in timers
    queue: str
    module: str  # imported by the worker when the first such job comes: the detection libraries take a second
    timeout_seconds: int
    has_timer: bool = False  # planned by service/storage/sql/timers.py, beside or instead of the clock's own rules
    # of its timer: no job plans the next one further ahead (it looks again then, and finds that nothing is due yet)
    longest_seconds: int = LOOK_AGAIN_SECONDS
    waiting_ms: int = USUAL_WAITING_MS  # how long a waiting job blocks the next one of its tenant, in case RQ loses it


_ALL = (
    JobKind("ingest", "ingest", "workers.ingest", 120),  # archive what waits in the stream
    JobKind("detect", "detect", "workers.detect", 900, has_timer=True),  # analyse what was archived since the last tick
    JobKind("sweep", "sweep", "workers.sweep", 3600, has_timer=True, waiting_ms=30_000),  # analyse the whole window
    JobKind("deliver", "deliver", "workers.deliver", 120, has_timer=True),  # send the webhooks that are due
    JobKind("restore", "chores", "workers.rebuild_redis", 3600),  # fill an emptied Redis from SQL
    JobKind("selfcheck", "chores", "workers.selfcheck", 3600),  # count what would be flagged in shuffled complaints
    JobKind("poll", "chores", "workers.poll", 300, has_timer=True),  # fetch from platforms that do not post
    JobKind(  # delete what is past the tenant's retention
        "retain", "chores", "workers.retain", 3600, has_timer=True, longest_seconds=DAY_SECONDS
    ),
    JobKind("erase", "chores", "workers.erase", 3600, has_timer=True),  # replace the ids of reporters to be erased
    JobKind("mail", "chores", "workers.mail", 300, has_timer=True),  # send e-mail about new cases to who wants it
    JobKind("place", "chores", "workers.placing", 300, has_timer=True),  # put cases into the tenant's queues
    JobKind("dry_run", "chores", "workers.dry_run", 3600, has_timer=True),  # what other thresholds would do
    JobKind("campaigns", "chores", "workers.campaigns", 900, has_timer=True),  # which clusters continue one another
    JobKind("daily_files", "chores", "workers.daily_files", 3600, has_timer=True, longest_seconds=3_600),
    JobKind(  # read, try, import and undo files that were uploaded; delete them after a day
        "import", "chores", "workers.imports", 3600, has_timer=True, longest_seconds=DAY_SECONDS
    ),
)
JOB_KINDS = {kind.work: kind for kind in _ALL}
QUEUES = tuple(dict.fromkeys(kind.queue for kind in _ALL))
LONGEST_US = {kind.work: (kind.longest_seconds + SLACK_SECONDS) * 1_000_000 for kind in _ALL if kind.has_timer}
TIMED_WORKS = tuple(sorted(kind.work for kind in _ALL if kind.has_timer))
