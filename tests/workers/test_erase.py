"""Erasing a person: nothing of the name is left in any row, key or file, and everything that was counted still
counts.
"""

from __future__ import annotations

import io
import json
import logging
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import redis
import sqlalchemy as sa
from conftest import Api, RedisClients
from flow import Newspaper, line
from redis_process import RedisProcess
from sqlalchemy import Engine
from typer.testing import CliRunner
from worlds import document, draw_town

from service.cli import app
from service.model import moment
from service.moderation.events import Event
from service.moderation.trusted_flaggers import FlaggerTerm
from service.settings import Settings
from service.storage.accounts import flagger_registry
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenant_settings import change_settings
from service.storage.accounts.tenants import create_key
from service.storage.cases.notes import add_note
from service.storage.complaints.feed import COMPLAINT, UNKNOWN_US, FeedBatch, mentions, pack, renamed, unpack
from service.storage.detection import allow_list
from service.storage.privacy import erasures
from service.storage.privacy.privacy_filters import open_privacy_filter
from service.storage.redis_store import recent_deliveries, redis_keys
from service.storage.redis_store.client import connect
from service.storage.redis_store.unseen import marker
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import field_of, key_of
from service.storage.webhooks import outbox
from workers import detect, erase, ingest
from workers.resources import Resources

VERA = 'vera "the\\pen" é/77'  # quotes, a backslash, a slash and an accent: every encoding shows
WORDS = "an utterly unforgettable wording that nobody else has ever used"
PRINT = "hmac:veras-own-device"


@dataclass(frozen=True, slots=True)
class Clocked(Resources):
    """Stores whose wall clock a test can put forward."""

    ahead: list[int]

    def now_us(self) -> int:
        return Resources.now_us(self) + self.ahead[0]


class House(Newspaper):
    """A newspaper behind the API, on a Redis of its own whose files can be read."""

    api: Api
    folder: Path
    ahead: list[int]

    def erases(self) -> None:
        """One turn of the job."""
        erase.run(self.name, self.resources)

    def waits(self) -> None:
        """Let the time pass after which no API process takes anything of an erased person."""
        self.ahead[0] += erase.SETTLING_US + 1

    def asked(self, job: str) -> erasures.Erasure:
        with self.engine.connect() as connection:
            found = erasures.find(connection, self.id, job)
        assert found is not None
        return found

    def deletes(self, reporter: str = VERA) -> str:
        answer = self.api.request("DELETE", f"/v1/reporters/{quote(reporter, safe='')}", tenant=self.name)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job"])

    def forgotten(self, reporter: str = VERA) -> str:
        """Erase to the end; the token."""
        job = self.deletes(reporter)
        self.erases()
        self.waits()
        self.works()
        self.erases()
        assert self.asked(job).state == erasures.DONE
        return self.asked(job).token


@pytest.fixture
def own_redis(tmp_path: Path, loop: Any) -> Iterator[tuple[RedisClients, Path]]:
    folder = tmp_path / "valkey"
    server = RedisProcess(folder).start()
    url = server.url
    clients = RedisClients(redis.Redis.from_url(url), connect(url, 5.0), loop, url=url)
    yield clients, folder
    clients.run(clients.asyncio.aclose())
    clients.run(clients.asyncio.connection_pool.disconnect())
    clients.blocking.close()
    server.stop()


@pytest.fixture
def house(
    own_redis: tuple[RedisClients, Path], engine: Engine, settings: Settings, make_api: Callable[..., Api]
) -> Iterator[House]:
    clients, folder = own_redis
    made = House(clients, engine, settings)
    made.folder, made.ahead, made.api = folder, [0], make_api(clients)
    made.resources = Clocked(settings, engine, clients.blocking, made.ahead)
    made.api.keys[made.name, frozenset({"ingest", "read", "moderate", "admin"})] = create_key(
        engine, made.name, ["ingest", "read", "moderate", "admin"], "test", 0
    )
    made.api.app.state.api.now = lambda: moment(made.resources.now_us())
    yield made
    made.forgets()


