"""Replay against a small fake service: order, batches, retries, refusing a tenant with later complaints, the wait for a
sweep.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import replay as module
from service.errors import Refused, StoreUnavailable
from service.replay import COMPLAINTS, OUTCOMES, Replay, cut, merged, print_summary, survey_files


class SmallService:
    """Accepts batches, counts positions, and reports them as swept after a few polls."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, list[dict[str, Any]]]] = []
        self.position = 0
        self.swept = 0
        self.watermark: str | None = None
        self.troubles: list[httpx.Response | Exception] = []  # each is the answer to one POST
        self.stuck = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.headers["Authorization"] != "Bearer k":
            return httpx.Response(401, json={"title": "Unauthorized", "detail": "no such key"})
        if request.method == "POST":
            return self.take(request)
        if request.url.path == "/v1/clusters":
            page = [{"id": "b"}] if request.url.params.get("cursor") else [{"id": "a"}]
            return httpx.Response(200, json={"items": page, "next_cursor": None if page == [{"id": "b"}] else "x"})
        if not self.stuck:
            self.swept = min(self.position, self.swept + self.position // 3 + 1)
        return httpx.Response(
            200,
            json={
                "watermark": self.watermark,
                "pending": self.position - self.swept,
                "analysed_position": self.swept,
                "swept_position": self.swept,
            },
        )

    def take(self, request: httpx.Request) -> httpx.Response:
        if self.troubles:
            trouble = self.troubles.pop(0)
            if isinstance(trouble, Exception):
                raise trouble
            return trouble
        assert request.headers["Content-Type"] == "application/x-ndjson"
        documents: list[dict[str, Any]] = []
        rejected = []
        for number, line in enumerate(request.content.split(b"\n"), 1):
            try:
                documents.append(json.loads(line))
            except ValueError:
                rejected.append({"line": number, "id": None, "detail": "no JSON", "pointer": ""})
        self.posts.append((request.url.path.rpartition("/")[2], documents))
        self.position += len(documents)
        return httpx.Response(
            202,
            json={
                "accepted": len(documents),
                "rejected": rejected,
                "rejected_count": len(rejected),
                "position": self.position,
            },
        )


Run = Callable[..., Any]


@pytest.fixture
def service() -> SmallService:
    return SmallService()


@pytest.fixture
def replay(service: SmallService) -> Callable[..., Replay]:
    def make(key: str = "k", **options: Any) -> Replay:
        client = httpx.Client(transport=httpx.MockTransport(service.answer), base_url="http://service")
        return Replay("http://service", key, client=client, sleep=options.pop("sleep", lambda _: None), **options)

    return make


def write(path: Path, documents: list[dict[str, Any]]) -> Path:
    text = "".join(json.dumps(d) + "\n" for d in documents).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def complaint(number: int, minute: int) -> dict[str, Any]:
    return {
        "id": f"c{number}",
        "occurred_at": f"2021-12-01T{minute // 60:02}:{minute % 60:02}:00Z",
        "reporter": {"id": "r"},
        "target": {"id": "t"},
    }


def outcome(number: int, minute: int) -> dict[str, Any]:
    return {
        "id": f"o{number}",
        "target_id": "t",
        "decided_at": f"2021-12-01T{minute // 60:02}:{minute % 60:02}:00+00:00",
        "verdict": "upheld",
    }


def test_files_are_merged_by_time_and_outcomes_follow_the_complaints_of_their_batch(
    tmp_path: Path, service: SmallService, replay: Run
) -> None:
    one = write(tmp_path / "one.ndjson", [complaint(k, 2 * k) for k in range(10)])
    other = write(tmp_path / "other.ndjson.gz", [complaint(100 + k, 2 * k + 1) for k in range(10)])
    decided = write(tmp_path / "o.ndjson", [outcome(1, 5), outcome(2, 19)])
    summary = replay(batch=8).run([one, other], [decided])
    sent = [d["id"] for kind, posted in service.posts if kind == "complaints" for d in posted]
    assert sent == [x for k in range(10) for x in (f"c{k}", f"c{100 + k}")]
    assert [(kind, len(posted)) for kind, posted in service.posts] == [
        ("complaints", 8),
        ("outcomes", 1),
        ("complaints", 8),
        ("complaints", 4),
        ("outcomes", 1),
    ]
    assert (summary.accepted, summary.rejected, summary.position, summary.flagged) == (22, 0, 22, 2)


def test_a_file_out_of_order_is_sorted(tmp_path: Path, service: SmallService, replay: Run) -> None:
    documents = [complaint(k, k) for k in range(50)]
    random.Random(1).shuffle(documents)
    replay().run([write(tmp_path / "c.ndjson", documents)], [])
    assert [d["id"] for d in service.posts[0][1]] == [f"c{k}" for k in range(50)]


def test_the_replay_ends_only_after_a_sweep_of_the_last_position(
    tmp_path: Path, service: SmallService, replay: Run
) -> None:
    replay().run([write(tmp_path / "c.ndjson", [complaint(k, k) for k in range(30)])], [])
    assert service.swept == 30


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(429, headers={"Retry-After": "3"}, json={}),
        httpx.Response(503, json={}),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("no answer"),
    ],
)
def test_a_batch_that_is_refused_or_not_answered_is_sent_again(
    tmp_path: Path, service: SmallService, replay: Run, trouble: httpx.Response | Exception
) -> None:
    slept: list[float] = []
    service.troubles = [trouble]
    summary = replay(sleep=slept.append).run([write(tmp_path / "c.ndjson", [complaint(1, 1)])], [])
    assert summary.accepted == 1
    assert summary.retries == 1
    assert slept[0] == (3.0 if isinstance(trouble, httpx.Response) and trouble.status_code == 429 else 0.2)


