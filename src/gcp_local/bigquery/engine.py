"""DuckDB, for one statement at a time: relations in, rows out.

Each statement has a database in memory to itself, in which its relations are views over the files
of the versions that it reads. DuckDB reads the warehouse's folder and nothing else.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import Field, Schema, quoted

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


_MOST_IDLE = 4
_AGAIN_SECONDS = 0.05


@dataclass(frozen=True)
class FileRelation:
    """Rows in the warehouse's files; a column that a file has not is null there."""

    schema: Schema
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class RowRelation:
    """Rows in memory."""

    schema: Schema
    rows: pa.Table


Relation = FileRelation | RowRelation


@dataclass(frozen=True)
class PythonFunction:
    """A function that a statement's SQL calls.

    Attributes:
        act: what is called with plain values; an exception ends the statement.
        arguments: their types in DuckDB's words; `result` likewise.
        nulls: it is called with None too; else its result is None if an argument is.
        volatile: each call may give something else.

    """

    act: Callable[..., Any]
    arguments: tuple[str, ...]
    result: str
    nulls: bool = False
    volatile: bool = False


@dataclass
class Cancellation:
    """Lets somebody else end what is running: a call of `cancel` calls what is to be told."""

    cancelled: bool = False
    why: str = ""
    _told: list[Callable[[], object]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cancel(self, why: str = "User requested cancellation") -> None:
        """Ask for the end. Returns at once."""
        with self._lock:
            if self.cancelled:
                return
            self.cancelled, self.why = True, why
        if not self._tell():
            threading.Thread(target=self._insist, daemon=True).start()

    def _insist(self) -> None:
        """Tell again: what is told a moment before it begins, or between two steps, goes on."""
        while not self._tell():
            time.sleep(_AGAIN_SECONDS)

    def _tell(self) -> bool:
        """Tell all who are to be told; say whether nobody is left."""
        with self._lock:
            for tell in self._told:
                tell()
            return not self._told

    @contextmanager
    def telling(self, tell: Callable[[], object]) -> Iterator[None]:
        """Have something called if the end is asked for meanwhile.

        Raises:
            BigQueryError: `stopped`; it was asked for before.

        """
        with self._lock:
            self._told.append(tell)
        try:
            self.check()  # only now: an end that is asked for after this is told
            yield
        finally:
            with self._lock:
                self._told.remove(tell)

    def check(self) -> None:
        """Raise `stopped` if the end was asked for."""
        if self.cancelled:
            raise BigQueryError("stopped", f"Job execution was cancelled: {self.why}")


class Engine:
    """Runs DuckDB's SQL over relations.

    Args:
        folder: the warehouse's folder, the only one that may be read.

    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._idle: list[duckdb.DuckDBPyConnection] = []

    def run(
        self,
        sql: str,
        relations: Mapping[str, Relation],
        parameters: Sequence[Any] = (),
        cancellation: Cancellation | None = None,
        functions: Mapping[str, PythonFunction] | None = None,
    ) -> pa.Table:
        """Run one statement and give its rows, in DuckDB's types.

        Args:
            sql: in DuckDB's dialect; names the relations by the mapping's keys.
            relations: what it reads.
            parameters: the values of `$1`, `$2`, … in it.
            cancellation: asked for, the statement ends.
            functions: the Python functions that it calls, by their names there.

        Raises:
            duckdb.Error: as DuckDB words it; whoever wrote the SQL knows what it means.
            BigQueryError: `stopped`.

        """
        import duckdb

        cancellation = cancellation or Cancellation()
        functions = functions or {}
        connection = self._connection()
        try:
            with cancellation.telling(connection.interrupt):
                rows = _run(connection, sql, relations, parameters, functions)
        except duckdb.InterruptException:
            connection.close()
            cancellation.check()
            raise
        except BaseException:
            connection.close()
            raise
        if functions or not self._keep(connection):
            connection.close()
        return rows

    def _connection(self) -> duckdb.DuckDBPyConnection:
        """Give a database without anything in it: a new one takes as long as a small query."""
        import duckdb

        with self._lock:
            if self._idle:
                return self._idle.pop()
        connection = duckdb.connect(":memory:")
        connection.execute(
            "SET TimeZone = 'UTC';"
            f"SET allowed_directories = [{_text(self._folder)}];"
            "SET enable_external_access = false; SET lock_configuration = true"
        )
        return connection

    def _keep(self, connection: duckdb.DuckDBPyConnection) -> bool:
        with self._lock:
            if len(self._idle) >= _MOST_IDLE:
                return False
            self._idle.append(connection)
        return True


def _run(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    relations: Mapping[str, Relation],
    parameters: Sequence[Any],
    functions: Mapping[str, PythonFunction],
) -> pa.Table:
    for name, function in functions.items():
        _teach(connection, name, function)
    for name, relation in relations.items():
        _lay(connection, name, relation)
    rows = connection.sql(sql, params=list(parameters)).to_arrow_table()
    for name, relation in relations.items():
        connection.execute(f"DROP VIEW {quoted(name)}")
        if isinstance(relation, RowRelation):
            connection.unregister(f"{name} rows")
    return rows


def _lay(connection: duckdb.DuckDBPyConnection, name: str, relation: Relation) -> None:
    present: set[str] = set()
    if isinstance(relation, RowRelation):
        connection.register(f"{name} rows", relation.rows)
        source = quoted(f"{name} rows")
        present = {field.name for field in relation.schema}
    elif relation.paths:
        source = f"read_parquet([{', '.join(map(_text, relation.paths))}], union_by_name = true)"
        described = connection.execute(f"DESCRIBE FROM {source}").fetchall()
        present = {row[0] for row in described}
    else:
        source = "(SELECT 1) WHERE false"
    columns = ", ".join(_column(each, there=each.name in present) for each in relation.schema)
    # Names and paths are quoted; DuckDB's views take no parameters.
    connection.execute(f"CREATE VIEW {quoted(name)} AS SELECT {columns} FROM {source}")  # noqa: S608


def _teach(connection: duckdb.DuckDBPyConnection, name: str, function: PythonFunction) -> None:
    import duckdb
    from duckdb.func import FunctionNullHandling

    connection.create_function(
        name,
        _declared(function),
        [duckdb.type(kind) for kind in function.arguments],
        duckdb.type(function.result),
        null_handling=FunctionNullHandling.SPECIAL,
        side_effects=function.volatile,
    )


def _declared(function: PythonFunction) -> Callable[..., Any]:
    """Give a function of so many parameters as it is called with: DuckDB counts them."""
    act, nulls = function.act, function.nulls

    def called(*values: object) -> Any:
        return act(*values) if nulls or None not in values else None

    kind = inspect.Parameter.POSITIONAL_ONLY
    names = (inspect.Parameter(f"value_{at}", kind) for at in range(len(function.arguments)))
    called.__signature__ = inspect.Signature(tuple(names))  # type: ignore[attr-defined]
    return called


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _column(column: Field, *, there: bool) -> str:
    value = quoted(column.name) if there else "NULL"
    return f"CAST({value} AS {column.duckdb}) AS {quoted(column.name)}"
