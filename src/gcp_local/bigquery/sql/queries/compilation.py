"""What one statement's parts have in common: its session, and what DuckDB is to be given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.engine import PythonFunction

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.queries.pruning import Scan
    from gcp_local.bigquery.sql.queries.tables import Tables
    from gcp_local.bigquery.sql.session import Session
    from gcp_local.bigquery.sql.table_functions import TableFunctions


@dataclass
class Compilation:
    """One statement being compiled.

    Attributes:
        session: what it runs in.
        tables: finds tables by their names, and remembers which were named.
        functions: the Python functions that its SQL calls, by their names there.
        tables_session: where names of tables are looked for: another one inside a view.
        table_functions: answer functions that stand in FROM.
        dry: nothing is to be run.
        views: the views that are being read, the outermost first.
        routines: the user's functions that are being read likewise.
        twins: the further relations of a wildcard, by the first.
        scans: the partitioned tables that are read, by the names of their relations.
        extra_bytes: what table functions read.

    """

    session: Session
    tables: Tables
    functions: dict[str, PythonFunction] = field(default_factory=dict)
    tables_session: Session = None  # type: ignore[assignment]
    table_functions: TableFunctions | None = None
    dry: bool = False
    views: tuple[str, ...] = ()
    routines: tuple[str, ...] = ()
    twins: dict[str, list[str]] = field(default_factory=dict)
    scans: dict[str, Scan] = field(default_factory=dict)
    extra_bytes: int = 0
    _count: int = 0

    def __post_init__(self) -> None:
        """Begin in the session's names."""
        self.tables_session = self.session

    def fresh(self, letter: str) -> str:
        """Give a name that nothing else has."""
        self._count += 1
        return f"{letter}{self._count}"

    def call(
        self, act: Callable[..., Any], arguments: list[tuple[str, str]], result: str, *,
        nulls: bool = False, volatile: bool = False,
    ) -> str:  # fmt: skip
        """Write a call of a Python function.

        Args:
            act: the function.
            arguments: each argument's SQL and DuckDB's type.
            result: DuckDB's type of the result.
            nulls: it is called with None too; else it is None if an argument is.
            volatile: each call may give something else.

        """
        if result == "DOUBLE":
            # DuckDB takes a NaN that Python gives for NULL, but not the text of one.
            text = self.call(_written(act), arguments, "VARCHAR", nulls=nulls, volatile=volatile)
            return f"CAST({text} AS DOUBLE)"
        kinds = tuple(kind for _, kind in arguments)
        wanted = PythonFunction(act, kinds, result, nulls=nulls, volatile=volatile)
        name = next((name for name, each in self.functions.items() if each == wanted), "")
        if not name:
            name = f"py{len(self.functions)}_{act.__name__}"
            self.functions[name] = wanted
        return f"{name}({', '.join(sql for sql, _ in arguments)})"


@cache
def _written(act: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function that gives a FLOAT64's text."""

    @wraps(act)
    def written(*values: object) -> str | None:
        found = act(*values)
        return None if found is None else repr(float(found))

    return written
