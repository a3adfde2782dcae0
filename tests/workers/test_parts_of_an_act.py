"""One report of several targets: it counts for each of them, and is one act to detection, verdicts and discounts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import RedisClients
from flow import Newspaper, audited, copied, groups_of, line, swept_town, told, world_of
from sqlalchemy import Engine
from worlds import DAY, MINUTE, Row, document, draw_town

from service.intake.items import COMPLAINT
from service.model import Complaint, DecisionRequest
from service.moderation.decision_preview import Effect
from service.settings import Settings
from service.storage.cases.brief_reads import read_dossier
from service.storage.cases.case_files import read_case_file, targets_of
from service.storage.cases.cases import list_complaints
from service.storage.cases.decision_preview import clusters_on, effect_of_decisions
from service.storage.complaints.archive_reader import judged_complaints_of
from service.storage.complaints.feed import COMPLAINT as FEED_COMPLAINT
from service.storage.complaints.reporters import read_reporter
from service.storage.complaints.target_history import list_of_target, read_points
from service.storage.redis_store import redis_keys
from service.storage.sql.hashing import key_of
from tests.service.platforms.payloads import account, mastodon, status
from tests.service.platforms.reading import batch_of, read
from workers import rebuild_redis
from workers.audit import listings
from workers.audit.files import Reading, read_items
from workers.audit.history import Collector
from workers.audit.report import counts
from workers.audit.scenes import scenes_of
from workers.audit.summary import summary_of
from workers.feed_columns import columns_of

TOWN = draw_town(2, members=12)
MEMBERS = sorted(TOWN.brigades[0])
LATER = 8 * DAY
NOW = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    newspaper = Newspaper(fake_redis, engine, settings)
    yield newspaper
    newspaper.forgets()


@pytest.fixture
def town(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    """Where a brigade of twelve is known from 16 comments."""
    with swept_town(fake_redis, engine, settings, TOWN.rows) as newspaper:
        (cluster,) = newspaper.clusters().values()
        assert cluster.members >= {key_of(f"r{m}") for m in MEMBERS}
        yield newspaper


def filed(name: str, reporter: object, target: str, at: float, **fields: Any) -> dict[str, Any]:
    made = document(Row(1, 1, 1, at))
    return copied(made, id=name, reporter={"id": str(reporter)}, target={"id": target}, **fields)


def report(name: str, reporter: object, at: float, status: str | None = None) -> list[dict[str, Any]]:
    """The complaints of one report of the account, as Mastodon's adapter makes them."""
    if status is None:
        return [filed(f"{name}/account", reporter, "account", at)]
    act = filed(f"{name}/{status}", reporter, status, at)
    return [act, filed(f"{name}/account", reporter, "account", at, part_of=act["id"])]


def window(paper: Newspaper) -> int:
    resident = paper.resident()
    assert resident is not None
    return resident.detector.window.live


def test_twelve_people_who_report_an_account_are_twelve_with_statuses_or_without(paper: Newspaper) -> None:
    for number in range(12):
        statuses = [status("501"), status(str(600 + number))] if number % 2 else []
        payload = mastodon(*statuses, id=str(300 + number), account=account(str(4_000 + number)))
        paper.accepts(*batch_of(read("mastodon", payload)).lines)
    paper.works()
    asked = paper.asks("account/7001")
    assert (asked.complaints, asked.independent_complaints, asked.recommendation) == (12, 12.0, "none")
    assert (paper.asks("501").complaints, paper.asks("601").complaints) == (6, 1)
    assert window(paper) == 6 + 6 * 2, "an act with statuses is compared by these, not by the account as well"


def test_a_known_group_is_discounted_on_the_account_and_on_the_status(town: Newspaper) -> None:
    before = window(town)
    documents = [
        one
        for number, member in enumerate(MEMBERS)
        for one in report(f"n{number}", f"r{member}", LATER + number, "s1" if number % 2 else None)
    ]
    documents += [one for k in range(5) for one in report(f"h{k}", f"honest{k}", LATER + k * MINUTE, f"own{k}")]
    town.posts(documents)
    assert window(town) == before + 12 + 5
    asked = town.asks("account")
    assert (asked.complaints, asked.recommendation) == (17, "hold")
    assert asked.clusters[0].complaints == 12
    assert 5 < asked.independent_complaints < 8
    on_status = town.asks("s1")
    assert on_status.complaints == 6 and on_status.independent_complaints < 3
    assert town.independent("own3") == 1
    (cluster,) = town.clusters().values()
    assert len(cluster.listed) == 6 and key_of("s1") in cluster.author_by_target
    with town.engine.connect() as connection:
        file = read_case_file(connection, town.id, cluster.id, now=NOW)
        here = {row.id: (row.complaints, row.here) for row in targets_of(connection, town.id, file)}
    assert (here["account"], here["s1"]) == ((17, 12), (6, 6))
    town.sweeps()
    swept = town.asks("account")
    assert (swept.complaints, swept.clusters[0].complaints, swept.recommendation) == (17, 12, "hold")
    assert 5 < swept.independent_complaints < 8


