"""The columns without which a table cannot serve: who reported what, and when. PURE."""

from __future__ import annotations

import re

from service.errors import Refused
from service.tabular.candidates import NAMED
from service.tabular.fitting import fits
from service.tabular.heading_meanings import meanings_of
from service.tabular.looks import ColumnLook, same_people
from service.tabular.missing import check_reporters, sentence_of_missing
from service.tabular.name_kinds import fineness, is_address_of_reporter, is_owner
from service.tabular.naming import option
from service.tabular.partial_targets import PartialTargets
from service.tabular.plain_names import normalised
from service.tabular.plausible import is_list_of_contents
from service.tabular.report_words import gives_reasons, of_other_acts, says_reported, speaks_of_reports
from service.tabular.target_columns import WHOLE_ACCOUNTS
from service.tabular.target_rules import MANY, is_own, one_a_row
from service.tabular.vocabulary import ACCOUNTS, LINKS, PLACES, REQUIRED, REQUIRED_OF_OUTCOMES

_OF_A_REPORTING_ACCOUNT = re.compile(r"(?:report|flag|complaint)_(?:user|member|account|player)(?:_id)?")
_OF_A_REPORT = re.compile(r"(?:.*_)?(?:report|flag|complaint)_id|id_(?:report|flag|complaint)")