TOWN = draw_town(2)
BRIGADE = sorted(TOWN.brigades[0])


def posts(*, vera_also_writes: bool = False) -> list[dict[str, Any]]:
    """The town's complaints, in which the first of the brigade is Vera."""
    told = [document(row) for row in TOWN.rows]
    hit = [one["target"]["id"] for one in told if one["reporter"]["id"] == f"r{BRIGADE[0]}"]
    for one in told:
        if one["reporter"]["id"] == f"r{BRIGADE[0]}":
            one["reporter"] = {"id": VERA, "fingerprint": PRINT, "account_created_at": "2026-02-25T07:08:09.123456Z"}
            one["text"] = WORDS
        if vera_also_writes and one["target"]["id"] in hit[:2]:
            one["target"] = {**one["target"], "author_id": VERA}
    return told


def forms(name: str) -> dict[str, bytes]:
    """Every encoding of a name and of its key that is in use."""
    key = key_of(name)
    return {
        "plain": name.encode(),
        "json": json.dumps(name)[1:-1].encode(),
        "json, not escaped": json.dumps(name, ensure_ascii=False)[1:-1].encode(),
        "percent": quote(name, safe="").encode(),
        "decimal": str(key).encode(),
        "hex": field_of(key).encode(),
        "little-endian": struct.pack("<q", key),
        "big-endian": struct.pack(">q", key),
        "wording": WORDS.encode(),
        "print": PRINT.encode(),
        "print's key": struct.pack("<q", key_of(PRINT)),
    }


def hits(data: bytes, sought: dict[str, bytes]) -> set[str]:
    return {form for form, text in sought.items() if text in data}


def unfolded(value: Any) -> bytes:
    """A stored value as bytes, with what is compressed inside it."""
    if value is None:
        return b""
    if not isinstance(value, bytes):
        return (
            value.encode()
            if isinstance(value, str)
            else struct.pack(">q", value) + str(value).encode()
            if isinstance(value, int)
            else str(value).encode()
        )
    if value[:2] == b"PK":
        with np.load(io.BytesIO(value)) as parts:
            return b"".join(parts[name].tobytes() for name in parts.files)
    at, parts_of_row = 0, [value]
    while at + 8 <= len(value):
        size = int.from_bytes(value[at : at + 8], "little")
        piece = value[at + 8 : at + 8 + size]
        if piece[:1] == b"\x78":
            parts_of_row.append(zlib.decompress(piece))
        at += 8 + size
    return b"".join(parts_of_row)


def in_rows(engine: Engine, sought: dict[str, bytes]) -> dict[str, set[str]]:
    """By table: in which forms a row holds it."""
    found: dict[str, set[str]] = {}
    with engine.connect() as connection:
        for table in schema.metadata.sorted_tables:
            for row in connection.execute(sa.select(table)):
                if hit := hits(b"\0".join(map(unfolded, row)), sought):
                    found.setdefault(table.name, set()).update(hit)
    return found


def in_redis(client: Any, sought: dict[str, bytes]) -> dict[str, set[str]]:
    """By key: in which forms its name or value holds it."""
    found: dict[str, set[str]] = {}
    for name in client.scan_iter(count=1_000):
        value = (
            name
            + (client.dump(name) or b"")
            + repr(
                {
                    b"string": client.get,
                    b"hash": client.hgetall,
                    b"set": client.smembers,
                    b"stream": client.xrange,
                    b"list": lambda k: client.lrange(k, 0, -1),
                    b"zset": lambda k: client.zrange(k, 0, -1),
                }[client.type(name)](name)
            ).encode()
        )
        if hit := hits(value, sought):
            found[name.decode()] = hit
    return found


