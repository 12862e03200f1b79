"""What the statements about tables, views, schemas and routines are made of.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gcp_local.bigquery.sql.cursor import Fragment
from gcp_local.bigquery.sql.ddl.types import Column

Path = tuple[str, ...]
Options = list[tuple[str, Fragment]]


@dataclass(frozen=True)
class ForeignKey:
    """`FOREIGN KEY (columns) REFERENCES path (others) NOT ENFORCED`."""

    name: str
    columns: tuple[str, ...]
    path: Path
    others: tuple[str, ...]


@dataclass(frozen=True)
class Create:
    """What every CREATE has; `lenient` is IF NOT EXISTS."""

    path: Path
    replace: bool
    lenient: bool
    temporary: bool


@dataclass(frozen=True)
class CreateTable(Create):
    """CREATE TABLE, CREATE SNAPSHOT TABLE.

    Attributes:
        partitions: the `timePartitioning` or `rangePartitioning`; the column is checked later.
        bare: whether it is partitioned by a column as it is, which has to be a DATE.
        how: LIKE, COPY or CLONE, of the table `source`.
        moment: of FOR SYSTEM_TIME AS OF.

    """

    snapshot: bool = False
    columns: tuple[Column, ...] | None = None
    primary: tuple[str, ...] = ()
    foreign: tuple[ForeignKey, ...] = ()
    partitions: dict[str, Any] = field(default_factory=dict)
    bare: bool = False
    clustering: tuple[str, ...] = ()
    options: Options = field(default_factory=list)
    query: Fragment | None = None
    how: str = ""
    source: Path = ()
    moment: Fragment | None = None


@dataclass(frozen=True)
class CreateView(Create):
    """CREATE VIEW, CREATE MATERIALIZED VIEW; `columns` with their options."""

    materialized: bool
    columns: tuple[tuple[str, Options], ...]
    partitions: dict[str, Any]
    clustering: tuple[str, ...]
    options: Options
    query: Fragment


@dataclass(frozen=True)
class CreateSchema(Create):
    """CREATE SCHEMA."""

    options: Options


@dataclass(frozen=True)
class Argument:
    """Of a routine; `type` is empty for ANY TYPE."""

    name: str
    type: dict[str, Any]
    mode: str = ""


@dataclass(frozen=True)
class CreateRoutine(Create):
    """CREATE FUNCTION, TABLE FUNCTION, PROCEDURE; `kind` is the `routineType`."""

    kind: str
    arguments: tuple[Argument, ...]
    returns: dict[str, Any] | None
    body: Fragment
    options: Options


@dataclass(frozen=True)
class Drop:
    """DROP of a `kind`, such as SNAPSHOT TABLE; `lenient` is IF EXISTS."""

    kind: str
    path: Path
    lenient: bool
    cascade: bool = False


@dataclass(frozen=True)
class Action:
    """One thing that ALTER does.

    Attributes:
        verb: ADD COLUMN, DROP COLUMN, RENAME COLUMN, RENAME TO, SET OPTIONS, ALTER COLUMN and what,
            ADD PRIMARY KEY, DROP PRIMARY KEY, ADD FOREIGN KEY, DROP CONSTRAINT.
        name: of the column or constraint.
        lenient: IF EXISTS or IF NOT EXISTS.

    """

    verb: str
    place: Fragment
    name: str = ""
    lenient: bool = False
    new: str = ""
    column: Column | None = None
    type: dict[str, Any] = field(default_factory=dict)
    options: Options = field(default_factory=list)
    default: Fragment | None = None
    columns: tuple[str, ...] = ()
    foreign: ForeignKey | None = None


@dataclass(frozen=True)
class Alter:
    """ALTER of a `kind`."""

    kind: str
    path: Path
    lenient: bool
    actions: tuple[Action, ...]


Statement = CreateTable | CreateView | CreateSchema | CreateRoutine | Drop | Alter
