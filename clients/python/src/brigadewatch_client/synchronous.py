"""The client for code without an event loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self

import httpx

from brigadewatch_client import exchange
from brigadewatch_client.asynchronous import AsyncClient, check, unreached, whole
from brigadewatch_client.background import Background
from brigadewatch_client.documents import Advice, Assessment, Complaint, Outcome, Receipt, WhenUnreachable
from brigadewatch_client.errors import Unreachable


class Client:
    """`AsyncClient` without `await`: the same arguments, calls and errors.

    Make one a process and share it: threads may, and forks may.

    The calls run on one background thread, so that `timeout` bounds the whole of a call, the lookup of the name
    included. Servers that forbid threads (uWSGI without `enable-threads`) have to allow them.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        when_unreachable: WhenUnreachable,
        timeout: float = 0.3,
        send_timeout: float = 10.0,
        retry_for: float = 30.0,
        verify: Any = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        check(url, key, when_unreachable, timeout, send_timeout, retry_for)
        self._when_unreachable: WhenUnreachable = when_unreachable
        self._timeout, self._send_timeout = timeout, send_timeout
        self._background = Background(
            lambda: AsyncClient(
                url,
                key,
                when_unreachable=when_unreachable,
                timeout=timeout,
                send_timeout=send_timeout,
                retry_for=retry_for,
                verify=verify,
                transport=transport,
            )
        )

    def close(self) -> None:
        """Give up all connections and end the thread."""
        self._background.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def may_remove(self, target_id: str, threshold: int, *, counted: int | None = None) -> Advice:
        """May a target that drew `threshold` complaints be removed by count?

        Never raises for an outage; see `Advice.reached`.

        `counted`: how many complained by the platform's own count. Those that brigadewatch has not seen yet, because
        they were posted a moment ago or wait in a queue, count as independent ones; without it they would count as
        nobody, and the answer could be `none`.
        """
        try:
            return self._background.run(
                lambda client: client.may_remove(target_id, threshold, counted=counted), self._timeout
            )
        except Unreachable as error:
            return unreached(target_id, self._when_unreachable, error)

    def assess(self, target_id: str, threshold: int | None = None) -> Assessment:
        """How many people complained about it, and how many independently? Without `threshold`: the tenant's.

        Raises Unreachable.
        """
        return self._background.run(lambda client: client.assess(target_id, threshold), self._timeout)

    def assess_many(self, target_ids: Iterable[str], threshold: int | None = None) -> list[Assessment]:
        """One assessment per id, in their order. Every 500 ids are one question, with a `timeout` of its own.

        Raises Unreachable.
        """
        return self._background.run(lambda client: client.assess_many(target_ids, threshold), None)

    def complain(self, complaint: Complaint | Mapping[str, Any]) -> Receipt:
        """Send one complaint. When this returns, it is on disk.

        Raises Refused when it is not valid, Unreachable when it could not be sent.
        """
        return whole(self.complain_many([complaint]))

    def complain_many(self, complaints: Iterable[Complaint | Mapping[str, Any]]) -> Receipt:
        """Send complaints, in batches.

        Those that are not valid are in the receipt; the others are on disk when this returns.

        Raises Unreachable after `retry_for` without success, with how many were `done`, and ValueError for an item that
        cannot be written as JSON (those before it may have been sent).
        """
        return self._send("/v1/complaints", complaints)

    def outcome(self, outcome: Outcome | Mapping[str, Any]) -> Receipt:
        """Send what was decided about one target. Raises as `complain` does."""
        return whole(self.outcomes([outcome]))

    def outcomes(self, outcomes: Iterable[Outcome | Mapping[str, Any]]) -> Receipt:
        """Send what was decided about targets. Raises as `complain_many` does."""
        return self._send("/v1/outcomes", outcomes)

    def withdraw(self, complaint_id: str) -> Receipt:
        """The complaint counts no more; it may be withdrawn before it has arrived. Raises Unreachable."""
        return self._background.run(lambda client: client.withdraw(complaint_id), None)

    def brief(self, target_id: str, threshold: int | None = None) -> dict[str, Any]:
        """What a moderator should know about a target on an appeal, as the service answers it. Raises Unreachable."""
        return self._background.run(lambda client: client.brief(target_id, threshold), self._send_timeout)

    def _send(self, path: str, items: Iterable[Complaint | Outcome | Mapping[str, Any]]) -> Receipt:
        receipt, done = Receipt(), 0
        for batch in exchange.batches(items):
            # here, so that reading and compressing hold up no question of another thread
            send = partial(AsyncClient.send_batch, question=exchange.post_batch(path, batch), batch=batch)
            try:
                receipt += self._background.run(send, None)
            except Unreachable as error:
                error.done = done
                raise
            done = batch.given
        return receipt
