"""DuckDB, for one statement at a time: relations in, rows out.

Each statement gets a database in memory of its own, in which its relations are views over the files
of the versions that it reads. DuckDB reads the warehouse's folder and nothing else.
"""

from __future__ import annotations

import inspect
import threading
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
            told = list(self._told)
        for tell in told:
            tell()

    @contextmanager
    def telling(self, tell: Callable[[], object]) -> Iterator[None]:
        """Have something called if the end is asked for meanwhile.

        Raises:
            BigQueryError: `stopped`; it was asked for before.

        """
        self.check()
        with self._lock:
            self._told.append(tell)
        try:
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
        with self._connected(relations) as connection, cancellation.telling(connection.interrupt):
            for name, function in (functions or {}).items():
                _teach(connection, name, function)
            try:
                return connection.execute(sql, list(parameters)).to_arrow_table()
            except duckdb.InterruptException:
                cancellation.check()
                raise

    @contextmanager
    def _connected(self, relations: Mapping[str, Relation]) -> Iterator[duckdb.DuckDBPyConnection]:
        import duckdb

        connection = duckdb.connect(":memory:")
        connection.execute(
            "SET TimeZone = 'UTC';"
            f"SET allowed_directories = [{_text(self._folder)}];"
            "SET enable_external_access = false; SET lock_configuration = true"
        )
        try:
            for name, relation in relations.items():
                _lay(connection, name, relation)
            yield connection
        finally:
            connection.close()


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
