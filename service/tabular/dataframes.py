"""Tables in memory, of any library that hands them out by Arrow's interface (`__arrow_c_stream__`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from service.errors import Refused
from service.tabular.arrow import BATCH, ArrowColumns
from service.tabular.tables import Batch


class Dataframe:
    """A table of pandas, polars, pyarrow, DuckDB or another library: taken over once, and read as often as needed.

    Raises Refused for what is not a table, and for one that its library cannot hand out.
    """

    def __init__(self, given: Any) -> None:
        import pyarrow  # heavy, and only needed here

        library = type(given).__module__.partition(".")[0].lstrip("_")
        self.name = f"{library} {type(given).__name__}".removeprefix("builtins ")
        if library == "pyspark" and hasattr(given, "toArrow"):
            given = given.toArrow()  # Spark 4.2 and 4.3 have the interface, but not for columns with times
        if hasattr(given, "collect") and not hasattr(given, "__arrow_c_stream__"):
            raise Refused(f"a {self.name} has no rows yet: give what its collect() returns")
        if not hasattr(given, "__arrow_c_stream__"):
            raise Refused(
                f"a {self.name} is not a table: give a path, or a dataframe with Arrow's interface"
                " (__arrow_c_stream__), as current versions of pandas, polars, pyarrow and DuckDB have it"
            )
        try:
            self._content = pyarrow.RecordBatchReader.from_stream(given).read_all()
        except Exception as error:  # whatever the library raises for a column that it cannot convert
            if "non-struct" in str(error):
                raise Refused(f"a {self.name} is one column: give the table that it belongs to") from error
            raise Refused(
                f"the {self.name} cannot be handed over as Arrow: {error}. A column of mixed or unusual types has to be"
                " converted first, for instance to text"
            ) from error

    def __str__(self) -> str:
        return f"the {self.name}"

    def table(self) -> DataframeTable:
        """Its rows, from the beginning. Raises Refused if none of its columns can be read."""
        return DataframeTable(self._content, self.name)


class DataframeTable:
    """The rows of a dataframe."""

    def __init__(self, content: Any, name: str) -> None:
        self.kind = f"table in memory ({name})"
        self.notes: list[str] = []
        self._name = name
        self._columns = ArrowColumns(content.schema, self.notes, f"the {name}")
        self.header = self._columns.header
        self._content = content.select(self._columns.top)

    def batches(self) -> Iterator[Batch]:
        """The rows, numbered from 1."""
        from pyarrow import ArrowException

        number = 0
        try:
            for batch in self._content.to_batches(BATCH):
                yield self._columns.rows(batch, number)
                number += batch.num_rows
        except ArrowException as error:
            raise Refused(f"the {self._name} cannot be read: {error}") from None
