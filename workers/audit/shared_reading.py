"""The complaints of a file with keys for names, read in this process, or by several that share its batches.

Each process reads the whole text of the file, which is the smaller part of the work, and makes complaints only of
every nth batch. What they found comes together in the order of the file, so that the same is read either way.
"""

from __future__ import annotations

import gc
import logging
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import cycle
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from service.errors import Refused
from service.intake.items import COMPLAINT
from service.intake.notes import NoteCount
from service.model import RejectedItem
from service.tabular.assembly import Assembler
from service.tabular.column_reading import BatchColumns
from service.tabular.dataframes import Dataframe
from service.tabular.options import ReadingOptions
from service.tabular.reading import Reader, SourceFile
from service.tabular.tables import Batch
from workers.audit.files import Reading
from workers.audit.keyed_complaints import KeyedComplaints, KeyMaker
from workers.audit.several_processes import context_here, ended_from_outside, stay_with_parent

log = logging.getLogger(__name__)

WORTH_PROCESSES = 6 * 1024**2  # bytes of a file as it is stored: a smaller one is read before a second process begins
MOST_READERS = 8  # each reads the whole text, so that more of them gain little and cost much
_BETWEEN_SEARCHES = 20_000  # objects made between searches for garbage, which take a seventh of the time at 700


@dataclass(frozen=True, slots=True)
class ReadingTask:
    """What is to be read of a file, and how."""

    now: datetime
    options: ReadingOptions
    until_us: int | None  # complaints after it are left out
    text_min_words: int
    judged_complaints: Collection[str]  # ids of complaints that outcomes are about


@dataclass(slots=True)
class BatchRead:
    """What a batch of a file came to."""

    complaints: KeyedComplaints = field(default_factory=KeyedComplaints)
    refused: list[RejectedItem] = field(default_factory=list)
    too_late: int = 0  # complaints after the time that was wanted
    amended: NoteCount = field(default_factory=NoteCount)
    counts: Counter[str] = field(default_factory=Counter)
    progress: int = 0  # bytes of the file


def read_keyed(
    origin: Path | Dataframe, task: ReadingTask, reading: Reading, progress: Callable[[int], None], processes: int
) -> Iterator[BatchRead]:
    """Batch by batch what can be read of a file or dataframe; `reading` counts it, and what was refused.

    `progress` is called with the number of bytes read since the last call. Raises Refused for a file that cannot serve
    or cannot be read.
    """
    source = SourceFile(origin, COMPLAINT, task.now, task.options, progress)
    reading.sources.append(source)
    shared = processes > 1 and source.can_be_shared and source.path.stat().st_size >= WORTH_PROCESSES
    at_once = min(processes, MOST_READERS)
    for read in _read_by_several(source, task, progress, at_once) if shared else _read_here(source, task):
        for item in read.refused:
            reading.refuse(source.path, item)
        reading.items += len(read.complaints) + read.too_late
        yield read


def _read_here(source: SourceFile, task: ReadingTask) -> Iterator[BatchRead]:
    reader = _BatchReader(task)
    for batch in source.batches():
        yield reader.read(*batch)


class _BatchReader:
    """Makes keyed complaints of the batches of a file."""

    def __init__(self, task: ReadingTask) -> None:
        self._until_us = task.until_us
        self._columns, self._keys = BatchColumns(), KeyMaker(task.text_min_words, task.judged_complaints)

    def read(self, reader: Reader | None, batch: Batch) -> BatchRead:
        """The complaints of a batch, and what is refused of it."""
        made = BatchRead()
        for found in self._columns.of(reader, batch):
            if isinstance(found, RejectedItem):
                made.refused.append(found)
                continue
            complaints = found if self._until_us is None else found.until(self._until_us)
            made.too_late = len(found) - len(complaints)
            made.complaints = self._keys.keyed(complaints)
        return made


