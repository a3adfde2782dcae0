"""Columns called like what was reported that are something else, which what stands beside them shows. PURE."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from service.tabular.headings import bare
from service.tabular.looks import ColumnLook, depends_on, is_none, one_of_each_row, same_people
from service.tabular.missing import FEW_TARGETS
from service.tabular.name_kinds import fineness, is_thing
from service.tabular.other_things import is_happening
from service.tabular.plain_names import normalised
from service.tabular.values import plain_text
from service.tabular.vocabulary import ACCOUNTS, LINKS, OTHER_ACCOUNTS, PLACES, REPORTED, ranks_of

MANY = 30  # rows that cannot each be about another target
_FEW = 10  # rows that show nothing
_NEARLY_ALL = 0.8  # of the accounts, of the rows
_MOSTLY = 0.5  # of the rows
_MOST_COMPARED = 500  # rows
_OWN_ID = re.compile(  # of the report itself
    r"(?:.*_)?(?:submission|response|entry|record|respondent|form|answer|ticket|case|request)(?:_?id|_no|_number)?"
    r"|(?:report|flag|complaint)_.*"
)
_EVENT = re.compile(r"event_?")  # of a log, or a match in a game
_SAYS_REPORTED = re.compile(r"reported|flagged|accused")
_ID_OF_REPORTED = re.compile(r"(?:reported|flagged)_id")
_NAME_OF_REPORTED = re.compile(r"(?:reported|flagged)_(?:username|user_name|nickname|display_name|acct|email|handle)")
_OF_PROOF = re.compile(
    r"eviden|proof|screenshot|attach|source|image|photo|picture|avatar|media|upload|referr?er|refurl|homepage|website|beweis"
    r"|beleg|preuve|prueba|prova|bewijs|dowod|bild|foto"
)
_ID_OF_THING = re.compile(r"(?:reported|flagged|target)_[a-z]+_(?:id|uuid|guid)")  # `reported_image_id`
_FILE = re.compile(
    r"\.(?:jpe?g|png|gif|webp|bmp|mp4|mov|webm|pdf|txt|log|zip|mp3|wav|heic|avi)(?:[?#].*)?\Z", re.IGNORECASE
)
_PROPERTY = re.compile(  # of what was reported: "reported_version"
    r"(?:reported|flagged)_(?:[a-z]+_)?(?:version|region|loss|damage|words?|sentences?|terms?|keywords?|rules?|polic(?:y|ies)"
    r"|platform|field|line|position|price|amount|value|minute|second|skill|os|build|mode|map|lang|language|section|area|part"
    r"|paragraph|category|severity|score|rank|level|colou?r|team|side|share|age|size|duration|count|number|locale|session|batch|client|device|via|ref|reference)(?:_id)?"
)
_MOST_STATES = 12
_MOSTLY_KINDS = 0.75  # of the words
Found = dict[int, list[ColumnLook]]
_Rule = Callable[[Found, Sequence[ColumnLook], Sequence[ColumnLook]], Found]


def without_others(found: Found, looks: Sequence[ColumnLook], reporters: Sequence[ColumnLook]) -> Found:
    """What may have been reported, by rank, without what is of the report, of its reporter, of an author, or a proof.

    `looks`: all columns. `reporters`: those whose names say who reported.
    """
    for rule in _RULES:
        found = {rank: left for rank, left in rule(found, looks, reporters).items() if left}
    return found


def is_own(look: ColumnLook) -> bool:
    """Whether a column is called like the id of the report itself."""
    return _OWN_ID.fullmatch(normalised(look.name)) is not None


def one_a_row(look: ColumnLook) -> bool:
    """Whether each row has another value."""
    return len(look.values) >= _FEW and look.distinct == len(look.known) == len(look.values)


def is_proof(look: ColumnLook) -> bool:
    """Whether a column proves or illustrates something: by its name, or since its links are to files."""
    name = normalised(bare(look.name))
    return (_OF_PROOF.search(name) is not None and not _ID_OF_THING.fullmatch(name)) or _has_files(look)


def _has_files(look: ColumnLook) -> bool:
    some = [plain_text(value).strip() for value in look.known[:_MOST_COMPARED]]
    return look.has_links and sum(_FILE.search(text) is not None for text in some) > _MOSTLY * len(some)


def _happenings(found: Found, _: Sequence[ColumnLook], __: Sequence[ColumnLook]) -> Found:
    """A job, ride or match in which somebody met who is called reported in every row."""
    accused = any(_SAYS_REPORTED.match(normalised(o.name)) and None not in o.values for o in found.get(ACCOUNTS, ()))
    every = [look for rank, looks in found.items() if rank != ACCOUNTS for look in looks]
    where = [o for o in every if is_happening(bare(o.name)) and not _SAYS_REPORTED.match(normalised(o.name))]
    return _without(found, where) if accused else found


def _ids_beside_names(found: Found, looks: Sequence[ColumnLook], _: Sequence[ColumnLook]) -> Found:
    """`reported_id` is of a person where a reported person's name stands beside it."""
    people = [look for look in found.get(1, ()) if _ID_OF_REPORTED.fullmatch(normalised(look.name))]
    named = any(_NAME_OF_REPORTED.fullmatch(normalised(look.name)) for look in looks)
    others = [look for look in found.get(1, ()) if look not in people]
    return {**found, 1: others} if named and people and others else found


