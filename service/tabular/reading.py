"""From a path to complaints and outcomes: what a file or folder is, how it is read, and its items."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

from service.errors import Refused
from service.intake.items import OUTCOME, CheckedItem, Noun
from service.intake.notes import NoteCount
from service.model import Outcome, RejectedItem
from service.tabular.archives import SeveralFiles
from service.tabular.assembly import Assembler
from service.tabular.choosing import chosen_list, chosen_part, only_note
from service.tabular.columns import ColumnUse, Recognition, time_cell
from service.tabular.dataframes import Dataframe
from service.tabular.delimited import DelimitedTable
from service.tabular.documents import (
    ItemList,
    ItemReader,
    JsonLines,
    ObjectTable,
    document_of,
    has_items,
    is_document,
    parsed_line,
)
from service.tabular.lists import Found, lists_in
from service.tabular.naming import chosen_columns
from service.tabular.opening import Opened, open_file
from service.tabular.options import AS_IT_IS, ReadingOptions
from service.tabular.other_kinds import table_of_several, table_of_tags
from service.tabular.parquet import ParquetTable
from service.tabular.parquet_folder import ParquetFolder
from service.tabular.presets import PRESETS, PresetTable
from service.tabular.read_as import ReadAs, first_known, lines_read_as
from service.tabular.recognition import recognise
from service.tabular.refusals import UnclearColumns, UnclearHolder, named
from service.tabular.sql_dumps import DumpTable, is_dump
from service.tabular.tables import Batch, Table, WithoutColumns
from service.tabular.text import TextBlocks
from service.tabular.time_styles import style_of
from service.tabular.times import TimeStyle, UnreadableTime
from service.tabular.value_lines import ValueLines, is_value_lines
from service.tabular.vocabulary import TIMES, Field
from service.tabular.xml_files import Element

SAMPLE = 10_000  # rows that show how a table is read
_TRIED = 2_000  # rows that show whether a part of a file is a table of reports
MOST_MEMBERS = 50  # files of an archive that are looked into
_LOOKED_AT = 100  # lines of NDJSON that show its form

Reader = Assembler | ItemReader


class SourceFile:
    """A file, folder of Parquet files or dataframe of complaints or outcomes. `items` yields what it contains, once.

    Raises Refused, with the file's name, for what cannot serve and for what cannot be read.
    """

    def __init__(
        self,
        source: Path | Dataframe,
        noun: Noun,
        now: datetime,
        options: ReadingOptions = AS_IT_IS,
        progress: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._dataframe = source if isinstance(source, Dataframe) else None
        self.path = Path(source.name) if isinstance(source, Dataframe) else source  # named in what is said about it
        self.kind = ""
        self.read_as: list[ReadAs] = []
        self.notes: list[str] = []
        self.header: list[str] = []  # of a table
        self.amended = NoteCount()  # what could not be used of optional fields
        self.naive = False  # times have no offset, and were taken as UTC
        self.is_plain_lines = False  # NDJSON in the API's form, as replay sends it
        self._noun, self._now, self._options, self._progress = noun, now, options, progress
        self._preset = options.preset if noun is not OUTCOME else None
        self._assembler: Assembler | None = None
        self._opened: Opened | None = None
        self._member: str | None = None  # the file of an archive that is read
        self._holding: Collection[str] = ()  # columns of objects that hold the reports in lists
        self._unclear: UnclearHolder | None = None  # what is wrong with a list inside objects
        self._is_cheap = False  # to read, beside making complaints of what was read
        self._inside: list[str] = []  # lists in objects of which none can be read as reports
        try:
            self._batches = self._begin()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._batches = iter(())
        if self._opened is not None:
            self._opened.close()

    def items(self) -> Iterator[CheckedItem | RejectedItem]:
        """The items, and what is refused of them, in the file's order."""
        for reader, batch in self.batches():
            yield from batch.refused
            if reader is not None:
                yield from reader.items(batch)

    def batches(self) -> Iterator[tuple[Reader | None, Batch]]:
        """Batches, and what makes items of their rows (None of a table without rows); what was refused is in them."""
        try:
            with named(self.path):
                yield from self._batches
        finally:
            self.close()

    @property
    def can_be_shared(self) -> bool:
        """Whether several processes may share its batches: each reads all of it, and a verdict counts from its row."""
        judges = self._assembler is not None and "verdict" in self._assembler.recognition.uses
        return self._is_cheap and not judges and self.path.is_file()

    def outcomes(self) -> list[Outcome]:
        """What a verdict column of the complaints says; complete after `items`."""
        return [] if self._assembler is None else self._assembler.outcomes()

    def is_judged(self, complaint_id: str) -> bool:
        """Whether a verdict column is about this complaint, which was read."""
        return self._assembler is not None and complaint_id in self._assembler.judged

    def note_counts(self, counts: Mapping[str, int]) -> None:
        """Note what was changed or left out, by a sentence for people."""
        self.notes += [f"{what}: {count:,}" for what, count in counts.items()]

    def _begin(self) -> Iterator[tuple[Reader | None, Batch]]:
        with named(self.path):
            if self._dataframe is None and not self.path.is_dir():
                self._opened = self._open(self._progress)
                self.notes += self._opened.notes
            found = self._read(self._opened)
            if isinstance(found, ItemList):
                return zip(repeat(found.reader), found.batches())
            return iter(()) if found is None else self._recognised(found)

    def _open(self, progress: Callable[[int], None]) -> Opened:
        """The file; of an archive with several, the one that was named or the one that has reports."""
        told = self._options.sheet
        try:
            opened = open_file(self.path, progress, told)
        except SeveralFiles as error:
            if told is not None or len(error.members) > MOST_MEMBERS:
                raise
            member = chosen_part(self.path.name, "files", [(m, m) for m in error.members], None, self._has_reports)
            opened = open_file(self.path, progress, member)
            self.notes += only_note("file", member, error.members)
        if opened.member is not None:
            self._member, self._options = opened.member, replace(self._options, sheet=None)
        return opened

    def _has_reports(self, member: str) -> bool:
        """Whether a file of an archive can be read as reports."""
        try:
            found = SourceFile(self.path, self._noun, self._now, replace(self._options, sheet=member))
        except Refused:
            return False
        found.close()
        return found._assembler is not None or "API" in found.kind

    def _read(self, opened: Opened | None) -> ItemList | Table | None:
        """Its items if it has the API's form, else the table that it is, as the preset has it; None if it is empty."""
        table: Table | None = None
        if opened is not None:
            found = self._look(opened)
            if isinstance(found, ItemList):
                return found
            table = found
        elif self._dataframe is not None:
            table = self._dataframe.table()
        else:
            table = ParquetFolder(self.path, self._progress)
        if table is not None and self._preset is not None:
            table = PresetTable(table, self._preset)
        if table is not None:
            self.header = list(table.header)
            table = WithoutColumns(table, self._options.ignored) if self._options.ignored else table
        return table

    def _look(self, opened: Opened) -> ItemList | Table | None:
        """The items if the file has the API's form, else the table that it is; None if it is empty."""
        name = self.path.name
        if opened.kind == "parquet":
            return ParquetTable(opened.stream, name, self.path.stat().st_size, self._progress)
        if opened.kind != "text":
            return table_of_several(opened, self.path, self._options.sheet, self._fits, self._progress)
        text = TextBlocks(opened.stream, name, self._options.encoding)
        beginning = text.beginning
        if not beginning:
            self.kind, self.is_plain_lines = "empty", text.is_utf8 and opened.is_bare(self.path)
            self.notes.append("nothing is in it")
            return None
        if beginning == "<":
            found = table_of_tags(text, name, self._options.sheet, self._fits)
            if isinstance(found, Element):
                return self._document_of(found, "XML", text.encoding_name)
            return found
        if beginning == "{" and not is_document(text):
            return self._lines(opened, text)
        if beginning in ("[", "{"):
            return self._document_of(document_of(text, name), "JSON", text.encoding_name)
        if is_dump(text.start):
            return DumpTable(text, self._text_again, name, self._options.sheet, self._fits)
        if is_value_lines(text.start):
            return ValueLines(text, name)
        self._is_cheap = True
        return DelimitedTable(text, name)

    def _text_again(self) -> TextBlocks:
        """The same text from its beginning."""
        opened = open_file(self.path, lambda count: None, self._member)
        assert self._opened is not None
        self._opened.closing += opened.closing
        return TextBlocks(opened.stream, self.path.name, self._options.encoding)

    def _lines(self, opened: Opened, text: TextBlocks) -> ItemList | Table:
        numbered = iter(JsonLines(opened.stream, text))
        first = list(islice(numbered, _LOOKED_AT))
        objects = [value for _, line in first if isinstance(value := parsed_line(line), dict)]

        def everything() -> Iterator[tuple[int, bytes]]:
            yield from first
            yield from numbered

        if not objects or has_items(objects, self._noun):
            self.kind = f"NDJSON in the API's form, {text.encoding_name}"
            self.is_plain_lines = text.is_utf8 and opened.is_bare(self.path)
            self._is_cheap = True
            return self._item_list(everything(), as_lines=True)
        values = ((number, parsed_line(line)) for number, line in everything())
        _, place = self._place_of([("", objects)])
        kind = f"NDJSON{'' if place is None else f', list in {place!r} of each line'}, {text.encoding_name}"
        return self._objects(kind, values, place)

    def _item_list(self, numbered: Iterator[tuple[int, Any]], *, as_lines: bool) -> ItemList:
        return ItemList(ItemReader(self._noun, self._now, self.amended, as_lines=as_lines), numbered)

    def _document_of(self, document: Any, form: str, encoding: str) -> ItemList | Table:
        objects: Sequence[Any] = [document]
        where, inside = "", None
        if not has_items([document], self._noun):
            objects, where, inside = self._list_in(document)
        place = ".".join(filter(None, (where, inside)))
        kind = f"{form} list{f' in {place!r}' if place else ''}, {encoding}"
        if not objects or (inside is None and has_items(objects[:_LOOKED_AT], self._noun)):
            self.kind = f"{kind}, in the API's form"
            return self._item_list(enumerate(objects, 1), as_lines=False)
        values = ((getattr(value, "line", number), value) for number, value in enumerate(objects, 1))
        return self._objects(kind, values, inside)

    def _objects(self, kind: str, values: Iterator[tuple[int, Any]], inside: str | None) -> Table:
        table = ObjectTable(kind, values, self.path.name, inside)
        self._holding = table.holding
        return table

    def _list_in(self, document: Any) -> tuple[Sequence[Any], str, str | None]:
        """The reports of a document, where their list stands, and where in each of its objects if it is inside."""
        found = lists_in(document)
        if not found:
            raise Refused(f"{self.path.name} has no list of reports in it")
        place, inside = self._place_of(found)
        return dict(found)[place], place, inside

    def _place_of(self, found: Sequence[Found]) -> tuple[str, str | None]:
        """Of several lists, and those in their objects, the one that was told or that can be read as reports."""

        def fits(objects: Sequence[Any], inside: str | None) -> bool:
            if inside is None and has_items(objects[:_LOOKED_AT], self._noun):
                return True
            table = ObjectTable("", iter(enumerate(objects, 1)), self.path.name, inside)
            return self._fits(table, table.holding)

        options = self._options
        found_at = chosen_list(self.path.name, found, options.sheet, fits, by_name=not options.columns)
        place, inside, self._inside = found_at
        self.notes += only_note("list", place, [other for other, _ in found]) if inside is None else []
        return place, inside

    def _fits(self, table: Table, holding: Collection[str] = ()) -> bool:
        """Whether a table can be read as reports."""
        rows: list[Sequence[Any]] = []
        for batch in table.batches():
            rows += batch.rows
            if len(rows) >= _TRIED:
                break
        try:
            if rows:
                self._found_in(table.header, rows, holding)
        except Refused as error:
            self._unclear = error if isinstance(error, UnclearHolder) else self._unclear
            return False
        return bool(rows)

    def _recognised(self, table: Table) -> Iterator[tuple[Reader | None, Batch]]:
        batches = table.batches()
        sample: list[Batch] = []
        rows: list[Sequence[Any]] = []
        for batch in batches:
            sample.append(batch)
            rows += batch.rows
            if len(rows) >= SAMPLE:
                break
        self.kind = table.kind  # the encoding may have shown itself
        self.notes += table.notes
        if rows:
            try:
                self._assembler = self._assembler_of(table.header, rows)
            except Refused as error:
                if self._unclear is not None and not self._options.sheet:
                    raise UnclearColumns(f"{self.path.name}: {self._unclear}", self.header) from None
                inner = "".join(f"; if the reports are the objects in {p!r}: --sheet {p}" for p in self._inside[:2])
                held = "".join(f"; {note}" for note in table.notes if note.startswith("lists are not read"))
                raise UnclearColumns(error.problem + held + inner, self.header) from None
        return self._assembled(sample, batches, table)

    def _assembler_of(self, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Assembler:
        try:
            found = self._found_in(header, rows, self._holding)
        except Refused as error:
            raise Refused(f"{self.path.name}: {error}") from None
        times = {f: style for f in TIMES if (style := self._style(f, found, header, rows)) is not None}
        self.notes += found.notes
        self.read_as += lines_read_as(header, rows, found, times)
        if "verdict" in found.uses and "decided_at" not in found.uses and self._noun is not OUTCOME:
            self.notes.append("verdicts have no time: they are taken as known at the end of the file")
        return Assembler(header, found, times, self._noun, self._now, self.amended)

    def _found_in(self, header: Sequence[str], rows: Sequence[Sequence[Any]], holding: Collection[str]) -> Recognition:
        columns = {**(PRESETS[self._preset].columns if self._preset is not None else {}), **self._options.columns}
        chosen = chosen_columns(header, columns)
        called = f"{self.path.name} {self._member or ''} {self.kind}"
        return recognise(header, rows, chosen, outcomes=self._noun is OUTCOME, holding=holding, called=called)

    def _style(
        self, name: Field, found: Recognition, header: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> TimeStyle | None:
        use = found.uses.get(name)
        if use is None:
            return None
        column = use.columns[0]
        chosen = self._options.time_format if name != "account_created_at" else None
        try:
            style = self._style_of_all([time_cell(use, row) for row in rows], use, chosen)
        except UnreadableTime as error:
            if name not in ("occurred_at", "decided_at") or (name == "decided_at" and self._noun is not OUTCOME):
                return None
            raise Refused(f"{self.path.name}: column {header[column]!r}: {error}") from None
        if style.whole_days and name == "occurred_at":
            self.notes.append(f"{header[column]!r} has days without hours: what happens within a day cannot be seen")
        if style.has_offset or style.zone is not None:
            return style
        if not self._options.assume_utc:
            raise Refused(
                f"{self.path.name}: column {header[column]!r}: {first_known(rows, column)!r} has no UTC offset: name"
                " the time zone, for instance --timezone Europe/Berlin or --timezone UTC"
            )
        self.naive = self.naive or name != "account_created_at"
        return replace(style, zone=UTC, note="; ".join(filter(None, (style.note, "no offset: taken as UTC"))))

    def _style_of_all(self, values: Sequence[Any], use: ColumnUse, chosen: str | None) -> TimeStyle:
        """How a column writes times, by the whole file where the sample does not show it."""
        try:
            return style_of(values, chosen, self._options.zone)
        except UnreadableTime:
            if len(values) < SAMPLE:
                raise
        opened = open_file(self.path, lambda count: None, self._member) if self._dataframe is None else None
        try:
            table = self._read(opened)
            for batch in table.batches() if table is not None else ():
                try:
                    return style_of(
                        [*values[:10], *(time_cell(use, row) for row in batch.rows)], chosen, self._options.zone
                    )
                except UnreadableTime:
                    continue
        finally:
            if opened is not None:
                opened.close()
        return style_of(values, chosen, self._options.zone)

    def _assembled(
        self, sample: list[Batch], batches: Iterator[Batch], table: Table
    ) -> Iterator[tuple[Reader | None, Batch]]:
        known = len(table.notes)
        for batch in chain((sample.pop(0) for _ in range(len(sample))), batches):
            yield self._assembler, batch
        self.notes += table.notes[known:]
        if self._assembler is not None:
            self.note_counts(self._assembler.counts)