class RequiredColumns(PartialTargets):
    """Finds the columns without which a table cannot serve."""

    def required(self) -> None:
        is_place = False  # whether the target is a thread or the like rather than content
        self.holder()
        for name in REQUIRED_OF_OUTCOMES if self.outcomes else ("target_id", "occurred_at", "reporter_id"):
            if name in self.result.uses:
                continue
            if name == "reporter_id":
                self.check_one_account_a_row()
            candidates = self.candidates(name)
            for rank, looks in candidates.items():
                if name == "target_id" and rank >= PLACES and self.other_ids(rank):
                    break
                if name == "target_id" and rank == PLACES and max(candidates) > PLACES:
                    continue  # a thread is where it happened if an account is called reported
                looks = self.own(name, rank, looks)
                if not looks:
                    continue
                if name == "target_id" and not self.outcomes and len(looks) > 1:
                    self.check_somebody_reported()
                self.use(name, *self.one_of(name, looks))
                if name == "target_id" and rank == LINKS and not self.outcomes:
                    self.check_links()
                if name == "target_id":
                    self.others_instead()
                if name == "reporter_id" and rank > 1:
                    self.check_reports(looks[0], is_place)
                is_place = is_place or (name == "target_id" and rank == PLACES)
                if name == "target_id" and rank == ACCOUNTS:
                    self.result.notes.append(WHOLE_ACCOUNTS)
                break
            if name == "reporter_id" and name not in self.result.uses:
                self.owner_beside_accused()
            if name == "occurred_at" and name not in self.result.uses:
                self.only_time()
            if name == "target_id" and name not in self.result.uses and not self.outcomes:
                self.other_ids(PLACES)
        if not self.outcomes and "reporter_id" in self.result.uses and "target_id" not in self.result.uses:
            self.check_holder()
            self.account_beside()
            if "target_id" not in self.result.uses:
                self.gathered()
        self.prefer_reporter_ids()
        self.doubt_direction()
        self.doubt_unnamed_reporter()
        self.fill_empty_targets()
        self.doubt_parts()
        self.check_required()
        self.reporters_own()
        self.hours()
        self.other_times()

    def doubt_direction(self) -> None:
        """Doubt `report_user_id` beside `user_id`, which some software calls the other way round."""
        uses = self.result.uses
        if self.outcomes or not {"reporter_id", "target_id"} <= uses.keys() or uses["reporter_id"].why == NAMED:
            return
        reporter, target = (self.looks[uses[name].columns[0]] for name in ("reporter_id", "target_id"))
        if _OF_A_REPORTING_ACCOUNT.fullmatch(normalised(reporter.name)) and fineness(target.name) == 1:
            self.result.notes.append(
                f"make sure that {reporter.name!r} reported {target.name!r}, and not the other way round; if so, say"
                f" it: {option('reporter_id', target.name)} {option('target_id', reporter.name)}"
            )

    def doubt_unnamed_reporter(self) -> None:
        """Doubt who reported where another column is called so, and its values are not those of people."""
        use = self.result.uses.get("reporter_id")
        if self.outcomes or use is None or use.why == NAMED or self.ranks[use.columns[0]].get("reporter_id", 9) <= 1:
            return
        for look, ranks in zip(self.looks, self.ranks, strict=True):
            named = ranks.get("reporter_id", 9) <= 1 and look.number not in self.taken and look.known
            if named and not same_people(look, self.reporter()):
                self.result.notes.append(
                    f"{look.name!r} is called who reported, but {look.example!r} does not look like an account: make"
                    f" sure that {self.reporter().name!r} is who reported"
                )

    def owner_beside_accused(self) -> None:
        """Where another column says who was accused or wrote the content, the author or owner is the report's own."""
        fields = list(zip(self.looks, self.ranks, strict=True))
        owners = [look for look in self.looks if look.number not in self.taken and _is_owner(look)]
        accused = [
            look
            for look, ranks in fields
            if look not in owners and (ranks.get("target_id") == ACCOUNTS or ranks.get("author_id") == 1)
        ]
        if not accused or not speaks_of_reports(self.looks, self.called):
            return
        owners = [
            look
            for look in owners
            if fits("reporter_id", look, {"reporter_id": 2})
            and not any(same_people(look, other) for other in accused)
            and not self.is_of_target(look)
        ]
        if len(owners) == 1:
            self.check_reports(owners[0], is_place=False)
            self.use("reporter_id", owners, f"its name, since {accused[0].name!r} is of somebody else")

    def check_reports(self, reporter: ColumnLook, is_place: bool) -> None:
        """Refuse a list of contents, whose people are those who wrote them, and a log of something else."""
        use = self.result.uses.get("target_id")
        other = of_other_acts(self.looks) if self.result.only is None else None
        if other is not None and not speaks_of_reports(self.looks, self.called):
            raise Refused(
                f"no name says that something was reported, and {other.name!r} ({other.example!r}) is of something"
                " else: a file that does not say who reported cannot serve. If these are reports, say so:"
                f" {option('reporter_id', reporter.name)}"
            )
        if use is None or len(use.columns) > 1:
            return
        target = self.looks[use.columns[0]]
        listed = [
            look
            for look, ranks in zip(self.looks, self.ranks, strict=True)
            if ranks.get("target_id") == 1 and look.number not in self.taken and one_a_row(look) and not is_own(look)
        ]
        of_reports = any(_OF_A_REPORT.fullmatch(normalised(look.name)) for look in self.looks)
        if listed and use.why != NAMED and not of_reports:
            target = listed[0]
        texts = [look for look, ranks in zip(self.looks, self.ranks, strict=True) if ranks.get("excerpt") == 1]
        written = any(look.is_prose for look in texts) and not says_reported(reporter.name)
        if is_place and use.why != NAMED and (written or not gives_reasons(self.looks, self.called)):
            why = f"no name says that something was reported: {reporter.name!r} may be who wrote in {target.name!r}"
        elif is_list_of_contents(target):
            why = f"each row has another {target.name!r}: {reporter.name!r} may be who wrote it"
        else:
            return
        raise Refused(
            f"{why}; without a column that says who reported it cannot serve. If {reporter.name!r} is who reported, say"
            f" so: {option('reporter_id', reporter.name)}"
        )

    def check_links(self) -> None:
        """Refuse addresses of the reports themselves: each row has another."""
        target = self.target()
        if target is not None and len(self.rows) >= MANY and one_a_row(target):
            raise Refused(
                f"each row has another {target.name!r}: it may be the address of the report itself. If it is of what"
                f" was reported, say so: {option('target_id', target.name)}"
            )

    def check_one_account_a_row(self) -> None:
        """Refuse lists of accounts where nothing else is called who reported: an address beside them is not enough."""
        named = [look for look, ranks in zip(self.looks, self.ranks, strict=True) if ranks.get("reporter_id", 9) <= 1]
        accounts = [look for look in named if not is_address_of_reporter(look.name) and look.number not in self.taken]
        several = next((look for look in accounts if look.has_lists), None)
        if several is not None and not any(fits("reporter_id", look, self.ranks[look.number]) for look in accounts):
            raise Refused(
                f"{several.name!r} has several accounts in one cell: write a row for each of them, with the time at"
                " which that one reported"
            )

    def check_somebody_reported(self) -> None:
        """Refuse a file in which nobody can be who reported before anything is asked."""
        if "reporter_id" in self.result.uses or self.candidates("reporter_id"):
            return
        left = [look for look in self.looks if look.number not in self.taken]
        raise Refused(sentence_of_missing(["reporter_id"], self.header, left, self.result.notes, None, outcomes=False))

    def check_required(self) -> None:
        wanted = REQUIRED_OF_OUTCOMES if self.outcomes else REQUIRED
        missing = [name for name in wanted if name not in self.result.uses]
        if self.outcomes and "action" in {f for ranks in self.ranks for f in ranks}:
            missing = [name for name in missing if name != "verdict"]
        if missing:
            left = [look for look in self.looks if look.number not in self.taken]
            who = self.result.column("reporter_id")
            known = None if who is None else self.looks[who]
            raise Refused(
                sentence_of_missing(missing, self.header, left, self.result.notes, known, outcomes=self.outcomes)
            )
        reporter = self.result.uses.get("reporter_id")
        if reporter is not None and reporter.why != NAMED:
            check_reporters(self.looks[reporter.columns[0]])


def _is_owner(look: ColumnLook) -> bool:
    return is_owner(look.name) or meanings_of(normalised(look.name)) == frozenset(("author",))