def test_members_who_each_name_a_status_of_their_own_are_discounted_on_the_account(town: Newspaper) -> None:
    town.posts([one for k, m in enumerate(MEMBERS) for one in report(f"n{k}", f"r{m}", LATER + k * MINUTE, f"own{k}")])
    asked = town.asks("account")
    assert asked.complaints == 12 and asked.independent_complaints < 3
    assert [town.independent(f"own{k}") for k in range(12)] == [1.0] * 12


def test_the_account_knows_its_group(town: Newspaper) -> None:
    """For the brief, the target's page, its list of complaints, and what a decision would do."""
    town.posts([one for k, m in enumerate(MEMBERS) for one in report(f"n{k}", f"r{m}", LATER + k, f"own{k}")])
    town.posts(report("alone", "somebody", LATER + DAY))
    ((name, cluster),) = town.clusters().items()
    with town.engine.connect() as connection:
        assert [group.id for group in read_dossier(connection, town.id, "account", now=NOW).groups] == [name]
        assert read_dossier(connection, town.id, "own1", now=NOW).groups == []
        complaints, _ = list_of_target(connection, town.id, "account", after=None, limit=50)
        assert {one.reporter_id: one.clusters for one in complaints} == {
            "somebody": (),
            **{f"r{m}": (name,) for m in MEMBERS},
        }
        points = read_points(connection, town.id, "account", [name])
        assert (len(points.by_cluster[name]), len(points.others)) == (12, 1)
        assert clusters_on(connection, town.id, [key_of("account")]) == {name}
        listed, _ = list_complaints(connection, town.id, name, after=None, limit=1_000)
        assert sum(one.complaint.part_of is not None for one in listed) == 12
    assert key_of("account") in cluster.discounted_targets - cluster.author_by_target.keys()


def test_two_members_who_come_alone_count_in_full(town: Newspaper) -> None:
    town.posts([one for k, m in enumerate(MEMBERS[:2]) for one in report(f"n{k}", f"r{m}", LATER, f"own{k}")])
    assert town.independent("account") == 2


def test_what_is_part_of_an_act_brings_no_group_together(paper: Newspaper) -> None:
    """Followers of one account, who report what they see of it."""
    rows = draw_town(2, brigades=0).rows
    documents = [document(row) for row in rows]
    for who in range(12):
        for day in range(1, 7):
            at = day * DAY + who * 20.0
            act = filed(f"f{who}.{day}", f"follower{who}", f"post{who}.{day}", at)
            documents += [act, filed(f"g{who}.{day}", f"follower{who}", f"acc{day}", at, part_of=act["id"])]
    documents.sort(key=lambda one: str(one["occurred_at"]))
    paper.posts(documents)
    paper.sweeps()
    assert paper.clusters() == {}
    assert paper.independent("acc3") == 12


@pytest.mark.parametrize("act", ["nothing", "theirs", "itself"])
def test_without_an_act_of_the_same_person_it_is_one_of_its_own(paper: Newspaper, act: str) -> None:
    paper.posts([filed("theirs", "other", "t0", 1), filed("itself", "r1", "t1", 2, part_of=act)])
    assert window(paper) == 2


def test_an_act_of_its_own_takes_the_place_and_gives_it_back(paper: Newspaper) -> None:
    """Otherwise a group would name a status first, and its reports of the account would never be compared."""
    paper.posts(report("n1", "r1", 1, "s1"))
    assert (paper.asks("account").complaints, window(paper)) == (1, 1)
    paper.posts(report("n2", "r1", 2))
    assert (paper.asks("account").complaints, window(paper)) == (1, 2)
    paper.posts(report("n3", "r1", 0, "s2"))
    assert (paper.asks("account").complaints, window(paper)) == (1, 3)
    paper.posts([{"withdraws": "n2/account"}])
    assert (paper.asks("account").complaints, window(paper)) == (1, 2)


