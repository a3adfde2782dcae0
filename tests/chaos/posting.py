"""A platform that posts while everything around it falls: it sends a batch again until it is acknowledged, and keeps a
journal of what was.
"""

from __future__ import annotations

import http.client
import json
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

EXPECTED = {202, 429, 503}  # any other status is a fault of the service
PAUSE_SECONDS = (0.05, 0.6)  # before a batch is sent again
Document = dict[str, Any]


@dataclass
class Journal:
    """The answers to all posters."""

    acknowledged: set[str] = field(default_factory=set)  # ids of complaints
    outcomes: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    position: int = 0  # highest position in an answer
    calls: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Posters:
    """Threads that post documents (complaints, outcomes, {"withdraws": id}) in batches, roughly in order."""

    def __init__(
        self, url: str, key: str, documents: Sequence[Document], *, rate: float, seed: int, threads: int = 2
    ) -> None:
        """`rate` is in documents per second over all threads; `hurry` lifts it."""
        self.journal = Journal()
        self._url, self._key, self._rate = url, key, rate
        self._hurry, self._stop = threading.Event(), threading.Event()
        self._batches: queue.Queue[list[Document]] = queue.Queue()
        rng, start = random.Random(seed), 0
        while start < len(documents):
            size = rng.choice((1, 5, 20, 60, 150, 400))
            self._batches.put(list(documents[start : start + size]))
            start += size
        self._threads = [
            threading.Thread(
                target=self._post_all, args=(random.Random(seed + k), threads), name=f"poster-{k}", daemon=True
            )
            for k in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def hurry(self) -> None:
        """Send the rest as fast as it is accepted."""
        self._hurry.set()

    def stop(self) -> None:
        """Stop sending batches."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait until everything is acknowledged. Raises TimeoutError after `seconds`."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                raise TimeoutError(
                    f"some documents were not acknowledged within {seconds:.0f} s; answers: {self.journal.answers}"
                )

    def _post_all(self, rng: random.Random, threads: int) -> None:
        line = _Line(self._url, self._key)
        while not self._stop.is_set():
            try:
                batch = self._batches.get_nowait()
            except queue.Empty:
                return
            began = time.monotonic()
            for kind, path, method, body, ids in _calls(batch):
                self._until_acknowledged(line, rng, kind, path, method, body, ids)
            self._hurry.wait(max(0.0, len(batch) / self._rate * threads - (time.monotonic() - began)))

    def _until_acknowledged(
        self, line: _Line, rng: random.Random, kind: str, path: str, method: str, body: bytes | None, ids: set[str]
    ) -> None:
        while True:
            status, answer = line.call(method, path, body)
            with self.journal.lock:
                self.journal.calls += 1
                self.journal.answers[str(status or answer)] += 1
                if status == 202:
                    document = json.loads(answer)
                    getattr(self.journal, kind).update(ids)
                    self.journal.position = max(self.journal.position, document.get("position", 0))
                    if document.get("rejected_count"):
                        self.journal.unexpected.append(f"{method} {path}: {answer[:300]}")
                    return
                if status and status not in EXPECTED:
                    self.journal.unexpected.append(f"{method} {path}: {status} {answer[:300]}")
                    return
            self._stop.wait(rng.uniform(*PAUSE_SECONDS))


class _Line:
    """One kept-alive connection, reopened whenever it breaks."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), parts.port
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
        self._connection: http.client.HTTPConnection | None = None

    def call(self, method: str, path: str, body: bytes | None) -> tuple[int, str]:
        """(status, text); status 0 and the error's name when there was no answer."""
        try:
            self._connection = self._connection or http.client.HTTPConnection(self._host, self._port, timeout=20)
            self._connection.request(method, path, body, self._headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return 0, f"no answer ({type(error).__name__})"


def _calls(batch: Sequence[Document]) -> list[tuple[str, str, str, bytes | None, set[str]]]:
    complaints = [d for d in batch if "reporter" in d]
    outcomes = [d for d in batch if "target_id" in d and "reporter" not in d]
    calls: list[tuple[str, str, str, bytes | None, set[str]]] = []
    for kind, path, documents in (
        ("acknowledged", "/v1/complaints", complaints),
        ("outcomes", "/v1/outcomes", outcomes),
    ):
        if documents:
            calls.append(
                (
                    kind,
                    path,
                    "POST",
                    "\n".join(json.dumps(d) for d in documents).encode(),
                    {d.get("id", "") for d in documents},
                )
            )
    calls += [
        ("withdrawn", f"/v1/complaints/{quote(d['withdraws'], safe='')}", "DELETE", None, {d["withdraws"]})
        for d in batch
        if "withdraws" in d
    ]
    return calls
