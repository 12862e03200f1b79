"""What names mean in a query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import quoted
from gcp_local.bigquery.sql.grammar.nodes import place_of
from gcp_local.bigquery.sql.queries.typed import Typed, made
from gcp_local.bigquery.sql.types import Type, distinct_names

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True)
class Column:
    """A column that a query can name.

    Attributes:
        name: as it was called.
        type: its type.
        sql: in DuckDB's SQL.
        origin: the relation and column of a table that it is, whose bytes are read with it.
        hidden: `*` does not give it: a pseudo-column.

    """

    name: str
    type: Type
    sql: str
    origin: tuple[str, str] | None = None
    hidden: bool = False


@dataclass(frozen=True)
class Source:
    """Something in a FROM clause.

    Attributes:
        name: its alias, or what it is called without one; empty for none.
        columns: what it has.
        value: what its name means by itself where its rows are values: of UNNEST, SELECT AS VALUE.

    """

    name: str
    columns: tuple[Column, ...]
    value: Column | None = None

    @property
    def row(self) -> Column:
        """What the name means by itself: the value, or a struct of the columns."""
        if self.value is not None:
            return self.value
        shown = [column for column in self.columns if not column.hidden]
        kind = Type("STRUCT", fields=tuple((column.name, column.type) for column in shown))
        names = distinct_names(kind)
        pairs = (f"{quoted(n)} := {column.sql}" for n, column in zip(names, shown, strict=True))
        return Column(self.name, kind, f"struct_pack({', '.join(pairs)})")


@dataclass(frozen=True)
class Cte:
    """A query that WITH named: DuckDB's name of it, and its columns; each `sql` is a name."""

    sql: str
    columns: tuple[Column, ...]
    value_table: bool = False
    node: exp.Expr | None = field(default=None, compare=False)


