"""JSONPaths of field maps: checked when a field map is read, followed with counted work when a document is. PURE.

The library checks the syntax (RFC 9535) and nothing else: it evaluates `[*,*]` once per selector, so that n segments
make 2^n nodes of n brackets. Here a segment has one selector, so no node is reached twice, and everything that is
looked at is counted: no document and no path can ask for more than MAX_WORK steps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError
from jsonpath.segments import JSONPathChildSegment
from jsonpath.selectors import IndexSelector, NameSelector, SliceSelector, WildcardSelector

from service.platforms.payload import Unusable

MAX_CHARACTERS = 200
MAX_SEGMENTS = 20
MAX_WORK = 1_000_000  # steps of one document: 10,000 items with 16 fields of 4 segments are 800,000
_SYNTAX = JSONPathEnvironment(strict=True)
_NOTHING = object()

# A name, an index, a slice, or None: every element of an array and every value of an object.
Step = str | int | slice | None


class BadPath(ValueError):
    """A path is not valid; the text says why."""


class Work:
    """The steps that may still be taken for one document."""

    __slots__ = ("left",)

    def __init__(self, left: int = MAX_WORK) -> None:
        self.left = left

    def spend(self, steps: int = 1) -> None:
        """Count steps. Raises Unusable when there are none left."""
        self.left -= steps
        if self.left < 0:
            raise Unusable(
                f"reading this document by the source's field map takes more than {MAX_WORK} steps: send fewer"
                " elements at once, or map fewer fields"
            )


@dataclass(frozen=True, slots=True)
class Path:
    """A checked path."""

    steps: tuple[Step, ...]

    def value(self, document: object, work: Work) -> object:
        """The value at a path of names and indexes; None where there is none. Raises Unusable, as Work does."""
        work.spend(1 + len(self.steps))
        for step in self.steps:
            document = _child(document, step)
            if document is _NOTHING:
                return None
        return document

    def values(self, document: object, work: Work) -> Iterator[object]:
        """All values at the path, in the order of the document. Raises Unusable, as Work does."""
        return _walk(document, self.steps, 0, work)


def compiled(text: str, *, several: bool = False) -> Path:
    """The path of a text; `several`: slices and * are allowed. Raises BadPath."""
    try:
        path = _SYNTAX.compile(text)
    except (JSONPathError, ValueError, RecursionError) as error:
        raise BadPath(f"{text!r} is not a valid JSONPath (RFC 9535): {_message_of(error)}") from None
    if not isinstance(path, JSONPath):
        raise BadPath(f"{text!r} has to be a single path")
    if len(path.segments) > MAX_SEGMENTS:
        raise BadPath(f"{text!r} has {len(path.segments)} segments; at most {MAX_SEGMENTS} are allowed")
    return Path(tuple(_step(segment, text, several) for segment in path.segments))


def _step(segment: object, text: str, several: bool) -> Step:
    selectors = segment.selectors if isinstance(segment, JSONPathChildSegment) else ()
    if len(selectors) > 1:
        raise BadPath(f"{text!r} has {len(selectors)} selectors in one pair of brackets; only one is allowed")
    match selectors:
        case (NameSelector(name=name),):
            return str(name)
        case (IndexSelector(index=index),):
            return int(index)
        case (SliceSelector(slice=taken),) if several:
            assert isinstance(taken, slice)
            return taken
        case (WildcardSelector(),) if several:
            return None
    raise BadPath(
        f"{text!r} "
        + (
            "may contain names, indexes, slices and *, but no filter and no .."
            if several
            else "has to select one value: use only names and indexes"
        )
    )


def _walk(value: object, steps: tuple[Step, ...], at: int, work: Work) -> Iterator[object]:
    if at == len(steps):
        work.spend()
        yield value
        return
    for child in _children(value, steps[at], work):
        if at + 1 < len(steps):
            yield from _walk(child, steps, at + 1, work)
        else:
            yield child


def _children(value: object, step: Step, work: Work) -> Iterator[object]:
    work.spend()
    if isinstance(step, (str, int)):
        child = _child(value, step)
        found: Collection[object] = () if child is _NOTHING else (child,)
    elif isinstance(value, list):
        # RFC 9535: a step of 0 selects nothing, where Python raises.
        found = value if step is None else () if step.step == 0 else value[step]
    else:
        found = value.values() if isinstance(value, dict) and step is None else ()
    for child in found:
        work.spend()
        yield child


def _child(value: object, step: Step) -> object:
    if isinstance(value, dict):
        return value.get(step, _NOTHING) if isinstance(step, str) else _NOTHING
    if isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
        return value[step]
    return _NOTHING


def _message_of(error: Exception) -> str:
    """The library's message; some of its errors cannot be turned into text (that of an empty path, for one)."""
    return "".join(str(error.args[0]).splitlines()[:1]) if error.args else type(error).__name__
