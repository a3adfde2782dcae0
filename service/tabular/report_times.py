"""When it was reported: the column of times, its hours, and what speaks against it. PURE."""

from __future__ import annotations

import re
from dataclasses import replace

from service.errors import Refused
from service.tabular.alternatives import Alternatives
from service.tabular.candidates import NAMED
from service.tabular.days_and_clocks import is_well_before, on_the_same_days
from service.tabular.headings import bare, may_be_when
from service.tabular.looks import ColumnLook, depends_on
from service.tabular.naming import option, quoted
from service.tabular.plain_names import normalised
from service.tabular.plausible import MOSTLY, called_alike, is_of_submission, when_sent
from service.tabular.report_words import says_reported
from service.tabular.vocabulary import TIMES

_OF_ANOTHER = re.compile(  # creator.published
    r"(?!.*(?:report|flag|complaint)).*(?:creator|author|user|account|person|member|community|profile|post|comment)"
    r"_(?:published|created|joined|registered)(?:_at|_on|_date)?"
)
_SENT = re.compile(
    r"(?:.*_)?(?:received|submitted|submission|sent|filed|intake|eingegangen|eingang|eingangsdatum|gesendet|recu|reception"
    r"|envoye|recibid[oa]|recepcion|enviad[oa]|recebid[oa]|ricevut[oa]|ricezione|inviat[oa]|ontvangen|otrzyman[oa]"
    r"|wyslan[oa]|получено|отправлено)(?:_.*)?"
)
_SEVERAL = 3  # times of people


class ReportTimes(Alternatives):
    """Finds when each report was made."""

    def only_time(self) -> None:
        """The one column of times, whatever it is called, unless its name says that it is of something else."""
        found = [
            look
            for look in self.looks
            if look.number not in self.taken
            and look.is_time
            and may_be_when(normalised(bare(look.name)), numbers=look.is_number)
            and not _OF_ANOTHER.fullmatch(normalised(look.name))
            and not any(name in self.ranks[look.number] for name in TIMES if name != "occurred_at")
            and not self.is_time_of_target(look)
        ]
        if found:
            looks, _ = self.one_of("occurred_at", found)
            self.use("occurred_at", looks, "the only column of times")
            if not (says_reported(looks[0].name) or is_of_submission(looks[0])):
                self.result.notes.append(
                    f"make sure that {looks[0].name!r} is when people reported: no column's name says so"
                )

    def reporters_own(self) -> None:
        """Take another time where the one that was found is the same for all rows of most people: they joined then."""
        use, reporter = self.result.uses.get("occurred_at"), self.result.uses.get("reporter_id")
        if use is None or reporter is None or use.why == NAMED or self.outcomes:
            return
        found, person = self.looks[use.columns[0]], self.looks[reporter.columns[0]]
        if says_reported(found.name) or not _is_of(found, person):
            return
        for looks in [*self.candidates("occurred_at").values(), self.sent()]:
            if others := [look for look in looks if not (_is_of(look, person) or self.is_time_of_target(look))]:
                self.use("occurred_at", *self.one_of("occurred_at", others))
                self.result.notes.append(f"{found.name!r} is the same for all rows of one {person.name!r}")
                return

    def hours(self) -> None:
        """Where the time of the report is a date only, the column with the hours, or with dates and hours."""
        use = self.result.uses.get("occurred_at")
        if use is None or self.outcomes or not self.looks[use.columns[0]].is_day:
            return
        day = self.looks[use.columns[0]]
        finer = [
            look
            for looks in self.candidates("occurred_at").values()
            for look in self.own("occurred_at", 1, looks)
            if use.why != NAMED and not look.is_day and on_the_same_days(day.values, look.values)
        ]
        if finer := list(when_sent(finer)):
            self.use("occurred_at", finer[:1], f"its name; it has the hours of {day.name!r}")
            return
        clocks = [look for look in self.looks if look.is_clock and not look.is_day and look.number not in self.taken]
        named = [look for look in clocks if "occurred_at" in self.ranks[look.number]] or clocks
        related = called_alike(day, named) or named
        if len(related) > 1:
            raise Refused(
                f"{use.example!r} has no hour, and {quoted(related)} could each be it: write the date and its hour"
                " into one column"
            )
        for look in related:
            self.taken.add(look.number)
            self.result.uses["occurred_at"] = replace(
                use,
                why=f"{use.why}, with the hour of {look.name!r}",
                example=f"{use.example} {look.example}",
                clock=look.number,
            )

    def other_times(self) -> None:
        """Doubt a time that does not say that it is of a report, where another one is hours before it, or one that is
        called sent is hours after it.
        """
        use = self.result.uses.get("occurred_at")
        if use is None or self.outcomes or use.why == NAMED or says_reported(self.header[use.columns[0]]):
            return
        chosen = self.looks[use.columns[0]]
        named = [
            look for rank, looks in self.candidates("occurred_at").items() if rank <= 2 for look in when_sent(looks)
        ]
        earlier = [look for look in named if not look.is_day and is_well_before(look.values, chosen.values)]
        later = [look for look in self.sent() if not chosen.is_day and is_well_before(chosen.values, look.values)]
        for look, where in [*((look, "after") for look in earlier), *((look, "before") for look in later)]:
            if not self.is_time_of_target(look):
                self.result.notes.append(
                    f"{chosen.name!r} is hours or days {where} {look.name!r}: if that is when people reported, say so:"
                    f" {option('occurred_at', look.name)}"
                )
                return

    def sent(self) -> list[ColumnLook]:
        """The columns of times that are called like when something was sent or received."""
        left = [look for look in self.looks if look.number not in self.taken and look.is_time]
        return [look for look in left if _SENT.fullmatch(normalised(look.name))]


def _is_of(time: ColumnLook, person: ColumnLook) -> bool:
    """Whether a time is the same for all rows of one person, for most people."""
    share = depends_on(time, person) if time.distinct >= _SEVERAL and not time.is_day else None
    return share is not None and share >= MOSTLY
