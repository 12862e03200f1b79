"""Names, and what is inside of what they mean: fields, elements, members."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.nodes import Call, refusal
from gcp_local.bigquery.sql.queries.expressions.parameters import parameter_value
from gcp_local.bigquery.sql.queries.expressions.reader import Reader
from gcp_local.bigquery.sql.queries.literals import text_sql
from gcp_local.bigquery.sql.queries.scopes import field_of
from gcp_local.bigquery.sql.queries.typed import Typed, converted, fits, made
from gcp_local.bigquery.sql.runtime import documents
from gcp_local.bigquery.sql.types import INT64, STRING


class Names(Reader):
    """Reads names and accesses."""

    def _column(self, node: exp.Column) -> Typed:
        parts = [part for part in node.parts if isinstance(part, exp.Identifier)]
        return self._path(parts, node)

    def _path(self, parts: list[exp.Identifier], node: exp.Expr) -> Typed:
        name = parts[0].name
        found: Typed | None = None
        rest = parts[1:]
        if rest:
            qualified = self.scope.qualified(name)
            direct = self._direct(name, parts[0]) if qualified is None else None
            if qualified is not None and direct is None:
                owner, source = qualified
                found = self.scope.member(owner, source, rest[0].name, rest[0])
                if found is None and source.value is None:
                    raise refusal(f"Name {rest[0].name} not found inside {source.name}", rest[0])
                if found is not None:
                    rest = rest[1:]
                else:
                    found = self.scope.find(name, parts[0])
            else:
                found = direct
        else:
            found = self._direct(name, parts[0])
        if found is None:
            variable = self.context.session.variables.get(name.lower())
            if variable is None:
                hint = self.scope.suggestion(name)
                raise refusal(f"Unrecognized name: {name}{hint}", parts[0])
            found = replace(parameter_value(variable), literal=False, name=name)
        for part in rest:
            found = field_of(found, part.name, part)
        return replace(found, node=node)

    def _direct(self, name: str, node: exp.Expr) -> Typed | None:
        return self.scope.find(name, node, aliases=self.aliases)

    def _identifier(self, node: exp.Identifier) -> Typed:
        return self._path([node], node)

    def _dot(self, node: exp.Dot) -> Typed:
        parts: list[exp.Identifier] = []
        base: exp.Expr = node
        while isinstance(base, exp.Dot):
            part = base.expression
            if not isinstance(part, exp.Identifier):
                raise BigQueryError.lacking(f"expressions like {node.sql()}", location="query")
            parts.insert(0, part)
            base = base.this
        if isinstance(base, (exp.Column, exp.Identifier)):
            names = (
                [each for each in base.parts if isinstance(each, exp.Identifier)]
                if isinstance(base, exp.Column)
                else [base]
            )
            return self._path([*names, *parts], node)
        found = self.read(base)
        for part in parts:
            found = field_of(found, part.name, part)
        return found

    def _bracket(self, node: exp.Bracket) -> Typed:
        value = self.read(node.this)
        index = node.expressions[0]
        if value.type.kind == "JSON":
            return self._json_member(value, index, node)
        if value.type.kind != "ARRAY":
            message = f"Element access using [] is not supported on values of type {value.type}"
            raise value.refuse(message)
        form = "OFFSET"
        if isinstance(index, Call) and len(index.expressions) == 1:
            form = index.name.upper()
            if form not in ("OFFSET", "ORDINAL", "SAFE_OFFSET", "SAFE_ORDINAL"):
                form = "OFFSET"
            else:
                index = index.expressions[0]
        at = self.read(index)
        if not fits(at, INT64):
            what = f"Array position in [] must be coercible to INT64 type, but has type {at.type}"
            raise at.refuse(what)
        number = converted(at, INT64).sql
        position = f"({number} + 1)" if form.endswith("OFFSET") else number
        if form.startswith("SAFE"):
            sql = f"CASE WHEN {position} > 0 THEN list_extract({value.sql}, {position}) END"
            return made(f"({sql})", value.type.of, value, at, node=node)
        checked = self.context.call(
            times_index, [(number, "BIGINT"), (f"len({value.sql})", "BIGINT"),
                          (text_sql(form), "VARCHAR")], "BIGINT",
        )  # fmt: skip
        return made(f"list_extract({value.sql}, {checked})", value.type.of, value, at, node=node)

    def _json_member(self, value: Typed, index: exp.Expr, node: exp.Expr) -> Typed:
        at = self.read(index)
        kind = STRING if at.type.kind == "STRING" else INT64
        act = documents.member if kind is STRING else documents.element
        if not fits(at, kind):
            raise at.refuse("JSON subscript must be INT64 or STRING")
        sql = self.context.call(
            act, [(value.sql, "VARCHAR"), (converted(at, kind).sql, kind.duckdb)], "JSON"
        )
        return made(sql, value.type, value, at, node=node)


def times_index(number: int, length: int, form: str) -> int:
    """Hold an array's position to its length, and give it counting from 1."""
    position = number + 1 if form == "OFFSET" else number
    if not 1 <= position <= length:
        what = "offset" if form == "OFFSET" else "ordinal"
        raise RuntimeError(f"Array index {number} is out of bounds ({what})")
    return position
