"""Over the whole OpenAPI document: another tenant's id answers exactly as one that never existed, and nothing of theirs
changes or shows.

Every place of every operation that an id can stand in (a path, a filter, a body) is asked twice, once with an id of the
other tenant and once with one that nobody has. A new operation without a line in the table fails the first test.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from case_world import START, at_us, put_cluster, put_complaint, put_decision, put_outcome
from sqlalchemy import select

from service.moderation.events import Event
from service.storage.accounts.tenants import tenant_id
from service.storage.cases.campaign_statements import declare
from service.storage.redis_store import assessments
from service.storage.sql import outbox_rows, schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of
from service.storage.webhooks import outbox
from service.storage.webhooks.sources import add_source
from tests.conftest import Api, RedisClients

JSON = dict[str, Any]
# Parameters and fields that hold no id. What is in none of the tables below fails `test_every_place_of_an_id_is_asked`.
NO_IDS = frozenset(
    {
        "actor",  # of an entry: a name of a person of the tenant, or a key
        "namespace",  # only goes before an id
        "threshold",
        "after",
        "wait",
        "counted",
        "assess",
        "sort",
        "cursor",
        "limit",
        "disposition",
        "status",
        "kind",
        "min_score",
        "since",
        "until",
        "format",
        "view",
        "node_limit",
        "state",
        "platform",
        # fields of bodies
        "account_created_at",
        "fingerprint",
        "trusted",
        "url",
        "excerpt",
        "context_title",
        "context_url",
        "attributes",
        "occurred_at",
        "reason",
        "text",
        "notice_type",
        "decided_at",
        "verdict",
        "action",
        "decided_by",
        "reason_code",
        "note",
        "relation",
        "snooze_until",
        "version",
        "events",
        "description",
        "enabled",
        "disabled",
        "rotate_secret",
        "token",
        "quiet_hours",
        "time_zone",
    }
)


@dataclass(frozen=True)
class Place:
    """Where an id stands in a call, and what kind of id."""

    operation: str  # METHOD path, as the document has it
    name: str  # parameter or field
    kind: str  # cluster, reporter, target, ...
    query: str = ""
    body: Callable[[str], Any] | None = None
    others: JSON = field(default_factory=dict)  # the path's other parameters: kinds of ids of the asking tenant

    def __str__(self) -> str:
        return f"{self.operation} {self.name}"


def complaint(
    identity: str = "new-1", reporter: str = "new-reporter", target: str = "new-target", **target_fields: str
) -> JSON:
    return {
        "id": identity,
        "occurred_at": "2026-11-01T01:00:00Z",
        "reporter": {"id": reporter},
        "target": {"id": target, **target_fields},
    }


def outcome(identity: str = "new-o", target: str = "new-target", **fields: str) -> JSON:
    return {"id": identity, "target_id": target, "decided_at": "2026-11-01T01:00:00Z", "verdict": "upheld", **fields}


def decision(**fields: Any) -> JSON:
    return {"verdict": "coordinated", "reason_code": "brigade", "version": 1, **fields}


PLACES = (
    Place("GET /v1/targets/{id}", "id", "target"),
    Place("GET /v1/targets/{id}/brief", "id", "target"),
    Place("POST /v1/targets/assess", "target_ids", "target", body=lambda i: {"target_ids": [i, "mine", i]}),
    Place("POST /v1/complaints", "id", "complaint", body=lambda i: complaint(i)),
    Place("POST /v1/complaints", "reporter", "reporter", body=lambda i: complaint(reporter=i)),
    Place("POST /v1/complaints", "target", "target", body=lambda i: complaint(target=i)),
    Place("POST /v1/complaints", "author_id", "author", body=lambda i: complaint(author_id=i)),
    Place("POST /v1/complaints", "context_id", "target", body=lambda i: complaint(context_id=i)),
    Place("POST /v1/complaints", "part_of", "complaint", body=lambda i: {**complaint(), "part_of": i}),
    Place("POST /v1/outcomes", "id", "outcome", body=lambda i: outcome(i)),
    Place("POST /v1/outcomes", "target_id", "target", body=lambda i: outcome(target=i)),
    Place("POST /v1/outcomes", "complaint_id", "complaint", body=lambda i: outcome(complaint_id=i)),
    Place("POST /v1/outcomes", "retracts", "outcome", body=lambda i: outcome(retracts=i)),
    Place("DELETE /v1/complaints/{id}", "id", "complaint"),
    Place(
        "POST /v1/webhooks/{platform}/{source}",
        "source",
        "source",
        body=lambda _: {"ping": "OK"},
        others={"platform": "discourse"},
    ),
    Place("GET /v1/clusters", "reporter", "reporter", query="disposition=any&status=any&reporter={}"),
    Place("GET /v1/clusters", "target", "target", query="disposition=any&status=any&target={}"),
    Place("GET /v1/clusters", "author", "author", query="disposition=any&status=any&author={}"),
    Place("GET /v1/audit-log", "subject", "subscription", query="subject=subscription:{}"),
    Place("GET /v1/clusters/{id}", "id", "cluster"),
    Place("GET /v1/clusters/{id}/graph", "id", "cluster"),
    Place("GET /v1/clusters/{id}/complaints", "id", "cluster"),
    Place("GET /v1/clusters/{id}/decisions", "id", "cluster"),
    Place("POST /v1/clusters/{id}/decisions", "id", "cluster", body=lambda _: decision()),
    Place(
        "POST /v1/clusters/{id}/decisions",
        "reverses",
        "decision",
        body=lambda i: decision(reverses=i),
        others={"id": "cluster"},
    ),
    Place(
        "POST /v1/clusters/{id}/decisions",
        "excluded_reporters",
        "reporter",
        body=lambda i: decision(excluded_reporters=[i]),
        others={"id": "cluster"},
    ),
    Place("GET /v1/campaigns/{id}", "id", "campaign"),
    Place(
        "POST /v1/campaigns/statements",
        "cluster_id",
        "cluster",
        body=lambda i: {"relation": "apart", "cluster_id": i, "other_ids": ["kmine0000000000002"]},
    ),
    Place(
        "POST /v1/campaigns/statements",
        "other_ids",
        "cluster",
        body=lambda i: {"relation": "apart", "cluster_id": "kmine0000000000002", "other_ids": [i]},
    ),
    Place("GET /v1/reporters/{id}", "id", "reporter"),
    Place("DELETE /v1/reporters/{id}", "id", "reporter"),
    Place("DELETE /v1/sources/{id}", "id", "source"),
    Place("GET /v1/subscriptions/{id}", "id", "subscription"),
    Place("PATCH /v1/subscriptions/{id}", "id", "subscription", body=lambda _: {"description": "taken over"}),
    Place("DELETE /v1/subscriptions/{id}", "id", "subscription"),
    Place("GET /v1/subscriptions/{id}/deliveries", "id", "subscription"),
    Place(
        "POST /v1/subscriptions/{id}/deliveries/{delivery}/replay",
        "id",
        "subscription",
        others={"delivery": "delivery"},
    ),
    Place(
        "POST /v1/subscriptions/{id}/deliveries/{delivery}/replay",
        "delivery",
        "delivery",
        others={"id": "subscription"},
    ),
)
NO_PLACE = frozenset(
    {
        "GET /v1/pipeline",
        "GET /healthz",
        "GET /readyz",
        "GET /v1/campaigns",
        "GET /v1/restorations",
        "GET /v1/sources",
        "GET /v1/subscriptions",
        "POST /v1/subscriptions",
    }
)


@dataclass
class World:
    """Two tenants with the same things under other names; `ids` by tenant and kind."""

    api: Api
    ids: dict[str, dict[str, str]]

    def call(self, place: Place, identity: str) -> Any:
        """The asking tenant's call with that id in the place."""
        method, path = place.operation.split(" ")
        values = {name: self.ids["asking"].get(value, value) for name, value in place.others.items()}
        if "{" + place.name + "}" in path:
            values[place.name] = identity
        for name, value in values.items():
            path = path.replace("{" + name + "}", quote(value, safe=""))
        arguments: JSON = (
            {"headers": {"content-type": "application/json"}, "content": json.dumps(place.body(identity))}
            if place.body is not None
            else {}
        )
        asked = f"{path}?{place.query.format(quote(identity, safe=''))}" if place.query else path
        return self.api.request(
            method, asked, tenant="asking", raw_path=path.encode() if not place.query else None, **arguments
        )

    def stored(self, tenant: str) -> str:
        """Everything that SQL and Redis have of the tenant, as text; except that somebody without a valid signature
        posted to a path of its own, which its administrator can see.
        """
        number = tenant_id(self.api.engine, tenant)
        rows: list[str] = []
        with self.api.engine.connect() as connection:
            for table in schema.metadata.sorted_tables:
                owner = table.c.get("tenant_id")
                if owner is not None:
                    rows += sorted(
                        f"{table.name} {row}" for row in connection.execute(select(table).where(owner == number))
                    )
        redis = self.api.redis.blocking
        names = [name for name in redis.keys(f"bw:{tenant}:*") if b":unproven:" not in name]
        return "\n".join(rows + sorted(f"{name!r} {redis.dump(name)!r}" for name in names))


