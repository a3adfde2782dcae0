"""The client: one connection pool, one bound on the whole of every call."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar, get_args

import httpx

from brigadewatch_client import exchange
from brigadewatch_client.advice import Patience, advise, pause, reported, undecided, unreached, unreported
from brigadewatch_client.documents import Advice, Assessment, Complaint, Outcome, Receipt, Reported, WhenUnreachable
from brigadewatch_client.errors import Refused, Unreachable
from brigadewatch_client.exchange import Answer, Batch, Question
from brigadewatch_client.namespaces import check_namespace, kept_id, own_assessment, own_receipt, question_under

MAX_ANSWER_BYTES = 32 * 1024 * 1024
LONGEST_PAUSE_SECONDS = 10.0
_IDLE_SECONDS = 4.0  # connections are given up before the server's five seconds are over
T = TypeVar("T")


class AsyncClient:
    """Asks and tells one brigadewatch service, for one tenant. For asyncio; use it within one event loop, and close it.

    `when_unreachable` has no default, since only the platform knows what is worse. It decides what `may_remove` says
    when no answer comes: "open": remove as you would without brigadewatch; "closed": hold, nothing is removed by count
    until a person has looked.

    `timeout`: seconds for the whole of a question, from looking up the name to the last byte. `send_timeout`: the same
    for one attempt at sending items, withdrawing, or asking for a brief. `retry_for`: seconds in which sending is tried
    again while the service is unreachable, overloaded or being rebuilt; 0: never. `verify` is httpx's. The
    environment's proxies are not used. `transport` is for tests, and for who needs a proxy.

    `namespace`: of the source that the ids are from, where the tenant has several installations. The platform's own ids
    go in and come out; only a brief has them as the service keeps them, as `namespace:id`.

    Raises ValueError for arguments that make no sense. Every call raises Refused when the service says no: see there.
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
        self._namespace = namespace
        self._when_unreachable = when_unreachable
        self._timeout, self._send_timeout, self._retry_for = timeout, send_timeout, retry_for
        # Every call has one bound on its whole (_ask); httpx' own are per phase, and a server that trickles bytes meets
        # each of them.
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key}", "User-Agent": "brigadewatch-client"},
            timeout=max(timeout, send_timeout),
            verify=verify,
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=_IDLE_SECONDS),
        )

    async def aclose(self) -> None:
        """Give up all connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def may_remove(
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
        return await self._advice(target_id, threshold, after, counted, Patience(wait, patience))

    async def report_and_ask(
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
        return whole_report(await self.send_report(batch, threshold, counts, patient), complaints)

    async def send_report(
        self, batch: Batch, threshold: int, counted: Mapping[str, int], patience: Patience
    ) -> Reported:
        """For `Client`, which reads the complaints on its caller's thread."""
        wait_seconds = patience.next_wait()
        question = exchange.report(batch, threshold, wait_seconds)
        try:
            if question is None:
                return Reported(Receipt(0, tuple(batch.refused), len(batch.refused)), {})
            receipt = exchange.read_receipt(await self._ask(question, self._timeout + wait_seconds), batch)
            receipt = own_receipt(self._namespace, receipt, batch)
        except Unreachable as error:
            return unreported(batch, threshold, counted, self._when_unreachable, error)
        assessments = {one.target_id: one for one in receipt.assessments or ()}
        advice = await asyncio.gather(
            *(
                self._advice(
                    target, threshold, receipt.position, counted.get(target), patience, assessments.get(target)
                )
                for target in exchange.targets_of(batch, receipt)
            )
        )
        return reported(receipt, advice, threshold, counted)

    async def _advice(
        self,
        target_id: str,
        threshold: int,
        after: int | None,
        counted: int | None,
        patience: Patience,
        assessment: Assessment | None = None,
    ) -> Advice:
        """Ask, unless there is an assessment already, and again while it says to wait."""
        while True:
            if assessment is None:
                wait_seconds = 0.0 if after is None else patience.next_wait()
                question = exchange.ask_one(target_id, threshold, after=after, wait=wait_seconds, counted=counted)
                try:
                    answer = await self._ask(question, self._timeout + wait_seconds)
                    assessment = exchange.read_assessment(answer, kept_id(self._namespace, target_id))
                    assessment = own_assessment(assessment, target_id)
                except Unreachable as error:
                    return unreached(target_id, self._when_unreachable, error)
            advice = advise(assessment, threshold, counted)
            if advice is not None:
                return advice
            left = patience.left()
            if not left:
                return undecided(assessment, self._when_unreachable, patience.seconds)
            await asyncio.sleep(min(left, pause(assessment) * random.uniform(1.0, 1.25)))
            assessment = None

    async def assess(
        self, target_id: str, threshold: int | None = None, *, after: int | None = None, wait: float | None = None
    ) -> Assessment:
        """How many people complained about it, and how many independently? Without `threshold`: the tenant's.

        `after`: the position of a receipt that the answer is to contain; `wait`: seconds for which the service may wait
        for that, in addition to `timeout`. With either, the recommendation may be `wait`. Raises Unreachable.
        """
        question = exchange.ask_one(target_id, threshold, after=after, wait=wait)
        answer = await self._ask(question, self._timeout + (wait or 0))
        return own_assessment(exchange.read_assessment(answer, kept_id(self._namespace, target_id)), target_id)

    async def assess_many(
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
        ids = list(target_ids)
        batches = [ids[k : k + exchange.MAX_TARGETS] for k in range(0, len(ids), exchange.MAX_TARGETS)]
        questions = [exchange.ask_many(part, threshold, after=after, wait=wait) for part in batches]
        found: list[Assessment] = []
        for part, question in zip(batches, questions, strict=True):
            answer = await self._ask(question, self._timeout + (wait or 0))
            read = exchange.read_assessments(answer, [kept_id(self._namespace, target_id) for target_id in part])
            found += map(own_assessment, read, part)
        return found

    async def complain(self, complaint: Complaint | Mapping[str, Any]) -> Receipt:
        """Send one complaint. When this returns, it is on disk.

        Raises Refused when it is not valid, Unreachable when it could not be sent.
        """
        return whole(await self.complain_many([complaint]))

    async def complain_many(self, complaints: Iterable[Complaint | Mapping[str, Any]]) -> Receipt:
        """Send complaints, in batches.

        Those that are not valid are in the receipt; the others are on disk when this returns.

        Raises Unreachable after `retry_for` without success, with how many were `done`, and ValueError for an item that
        cannot be written as JSON (those before it may have been sent).
        """
        return await self._send("/v1/complaints", complaints)

    async def outcome(self, outcome: Outcome | Mapping[str, Any]) -> Receipt:
        """Send what was decided about one target. Raises as `complain` does."""
        return whole(await self.outcomes([outcome]))

    async def outcomes(self, outcomes: Iterable[Outcome | Mapping[str, Any]]) -> Receipt:
        """Send what was decided about targets. Raises as `complain_many` does."""
        return await self._send("/v1/outcomes", outcomes)

    async def withdraw(self, complaint_id: str) -> Receipt:
        """The complaint counts no more; it may be withdrawn before it has arrived. Raises Unreachable."""
        question = Question("DELETE", f"/v1/complaints/{exchange.segment(complaint_id)}")
        return await self._persist(question, lambda answer: exchange.read_receipt(answer, Batch((), (), (), 0)))

    async def brief(self, target_id: str, threshold: int | None = None) -> dict[str, Any]:
        """What a moderator should know about a target on an appeal, as the service answers it. Raises Unreachable."""
        answer = await self._ask(exchange.ask_brief(target_id, threshold), self._send_timeout)
        document = exchange.read_document(answer, 200)
        if not isinstance(document, dict):
            raise Unreachable(
                "the answer is not a brief: check that the URL is that of brigadewatch", status=answer.status
            )
        return document

    async def _send(self, path: str, items: Iterable[Complaint | Outcome | Mapping[str, Any]]) -> Receipt:
        receipt, done = Receipt(), 0
        for batch in exchange.batches(items):
            try:
                receipt += await self.send_batch(exchange.post_batch(path, batch), batch)
            except Unreachable as error:
                error.done = done
                raise
            done = batch.given
        return receipt

    async def send_batch(self, question: Question | None, batch: Batch) -> Receipt:
        """For `Client`, which reads and compresses the items on its caller's thread. None: there is nothing to post."""
        if question is None:
            return Receipt(0, tuple(batch.refused), len(batch.refused))
        return await self._persist(question, lambda answer: exchange.read_receipt(answer, batch))

    async def _persist(self, question: Question, read: Callable[[Answer], T]) -> T:
        """Ask until an answer can be read, or `retry_for` is over. Raises the last Unreachable then."""
        give_up, pause = time.monotonic() + self._retry_for, 0.25
        while True:
            try:
                return read(await self._ask(question, self._send_timeout))
            except Unreachable as error:
                # A little later than asked, and not everybody at once.
                wait = (pause if error.retry_after is None else max(error.retry_after, 0.05)) * random.uniform(
                    1.0, 1.25
                )
                if time.monotonic() + wait >= give_up:
                    raise
                await asyncio.sleep(wait)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _ask(self, question: Question, timeout: float) -> Answer:
        """The whole answer within `timeout` seconds. Raises Unreachable."""
        question = question_under(self._namespace, question)
        try:
            async with asyncio.timeout(timeout):
                try:
                    return await self._exchange(question)
                except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                    # The server closed an idle connection in this very moment. Everything here may be asked twice.
                    return await self._exchange(question)
        except TimeoutError:
            raise Unreachable(f"no answer within {timeout:g} s") from None
        except httpx.HTTPError as error:
            raise Unreachable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from error

    async def _exchange(self, question: Question) -> Answer:
        async with self._http.stream(
            question.method, question.path, content=question.content or None, headers=question.headers
        ) as response:
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    raise Unreachable(
                        f"an answer of more than {MAX_ANSWER_BYTES} bytes came back: is this brigadewatch?",
                        status=response.status_code,
                    )
            return Answer(response.status_code, response.headers, bytes(content), datetime.now(UTC))


def check(
    url: str, key: object, when_unreachable: object, timeout: object, send_timeout: object, retry_for: object
) -> None:
    """Raises ValueError for arguments of a client that make no sense."""
    if when_unreachable not in get_args(WhenUnreachable):
        raise ValueError(
            f'when_unreachable is {when_unreachable!r} and has to be "open" (remove as without brigadewatch) or'
            ' "closed" (hold)'
        )
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ValueError(f"url is {url!r:.200}: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"url is {url!r:.200} and has to be like https://watch.example")
    if parsed.query or parsed.fragment or parsed.userinfo:
        raise ValueError(
            "url holds a query, a fragment or a password: give the address of the service alone, and the key beside it"
        )
    if not isinstance(key, str) or not key or not key.isascii() or not key.isprintable() or " " in key:
        # the key itself is not shown
        raise ValueError(
            "key is empty or holds characters that no key has: give what `brigadewatch keys create` printed"
        )
    for name, value, least in (
        ("timeout", timeout, 0.001),
        ("send_timeout", send_timeout, 0.001),
        ("retry_for", retry_for, 0.0),
    ):
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= 86_400:
            raise ValueError(f"{name} is {value!r:.60} and has to be a number of seconds from {least:g} to 86400")


def whole(receipt: Receipt) -> Receipt:
    """The receipt of a single item. Raises Refused when it was not taken."""
    if receipt.accepted or not receipt.rejected_count:
        return receipt
    errors: Sequence[dict[str, Any]] = [
        {"id": r.id, "detail": r.detail, "pointer": r.pointer} for r in receipt.rejected
    ]
    first = receipt.rejected[0] if receipt.rejected else None
    raise Refused(
        f"422: {first.pointer or 'the item'}: {first.detail}" if first else "422",
        status=422,
        errors=errors,
        rejected_count=receipt.rejected_count,
    )


def whole_report(found: Reported, complaints: object) -> Reported:
    """What became of a report. Raises Refused when it was of a single complaint, and that was not taken."""
    if found.receipt is not None and isinstance(complaints, Complaint | Mapping):
        whole(found.receipt)
    return found