def test_the_replay_gives_up_when_the_service_does_not_answer(
    tmp_path: Path, service: SmallService, replay: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GIVE_UP_SECONDS", 0.0)
    service.troubles = [httpx.ConnectError("refused")] * 3
    with pytest.raises(
        StoreUnavailable, match="no answer to POST http://service/v1/complaints for 0 s; last problem: .*refused"
    ):
        replay().run([write(tmp_path / "c.ndjson", [complaint(1, 1)])], [])


def test_the_replay_gives_up_when_the_pipeline_makes_no_progress(
    tmp_path: Path, service: SmallService, replay: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GIVE_UP_SECONDS", 0.0)
    service.stuck = True
    with pytest.raises(StoreUnavailable, match="1 pending, swept up to position 0 of 1"):
        replay().run([write(tmp_path / "c.ndjson", [complaint(1, 1)])], [])


def test_a_tenant_with_later_complaints_is_refused_without_force(
    tmp_path: Path, service: SmallService, replay: Run
) -> None:
    service.watermark = "2021-12-01T00:30:00+00:00"
    files = [write(tmp_path / "c.ndjson", [complaint(1, 20), complaint(2, 40)])]
    with pytest.raises(Refused, match="--force"):
        replay().run(files, [])
    assert service.posts == []
    assert replay().run(files, [], force=True).accepted == 2


def test_a_tenant_whose_last_complaint_is_as_old_as_the_first_in_the_files_is_accepted(
    tmp_path: Path, service: SmallService, replay: Run
) -> None:
    service.watermark = "2021-12-01T00:20:00+00:00"
    assert replay().run([write(tmp_path / "c.ndjson", [complaint(1, 20)])], []).accepted == 1


def test_malformed_lines_are_sent_counted_and_printed(
    tmp_path: Path, replay: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.ndjson"
    path.write_bytes(json.dumps(complaint(1, 1)).encode() + b"\n\n{broken\n" + json.dumps(complaint(2, 2)).encode())
    summary = replay().run([path], [])
    assert (summary.accepted, summary.rejected) == (2, 1)
    print_summary(summary)
    assert "rejected line 2 of a request, without an id: no JSON" in capsys.readouterr().out


def test_a_byte_order_mark_loses_no_line_and_no_time(tmp_path: Path, service: SmallService, replay: Run) -> None:
    path = tmp_path / "c.ndjson"
    lines = [json.dumps(complaint(number, number)).encode() for number in (3, 1)]
    path.write_bytes(b"\xef\xbb\xbf" + b"\n".join(lines))
    assert str(survey_files([path], []).first_time) == "2021-12-01 00:01:00+00:00"
    assert replay().run([path], []).accepted == 2
    assert [document["id"] for _, documents in service.posts for document in documents] == ["c1", "c3"]
    path.write_bytes(lines[0].decode().encode("utf-16"))
    with pytest.raises(Refused, match="is in UTF-16: send it in UTF-8"):
        replay().run([path], [])


def test_what_could_not_be_used_of_accepted_items_is_counted_and_printed(
    tmp_path: Path, service: SmallService, replay: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    note = {"line": 1, "id": "c1", "detail": "cut from 80 to 64 characters", "pointer": "/reason"}
    answer = {"accepted": 1, "rejected": [], "rejected_count": 0, "position": 1, "notes": [note], "notes_count": 3}
    service.troubles, service.position = [httpx.Response(202, json=answer)], 1
    summary = replay().run([write(tmp_path / "c.ndjson", [complaint(1, 1)])], [])
    assert (summary.accepted, summary.rejected, summary.notes) == (1, 0, 3)
    print_summary(summary)
    printed = capsys.readouterr().out
    assert "3 optional fields of accepted items could not be used as they were" in printed
    assert "  noted c1: /reason cut from 80 to 64 characters\n  ... and 2 more\n" in printed


def test_a_wrong_key_is_reported_with_the_message_of_the_service(tmp_path: Path, replay: Run) -> None:
    with pytest.raises(Refused, match="401 Unauthorized: no such key"):
        replay(key="wrong").run([write(tmp_path / "c.ndjson", [complaint(1, 1)])], [])


def test_the_rate_limit_is_kept(tmp_path: Path, service: SmallService, replay: Run) -> None:
    slept: list[float] = []
    replay(batch=10, rate=0.01, sleep=slept.append).run(
        [write(tmp_path / "c.ndjson", [complaint(k, k) for k in range(40)])], []
    )
    pauses = slept[:4]  # the sleeps are fake: at such a low rate the time that batches take does not matter
    assert [round(pause, -2) for pause in pauses] in ([0, 1000, 2000, 3000], [1000, 2000, 3000, 4000])


def test_a_batch_that_exceeds_the_size_limit_is_sent_in_halves(
    tmp_path: Path, service: SmallService, replay: Run
) -> None:
    service.troubles = [httpx.Response(413, json={})]
    replay(batch=4).run([write(tmp_path / "c.ndjson", [complaint(k, k) for k in range(4)])], [])
    assert [[d["id"] for d in posted] for _, posted in service.posts] == [["c0", "c1"], ["c2", "c3"]]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 500)), max_size=60), st.integers(1, 20))
