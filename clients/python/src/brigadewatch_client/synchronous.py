"""The client for code without an event loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self

import httpx

from brigadewatch_client import exchange
from brigadewatch_client.advice import Patience, unreached, unreported
from brigadewatch_client.asynchronous import AsyncClient, check, whole, whole_report
from brigadewatch_client.background import Background
from brigadewatch_client.documents import Advice, Assessment, Complaint, Outcome, Receipt, Reported, WhenUnreachable
from brigadewatch_client.errors import Unreachable
from brigadewatch_client.namespaces import check_namespace


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
        namespace: str | None = None,
        verify: Any = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        check(url, key, when_unreachable, timeout, send_timeout, retry_for)
        check_namespace(namespace)
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
                namespace=namespace,
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

    def may_remove(
        self,
        target_id: str,
        threshold: int,
        *,
        after: int | None = None,
        wait: float = 1.0,
        counted: int | None = None,
        patience: float = 2.0,
    ) -> Advice:
        """May a target that drew `threshold` complaints be removed by count?

        Never raises for an outage; see `Advice.reached`. Takes at most `patience` + `timeout` seconds.

        `after`: the position of a receipt; the answer then contains everything up to it, and the service may wait for
        that for `wait` seconds (at most 5) before it answers. `counted`: how many complained by the platform's own
        count, where some of them were not posted yet or are on their way. `patience`: while complaints that are not
        analysed yet decide, the service says `wait`, and it is asked again for so many seconds. After that the advice
        is the one without an answer.
        """
        Patience(wait, patience)  # raises here, before a thread is started
        try:
            return self._background.run(
                lambda client: client.may_remove(
                    target_id, threshold, after=after, wait=wait, counted=counted, patience=patience
                ),
                patience + self._timeout,
            )
        except Unreachable as error:
            return unreached(target_id, self._when_unreachable, error)

    def report_and_ask(
        self,
        complaints: Complaint | Mapping[str, Any] | Iterable[Complaint | Mapping[str, Any]],
        threshold: int,
        *,
        counted: Mapping[str, int] | None = None,
        wait: float = 1.0,
        patience: float = 2.0,
    ) -> Reported:
        """Send a complaint, or up to 20, and learn in the same round trip whether their targets may be removed.

        Needs a key with the scopes `ingest` and `read`. Never raises for an outage: `Reported.receipt` is None then,
        and the complaints have to be sent again. Sending is tried once. Raises Refused for a single complaint that is
        not valid; those of several are in the receipt.

        `counted`: complaints by the platform's own count, by target. Without an answer, nothing else says whether the
        threshold is reached. `wait` and `patience` are those of `may_remove`, and so is the bound on the whole.
        """
        batch, counts, patient = exchange.report_batch(complaints), exchange.counts(counted), Patience(wait, patience)
        send = partial(AsyncClient.send_report, batch=batch, threshold=threshold, counted=counts, patience=patient)
        try:
            found = self._background.run(send, patience + self._timeout)
        except Unreachable as error:
            found = unreported(batch, threshold, counts, self._when_unreachable, error)
        return whole_report(found, complaints)

    def assess(
        self, target_id: str, threshold: int | None = None, *, after: int | None = None, wait: float | None = None
    ) -> Assessment:
        """How many people complained about it, and how many independently? Without `threshold`: the tenant's.

        `after`: the position of a receipt that the answer is to contain; `wait`: seconds for which the service may wait
        for that, in addition to `timeout`. With either, the recommendation may be `wait`. Raises Unreachable.
        """
        exchange.milliseconds(wait)  # raises for what can be no wait
        return self._background.run(
            lambda client: client.assess(target_id, threshold, after=after, wait=wait), self._timeout + (wait or 0)
        )

    def assess_many(
        self,
        target_ids: Iterable[str],
        threshold: int | None = None,
        *,
        after: int | None = None,
        wait: float | None = None,
    ) -> list[Assessment]:
        """One assessment per id, in their order; `after` and `wait` as in `assess`.

        Every 500 ids are one question, with a `timeout` (and a `wait`) of its own. Raises Unreachable.
        """
        return self._background.run(
            lambda client: client.assess_many(target_ids, threshold, after=after, wait=wait), None
        )

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