def in_files(*folders: Path, sought: dict[str, bytes]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and (hit := hits(path.read_bytes(), sought)):
                found[str(path.relative_to(folder))] = hit
    return found


def test_after_it_is_done_the_name_is_in_no_row_no_redis_key_no_file_and_no_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, logger="httpx")  # the client's own
    told = posts(vera_also_writes=True)
    with write(house.engine) as connection:
        change_settings(connection, house.id, actor="test", now_us=0, keep_text=True)
    for start in range(0, len(told), 500):
        assert house.api.post("/v1/complaints", tenant=house.name, json=told[start : start + 500]).status_code == 202
        house.works()
    house.sweeps()
    (cluster,) = house.clusters().values()
    assert key_of(VERA) in cluster.members
    house.decides(cluster.id, "coordinated", excluded_reporters=[VERA], note=f"{VERA} is a bystander")
    house.decides(cluster.id, "coordinated", reverses="d1")
    detect.run(house.name, house.resources)
    assert house.redis.scard(redis_keys.known_members(house.name)) == len(cluster.members)
    with write(house.engine) as connection:
        outbox.record(
            connection,
            house.id,
            [Event("reporter.warn_suggested", VERA, {"reporter_id": VERA, "text": f"{VERA} should be told"})],
            1,
        )
        connection.execute(
            schema.reporter_warnings.insert().values(
                tenant_id=house.id,
                reporter_key=key_of(VERA),
                reporter_id=VERA,
                at_us=1,
                detail=json.dumps({"reporter_id": VERA}),
            )
        )
        about = {"tenant_id": house.id, "reporter_key": key_of(VERA), "reporter_id": VERA, "at_us": 1, "by": "ann"}
        connection.execute(schema.misuse_marks.insert().values(row_key=house.id << 40 | 1, **about))
        reasons = {"gravity": f"{VERA} floods us", "intention": f"{VERA} says so", "manifest": 2, "notices": 3}
        connection.execute(schema.misuse_steps.insert().values(step="warned", days=90, **reasons, **about))
        flagger_registry.add_flagger(
            connection,
            house.id,
            VERA,
            entity=f"{VERA} e. V.",
            coordinator="CnaM",
            term=FlaggerTerm(1),
            note=f"{VERA} reports spam",
            by="ann",
            now_us=1,
        )
        allow_list.allow(connection, house.id, VERA, note=f"{VERA} reports spam since 2019", by="ann", now_us=1)
        add_note(connection, house.id, cluster.id, f"Ask {VERA} first.", by="ann", now=moment(1))
        connection.execute(
            schema.dead_letters.insert().values(
                tenant_id=house.id,
                position=1,
                received_us=1,
                dead_us=1,
                error=f"KeyError: {VERA!r}",
                line=line({**told[0], "reporter": {"id": VERA}}).decode(),
            )
        )
    detect.run(house.name, house.resources)
    assert house.api.get(f"/v1/reporters/{quote(VERA, safe='')}", tenant=house.name).json()["complaints"] > 5
    asked = sorted({m.target for m in cluster.memberships.values()})
    names = [f"t{row.target}" for row in TOWN.rows if key_of(f"t{row.target}") in asked]
    before = {name: house.asks(name) for name in names}
    secret = open_privacy_filter(house.engine, SecretBox(house.resources.settings), house.id).key
    sought = forms(VERA) | {"known member": marker(secret)("t", VERA)[-8:]}

    arrived = recent_deliveries.arrival(1, "taken", lines=[line({**told[0], "id": f"{VERA}-post-9"})])
    recent_deliveries.note_poll(house.redis, house.name, "src_of_the_platform", arrived)

    rows = in_rows(house.engine, sought)
    assert {
        "complaints",
        "feed",
        "sweeps",
        "cluster_members",
        "cluster_complaints",
        "cluster_targets",
        "decisions",
        "audit_trail",
        "events",
        "reporter_warnings",
        "misuse_marks",
        "misuse_steps",
        "dead_letters",
        "notes",
        "allowed_reporters",
        "trusted_flaggers",
    } <= rows.keys()
    assert {"json, not escaped", "wording", "print", "known member"} <= set().union(
        *in_files(house.folder, sought=sought).values()
    )
    if house.engine.dialect.name == "sqlite":  # PostgreSQL's own files are its operator's (docs/privacy.md)
        assert {"plain", "big-endian", "little-endian", "wording", "print's key"} <= set().union(
            *in_files(house.resources.settings.data, sought=sought).values()
        )

    token = house.forgotten()
    assert in_rows(house.engine, sought) == {}
    assert in_redis(house.redis, sought) == {}
    assert in_files(house.folder, house.resources.settings.data, sought=sought) == {}
    assert hits(caplog.text.encode(), sought) == set()

    after = house.clusters()[cluster.id]
    assert after.members == cluster.members - {key_of(VERA)} | {key_of(token)}
    others = {marker(secret)("t", f"r{member}")[-8:] for member in BRIGADE[1:]}
    assert house.redis.smembers(redis_keys.known_members(house.name)) == others
    assert {name: house.asks(name).model_dump(exclude={"as_of"}) for name in names} == {
        name: answer.model_dump(exclude={"as_of"}) for name, answer in before.items()
    }
    house.sweeps()
    assert house.clusters()[cluster.id].members == after.members
    assert in_rows(house.engine, sought) == {}