def test_a_report_that_is_sent_again_counts_once(paper: Newspaper) -> None:
    first = report("n1", "r1", 1, "s1")
    paper.posts(first[:1])  # as before there was a complaint about the account beside it
    for again in (first, first, report("n1", "r1", 1)):
        paper.posts(again)
        assert [paper.asks(target).complaints for target in ("s1", "account")] == [1, 1]
    assert (window(paper), paper.archived_ids()) == (1, ["n1/s1", "n1/account"])


def test_one_act_has_one_verdict(paper: Newspaper) -> None:
    paper.posts([*report("n1", "r1", 1, "s1"), *report("n2", "r2", 1)])
    for target in ("s1", "account"):
        decided = "2026-03-02T00:00:00Z"
        paper.posts([{"id": target, "target_id": target, "decided_at": decided, "verdict": "rejected"}])
    with paper.engine.connect() as connection:
        for who in ("r1", "r2"):
            assert read_reporter(connection, paper.id, who, now=NOW).judged.rejected == 1
            assert len(judged_complaints_of(connection, paper.id, [key_of(who)])[key_of(who)]) == 1


def test_a_decision_counts_them_again(town: Newspaper) -> None:
    documents = [one for k, m in enumerate(MEMBERS) for one in report(f"n{k}", f"r{m}", LATER + k, "s1")]
    town.posts(documents)
    ((name, before),) = town.clusters().items()
    assert len(before.listed) == 12 and town.independent("account") < 3
    town.decides(name, "not_coordinated")
    town.works()
    town.sweeps()
    assert {m.verdict for m in town.clusters()[name].listed.values()} == {"not_coordinated"}
    assert (town.independent("s1"), town.independent("account")) == (12, 12)


def test_a_preview_counts_them(town: Newspaper) -> None:
    """The account is held with the group's own 16 targets, though it is not one of them."""
    town.posts([one for k, m in enumerate(MEMBERS) for one in report(f"n{k}", f"r{m}", LATER + k, f"own{k}")])
    (name,) = town.clusters()

    def previewed(verdict: str, **fields: Any) -> Effect:
        request = DecisionRequest.model_validate({"verdict": verdict, "reason_code": "other", "version": 0, **fields})
        with town.engine.connect() as connection:
            return effect_of_decisions(connection, town.id, {name: request}, now=NOW)

    held = town.asks("account").recommendation
    found = previewed("not_coordinated")
    assert (held, found.held_before - found.held) == ("hold", 17)
    assert found.targets == len(town.clusters()[name].discounted_targets) and found.lifted == 0
    decision = town.decides(name, "not_coordinated")
    town.works()
    undone = previewed("not_coordinated", reverses=decision)
    assert (undone.lifted_before, undone.held - undone.held_before) == (0, 17)


def test_a_withdrawn_one_leaves_the_group(town: Newspaper) -> None:
    town.posts([one for k, m in enumerate(MEMBERS) for one in report(f"n{k}", f"r{m}", LATER + k, "s1")])
    town.posts([{"withdraws": "n3/account"}])
    asked = town.asks("account")
    assert (asked.complaints, asked.clusters[0].complaints) == (11, 11)


def test_a_withdrawn_one_does_not_come_back_when_its_group_absorbs_another(town: Newspaper) -> None:
    town.posts([one for k, m in enumerate(MEMBERS) for one in report(f"n{k}", f"r{m}", LATER + k, "s1")])
    (known,) = town.clusters().values()
    town.posts([{"withdraws": "n3/account"}])
    resident = town.resident()
    assert resident is not None
    updates, nothing = resident.clusters, columns_of(np.empty(0, FEED_COMPLAINT), {})
    groups = resident.detector.tick(nothing)
    updates.keep({"twin": replace(known, id="twin", found_us=known.found_us + 1, listed={})})
    strangers = frozenset(range(1, 13))
    new = replace(groups[0], reporters=strangers, reporter=groups[0].reporter * 0 + 1)
    with town.engine.connect() as connection:
        window, upto = resident.detector.window, resident.state.cursor_seq
        changed = updates.reconcile(connection, window, [*groups, new], complete=False, upto_seq=upto)
    assert changed["twin"].disposition == "merged"
    assert len(updates.by_id[known.id].listed) == 11


def test_one_that_comes_after_its_act_is_discounted_as_well(town: Newspaper) -> None:
    both = [report(f"n{k}", f"r{m}", LATER + k, "s1") for k, m in enumerate(MEMBERS)]
    town.posts([act for act, _ in both])
    assert town.independent("s1") < 3
    town.posts([part for _, part in both])
    asked = town.asks("account")
    assert asked.complaints == 12 and asked.independent_complaints < 3


