"""What a statement that changes rows is made of.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax.
"""

from __future__ import annotations

from dataclasses import dataclass

from gcp_local.bigquery.sql.cursor import Fragment


@dataclass(frozen=True)
class Target:
    """The table that is changed, as the statement names it; `place` is where."""

    path: tuple[str, ...]
    alias: str
    place: Fragment


@dataclass(frozen=True)
class Setting:
    """`a.b = value`."""

    path: tuple[str, ...]
    value: Fragment
    place: Fragment


@dataclass(frozen=True)
class Values:
    """What a row to insert has; `columns` empty means all of the table's."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Fragment, ...], ...]


@dataclass(frozen=True)
class Insert:
    """`INSERT INTO target (columns) VALUES …` or a query."""

    target: Target
    values: Values
    query: Fragment | None


@dataclass(frozen=True)
class Update:
    """`UPDATE target SET … FROM sources WHERE …`."""

    target: Target
    settings: tuple[Setting, ...]
    sources: Fragment | None
    where: Fragment


@dataclass(frozen=True)
class Delete:
    """`DELETE FROM target WHERE …`."""

    target: Target
    where: Fragment


@dataclass(frozen=True)
class Truncate:
    """`TRUNCATE TABLE target`."""

    target: Target


@dataclass(frozen=True)
class When:
    """A clause of MERGE.

    Attributes:
        kind: MATCHED, or NOT MATCHED BY TARGET or SOURCE (given as TARGET and SOURCE).
        action: what is set; what is inserted (None: ROW); or DELETE.

    """

    kind: str
    condition: Fragment | None
    settings: tuple[Setting, ...] = ()
    insert: Values | None = None
    delete: bool = False


@dataclass(frozen=True)
class Merge:
    """`MERGE target USING source ON condition WHEN …`."""

    target: Target
    source: Fragment
    on: Fragment
    clauses: tuple[When, ...]


Statement = Insert | Update | Delete | Truncate | Merge