def archived(house: House, *documents: dict[str, Any]) -> None:
    assert house.api.post("/v1/complaints", tenant=house.name, json=list(documents)).status_code == 202
    house.works()


def complaint(identity: str, reporter: str = VERA, target: str = "t1", **more: Any) -> dict[str, Any]:
    return {
        "id": identity,
        "occurred_at": "2026-03-01T10:00:00Z",
        "reporter": {"id": reporter},
        "target": {"id": target},
        **more,
    }


def test_what_is_sent_again_is_refused_as_erased_at_the_edge_and_what_was_on_its_way_at_the_archive(
    house: House,
) -> None:
    archived(house, complaint("c1"), complaint("c2", "bob"))
    house.deletes()
    again = house.api.post(
        "/v1/complaints", tenant=house.name, json=[complaint("c1"), complaint("c9"), complaint("c3", "bob", "t2")]
    )
    assert again.json()["accepted"] == 1
    assert [(r["id"], r["detail"].split(":")[0], r["pointer"]) for r in again.json()["rejected"]] == [
        ("c1", "the reporter was erased", "/reporter/id"),
        ("c9", "the reporter was erased", "/reporter/id"),
    ]
    # as another API process would, that does not know yet
    house.accepts(line(complaint("c10")), line(complaint("c4", "bob", "t3")))
    house.erases()
    house.works()
    assert list(house.archived_ids()) == ["c1", "c2", "c3", "c4"]
    assert (house.state().archived, house.state().duplicates) == (5, 1)
    assert hits(b"".join(map(bytes, in_rows(house.engine, {"id": VERA.encode()}))), {"id": b"complaints"}) == set()


def test_the_files_are_written_anew_only_when_nothing_can_bring_the_name_back(house: House) -> None:
    archived(house, complaint("c1"))
    job = house.deletes()
    house.accepts(line(complaint("c2")))  # still in the stream
    house.erases()
    assert house.asked(job).state == erasures.REPLACED
    house.waits()
    house.erases()
    assert house.asked(job).state == erasures.REPLACED
    with house.engine.connect() as connection:
        assert connection.scalar(sa.select(schema.timers.c.due_us).where(schema.timers.c.work == "erase")) is not None
    house.works()
    house.erases()
    found = house.asked(job)
    assert (found.state, found.sealed_name, found.done_us is not None) == (erasures.DONE, None, True)
    with house.engine.connect() as connection:
        assert connection.scalar(sa.select(schema.timers.c.due_us).where(schema.timers.c.work == "erase")) is None
        trail = (
            connection.execute(
                sa.select(schema.audit_trail.c.detail)
                .where(schema.audit_trail.c.action == "erase")
                .order_by(schema.audit_trail.c.id)
            )
            .scalars()
            .all()
        )
    assert [json.loads(detail)["state"] for detail in trail] == ["asked", "replaced", "done"]
    vacuumed = "vacuumed" if house.engine.dialect.name == "postgresql" else "vacuumed, log emptied"
    assert json.loads(trail[2]) == {"state": "done", "redis": "append-only file rewritten", "database": vacuumed}


