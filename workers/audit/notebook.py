"""The audit for notebooks: of a dataframe or a file, with its results as Arrow tables and as the page.

from workers.audit import audit

report = audit(flags, columns={"reporter": "flagged_by", "target": "post_no"})
report.show()
"""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from service.errors import Refused

if TYPE_CHECKING:
    from pyarrow import Table

    from service.model import JsonObject
    from service.tabular.dataframes import Dataframe
    from workers.audit.examination import Examination, FilesRead
    from workers.audit.listings import AuditTable

_DAY = 86_400
_CLUSTER_COLUMNS = (
    "id",
    "kind",
    "disposition",
    "coordination_score",
    "score",
    "probability",
    "unfounded_probability",
    "reporter_count",
    "target_count",
    "first_at",
    "last_at",
    "summary",
)


class ArrowStream(Protocol):
    """A dataframe of any library that hands out its rows by Arrow's interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


class SparkSession(Protocol):
    """A session of Spark, Spark Connect or Databricks Connect."""

    def sql(self, sqlQuery: str) -> Any: ...


ComplaintSource = str | os.PathLike[str] | ArrowStream


def audit(
    data: ComplaintSource | Sequence[ComplaintSource],
    columns: Mapping[str, str] | None = None,
    *,
    outcomes: ComplaintSource | Sequence[ComplaintSource] = (),
    timezone: str | None = None,
    time_format: str | None = None,
    sheet: str | None = None,
    preset: str | None = None,
    encoding: str | None = None,
    max_rejected: float = 0.01,
    window_days: float = 14,
    step_days: float = 1,
    as_of: datetime | None = None,
    engine: str | SparkSession = "auto",
) -> AuditReport:
    """Look for coordinated groups in complaints: a dataframe, a path, or several of them.

    Dataframes are those of pandas, polars, pyarrow, DuckDB, Spark or any other library with Arrow's interface.
    `columns` names columns that are not recognised, field to column, like {"target": "post_id"}; the other arguments
    are the options of `brigadewatch audit`, and `engine` may be a Spark session, which then does the work. Raises
    Refused, with the sentence that the command would print, also where more rows than `max_rejected` (a share) were
    rejected.
    """
    from service.settings import read_settings
    from service.tabular.options import options_of
    from service.wall_clock import now
    from workers.audit.engines import sweeps_by
    from workers.audit.examination import FilesRead, examine

    if as_of is not None and as_of.tzinfo is None:
        raise Refused(f"as_of is {as_of}, which has no UTC offset: give a time with tzinfo, for instance UTC")
    try:
        settings = read_settings()
    except ValueError as error:
        raise Refused(str(error)) from None
    sweeps = sweeps_by(engine, settings, processes=1)
    files = FilesRead()
    found = examine(
        _sources(data),
        outcomes=_sources(outcomes),
        now=now(),
        window_seconds=round(window_days * _DAY),
        step_seconds=round(step_days * _DAY),
        as_of=as_of,
        options=options_of(dict(columns or {}), timezone, time_format, sheet, preset, encoding, assume_utc=True),
        files=files,
        sweeps=sweeps,
    )
    if files.complaints.beyond(max_rejected) or files.outcomes.beyond(max_rejected):
        raise Refused(
            f"{'; '.join(files.rejections())}. That is more than {100 * max_rejected:g}% of the rows: correct them, or"
            " leave them out knowingly with max_rejected=0.05 or the like"
        )
    return AuditReport(found, files)


class AuditReport:
    """What an audit found. In Jupyter it shows itself as the page."""

    def __init__(self, found: Examination, files: FilesRead) -> None:
        self._found, self._files = found, files

    @property
    def json(self) -> JsonObject:
        """The report as `brigadewatch audit --out` writes it."""
        return self._found.report

    @property
    def clusters(self) -> Table:
        """The groups that were found, flagged ones first."""
        rows = [
            tuple(datetime.fromisoformat(c[name]) if name.endswith("_at") else c[name] for name in _CLUSTER_COLUMNS)
            for c in self.json["clusters"]
        ]
        return _table(_CLUSTER_COLUMNS, rows)

    @property
    def targets(self) -> Table:
        """The targets of the groups, with both counts: a row for each group and target."""
        return _table_of(self._found.targets())

    @property
    def members(self) -> Table:
        """The accounts of the groups: a row for each group and account."""
        return _table_of(self._found.members())

    @property
    def columns(self) -> Table:
        """How each column was read, and why. Look at it: a column taken for something else spoils the result."""
        import pyarrow

        names = ("file", "column", "read_as", "why")
        read = [{name: getattr(each, name) for name in names} for each in self._found.scope.columns]
        return pyarrow.Table.from_pylist(read, pyarrow.schema([(name, pyarrow.string()) for name in names]))

    @property
    def notes(self) -> list[str]:
        """What there is to know about the files and the analysis."""
        return [*self._found.scope.remarks, *self.json["notes"]]

    def save(self, page: str | os.PathLike[str]) -> None:
        """Write the page, with accounts and targets as CSV beside it. Raises Refused if that is not possible."""
        from workers.audit.command import write_page

        path = Path(page).expanduser()
        if not path.parent.is_dir():
            raise Refused(f"{path.parent} is not a folder: save() needs a folder that exists")
        write_page(self._found, path)

    def show(self) -> None:
        """Show the page in Jupyter. Raises Refused elsewhere."""
        try:
            display = import_module("IPython.display").display
        except ImportError:
            raise Refused(
                "show() needs Jupyter: write the page with save('report.html') and open it in a browser"
            ) from None
        display(self)

    def __repr__(self) -> str:
        flagged = self.json["summary"]["flagged"]["groups"]
        return f"<AuditReport: complaints={self.json['complaints']:,} flagged_groups={flagged:,}>"

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that neither its styles nor those of the notebook leak."""
        page = html.escape(self._found.page(embedded=True))
        style = "width: 100%; height: 45rem; border: 1px solid #999; resize: vertical"
        return f'<iframe title="Complaints audit" sandbox="" style="{style}" srcdoc="{page}"></iframe>'


def _sources(given: ComplaintSource | Sequence[ComplaintSource]) -> list[Path | Dataframe]:
    from service.tabular.dataframes import Dataframe

    several = list(given) if isinstance(given, list | tuple) else [given]
    return [
        Path(each).expanduser() if isinstance(each, str | os.PathLike) else Dataframe(each)
        for each in cast(list[Any], several)
    ]


def _table_of(listing: AuditTable) -> Table:
    return _table(listing.columns, listing.rows)


def _table(columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> Table:
    """Rows as an Arrow table whose types do not depend on the rows."""
    import pyarrow

    def kind(name: str) -> Any:
        if name.endswith("_at"):
            return pyarrow.timestamp("us", "UTC")
        if name in ("complaints", "by_members", "reporter_count", "target_count"):
            return pyarrow.int64()
        return (
            pyarrow.float64() if name.endswith(("score", "probability", "independent_complaints")) else pyarrow.string()
        )

    values = list(zip(*rows, strict=True)) if rows else [() for _ in columns]
    arrays = [pyarrow.array(each, kind(name)) for name, each in zip(columns, values, strict=True)]
    return pyarrow.table(dict(zip(columns, arrays, strict=True)))