def _read_by_several(
    source: SourceFile, task: ReadingTask, progress: Callable[[int], None], processes: int
) -> Iterator[BatchRead]:
    """The batches as `processes` others read them, in their order."""
    readers: list[_ShareReader] = []
    try:
        try:
            readers.extend(_start_reader(source.path, task, part, processes) for part in range(processes))
        except OSError as error:  # no more processes, or no memory for them
            log.info("%s is read in one process, since several cannot be started: %s", source.path, error)
            _end(readers)
            yield from _read_here(source, task)
            return
        source.close()  # each opened it for itself
        yield from _receive(source, readers, progress)
    finally:
        _end(readers)


@dataclass(frozen=True, slots=True)
class _ShareReader:
    """A process that reads its share of a file, and where what it reads arrives."""

    process: BaseProcess
    end: Connection


@dataclass(frozen=True, slots=True)
class _EndOfFile:
    """What a process says after its last batch: bytes read since then, and what there is to say about the file."""

    progress: int
    notes: list[str]


def _start_reader(path: Path, task: ReadingTask, part: int, parts: int) -> _ShareReader:
    context = context_here()
    mine, theirs = context.Pipe(duplex=False)
    with theirs:  # the process has it alone, so that its end shows
        process: BaseProcess = context.Process(target=_send_share, args=(theirs, path, task, part, parts), daemon=True)
        try:
            process.start()
        except OSError:
            mine.close()
            raise
    return _ShareReader(process, mine)


def _end(readers: list[_ShareReader]) -> None:
    for reader in readers:
        reader.process.terminate()
        reader.process.join()
        reader.end.close()
    readers.clear()


def _receive(source: SourceFile, readers: list[_ShareReader], progress: Callable[[int], None]) -> Iterator[BatchRead]:
    """What the processes read, in the order of the file; then what is to be said about all of it is noted.

    Each is heard in its turn, so that one that is ahead waits, and memory is bounded. Raises what they raised.
    """
    counts: Counter[str] = Counter()
    notes, ended = list[str](), 0
    for reader in cycle(list(readers)):
        try:
            message = reader.end.recv()
        except EOFError:
            raise ended_from_outside(len(readers)) from None
        if isinstance(message, Exception):
            raise message
        progress(message.progress)
        if isinstance(message, _EndOfFile):  # in the turn of the batch behind the last, and so do the others then
            notes += message.notes
            ended += 1
            if ended == len(readers):
                break
            continue
        source.amended.merge(message.amended)
        counts.update(message.counts)
        yield message
    source.notes += notes
    source.note_counts(counts)


def _send_share(end: Connection, path: Path, task: ReadingTask, part: int, parts: int) -> None:
    """Read every batch of a file, and send what comes of those whose number is `part` modulo `parts`."""
    stay_with_parent()
    gc.set_threshold(_BETWEEN_SEARCHES)
    try:
        for message in _read_share(path, task, part, parts):
            end.send(message)
    except Refused as error:
        end.send(Refused(str(error)))
    except Exception as error:
        end.send(RuntimeError("".join(traceback.format_exception(error))))


def _read_share(path: Path, task: ReadingTask, part: int, parts: int) -> Iterator[BatchRead | _EndOfFile]:
    done = 0

    def progress(count: int) -> None:
        nonlocal done
        done += count

    source = SourceFile(path, COMPLAINT, task.now, task.options, progress)
    done = 0  # what it read of the file so far, the first process has read as well
    known, reader = len(source.notes), _BatchReader(task)
    for number, (items, batch) in enumerate(source.batches()):
        if number % parts != part:
            continue
        read = reader.read(items, batch)
        read.amended = source.amended.drain()
        if isinstance(items, Assembler):
            read.counts = items.counts.copy()
            items.counts.clear()
        if part == 0:
            read.progress, done = done, 0
        yield read
    yield _EndOfFile(done, source.notes[known:]) if part == 0 else _EndOfFile(0, [])