def test_a_kill_in_the_middle_leaves_all_or_nothing_and_the_next_turn_does_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    archived(house, complaint("c1"), complaint("c2", target="t2"))
    job = house.deletes()
    with monkeypatch.context() as patch:
        patch.setattr(erasures, "move", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryError):
            house.erases()
    assert {"complaints", "feed"} <= in_rows(house.engine, forms(VERA)).keys()
    house.erases()
    assert house.asked(job).state == erasures.REPLACED
    with monkeypatch.context() as patch:
        patch.setattr(erase, "rewrite_database", lambda *_: (_ for _ in ()).throw(MemoryError()))
        house.waits()
        with pytest.raises(MemoryError):
            house.erases()
    house.erases()
    assert house.asked(job).state == erasures.DONE


def test_whoever_holds_the_old_name_under_way_can_commit_nothing(house: House) -> None:
    archived(house, complaint("c1"))
    resident = house.resident()
    house.deletes()
    house.erases()
    assert key_of(VERA) in resident.detector.window.reporters.keys.tolist()
    detect.run(house.name, house.resources)
    fresh = house.resident()
    assert fresh is not resident and key_of(VERA) not in fresh.detector.window.reporters.keys.tolist()


def test_erasing_twice_and_erasing_nobody_is_202_with_one_job_while_it_is_under_way(house: House) -> None:
    archived(house, complaint("c1"))
    first = house.deletes()
    assert house.deletes() == first
    nobody = house.deletes("nobody ever")
    assert nobody != first
    house.erases()
    house.waits()
    house.erases()
    assert {house.asked(job).state for job in (first, nobody)} == {erasures.DONE}
    again = house.forgotten()
    assert again != house.asked(first).token
    assert house.api.get("/v1/reporters/nobody%20ever", tenant=house.name).status_code == 404


def test_a_person_is_found_under_the_token_and_never_again_under_the_name(house: House) -> None:
    archived(house, complaint("c1"), complaint("c2", target="t2"))
    token = house.forgotten()
    assert house.api.get(f"/v1/reporters/{quote(VERA, safe='')}", tenant=house.name).status_code == 404
    assert house.api.get(f"/v1/reporters/{token}", tenant=house.name).json()["standing"] == 2
    assert house.asks("t1").complaints == 1


@pytest.mark.parametrize("asked", ["own id", "pseudonym"])
def test_with_pseudonyms_both_what_was_stored_before_and_after_is_erased(house: House, asked: str) -> None:
    archived(house, complaint("c1"))
    with write(house.engine) as connection:
        change_settings(connection, house.id, actor="test", now_us=0, pseudonyms=True)
    house.api.app.state.api.privacy_filters.forget(house.id)
    archived(house, complaint("c2", target="t2"))
    pseudonym = open_privacy_filter(house.engine, SecretBox(house.resources.settings), house.id).pseudonym(VERA)
    assert {"complaints"} <= in_rows(house.engine, forms(pseudonym)).keys()
    house.forgotten(VERA if asked == "own id" else pseudonym)
    assert in_rows(house.engine, forms(pseudonym)) == {}
    assert (in_rows(house.engine, forms(VERA)) == {}) is (asked == "own id")  # a pseudonym cannot be turned back
    for sent in (VERA, pseudonym):
        answer = house.api.post("/v1/complaints", tenant=house.name, json=complaint("c5", sent, "t5"))
        assert (answer.status_code, answer.json()["errors"][0]["detail"].split(":")[0]) == (
            422,
            "the reporter was erased",
        )


