"""An erasure rewrites every table by what its columns declare; the job around it: tests/workers/test_erase.py."""

from __future__ import annotations

from case_world import put_cluster
from sqlalchemy import Engine, insert, select

from service.storage.accounts.tenants import create_tenant
from service.storage.privacy.erasure_rewrite import ErasureRewrite
from service.storage.sql import schema
from service.storage.sql.engine import write


def erase(engine: Engine, tenant: int, names: dict[str, str]) -> dict[str, int]:
    rewrite = ErasureRewrite(tenant, names)
    found = rewrite.find(engine)
    with write(engine) as connection:
        return rewrite.apply(connection, found)


def test_a_name_in_the_description_of_a_subscription_is_erased(engine: Engine) -> None:
    tenant = create_tenant(engine, "paper", 0)
    row = {"id": "s", "tenant_id": tenant, "url": "https://example.org", "events": "[]", "secret": "x", "created_us": 1}
    with write(engine) as connection:
        connection.execute(insert(schema.subscriptions).values(row | {"description": "to see what r-77 reports"}))
    assert erase(engine, tenant, {"r-77": "TOKEN"}) == {"subscriptions": 1}
    with engine.connect() as connection:
        assert connection.scalar(select(schema.subscriptions.c.description)) == "to see what TOKEN reports"


def test_a_member_whose_name_reads_like_json_is_erased(engine: Engine) -> None:
    tenant = create_tenant(engine, "paper", 0)
    put_cluster(engine, tenant, "k1", reporters=['["x"]', "ann", "bob"])
    erase(engine, tenant, {'["x"]': "TOKEN"})
    with engine.connect() as connection:
        assert set(connection.scalars(select(schema.cluster_members.c.reporter_id))) == {"TOKEN", "ann", "bob"}


def test_a_second_erasure_of_the_same_person_changes_nothing(engine: Engine) -> None:
    tenant = create_tenant(engine, "paper", 0)
    put_cluster(engine, tenant, "k1", reporters=["r-77", "ann", "bob"])
    assert erase(engine, tenant, {"r-77": "TOKEN"})["cluster_members"] == 1
    assert erase(engine, tenant, {"r-77": "TOKEN"}) == {}
