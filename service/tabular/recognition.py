"""Which column is which: by names first, checked against the values. PURE.

What is required and not clear is refused with a sentence that names the columns and the option; what is optional and
not clear is left out and said.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from service.errors import Refused
from service.tabular.candidates import NAMED
from service.tabular.columns import Recognition
from service.tabular.doubts import doubts_about, finer_than
from service.tabular.heading_meanings import names_moderator
from service.tabular.looks import ColumnLook, Rows, depends_on, same_people
from service.tabular.missing import unused_verdicts
from service.tabular.name_kinds import is_thing, place_named
from service.tabular.naming import listed, option
from service.tabular.only_reports import report_rows
from service.tabular.other_ids import rival
from service.tabular.plain_names import normalised
from service.tabular.plausible import MOSTLY, guests_of, repeats_differ
from service.tabular.report_words import says_reported
from service.tabular.required_columns import RequiredColumns
from service.tabular.target_columns import WHOLE_ACCOUNTS
from service.tabular.unsuitable import unsuitable
from service.tabular.values import plain_text
from service.tabular.verdicts import is_known, judge_one_way
from service.tabular.vocabulary import OF_ANYTHING, REPORTED, TIMES, Field, is_address

MOST_ATTRIBUTES = 32  # of a target, as the API takes them
LONGEST_ATTRIBUTE = 1024
OPTIONAL: tuple[Field, ...] = (
    "account_created_at",
    "trusted",
    "fingerprint",
    "notice_type",
    "part_of",
    "author_id",
    "context_id",
    "kind",
    "verdict",
    "decided_at",
    "reason",
    "text",
    "excerpt",
    "url",
    "context_title",
    "context_url",
)
OF_OUTCOMES: tuple[Field, ...] = ("id", "kind", "action", "decided_by", "complaint_id", "retracts")


_OF_PEOPLE = re.compile(
    r"reporter|flagger|complainant|(?:.*_)?(?:assignee|assigned|handler|resolver|handled|decided|reviewed|resolved|closed"
    r"|moderated)(?:_(?:by|to))?(?:_.*)?\Z|(?:.*_)?(?:moderator|mod|agent|staff)(?:_(?:id|name))?\Z"
)


class _Recogniser(RequiredColumns):
    """Finds all columns."""

    def optional(self) -> None:
        reporter = self.header[self.result.uses["reporter_id"].columns[0]] if not self.outcomes else ""
        if is_address(reporter):
            self.result.notes.append(f"people who share a value of {reporter!r} count as one reporter")
        for name in OF_OUTCOMES if self.outcomes else OPTIONAL:
            if name in self.result.uses or (name == "decided_at" and "verdict" not in self.result.uses):
                continue
            for rank, looks in self.candidates(name).items():
                found = [look for look in looks if rank == 0 or self.goes_with_targets(name, look)]
                if found and not (name == "decided_at" and rank > 1):
                    self.use(name, found[:1], "its name")
                    break
        if not self.outcomes:
            use = self.result.uses["reporter_id"]
            by_name = use.why == NAMED or says_reported(reporter)
            self.result.notes += doubts_about(self.looks[use.columns[0]], self.looks, self.called, by_name=by_name)
            self.identity()
            if len(use.columns) == 1 and self.ranks[use.columns[0]].get("reporter_id") != 0:  # as our own files have it
                self.result.guests = guests_of(self.looks[use.columns[0]])
            about = self.result.uses["target_id"]
            if len(about.columns) == 1:
                self.result.nothing = guests_of(self.looks[about.columns[0]])

    def goes_with_targets(self, name: Field, look: ColumnLook) -> bool:
        if name in ("context_title", "context_url"):
            # a title may change from row to row; that of the forum around a thread is none of it
            context = self.result.column("context_id")
            return context is not None and place_named(look.name) == place_named(self.header[context])
        if name == "verdict" and not self.outcomes and judge_one_way(look.known):
            return False
        if name not in ("author_id", "context_id", "kind", "url", "excerpt"):
            return True
        if (target := self.target()) is None:
            return True
        if name == "author_id" and WHOLE_ACCOUNTS in self.result.notes and same_people(look, target):
            return False  # another name of the account itself
        if name != "author_id" and len(self.result.uses["target_id"].columns) > 1:
            return False
        share = depends_on(look, target)
        if share is None or share >= MOSTLY:
            return True
        if name != "kind":
            return False
        of_what = self.ranks[look.number]["kind"] < OF_ANYTHING  # else it may be the kind of report
        return of_what or (target.is_number and all(map(is_thing, map(plain_text, look.known))))

    def identity(self) -> None:
        if "id" in self.result.uses:
            return
        for rank, looks in self.candidates("id").items():
            for look in looks:
                if rank == 0 or (len(look.known) == len(self.rows) and look.distinct == len(look.known)):
                    if rank == 0 and repeats_differ(look, self.rows):
                        self.result.notes.append(
                            f"{look.name!r} has the same value in rows that differ, so it is not taken for the"
                            " complaint's id"
                        )
                        self.taken.add(look.number)
                        continue
                    self.use("id", (look,), "its name; no value occurs twice" if rank else "its name")
                    return
        self.result.notes.append("rows have no id of their own: each gets one from its reporter, target and time")

    def rest(self) -> None:
        """What is left describes targets, if it is the same for all complaints about one."""
        target = self.result.uses["target_id"]
        left: list[str] = []
        people = ("reporter_id", "author_id", *TIMES, "verdict", "text", "excerpt")
        for look, ranks in zip(self.looks, self.ranks, strict=True):
            if look.number in self.taken or not look.known:
                continue
            share = depends_on(look, self.looks[target.columns[0]]) if len(target.columns) == 1 else 0.0
            usable = not (
                look.is_time
                or look.is_prose
                or look.longest > LONGEST_ATTRIBUTE
                or any(name in ranks for name in people)
            )
            name = look.name.removeprefix("attributes_").removeprefix("attributes.")
            usable = usable and not _OF_PEOPLE.match(plain := normalised(look.name)) and not names_moderator(plain)
            if usable and (share is None or share >= MOSTLY) and 0 < len(name) <= 128:
                self.result.attributes[look.number] = name
            else:
                left.append(look.name)
        if len(target.columns) == 1 and target.why != NAMED:
            unused = [look for look in self.looks if look.number not in self.taken and look.name in left]
            doubt = finer_than(self.looks[target.columns[0]], unused)
            number = target.columns[0]
            any_name = self.ranks[number].get("target_id") == REPORTED  # "reported_game" may be where it happened
            if doubt is None and (any_name or not says_reported(self.header[number])):
                doubt = self.rival_of_target(unused)
            self.result.notes += [] if doubt is None else [doubt]
        left += [self.result.attributes.pop(k) for k in list(self.result.attributes)[MOST_ATTRIBUTES:]]
        if left:
            self.result.notes.append(f"not used: {listed(left)}")

    def rival_of_target(self, unused: Sequence[ColumnLook]) -> str | None:
        """A doubt where another column may have been reported as well; None without one."""
        target, reporter = (self.looks[self.result.uses[name].columns[0]] for name in ("target_id", "reporter_id"))
        if (other := rival(target, reporter, unused, self.ranks)) is None:
            return None
        return (
            f"{other.name!r} does not go with {target.name!r}: make sure which of both was reported, and if it is the"
            f" other, say so: {option('target_id', other.name)}"
        )

    def kinds(self) -> None:
        """Whether targets of different kinds share numbers."""
        kind, target = self.result.column("kind"), self.result.uses["target_id"]
        if len(target.columns) > 1:
            self.result.with_kind = True
        elif kind is not None and self.looks[kind].distinct > 1:
            kinds_by_target: dict[object, set[object]] = {}
            for k, t in zip(self.looks[kind].values, self.looks[target.columns[0]].values, strict=True):
                if k is not None and t is not None:
                    kinds_by_target.setdefault(t, set()).add(k)
            numbers = sum(str(t).isdecimal() for t in kinds_by_target)
            self.result.with_kind = numbers > 0.5 * len(kinds_by_target) or any(
                len(kinds) > 1 for kinds in kinds_by_target.values()
            )
        if self.result.with_kind:
            self.result.notes.append("targets are of several kinds whose numbers could meet: their ids are kind/id")

    def unknown_verdicts(self) -> None:
        column = self.result.column("verdict")
        if column is None:
            self.result.notes += unused_verdicts(look for look in self.looks if look.number not in self.taken)
            return
        words = sorted({str(v) for v in self.looks[column].known if not is_known(v)})
        if words:
            self.result.notes.append(
                f"words in {self.header[column]!r} that are not known, and not taken: {listed(words, repr)}"
            )


def recognise(
    header: Sequence[str],
    rows: Rows,
    chosen: Mapping[Field, int] | None = None,
    *,
    outcomes: bool = False,
    holding: Collection[str] = (),
    called: str = "",
) -> Recognition:
    """How a table is read, from its columns' names and a sample of its rows. Raises Refused.

    `holding`: the columns that say something about an object of the file, of which the rows are a list. `called`: what
    the file and the table are called.
    """
    if why := unsuitable(header):
        raise Refused(why)
    reader = _Recogniser(header, rows, chosen or {}, outcomes, holding, called)
    if not outcomes and (only := report_rows(reader.looks)):
        reader = _Recogniser(header, [row for row in rows if only.has(row)], chosen or {}, outcomes, holding, called)
        reader.result.only = only
    reader.required()
    reader.optional()
    if not outcomes:
        reader.kinds()
        reader.rest()
        reader.unknown_verdicts()
    return reader.result