def furnish(api: Api, tenant: str, mark: str) -> dict[str, str]:
    """One of everything, its ids by kind."""
    api.key(tenant)
    number, engine = tenant_id(api.engine, tenant), api.engine
    ids = {kind: f"{mark}-{kind}-1" for kind in ("reporter", "target", "author")} | {
        "cluster": f"k{mark}0000000000001",
        "decision": f"d{mark}000000001",
        "outcome": "o5",
    }
    ids["complaint"] = put_complaint(
        engine, number, {"asking": 1, "other": 2}[tenant], ids["reporter"], ids["target"], cluster=None
    )
    put_cluster(
        engine,
        number,
        ids["cluster"],
        reporters=(ids["reporter"], f"{mark}-r2", f"{mark}-r3"),
        targets=(ids["target"],),
        author=ids["author"],
    )
    put_complaint(engine, number, 7, f"{mark}-r2", ids["target"], cluster=ids["cluster"])
    put_cluster(engine, number, f"k{mark}0000000000002", reporters=(f"{mark}-r2",), targets=())
    with write(engine) as connection:
        others = [f"k{mark}0000000000002"]
        (formed,) = declare(connection, number, ids["cluster"], others, "together", by="ann", now=START)
    ids["campaign"] = formed.campaign_id
    put_outcome(engine, number, 5 if tenant == "other" else 6, ids["target"], "upheld", hours=1)
    put_decision(engine, number, ids["cluster"], ids["decision"])
    subscription = api.post("/v1/subscriptions", tenant=tenant, json={"url": f"https://{mark}.example/hook"}).json()
    with write(engine) as connection:
        event = Event("cluster.flagged", mark, {"cluster_id": ids["cluster"]})
        outbox.record(connection, number, [event], at_us(1))
        source = add_source(
            connection,
            api.app.state.api.box,
            number,
            "discourse",
            secret="a-secret-of-somebody",
            url=None,
            now_us=at_us(0),
        )
        connection.execute(
            schema.restorations.insert().values(
                tenant_id=number,
                target_key=key_of(ids["target"]),
                target_id=ids["target"],
                state="open",
                harm=1.0,
                complaints=9,
                independent=2.0,
                cluster_ids=json.dumps([ids["cluster"]]),
                threshold=8,
                removal_id="o5",
                opened_seq=7,
                removed_us=at_us(1),
                removed_by="automatic",
                opened_us=at_us(2),
                changed_us=at_us(2),
            )
        )
    ids |= {
        "subscription": subscription["id"],
        "source": source.id,
        "delivery": outbox_rows.delivery_id(subscription["id"], outbox_rows.event_id(number, event)),
    }
    api.post("/v1/complaints", tenant=tenant, json=complaint(f"{mark}-begun", f"{mark}-r9", f"{mark}-t9"))
    assessments.write_totals(api.redis.blocking, tenant, {key_of(ids["target"]): 9})
    return ids


