"""What a statement runs in, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.engine import Cancellation, Relation
from gcp_local.bigquery.references import DatasetRef, TableRef
from gcp_local.bigquery.schema import Field, Schema

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.sql.tables import Transaction


@dataclass(frozen=True)
class Parameter:
    """A query parameter, or a variable of a script.

    Attributes:
        field: its name (empty where it is positional) and type.
        value: as Python has it: int, float, Decimal, str, bytes, bool, date, time, datetime (aware
            for TIMESTAMP), list, dict for STRUCT, text for JSON, None.

    """

    field: Field
    value: Any


@dataclass(frozen=True)
class Session:
    """What is true while a statement runs.

    Attributes:
        project: where names without a project are looked for.
        location: where the job runs, in capitals where it is a multi-region: `EU`.
        now: what CURRENT_TIMESTAMP gives.
        default_dataset: where names without a dataset are looked for.
        parameters: of the query.
        variables: of the script, by their names in small letters.
        functions: the script's temporary functions, by their names in small letters: each is the
            JSON of a `Routine`, as the catalog has the lasting ones.
        temporary: the hidden dataset of the script's temporary tables. Names without a dataset
            are looked for there first, then in `default_dataset`.
        relations: tables that stand for others, or that the catalog has not: a name that means one
            of these reads these rows, whatever the warehouse has (a transaction's own changes, the
            numbered rows of what a DML statement changes).
        transaction: what the script's transaction has changed, if one is under way.
        job: the id of the job.
        settle: called in the transaction in which a statement's change is entered, it enters there
            that the job is done: a server that is killed has done both or neither.

    """

    project: str
    location: str
    now: datetime
    default_dataset: DatasetRef | None = None
    parameters: tuple[Parameter, ...] = ()
    variables: Mapping[str, Parameter] = field(default_factory=dict)
    functions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    temporary: DatasetRef | None = None
    relations: Mapping[TableRef, Relation] = field(default_factory=dict)
    transaction: Transaction | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    job: str = ""
    cancellation: Cancellation = field(default_factory=Cancellation)
    settle: Callable[[Outcome], object] = lambda _: None


@dataclass(frozen=True)
class Outcome:
    """What came of a statement, or with a dry run what would.

    Attributes:
        statement_type: as in `JobStatistics2.statementType`: SELECT, INSERT, CREATE_TABLE, …
        schema: of the rows, if it gives any.
        rows: the rows, in Arrow's types of `schema`; None if it gives none, or with a dry run.
        bytes: how many bytes it processes, by BigQuery's account.
        referenced: the tables that it reads.
        statistics: more of `JobStatistics2`: `dmlStats`, `ddlTargetTable`, …

    """

    statement_type: str
    schema: Schema = ()
    rows: pa.Table | None = None
    bytes: int = 0
    referenced: tuple[TableRef, ...] = ()
    statistics: Mapping[str, Any] = field(default_factory=dict)
