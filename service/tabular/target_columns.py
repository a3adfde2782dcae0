"""What was reported, where no column is called like a post or comment. PURE."""

from __future__ import annotations

import re

from service.tabular.candidates import NAMED, Candidates
from service.tabular.fitting import fits
from service.tabular.looks import ColumnLook, depends_on, finer_first, one_of_each_row, same_people
from service.tabular.missing import FEW_TARGETS, handles
from service.tabular.name_kinds import is_account, is_actor, is_sender
from service.tabular.naming import option, quoted
from service.tabular.other_ids import id_stem, is_named_by_table, only_ids, only_links, with_kind
from service.tabular.plain_names import normalised
from service.tabular.refusals import UnclearHolder
from service.tabular.report_words import names_reports, of_other_acts, speaks_of_reports
from service.tabular.target_rules import one_a_row
from service.tabular.vocabulary import ACCOUNTS, PLACES, is_address

WHOLE_ACCOUNTS = "no column names a post or comment: whole accounts are the targets"
_INNER_REPORTS = re.compile(r"(?:.*\.)?(?:report(?:er)?s|flag(?:ger)?s|complaints|complainants)\.", re.IGNORECASE)
_OF_THE_PERSON = 0.5  # of the people who come again: those who report twice report different things
_GATHERED = 0.5  # of the reports: the others are about what was reported before
_CASE = re.compile(r"(?:.*_)?(?:report|flag|complaint|issue|case|moderation)")
_MANY_PEOPLE = 15
_ONCE = 0.95  # of the rows
_FEW_HANDLERS = 0.1  # of the reporters: so many may be moderators


