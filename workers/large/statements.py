"""The pairs part of a sweep as plain SQL: joins, GROUP BY, numeric RANGE frames and CASE, in the subset that DuckDB,
ClickHouse and Spark share. No names are quoted and no engine's own functions are called.

Each statement is one SELECT over tables with fixed names: `complaints` (reporter, target, context, time_ms) is given,
the others are stored under the names beside them (workers/large/pair_sweep.py). Whole numbers are summed as doubles,
which are exact up to 2^53: sums of BIGINT have another type in every engine. A pair is (u, w); u is the one with fewer
complaints, of equals the smaller key.

Ties within a millisecond are ordered by the reporter's key, as the window orders them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from service.policy import Policy

SAMPLE_BUCKETS = 20_000  # parts of a window's time in which meetings with one-time reporters are counted


def over(tables: Mapping[str, str], select: str) -> str:
    """The SELECT over tables that have other names where it runs: theirs by the names that it uses."""
    named = ", ".join(f"{name} as (select * from {there})" for name, there in tables.items())
    return f"with {named} {select}" if tables else select


def everything(table: str) -> str:
    """All of a table."""
    return f"select * from {table}"


@dataclass(frozen=True)
class Statements:
    """The statements for one policy, of a window that begins at `since` (milliseconds)."""

    policy: Policy
    since: int

    @cached_property
    def scales(self) -> list[int]:
        """Milliseconds."""
        return [scale * 1000 for scale in self.policy.lag_scales]

    @cached_property
    def cells(self) -> list[tuple[int, int]]:
        """Scales and strata, as the columns x00, x01 and so on are numbered; the last stratum is without bound."""
        strata = len(self.policy.size_strata) + 1
        return [(k, j) for k in range(len(self.scales)) for j in range(strata)]

    @property
    def _last(self) -> int:
        return len(self.scales) - 1

    @property
    def all_meetings(self) -> str:
        """The column with all meetings of a pair."""
        return f"x{self._last}{len(self.policy.size_strata)}"

    @property
    def nearest(self) -> str:
        """The column with the meetings within the smallest scale."""
        return f"x0{len(self.policy.size_strata)}"

    # --- complaints

    def events(self) -> str:
        """Table e: each complaint with its place k on its target, its reporter's complaints, and n_v(t +- s) and
        n_a(t +- 3 d); `before`: how many precede it on its target within the largest scale.
        """
        reach = self.scales[-1]
        target = "partition by target order by time_ms"
        counts = ", ".join(
            f"count(*) over ({target} range between {s} preceding and {s} following) as n{i}"
            for i, s in enumerate(self.scales)
        )
        return (
            "select reporter as r, target as v, context as a, time_ms as t,"
            f" row_number() over ({target}, reporter) - 1 as k,"
            " count(*) over (partition by reporter) as d,"
            f" {counts},"
            f" count(*) over (partition by context order by time_ms range between {reach} preceding and {reach}"
            " following) as na,"
            f" count(*) over ({target} range between {reach} preceding and 1 preceding) as before"
            f" from complaints where time_ms >= {self.since}"
        )

    def size(self) -> str:
        """How many complaints there are, and what the cap of neighbours cuts."""
        cap = self.policy.neighbours
        over = f"case when before > {cap} then before - {cap} else 0 end"
        return f"select count(*) as n, sum(cast({over} as double)) as cut from e"

    @staticmethod
    def count(table: str) -> str:
        """How many rows a table has."""
        return f"select count(*) as n from {table}"

    # --- meetings

    @cached_property
    def _met(self) -> str:
        """FROM: each complaint (v, k, t, r, d) with the K latest before it on its target (v2, k2, and so on).

        An equi-join on target and block of K places, so that a crowded target costs no k^2.
        """
        cap = self.policy.neighbours
        blocks = f"select v, k, t, r, d, cast(floor(k / {cap}.0) as bigint) as b from e"
        return (
            f"from ({blocks}) x join (select v as v2, k as k2, t as t2, r as r2, d as d2, b as b2 from ({blocks}) y"
            f" union all select v, k, t, r, d, b + 1 from ({blocks}) z) o on v = v2 and b = b2"
            f" where k2 < k and k - k2 <= {cap} and t - t2 <= {self.scales[-1]}"
        )

    def met(self) -> str:
        """Table met: pairs of reporters with two complaints and more who met, and how often."""
        swap = "(d2 < d or (d2 = d and r2 < r))"
        return (
            "select u, w, count(*) as n from"
            f" (select case when {swap} then r2 else r end as u, case when {swap} then r else r2 end as w"
            f" {self._met} and d > 1 and d2 > 1) q group by u, w"
        )

    def pairs(self) -> str:
        """Table pairs: those that met twice or more."""
        return "select u, w from met where n >= 2"

    # --- what is known of each pair

    def shared(self) -> str:
        """Table x: meetings of each pair by scale and stratum, cumulative in both, and all targets that both have."""

        def close(k: int, j: int) -> str:
            strata = self.policy.size_strata
            return f"lag <= {self.scales[k]}" + (f" and size <= {strata[j]}" if j < len(strata) else "")

        columns = ", ".join(f"count(case when {close(k, j)} then 1 end) as x{k}{j}" for k, j in self.cells)
        n = f"n{self._last}"
        return (
            f"select u, w, count(*) as everywhere, {columns} from"
            " (select p.u as u, p.w as w, abs(one.t - two.t) as lag,"
            f" case when one.t >= two.t then one.{n} else two.{n} end as size"
            " from pairs p join e one on one.r = p.u join e two on two.r = p.w and two.v = one.v) q group by u, w"
        )

    def together(self, pairs: str) -> str:
        """Table `ways` of these pairs: every way in which the two were in one context."""
        places = "select r, a, count(*) as c from e group by r, a"
        return (
            f"select p.u as u, p.w as w, sum(cast(one.c * two.c as double)) as ways from {pairs} p"
            f" join ({places}) one on one.r = p.u join ({places}) two on two.r = p.w and two.a = one.a"
            " group by p.u, p.w"
        )

    @cached_property
    def _control(self) -> str:
        n = f"n{self._last}"
        return f"sum(cast(case when na > {n} then na - {n} else 0 end as double))"

    def expected(self) -> str:
        """Table ex: N E_u by scale and stratum, and of the control, of reporters with two complaints and more."""
        strata, n = self.policy.size_strata, f"n{self._last}"

        def inside(k: int, j: int) -> str:
            return f"case when {n} <= {strata[j]} then n{k} - 1 else 0 end" if j < len(strata) else f"n{k} - 1"

        columns = ", ".join(f"sum(cast({inside(k, j)} as double)) as e{k}{j}" for k, j in self.cells)
        return f"select r, max(d) as d, {self._control} as ec, {columns} from e where d > 1 group by r"

    # --- the few whose p may be small

    def survivors(self, n: int, shape: float, rate: float) -> str:
        """Pairs whose p can be at most weak_p, with what p is computed from.

        p >= (pi min(1, (1 + a + Y) / 2))^(X - 1): each further meeting is at least that likely, given those before it.
        """
        y = "greatest(ways.ways - cast(x.everywhere as double), cast(0 as double))"

        def of_both(column: str) -> str:
            one = f"cast(b.d as double) * (a.{column} / cast({n} as double))"
            return f"greatest({one}, cast(a.d as double) * (b.{column} / cast({n} as double)))"

        def possible(k: int, j: int) -> str:
            pi = f"mu{k}{j} / (mu{k}{j} + {rate!r} + chance)"
            return f"(x{k}{j} >= 2 and power({pi} * half, x{k}{j} - 1) <= {largest})"

        largest = f"{self.policy.weak_p / len(self.cells) * (1 + 1e-9):.17f}"
        xs = ", ".join(f"x.x{k}{j} as x{k}{j}" for k, j in self.cells)
        mus = ", ".join(f"{of_both(f'e{k}{j}')} + 1e-12 as mu{k}{j}" for k, j in self.cells)
        columns = ", ".join(f"x{k}{j}, mu{k}{j}" for k, j in self.cells)
        return (
            f"select u, w, y, chance, {columns} from (select x.u as u, x.w as w, {xs}, {y} as y,"
            f" least(cast(1 as double), (1 + cast({shape!r} as double) + {y}) / 2) as half,"
            f" {of_both('ec')} as chance, {mus} from x join ways on x.u = ways.u and x.w = ways.w"
            f" join ex a on a.r = x.u join ex b on b.r = x.w where x.{self.all_meetings} >= 2) q"
            f" where {' or '.join(possible(k, j) for k, j in self.cells)}"
        )

    def often_near(self, meetings: int) -> str:
        """Pairs that met so often within the smallest scale."""
        return f"select u, w, {self.nearest} as near from x where {self.nearest} >= {meetings}"

    # --- a sample of all pairs that met, by their places in an order that numpy's sample has, too

    def met_by_first(self) -> str:
        """How many pairs each reporter is the smaller key of."""
        return "select least(u, w) as r, count(*) as pairs from met group by least(u, w)"

    def met_at(self) -> str:
        """Of table chosen (r, place): the pair at that place among those whose smaller key is r."""
        return (
            "select q.r as r, q.place as place, q.other as other from"
            " (select least(u, w) as r, greatest(u, w) as other,"
            " row_number() over (partition by least(u, w) order by greatest(u, w)) - 1 as place"
            " from met join (select distinct r from chosen) c on least(u, w) = c.r) q"
            " join chosen on chosen.r = q.r and chosen.place = q.place"
        )

    @cached_property
    def _lone(self) -> str:
        """Meetings of which one has a single complaint: how far apart on the target, and when."""
        width = self.policy.window_seconds * 1000 // SAMPLE_BUCKETS + 1
        return (
            f"select k - k2 as far, cast(floor((t - {self.since}) / {width}.0) as bigint) as bucket,"
            f" t, r, v, r2 {self._met} and (d = 1 or d2 = 1)"
        )

    def lone(self) -> str:
        """How many there are, by distance and time."""
        return f"select far, bucket, count(*) as pairs from ({self._lone}) q group by far, bucket"

    def lone_at(self) -> str:
        """Of table chosen (far, bucket, place): the meeting at that place."""
        return (
            "select q.far as far, q.bucket as bucket, q.place as place, q.r as r, q.r2 as other from"
            " (select l.far as far, l.bucket as bucket, l.r as r, l.r2 as r2, row_number() over"
            f" (partition by l.far, l.bucket order by l.t, l.r, l.v) - 1 as place from ({self._lone}) l join"
            " (select distinct far, bucket from chosen) c on l.far = c.far and l.bucket = c.bucket) q"
            " join chosen on chosen.far = q.far and chosen.bucket = q.bucket and chosen.place = q.place"
        )

    def sampled(self) -> str:
        """Table sampled (place, u, w) of `drawn` (place, first, second): u is the one with fewer complaints."""
        swap = "(b.d < a.d or (b.d = a.d and b.r < a.r))"
        return (
            f"select s.place as place, case when {swap} then b.r else a.r end as u,"
            f" case when {swap} then a.r else b.r end as w from drawn s"
            " join ends a on a.r = s.first join ends b on b.r = s.second"
        )

    def ends(self) -> str:
        """Table ends: complaints and N E_u of the control, of each reporter in `drawn`."""
        return (
            f"select e.r as r, max(e.d) as d, {self._control} as ec from e join"
            " (select first as r from drawn union select second from drawn) s on s.r = e.r group by e.r"
        )

    def controls(self) -> str:
        """Of each sampled pair: targets that both have, and what the affinity is fitted on."""
        return (
            "select s.place as place, a.d as d1, a.ec as c1, b.d as d2, b.ec as c2, coalesce(y.ways, cast(0 as double))"
            " as ways, coalesce(t.everywhere, 0) as everywhere from sampled s join ends a on a.r = s.u"
            " join ends b on b.r = s.w left join (" + self.together("sampled") + ") y on y.u = s.u and y.w = s.w"
            " left join (select p.u as u, p.w as w, count(*) as everywhere from sampled p join e one on one.r = p.u"
            " join e two on two.r = p.w and two.v = one.v group by p.u, p.w) t on t.u = s.u and t.w = s.w"
        )