@pytest.fixture
def world(fake_redis: RedisClients, make_api: Callable[..., Api]) -> World:
    api = make_api(fake_redis)
    return World(api, {"asking": furnish(api, "asking", "mine"), "other": furnish(api, "other", "hers")})


def never(identity: str) -> str:
    """An id of the same form that nobody has."""
    return identity[:-1] + ("8" if identity[-1] != "8" else "9")


def comparable(answer: Any, identity: str) -> tuple[int, dict[str, str], str]:
    """What a caller can tell of an answer: status, headers, body; without the id itself, and what changes from call to
    call anyhow.
    """
    text = answer.text.replace(identity, "ID").replace(quote(identity, safe=""), "ID")
    text = re.sub(r'"(position|as_of|job|job_id|erasure)":("[^"]*"|\d+)', r'"\1":0', text)
    # A digest of the body, which names the id; whether there is one is to be the same.
    headers = {
        name: "" if name in ("etag", "content-length", "date") else value.replace(quote(identity, safe=""), "ID")
        for name, value in answer.headers.items()
    }
    return answer.status_code, headers, text


def fields_of(document: JSON, schema_: JSON) -> set[str]:
    """The names of all fields of a schema, also of the models that it refers to."""
    found: set[str] = set()
    seen: set[str] = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            reference = part.get("$ref")
            if isinstance(reference, str) and reference not in seen:
                seen.add(reference)
                walk(document["components"]["schemas"][reference.rsplit("/", 1)[-1]])
            properties = part.get("properties")
            if isinstance(properties, dict):
                found.update(properties)
            for name, value in part.items():
                if name not in ("example", "examples", "properties"):
                    walk(value)
            for value in (properties or {}).values() if isinstance(properties, dict) else ():
                walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    walk(schema_)
    return found