class TargetColumns(Candidates):
    """Finds what was reported by what stands beside it."""

    def other_ids(self, rank: int) -> bool:
        """Take ids of a kind that nobody foresaw, where no name tells a content: beside places or accounts, or none."""
        left = [look for look in self.looks if look.number not in self.taken]
        reporters = self.candidates("reporter_id")
        people = [look for looks in reporters.values() for look in looks]
        if self.outcomes or not people or not names_reports(self.looks, self.called):
            return False
        left = [look for look in left if not any(_is_of_person(look, person) for person in people)]
        if pair := with_kind(left, self.ranks, beside_accounts=rank >= ACCOUNTS):
            self.use("target_id", pair[:1], f"its name; {pair[1].name!r} says of what kind it is")
            if "kind" not in self.result.uses:
                self.use("kind", pair[1:], f"the kind of {pair[0].name!r}")
            return True
        named = any(r <= 2 for r in reporters) or any(is_address(look.name) for look in people)
        if rank >= ACCOUNTS or not named:
            return False
        if ids := only_ids(left, self.ranks, self.called):
            self.use("target_id", ids, "the only id beside who reported, though no name says that it is")
            if not all(is_named_by_table(look, self.called) for look in ids):
                self.result.notes.append(f"make sure that {quoted(ids)} stands for what was reported: no name says so")
        elif links := only_links(left):
            self.use("target_id", links, "the only column of addresses, though no name says that they were reported")
        return "target_id" in self.result.uses

    def holder(self) -> None:
        """An object with words of its own that holds a list of reports, as a post may, is what was reported."""
        outer = [look for look in self.looks if look.name in self.holding]
        named = [look for rank, looks in self.candidates("target_id").items() if rank < PLACES for look in looks]
        if self.outcomes or "target_id" in self.result.uses or any(not one_a_row(look) for look in named):
            return
        if any(self.ranks[look.number].get("reporter_id", 9) <= 2 for look in outer):
            return  # who may hold what they reported
        ids = [look for look in outer if "id" in self.ranks[look.number] and look.distinct > 1]
        has_words = any("excerpt" in self.ranks[look.number] or look.is_prose for look in outer)
        if ids and (has_words or any(_INNER_REPORTS.match(look.name) for look in self.looks)):
            self.use("target_id", ids[:1], "of what holds the list of reports")

    def check_holder(self) -> None:
        """Refuse people in lists of people where nothing tells who of both reported the other."""
        reporter = self.reporter()
        outer = [look for look in self.looks if look.name in self.holding and look.number not in self.taken]
        people = [look for look in outer if self.ranks[look.number].get("reporter_id", 9) <= 2]
        if people and reporter.name not in self.holding and self.result.uses["reporter_id"].why != NAMED:
            raise UnclearHolder(
                f"{reporter.name!r} is in lists that {people[0].name!r} holds, and nothing tells who of both reported"
                f" the other. Say it: {option('reporter_id', reporter.name)} {option('target_id', people[0].name)}, or"
                " the other way round"
            )

    def account_beside(self) -> None:
        """Where no content and no reported account is named, the account beside who reported."""
        reporter = self.reporter()
        by_name = self.ranks[reporter.number].get("reporter_id", 9) <= 1 and not is_address(reporter.name)
        sent = is_sender(reporter.name) and speaks_of_reports(self.looks, self.called)
        if not by_name and not sent and not is_actor(reporter.name):
            return
        found = [
            look
            for look in self.looks
            if look.number not in self.taken
            and self.may_be_account(look, reporter)
            and fits("reporter_id", look, {"reporter_id": 2})
            and look.distinct > 1
            and _is_of_person(look, reporter) is False
        ]
        numbers = [look for look in found if normalised(look.name).endswith("id")] or found
        if found and all(same_people(numbers[0], look) for look in found):
            self.use("target_id", numbers[:1], f"an account beside {reporter.name!r}, who reported")
            self.result.notes.append(WHOLE_ACCOUNTS)

    def may_be_account(self, look: ColumnLook, reporter: ColumnLook) -> bool:
        """Whether a column's name is that of an account that may have been reported."""
        opposite = is_sender(reporter.name) and self.ranks[look.number].get("author_id") == 1
        return opposite or is_account(look.name) or self.is_other_person(look, reporter)

    def gathered(self) -> None:
        """Where nothing else is there, the case under which reports of several people about one thing are gathered."""
        reporter = self.reporter()
        cases = [
            look
            for look in self.looks
            if look.number not in self.taken
            and _CASE.fullmatch(id_stem(look))
            and FEW_TARGETS < look.distinct <= _GATHERED * len(look.known)
            and (depends_on(reporter, look) or 0) < _OF_THE_PERSON
        ]
        # Moderators write about cases, too: unless the reports are known among other rows, many people have to.
        known = self.result.only is not None
        if len(cases) != 1 or not (known or self._are_by_many(reporter, cases[0])):
            return
        self.use("target_id", cases, "reports of several people are gathered under each")
        if not known:
            self.result.notes.append(
                f"make sure that {reporter.name!r} reported what {cases[0].name!r} stands for, and did not handle or"
                " discuss it"
            )

    def _are_by_many(self, reporter: ColumnLook, case: ColumnLook) -> bool:
        """Whether many people wrote once each about a case and gave reasons, as those who report do."""
        pairs = list(zip(reporter.values, case.values, strict=True))
        once = len(set(pairs)) >= _ONCE * len(pairs)
        gives_reasons = any(ranks.get("reason", 9) <= 1 for ranks in self.ranks)
        return once and reporter.distinct >= _MANY_PEOPLE and gives_reasons and of_other_acts(self.looks) is None

    def is_other_person(self, look: ColumnLook, reporter: ColumnLook) -> bool:
        """Whether a column such as `user_id` is of the people who were reported, since others are called reporters."""
        plain = self.ranks[look.number].get("reporter_id") == 2 and not handles(look)
        return plain and look.distinct > _FEW_HANDLERS * reporter.distinct

    def others_instead(self) -> None:
        """Take what else was reported, such as an account, where the column is empty, if each row has one of both."""
        chosen = [self.looks[column] for column in self.result.uses["target_id"].columns]
        for rank, looks in self.candidates("target_id").items():
            if more := one_of_each_row([*chosen, *looks], chosen):
                self.use("target_id", more, "names; each row has one of them")
                return
            if (
                rank == PLACES
                and len(chosen) == 1
                and (more := finer_first([*chosen, *looks]))
                and more[0] is chosen[0]
            ):
                self.use("target_id", more, "their names; the finer one where a row has it")
                return


def _is_of_person(look: ColumnLook, person: ColumnLook) -> bool | None:
    """Whether a column says something of a person, since most people have one value of it; None if nothing shows it."""
    if same_people(look, person):
        return True
    share = depends_on(look, person)
    return None if share is None else share >= _OF_THE_PERSON