def test_redis_and_the_window_are_built_again_with_them(town: Newspaper) -> None:
    town.posts([one for k, m in enumerate(MEMBERS) for one in report(f"n{k}", f"r{m}", LATER + k, "s1")])
    memberships = town.redis.hgetall(redis_keys.memberships(town.name))
    clusters = town.clusters()
    town.redis.flushall()
    rebuild_redis.run(town.name, town.resources)
    assert town.redis.hgetall(redis_keys.memberships(town.name)) == memberships
    assert town.asks("account").complaints == 12
    rebuild_redis.rebuild_redis(town.name, town.resources)  # as `brigadewatch rebuild` does where Redis has it all
    assert town.redis.hgetall(redis_keys.memberships(town.name)) == memberships
    town.forgets()
    town.posts(report("later", "somebody", LATER + DAY, "s9"))
    town.sweeps()
    assert {i: c.listed for i, c in town.clusters().items()} == {i: c.listed for i, c in clusters.items()}
    assert town.asks("account").complaints == 13 and town.independent("account") < 4


def test_live_and_audit_count_alike(paper: Newspaper) -> None:
    rng = np.random.default_rng(3)
    documents = []
    for one in told(world_of(8, 9_000), until="2021-12-15"):
        documents.append(one)
        if "reporter" in one and rng.random() < 0.5 and (author := one["target"].get("author_id")):
            part = copied(one, id=f"{one['id']}/account", part_of=one["id"])
            documents.append({**part, "target": {"id": f"account/{author}"}})
    paper.posts(documents)
    paper.sweeps()
    expected, history = audited(documents)
    assert paper.groups() == groups_of(expected) == groups_of(audited([d for d in documents if "part_of" not in d])[0])
    by_audit = {row["id"]: row for row in counts(expected, history)}
    accounts = {target: row for target, row in by_audit.items() if target.startswith("account/")}
    assert len(accounts) > 3
    for target, row in by_audit.items():
        asked = paper.asks(target)
        assert asked.complaints == row["complaints"], target
        assert asked.independent_complaints == pytest.approx(row["independent_complaints"], abs=1e-5), target


def test_the_figures_of_an_audit_agree_with_each_other() -> None:
    documents = [document(row) for row in TOWN.rows]
    for k, m in enumerate(MEMBERS):  # half of them of a comment and, in the same act, of the account
        documents += report(f"n{k}", f"r{m}", LATER + k, "s1" if k % 2 else None)
    states, history = audited(documents)
    rows = counts(states, history)
    by_id = {row["id"]: row for row in rows}
    assert by_id["account"]["complaints"] == 12 and by_id["account"]["independent_complaints"] < 5
    total = {name: history.totals[key] for key, name in history.target_ids.items()}
    own = total | {row["id"]: row["independent_complaints"] for row in rows}
    for row in summary_of(states, history, rows, ())["thresholds"]:
        assert row["targets_by_complaints"] == sum(count >= row["threshold"] for count in total.values())
        assert row["targets_by_independent_complaints"] == sum(count >= row["threshold"] for count in own.values())
    by_target = {row[2]: row for row in listings.targets_of(states, history, {}, rows).rows}
    lines = {line.id: line for scene in scenes_of(states, history, {}).values() for line in scene.targets}
    assert by_target["account"][3] == lines["account"].complaints == 12


def test_a_table_names_the_act(tmp_path: Path) -> None:
    table = tmp_path / "reports.csv"
    rows = [
        f"n{k}/{what},r{k},{what},2026-03-01T00:00:0{k}Z,{f'n{k}/s1' if what == 'account' else ''}"
        for k in range(6)
        for what in ("s1", "account")
    ]
    table.write_text("\n".join(["id,reporter_id,target_id,occurred_at,part_of", *rows]) + "\n")
    collector = Collector(4)
    for item in read_items(table, COMPLAINT, NOW, Reading(), lambda _: None):
        assert isinstance(item, Complaint)
        collector.add(item)
    history, _ = collector.history()
    assert (len(history.complaints), len(history.listed), history.repeats) == (6, 6, 0)
    assert history.totals == {key_of("s1"): 6, key_of("account"): 6}


def test_its_line_in_the_stream_names_the_act() -> None:
    _, part = report("n1", "r1", 1, "s1")
    assert b'"part_of":"n1/s1"' in line(part)
