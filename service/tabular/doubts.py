"""What may be wrong with a reading that nothing refuses: said beside it. PURE."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from service.tabular.headings import bare
from service.tabular.looks import ColumnLook, depends_on
from service.tabular.naming import option
from service.tabular.plain_names import normalised
from service.tabular.report_words import names_reports
from service.tabular.reporter_roles import has_roles
from service.tabular.values import plain_text

_FEW = 20  # rows that show nothing
_OF_AN_ID = re.compile(r"(?:^|_|[a-z])(?:id|ids|no|nr|num|number|key|uri|url|link|guid|uuid|ref)\Z")
_OF_OTHERS = re.compile(
    r"(?:^|_)(?:reports?|reporter|flags?|flagger|complaints?|user|account|author|member|moderator|session|device|ip|client"
    r"|ticket|case)(?:_|\Z)"
)
_MORE = 1.2  # times as many as targets
_MUCH = 0.5  # of the rows by one account
_MOST_REASONS = 60  # different ones
_OTHER_TRADES = re.compile(
    r"hotel|room(?:_(?:no|number))?|station|branch(?:_id)?|returned|mileage|defects?|vehicle(?:_.*)?|product(?:_id|_name)?"
    r"|batch(?:_.*)?|lot(?:_no)?|capa|issue_(?:key|type)|project_key|parent(?:_id)?|components?|affects_versions?|fix_versions?"
    r"|milestone|sprint|story_points|build|bug_.*|interviewer|recording_id|question_id|sku|qty|quantity"
    r"|order_(?:id|no|number|code)|invoice.*|refund.*|deliver.*|shipment.*|warranty|serial(?:_.*)?|patient.*|employee.*"
    r"|department|cost_cent(?:er|re)|leave_type|policy_(?:no|number)|claim_(?:no|number|amount)|docket|judge|injur(?:y|ies)"
    r"|hazard|equipment|machine|asset(?:_id)?|building|floor|customers?(?:_.*)?|guest|clients?(?:_id)?|consumer(?:_.*)?|due_date|system_id"
    r"|satisfaction.*|csat|sla(?:_.*)?|assignee(?:_.*)?|(?:assigned_)?technician(?:_id)?|item_no|(?:home|away|own|opponent|final|team)_scores?|abteilung|mitarbeiter|kunde|bestellung.*|rechnung.*|produkt|produit"
    r"|producto|commande|pedido|cliente|scores?|winner|xp(?:_.*)?|match_id|tournament_id|round_id|is_correct|user_level|alert_id|verified_by"
)
_CALLED_OTHERWISE = re.compile(
    r"(?<![a-z])(?:bugs?|defects?|crash(?:es)?|maintenance|repairs?|work[-_ ]?(?:items?|orders?)|equipment|lost|leave"
    r"|sales|orders?|invoices?)(?![a-z])",
    re.IGNORECASE,
)
_OF_CONTENT = re.compile(
    r"spam|abus|hat(?:e|red)(?:_|\Z)|harass|bully|insult|offens|nud(?:e|ity)|porn|sexual|violen|scam|fake|counterfeit|misinfo"
    r"|disinfo|off_topic|copyright|illegal|inappropriate|troll|cheat|toxic|threat|impersonat|extrem|terror|beleidig|hass"
    r"|betrug|haine|harcel|arnaque|odio|estafa|acoso|truffa|oszust|обман|оскорбл|спам|prohibited|trademark|plagiar"
)
_OF_PROGRAMS = re.compile(
    r"(?:model|classifier|detector)(?:_(?:id|name|version))?|confidence|toxicity(?:_.*)?|automod.*"
)


def finer_than(target: ColumnLook, others: Sequence[ColumnLook]) -> str | None:
    """A doubt where another column has several ids for each target, as comments of one article; None without one."""
    for look in others:
        plain = normalised(bare(look.name))
        if (
            _OF_AN_ID.search(plain)
            and not _OF_OTHERS.search(plain)
            and not ((look.is_time and not look.is_number) or look.is_prose or look.is_yes_or_no)
            and _MORE * target.distinct < look.distinct < len(look.known)
            and depends_on(target, look) == 1.0
        ):
            return (
                f"each {target.name!r} has several {look.name!r}: if those are what was reported, say so:"
                f" {option('target_id', look.name)}"
            )
    return None


def doubts_about(reporter: ColumnLook, looks: Sequence[ColumnLook], called: str, *, by_name: bool) -> Iterator[str]:
    """What speaks against the column of those who reported; `by_name`: its name says that it is one."""
    if not by_name and not names_reports(looks, called):
        yield (
            f"no column's name says that anything was reported: make sure that {reporter.name!r} is who reported, and"
            " not who wrote or decided"
        )
    elif not by_name and (program := _first(_OF_PROGRAMS, looks)):
        yield (
            f"{program!r} is of a program that flags: make sure that {reporter.name!r} is who reported, and not who"
            " wrote"
        )
    if len(others := _of_other_trades(looks, called)) > 1 and not _gives_reasons_of_moderators(looks):
        yield (
            f"{others[0]!r} and {others[1]!r} are seldom of what people publish: make sure that these are reports of"
            " posts, comments, accounts or the like"
        )
    yield from _doubts_about_people(reporter)


def _doubts_about_people(reporter: ColumnLook) -> Iterator[str]:
    names = Counter(plain_text(v).strip() for v in reporter.known)
    if len(reporter.known) < _FEW:
        return
    (most, count), *_ = names.most_common(1)
    if count > _MUCH * len(reporter.known):
        yield (
            f"{reporter.name!r} is {most[:40]!r} in {count:,} of {len(reporter.known):,} rows. If that is a program or"
            f" a moderator who passes reports on, name the column of who did: {option('reporter_id', 'COLUMN')}"
        )
    elif has_roles(reporter):
        yield (
            f"{reporter.name!r} has words for roles, such as {most[:40]!r}: make sure that they are accounts, or name"
            f" the column that has them: {option('reporter_id', 'COLUMN')}"
        )
    alike = len(names) - len({name.casefold() for name in names})
    if alike:
        yield f"{reporter.name!r} has {alike:,} names that differ from others in upper case only: they count apart"


def _first(pattern: re.Pattern[str], looks: Sequence[ColumnLook]) -> str:
    return next((look.name for look in looks if pattern.fullmatch(normalised(bare(look.name)))), "")


def _of_other_trades(looks: Sequence[ColumnLook], called: str) -> list[str]:
    """What is named like the records of bugs, shops, help desks or staff."""
    found = [look.name for look in looks if _OTHER_TRADES.fullmatch(normalised(bare(look.name)))]
    return found + ([match[0]] if (match := _CALLED_OTHERWISE.search(called)) else [])


def _gives_reasons_of_moderators(looks: Sequence[ColumnLook]) -> bool:
    """Whether one of a few words in a column is a reason for which content is reported."""
    few = [look for look in looks if look.distinct <= _MOST_REASONS and not (look.is_time or look.is_prose)]
    return any(_OF_CONTENT.search(normalised(plain_text(word))) for look in few for word in set(look.known))