def _of_reporters(found: Found, _: Sequence[ColumnLook], reporters: Sequence[ColumnLook]) -> Found:
    """Who reported (`Reported email` beside `Reported by`), and a log's event beside accounts."""
    if ACCOUNTS not in found:
        return found
    events = [look for look in found.get(LINKS, ()) if _EVENT.match(normalised(look.name))]
    others = [look for look in found[ACCOUNTS] if not any(same_people(look, o) for o in reporters)]
    return {**found, LINKS: [o for o in found.get(LINKS, ()) if o not in events], ACCOUNTS: others}


def _proofs(found: Found, looks: Sequence[ColumnLook], reporters: Sequence[ColumnLook]) -> Found:
    """Pictures, files and links to them beside something else that was reported; pictures only if few come again."""
    every = [look for looks in found.values() for look in looks]
    others = [o for o in every if not is_proof(o) and not any(same_people(o, who) for who in reporters)]
    if reporters:  # then an account beside them is that of whom they reported
        accounts = [o for o in looks if ranks_of(o.name).get("reporter_id") == OTHER_ACCOUNTS]
        others += [o for o in accounts if o not in reporters and not any(same_people(o, who) for who in reporters)]
    proofs = [o for o in every if o not in others and is_proof(o) and (_has_files(o) or not _comes_again(o))]
    return _without(found, proofs) if others else found


def _kinds(found: Found, _: Sequence[ColumnLook], __: Sequence[ColumnLook]) -> Found:
    """A column of words for kinds of things: Post, comment, group."""
    every = [look for rank, looks in found.items() if rank > 0 for look in looks if look.distinct <= _MOST_STATES]
    words = [{plain_text(value) for value in look.known} for look in every]
    kinds = [o for o, of in zip(every, words, strict=True) if of and sum(map(is_thing, of)) >= _MOSTLY_KINDS * len(of)]
    return _without(found, kinds)


def _properties(found: Found, _: Sequence[ColumnLook], __: Sequence[ColumnLook]) -> Found:
    return _without(found, [o for o in found.get(REPORTED, ()) if _PROPERTY.fullmatch(normalised(bare(o.name)))])


def _own_ids(found: Found, _: Sequence[ColumnLook], __: Sequence[ColumnLook]) -> Found:
    """Ids of the reports, where something else comes again; and their addresses beside accounts."""
    every = [look for looks in found.values() for look in looks]
    again = any(not one_a_row(look) for look in every)
    links = found.get(LINKS, []) if ACCOUNTS in found else []
    return _without(found, [o for o in every if one_a_row(o) and (is_own(o) or o in links)]) if again else found