def test_every_place_of_an_id_is_asked(world: World) -> None:
    document = world.api.app.openapi()
    told = {
        f"{method.upper()} {path}": operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    asked = {place.operation for place in PLACES}
    assert asked | NO_PLACE == set(told), "an operation is new or gone: say above where ids stand in it"
    assert not asked & NO_PLACE
    for name, operation in told.items():
        known = {place.name for place in PLACES if place.operation == name} | NO_IDS
        parameters = {
            parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] in ("path", "query")
        }
        bodies = (
            set()
            if "/webhooks/" in name
            else {
                field
                for content in operation.get("requestBody", {}).get("content", {}).values()
                for field in fields_of(document, content)
            }
        )
        assert parameters | bodies <= known, name


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_another_tenants_id_answers_as_one_that_never_existed(world: World, place: Place) -> None:
    theirs = world.ids["other"][place.kind]
    before = world.stored("other")
    nobodys = world.call(place, never(theirs))
    foreign = world.call(place, theirs)
    assert comparable(foreign, theirs) == comparable(nobodys, never(theirs))
    assert foreign.status_code < 500
    assert world.stored("other") == before


@pytest.mark.parametrize(
    "place",
    [
        place
        for place in PLACES
        if place.operation.startswith(("GET", "PATCH")) or "replay" in place.operation or place.name == "reverses"
    ],
    ids=str,
)
def test_ones_own_id_answers_otherwise(world: World, place: Place) -> None:
    """The comparison above could not fail if nobody's things were ever found."""
    mine = world.ids["asking"][place.kind]
    assert comparable(world.call(place, mine), mine) != comparable(world.call(place, never(mine)), never(mine))


@pytest.mark.parametrize(
    "path",
    ["/v1/clusters?disposition=any&status=any", "/v1/restorations", "/v1/sources", "/v1/subscriptions", "/v1/pipeline"],
)
def test_lists_hold_ones_own_things_alone(world: World, path: str) -> None:
    text = world.api.get(path, tenant="asking").text
    assert not [
        identity
        for kind, identity in world.ids["other"].items()
        if kind not in ("complaint", "outcome") and identity in text
    ]
    if path != "/v1/pipeline":
        assert any(identity in text for identity in world.ids["asking"].values())


def test_a_cursor_of_another_tenants_list_leads_to_ones_own_things_alone(world: World) -> None:
    number = tenant_id(world.api.engine, "other")
    put_cluster(world.api.engine, number, "khers0000000000009", reporters=("hers-r2",), targets=("hers-t",))
    for path in ("/v1/clusters?limit=1", "/v1/subscriptions?limit=1"):
        if "subscriptions" in path:
            world.api.post("/v1/subscriptions", tenant="other", json={"url": "https://hers.example/second"})
        cursor = world.api.get(path, tenant="other").json()["next_cursor"]
        assert cursor is not None
        answer = world.api.get(f"{path}&cursor={quote(cursor, safe='')}", tenant="asking")
        assert (
            answer.status_code in (200, 400)
            and "hers" not in answer.text
            and world.ids["other"]["subscription"] not in answer.text
        )