@dataclass
class Scope:
    """The names that one SELECT sees.

    Attributes:
        sources: of its FROM clause so far.
        merged: columns of USING, by their names in small letters.
        aliases: of its SELECT list, by their names in small letters, for the clauses that see them.
        parent: what it sees beside, as a subquery in an expression.
        used: the columns of tables that were named.
        ctes: what WITH defined, by names in small letters.
        windows: the named windows, by names in small letters.
        outer: what was named of the scopes further out.

    """

    parent: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    merged: dict[str, Column] = field(default_factory=dict)
    aliases: dict[str, list[Typed]] = field(default_factory=dict)
    used: set[tuple[str, str]] = field(default_factory=set)
    ctes: Mapping[str, Cte] = field(default_factory=dict)
    windows: dict[str, exp.Expr] = field(default_factory=dict)
    outer: list[Typed] = field(default_factory=list)

    def columns(self) -> Iterator[Column]:
        """Go through what `*` gives."""
        yield from self.merged.values()
        for source in self.sources:
            for column in source.columns:
                lower = column.name.lower()
                if column.hidden or lower in self.merged:
                    continue
                yield column

    def use(self, column: Column, node: exp.Expr | None) -> Typed:
        """Name a column."""
        if column.origin is not None:
            self.used.add(column.origin)
        return Typed(column.sql, column.type, column=column, name=column.name, node=node)

    def find(self, name: str, node: exp.Expr, *, aliases: bool = False) -> Typed | None:
        """Find what a name means.

        Args:
            name: the name.
            node: where it stands.
            aliases: those of the SELECT list may be meant too, and come first.

        Raises:
            BigQueryError: it means several things.

        """
        lower = name.lower()
        if aliases and lower in self.aliases:
            meant = self.aliases[lower]
            if len({each.sql for each in meant}) > 1:
                raise _refusal(f"Name {name} is ambiguous", node)
            return meant[0]
        if lower in self.merged:
            return self.use(self.merged[lower], node)
        found = [
            column
            for source in self.sources
            for column in source.columns
            if column.name.lower() == lower
        ]
        if len(found) > 1:
            raise _refusal(f"Column name {name} is ambiguous", node)
        if found:
            return self.use(found[0], node)
        source = self.source(name)
        if source is not None:
            for column in source.columns:
                self.use(column, node)
            parts = [self.use(column, node) for column in source.columns]
            row = source.row
            if source.value is not None:
                return Typed(row.sql, row.type, column=row, name=source.name, node=node)
            return Typed(row.sql, row.type, parts=tuple(parts), name=source.name, node=node)
        return self._beyond(self.parent.find(name, node) if self.parent else None)

    def _beyond(self, found: Typed | None) -> Typed | None:
        if found is not None:
            self.outer.append(found)
        return found

    def member(self, owner: Scope, source: Source, name: str, node: exp.Expr) -> Typed | None:
        """Give a column of a source that this scope or one further out has.

        Raises:
            BigQueryError: the source has several of that name.

        """
        if owner is not self:
            assert self.parent is not None
            return self._beyond(self.parent.member(owner, source, name, node))
        found = [each for each in source.columns if each.name.lower() == name.lower()]
        if len(found) > 1:
            raise _refusal(f"Column name {name} is ambiguous", node)
        return self.use(found[0], node) if found else None

    def source(self, name: str) -> Source | None:
        """Find a source of this FROM clause by its name."""
        lower = name.lower()
        return next((each for each in self.sources if each.name.lower() == lower), None)

    def qualified(self, name: str) -> tuple[Scope, Source] | None:
        """Find a source by its name, here or further out."""
        source = self.source(name)
        if source is not None:
            return self, source
        return self.parent.qualified(name) if self.parent else None

    def add(self, source: Source, node: exp.Expr) -> None:
        """See a further source.

        Raises:
            BigQueryError: there is one of that name.

        """
        if source.name and self.source(source.name) is not None:
            raise _refusal(f"Duplicate table alias {source.name} in the same FROM clause", node)
        self.sources.append(source)

    def suggestion(self, name: str) -> str:
        """Guess what was meant by a name that means nothing."""
        known: dict[str, str] = {}
        scope: Scope | None = self
        while scope is not None:
            for source in scope.sources:
                known.setdefault(source.name.lower(), source.name)
                for column in source.columns:
                    known.setdefault(column.name.lower(), column.name)
            scope = scope.parent
        near = get_close_matches(name.lower(), [each for each in known if each], 1, 0.7)
        return f"; Did you mean {known[near[0]]}?" if near else ""


def field_of(value: Typed, name: str, node: exp.Expr) -> Typed:
    """Give a field of a struct, or a member of JSON.

    Raises:
        BigQueryError: it has none of that name, or several.

    """
    kind = value.type
    if kind.kind == "JSON":
        key = "'" + name.replace("'", "''") + "'"
        sql = f"json_extract({value.sql}, '$.' || {_json_key(name)})" if name else key
        return Typed(sql, kind, parts=(value,), name=name, node=node)
    if kind.kind != "STRUCT":
        what = f"Cannot access field {name} on a value with type {kind}"
        raise _refusal(what, node)
    found = [at for at, (each, _) in enumerate(kind.fields) if each.lower() == name.lower()]
    if not found:
        names = [each for each, _ in kind.fields]
        near = get_close_matches(name.lower(), [each.lower() for each in names if each], 1, 0.7)
        guess = next((each for each in names if near and each.lower() == near[0]), "")
        hint = f"; Did you mean {guess}?" if guess else ""
        raise _refusal(f"Field name {name} does not exist in {kind}{hint}", node)
    if len(found) > 1:
        raise _refusal(f"Struct field name {name} is ambiguous", node)
    inner_name, inner = kind.fields[found[0]]
    sql = f"struct_extract_at({value.sql}, {found[0] + 1})"
    result = made(sql, inner, value, node=node)
    return Typed(result.sql, inner, parts=(value,), name=inner_name, node=node)


def _json_key(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''")
    return f"'\"{escaped}\"'"


def _refusal(message: str, node: exp.Expr) -> BigQueryError:
    return BigQueryError.query(message, *(place_of(node) or ()))
