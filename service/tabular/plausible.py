"""Whether a table is one of reports at all: lists of contents have people and times too, of those who wrote. PURE."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, timedelta

from service.tabular.headings import bare
from service.tabular.looks import ColumnLook, Rows, depends_on
from service.tabular.name_kinds import is_address_of_reporter
from service.tabular.plain_names import normalised
from service.tabular.times import UnreadableTime, form_of, moment_of
from service.tabular.values import plain_text

FEW = 10  # so many rows show nothing
MOSTLY = 0.9  # of the targets have one author, one context, one time
_SOMETIMES = 0.5  # of the addresses have one account
_COMPARED = 500  # rows
_SEVERAL = 3  # times that go with targets
_REPORT_IN_NAME = re.compile(r"(?:^|_)(?:report|flag|complaint)(?:_|\Z)")
_OPENED = re.compile(
    r"(?:.*_)?(?:start|started|startzeit|begin|began|beginn|opened|stage|debut|inicio|inizio|start_?tijd|aanvang|rozpoczecia"
    r"|zacatek|baslangic|начала|початку|開始(?:時刻|日時)?|开始时间|시작)(?:_.*|\Z)"
)
_SUBMITTED = re.compile(
    r"(?:.*_)?(?:submit|submitted|end|ende|endzeit|finish|finished|complete|completed|completion|abschluss|abgeschlossen|fertigstellung|fertigstellungszeit|fin"
    r"|achevement|conclusao|termino|conclusion|finalizacion|completamento|fine|voltooiing|einde|eindtijd|zakonczenia"
    r"|ukonceni|dokonceni|tamamlanma|bitis|завершения|окончания|завершення|完了(?:時刻|日時)?|完成时间|완료)(?:_.*|\Z)"
)
_MADE = re.compile(r"creat|publish|sent|entry|提交|创建")
_TECHNICAL = re.compile(  # when a program took or changed the row
    r"(?:^|_)(?:ingest|ingested|ingestion|load|loaded|etl|dwh?|warehouse|sync|synced|synchronized|import|imported|export"
    r"|exported|extract|extracted|fetched|crawled|scraped|collected|indexed|processed|processing|partition|snapshot|stored"
    r"|saved|recorded|inserted|archived|replicated|cdc|airbyte|fivetran|queued|enqueued|delivered|updated?|modified|edited|changed"
    r"|last|uploaded|db|row)(?:_|\Z)"
)
_OF_ANOTHER_ACT = re.compile(  # when it happened that was reported, or what became of the report
    r"(?:.*_)?(?:incidents?|happened|occurrence|event|tat|tatzeit|vorfall|vorfallsdatum|vorfallszeit|ereignis|faits|incidente"
    r"|hechos?|suceso|fatto|fatti|gebeurtenis|zdarzeni[ae]|ocorrencia|инцидента|bearbeitet|erledigt|traitee?|traitement"
    r"|tratad[oa]|procesad[oa]|gestit[oa]|afgehandeld|behandeld|rozpatrzon[oe])(?:_.*)?"
)
_LENGTH_OF_A_DAY = 10  # 2026-11-29


def is_time_of_target(time: ColumnLook, target: ColumnLook) -> bool:
    """Whether a column of times is the same for all rows about one target: then it is when the content was written."""
    if len(time.known) < FEW or time.distinct < _SEVERAL:
        return False
    if all(len(plain_text(v)) <= _LENGTH_OF_A_DAY for v in time.known):
        return False
    share = depends_on(time, target)
    return share is not None and share >= MOSTLY


def is_list_of_contents(target: ColumnLook) -> bool:
    """Whether every row is about another target: reports of people meet, contents are listed once."""
    return len(target.known) >= FEW and target.distinct == len(target.known)


def same_times(first: ColumnLook, second: ColumnLook) -> bool:
    """Whether two columns say the same times, perhaps in two ways: as a number and in words."""
    pairs = list(zip(first.values, second.values, strict=True))
    return first.values == second.values or all(_same_time(a, b) for a, b in pairs[:_COMPARED])


def _same_time(first: object, second: object) -> bool:
    if first is None or second is None:
        return first is second
    try:
        moments = [moment_of(v, form_of(v) or "iso") for v in (first, second)]
        return abs(moments[0].replace(tzinfo=UTC) - moments[1].replace(tzinfo=UTC)) < timedelta(seconds=1)
    except UnreadableTime:
        return False


def when_sent(times: Sequence[ColumnLook]) -> Sequence[ColumnLook]:
    """Of several times that of the report, as `comment_report.published` or the end of a form; all if unclear."""
    times = [time for time in times if "→" not in time.name] or times  # of a table that Metabase joined
    times = [time for time in times if not _TECHNICAL.search(normalised(time.name))] or times
    times = [time for time in times if not _OF_ANOTHER_ACT.fullmatch(normalised(time.name))] or times
    of_report = [time for time in times if _REPORT_IN_NAME.search(normalised(time.name))]
    if len(of_report) == 1:
        return of_report
    sent = [time for time in times if not _OPENED.match(normalised(time.name))]
    submitted = [time for time in sent if _SUBMITTED.match(normalised(time.name))]
    others = [time for time in times if time not in sent and time not in submitted]
    return submitted if len(submitted) == 1 and (len(sent) == 1 or others) else times


def is_of_submission(time: ColumnLook) -> bool:
    """Whether a column is called like the end of a form, or like when a row was made or sent."""
    plain = normalised(bare(time.name))
    return _SUBMITTED.match(plain) is not None or _MADE.search(plain) is not None


def not_theirs(account: ColumnLook, looks: Sequence[ColumnLook]) -> ColumnLook | None:
    """The column of reporters' addresses that an account does not go with: then it is that of somebody else."""
    for look in looks:
        if look is not account and is_address_of_reporter(look.name) and look.distinct >= _SOMETIMES * account.distinct:
            share = depends_on(account, look)
            if share is not None and share < _SOMETIMES:
                return look
    return None


def guests_of(people: ColumnLook) -> Sequence[str]:
    """The ids that databases write for nobody and nothing: 0, unless a column's numbers begin there."""
    ids = {plain_text(value).strip() for value in people.known}
    numbers = all(text.isdecimal() for text in ids - {"-1"})
    return ("0", "-1") if numbers and not {"1", "2"} <= ids else ()


def repeats_differ(look: ColumnLook, rows: Rows) -> bool:
    """Whether ids repeat with different contents in more than a twentieth of the rows."""
    first: dict[object, Sequence[object]] = {}
    differing = 0
    for value, row in zip(look.values, rows, strict=True):
        if value is not None and list(first.setdefault(value, row)) != list(row):
            differing += 1
    return differing > 0.05 * len(rows)


def called_alike(date: ColumnLook, others: Sequence[ColumnLook]) -> list[ColumnLook]:
    """The columns that are called like the date but for the word for it."""

    def rest(look: ColumnLook) -> str:
        return re.sub(r"date|datum|day|time|clock|hour|uhrzeit|zeit|fecha|hora|data|ora|_", "", normalised(look.name))

    return [look for look in others if rest(look) == rest(date)]