def _mostly_empty(found: Found, _: Sequence[ColumnLook], __: Sequence[ColumnLook]) -> Found:
    """Columns that most rows leave empty, unless each row has one of several, or they are finer than another."""
    every = [look for looks in found.values() for look in looks]
    whole = [look for look in every if _is_filled(look)]
    if not whole:
        return found
    return {
        rank: looks if one_of_each_row(looks) else [o for o in looks if o in whole or _is_finer(o, whole)]
        for rank, looks in found.items()
    }


def _fewer_than_accounts(found: Found, _: Sequence[ColumnLook], __: Sequence[ColumnLook]) -> Found:
    """A content has one author: fewer of them than accounts are states, kinds or places."""
    accounts = max((look.distinct for look in found.get(ACCOUNTS, ()) if _is_filled(look)), default=0)
    return {
        rank: [o for o in looks if not 0 < rank < PLACES or not _is_filled(o) or o.distinct >= _NEARLY_ALL * accounts]
        for rank, looks in found.items()
    }


def _few_words(found: Found, looks: Sequence[ColumnLook], _: Sequence[ColumnLook]) -> Found:
    """Words for a state or a kind beside something with more values."""
    every = [look for columns in found.values() for look in columns]
    several = any(look.distinct > FEW_TARGETS for look in every) and len(looks[0].values) >= MANY
    few = [o for o in every if o.distinct <= FEW_TARGETS]
    whole = [o for rank, columns in found.items() if rank > 0 for o in columns if len(o.known) == len(o.values)]
    of_places = [o for rank in (PLACES, REPORTED) for o in found.get(rank, ())]
    return _without(found, [o for o in few if o in of_places or (several and o in whole)])


def _lists(found: Found, _: Sequence[ColumnLook], __: Sequence[ColumnLook]) -> Found:
    """Several ids in a cell, beside an account or the like."""
    every = [look for looks in found.values() for look in looks]
    lists = [look for look in every if look.has_lists]
    return _without(found, lists) if len(lists) < len(every) else found


def _texts(found: Found, _: Sequence[ColumnLook], __: Sequence[ColumnLook]) -> Found:
    """The words of what was reported beside its id."""
    ids = [look for looks in found.values() for look in looks if normalised(look.name).endswith("id")]
    texts = [look for looks in found.values() for look in looks if look.is_prose and look not in ids]
    return _without(found, texts) if ids else found


def _places(found: Found, _: Sequence[ColumnLook], __: Sequence[ColumnLook]) -> Found:
    """Where it happened, beside what was reported there: `suspect_community_id` and `suspect_post_id`."""
    accused = [look for rank, looks in found.items() if rank != PLACES for look in looks if look.has_numbers]
    places = [look for look in accused if len(look.known) == len(look.values) and fineness(look.name) == 2]
    return _without(found, places) if len(places) < len(accused) else found


_RULES: Sequence[_Rule] = (
    _lists,
    _texts,
    _places,
    _happenings,
    _ids_beside_names,
    _of_reporters,
    _proofs,
    _kinds,
    _properties,
    _own_ids,
    _mostly_empty,
    _fewer_than_accounts,
    _few_words,
)


def _without(found: Mapping[int, list[ColumnLook]], left_out: Sequence[ColumnLook]) -> Found:
    return {rank: [look for look in looks if look not in left_out] for rank, looks in found.items()}


def _comes_again(look: ColumnLook) -> bool:
    """Whether a column is filled in every row with values of which many come again."""
    return look.distinct < _NEARLY_ALL * len(look.known) and len(look.known) == len(look.values)


def _is_finer(look: ColumnLook, others: Sequence[ColumnLook]) -> bool:
    """Whether each value goes with one of another column, as a reply with its post."""
    return any(other is not look and depends_on(other, look) == 1.0 for other in others)


def _is_filled(look: ColumnLook) -> bool:
    return sum(not is_none(value) for value in look.values) >= _MOSTLY * len(look.values)