def test_batches_contain_every_line_once_and_in_order(lines: list[tuple[bool, int]], size: int) -> None:
    timed = [
        (f"{minute:05}", COMPLAINTS if is_complaint else OUTCOMES, f"{index}".encode())
        for index, (is_complaint, minute) in enumerate(lines)
    ]
    batches = list(cut(timed, size))
    for kind, column in ((COMPLAINTS, "complaints"), (OUTCOMES, "outcomes")):
        assert [line for batch in batches for line in getattr(batch, column)] == [
            line for _, k, line in timed if k == kind
        ]
    assert all(len(batch) > 0 and len(batch.complaints) <= size for batch in batches)


def test_the_survey_counts_lines_and_finds_the_earliest_complaint_across_time_zones(tmp_path: Path) -> None:
    early = {**complaint(1, 0), "occurred_at": "2021-12-01T01:00:00+02:00"}  # 23:00 of the day before, in UTC
    path = write(tmp_path / "c.ndjson", [complaint(2, 1), early])
    survey = survey_files([path], [])
    assert survey.lines == 2
    assert survey.first_time is not None
    assert survey.first_time.isoformat() == "2021-11-30T23:00:00+00:00"
    assert survey.in_order == {path: False}
    assert [json.loads(line)["id"] for _, _, line in merged([path], [], survey)] == ["c1", "c2"]