def test_another_tenant_s_person_of_the_same_name_stays(house: House) -> None:
    house.api.key("other")
    for tenant in (house.name, "other"):
        assert house.api.post("/v1/complaints", tenant=tenant, json=complaint("c1")).status_code == 202
    ingest.run("other", house.resources)
    house.works()
    house.forgotten()
    assert house.api.get(f"/v1/reporters/{quote(VERA, safe='')}", tenant="other").json()["complaints"] == 1
    assert house.api.post("/v1/complaints", tenant="other", json=complaint("c2", target="t2")).status_code == 202


def test_only_an_admin_may_and_an_impossible_id_is_422(house: House) -> None:
    for scopes in (["ingest", "read", "moderate"], ["read"]):
        key = create_key(house.engine, house.name, scopes, "", 0)
        assert house.api.request("DELETE", "/v1/reporters/x", key=key).status_code == 403
    assert house.api.request("DELETE", "/v1/reporters/x%00", tenant=house.name).status_code == 422
    assert house.api.request("DELETE", f"/v1/reporters/{'x' * 129}", tenant=house.name).status_code == 422


def test_the_command_line_asks_and_prints_the_job(house: House) -> None:
    runner, data = CliRunner(), ["--data", str(house.resources.settings.data)]
    done = runner.invoke(app, ["erase", "--tenant", house.name, VERA, *data])
    assert done.exit_code == 0, done.output
    assert house.asked(done.stdout.strip()).state == erasures.REQUESTED
    assert runner.invoke(app, ["erase", "--tenant", house.name, "x\n", *data]).exit_code == 2
    assert runner.invoke(app, ["erase", "--tenant", house.name, "", *data]).exit_code == 2


@pytest.mark.parametrize("name", ["flagged", "open", "coordinated", "t1", "c1", "7", "k1", "detector", "repeat"])
def test_a_name_that_is_also_something_else_goes_alone(house: House, name: str) -> None:
    archived(house, complaint("c1", name), complaint("c2", "bob"), complaint("7", "bob", "t2"))
    with write(house.engine) as connection:
        detail = json.dumps(
            {
                "verdict": "coordinated",
                "excluded_reporters": [name],
                "after": {"disposition": "flagged", "status": "open"},
            }
        )
        connection.execute(
            schema.audit_trail.insert().values(
                tenant_id=house.id, at_us=1, actor="detector", action="decision", subject="cluster:k1", detail=detail
            )
        )
    token = house.forgotten(name)
    assert sorted(house.archived_ids()) == ["7", "c1", "c2"]
    assert house.asks("t1").complaints == 2
    with house.engine.connect() as connection:
        row = connection.execute(sa.select(schema.audit_trail).where(schema.audit_trail.c.action == "decision")).one()
        content = connection.scalar(sa.select(schema.complaints.c.content).where(schema.complaints.c.id == "c1"))
    assert (row.actor, row.subject) == ("detector", "cluster:k1")
    assert json.loads(row.detail) == {
        "verdict": "coordinated",
        "excluded_reporters": [token],
        "after": {"disposition": "flagged", "status": "open"},
    }
    assert json.loads(content or "")["target"] == {"id": "t1"} and json.loads(content or "")["reporter"]["id"] == token


def test_what_belongs_to_the_person_goes_and_the_rest_of_the_feed_stays() -> None:
    rows = np.array([(1, 10, 5, 20, 0, 6, 99, 98, 1), (2, 11, 6, 21, 0, 5, 97, 96, 0)], COMPLAINT)
    packed = pack(FeedBatch(rows, {1: bytes(129), 2: bytes([1]) * 129}, (7,)))
    assert mentions(packed, {5: 50}) and mentions(packed, {6: 60}) and not mentions(packed, {20: 1, 98: 2})
    after = unpack(renamed(packed, {5: 50}))
    assert after.complaints.tolist() == [(1, 10, 50, 20, 0, 6, UNKNOWN_US, 0, 1), (2, 11, 6, 21, 0, 50, 97, 96, 0)]
    assert after.texts == {2: bytes([1]) * 129} and after.removed == (7,)
