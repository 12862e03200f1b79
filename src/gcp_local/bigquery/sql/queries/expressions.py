"""Expressions: from sqlglot's nodes to DuckDB's SQL with GoogleSQL's types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import quoted
from gcp_local.bigquery.sql.grammar.nodes import Call, refusal
from gcp_local.bigquery.sql.queries import operators
from gcp_local.bigquery.sql.queries.casts import cast
from gcp_local.bigquery.sql.queries.functions.calls import call
from gcp_local.bigquery.sql.queries.literals import sql_of, text_sql
from gcp_local.bigquery.sql.queries.scopes import Scope, field_of
from gcp_local.bigquery.sql.queries.typed import Typed, converted, fits, made
from gcp_local.bigquery.sql.runtime import documents, times
from gcp_local.bigquery.sql.types import (
    BOOL,
    BYTES,
    FLOAT64,
    INT64,
    INTERVAL,
    NULL,
    STRING,
    Type,
    distinct_names,
    supertype,
    type_of,
)  # fmt: skip

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.queries.compilation import Compilation
    from gcp_local.bigquery.sql.queries.query import Query
    from gcp_local.bigquery.sql.session import Parameter

Subquery = Callable[[exp.Expr, Scope], "Query"]

_ARITHMETIC: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
_COMPARED: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "!=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_BITS: dict[type[exp.Expr], str] = {
    exp.BitwiseAnd: "&", exp.BitwiseOr: "|", exp.BitwiseXor: "^", exp.BitwiseLeftShift: "<<",
    exp.BitwiseRightShift: ">>",
}  # fmt: skip


class Expressions:
    """Compiles expressions.

    Args:
        context: the statement's.
        subquery: compiles a query that stands in an expression.

    """

    def __init__(self, context: Compilation, subquery: Subquery) -> None:
        self.context = context
        self.subquery = subquery

    def compile(self, node: exp.Expr, scope: Scope, *, aliases: bool = False) -> Typed:
        """Understand an expression.

        Args:
            node: the expression.
            scope: what its names mean.
            aliases: names may be those of the SELECT list.

        Raises:
            BigQueryError: it is refused.

        """
        return _Reading(self, scope, aliases=aliases).read(node)

    def condition(
        self, node: exp.Expr, scope: Scope, clause: str, *, aliases: bool = False
    ) -> Typed:
        """Understand a condition; errors as `compile`."""
        found = self.compile(node, scope, aliases=aliases)
        if not fits(found, BOOL):
            raise found.refuse(f"{clause} should return type BOOL, but returns {found.type}")
        return converted(found, BOOL)


class _Reading:
    """Reads one expression in one scope."""

    def __init__(self, owner: Expressions, scope: Scope, *, aliases: bool) -> None:
        self.owner = owner
        self.context = owner.context
        self.scope = scope
        self.aliases = aliases

    def read(self, node: exp.Expr) -> Typed:
        found = self._read(node)
        return found if found.node is node else replace(found, node=node)

    def _read(self, node: exp.Expr) -> Typed:
        reader = getattr(self, f"_{node.key}", None) or self._of_family(node)
        if reader is None:
            raise BigQueryError.lacking(
                f"expressions of the kind {node.key.upper()}", location="query"
            )
        found: Typed = reader(node)
        return found

    def _of_family(self, node: exp.Expr) -> Callable[[Any], Typed] | None:
        kind = type(node)
        if kind in _ARITHMETIC or kind in _BITS:
            return self._calculated
        if kind in _COMPARED:
            return self._compared
        return self._query if isinstance(node, exp.Query) else None

    def _paren(self, node: exp.Paren) -> Typed:
        return self.read(node.this)

    def _calculated(self, node: exp.Expr) -> Typed:
        one, other = self.read(node.this), self.read(node.expression)
        if type(node) in _BITS:
            return operators.bitwise(_BITS[type(node)], one, other, node)
        return operators.arithmetic(_ARITHMETIC[type(node)], one, other, node, self.context)

    def _dpipe(self, node: exp.DPipe) -> Typed:
        return operators.concatenation(self.read(node.this), self.read(node.expression), node)

    def _query(self, node: exp.Expr) -> Typed:
        return self._scalar(node, node)

    def _and(self, node: exp.And) -> Typed:
        return self._logical("AND", node)

    def _or(self, node: exp.Or) -> Typed:
        return self._logical("OR", node)

    # Literals

    def _literal(self, node: exp.Literal) -> Typed:
        text = node.this
        if node.is_string:
            return Typed(text_sql(text), STRING, literal=True, value=text)
        if any(letter in text for letter in ".eE") and not text.startswith("0x"):
            value = float(text)
            return Typed(sql_of(value, FLOAT64), FLOAT64, literal=True, value=value)
        number = int(text)
        if number > 2**63 - 1:
            raise refusal(f"Invalid integer literal: {text}", node)
        return Typed(sql_of(number, INT64), INT64, literal=True, value=number)

    def _bytestring(self, node: exp.ByteString) -> Typed:
        value = str(node.this).encode("latin-1")
        return Typed(sql_of(value, BYTES), BYTES, literal=True, value=value)

    def _null(self, _node: exp.Null) -> Typed:
        return Typed("NULL", NULL, literal=True, value=None)

    def _boolean(self, node: exp.Boolean) -> Typed:
        return Typed("true" if node.this else "false", BOOL, literal=True, value=bool(node.this))

    def _neg(self, node: exp.Neg) -> Typed:
        inner = node.this
        if isinstance(inner, exp.Literal) and not inner.is_string:
            if "." not in inner.this and "e" not in inner.this.lower():
                number = -int(inner.this)
                if number < -(2**63):
                    raise refusal(f"Invalid integer literal: -{inner.this}", node)
                return Typed(sql_of(number, INT64), INT64, literal=True, value=number)
            value = -float(inner.this)
            return Typed(sql_of(value, FLOAT64), FLOAT64, literal=True, value=value)
        return operators.negative(self.read(inner), node, self.context)

    def _bitwisenot(self, node: exp.BitwiseNot) -> Typed:
        value = self.read(node.this)
        if not fits(value, INT64):
            raise operators.no_signature("operator ~", node, [value], "~INT64; ~BYTES")
        return made(f"(~{value.sql})", INT64, value, node=node)

    def _parameter(self, node: exp.Parameter) -> Typed:
        name = node.this.name
        for parameter in self.context.session.parameters:
            if parameter.field.name.lower() == name.lower() and name:
                return _given(parameter)
        raise refusal(f"Query parameter '{name}' not found", node)

    def _placeholder(self, node: exp.Placeholder) -> Typed:
        position = node.meta.get("position", 0)
        given = [each for each in self.context.session.parameters if not each.field.name]
        if position < 1 or position > len(given):
            raise refusal(
                f"Query parameter number {position} is not defined ({len(given)} provided)", node
            )
        return _given(given[position - 1])

    def _sessionparameter(self, node: exp.SessionParameter) -> Typed:
        session = self.context.session
        name = node.this.name.lower()
        if name in session.variables:
            return _given(session.variables[name])
        if f"@@{name}" in session.variables:
            return _given(session.variables[f"@@{name}"])
        default = session.default_dataset
        values: dict[str, tuple[Any, Type]] = {
            "project_id": (session.project, STRING),
            "dataset_project_id": (default.project if default else session.project, STRING),
            "dataset_id": (default.dataset if default else None, STRING),
            "time_zone": ("UTC", STRING),
            "script.job_id": (session.job, STRING),
            "location": (session.location, STRING),
        }
        if name not in values:
            raise refusal(f"Unrecognized name: @@{node.this.name}", node)
        value, kind = values[name]
        return Typed(sql_of(value, kind), kind)

    def _interval(self, node: exp.Interval) -> Typed:
        value = self.read(node.this)
        unit = node.args["unit"]
        if isinstance(unit, exp.IntervalSpan) or (value.constant and isinstance(value.value, str)):
            span = (
                f"{unit.this.name} TO {unit.expression.name}"
                if isinstance(unit, exp.IntervalSpan)
                else unit.name
            ).upper()
            if not (value.constant and isinstance(value.value, str)):
                raise refusal("INTERVAL with TO requires a string literal", node)
            try:
                months, days, micros = times.interval_of(value.value, span)
            except RuntimeError as error:
                raise refusal(str(error), node) from None
            return Typed(_interval_sql(months, days, micros), INTERVAL, literal=True)
        if not fits(value, INT64):
            message = f"Invalid type for INTERVAL: expected INT64, found {value.type}"
            raise value.refuse(message)
        number, part = converted(value, INT64).sql, unit.name.upper()
        return made(interval_sql(number, part, node), INTERVAL, value, node=node)

    # Names

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
            found = replace(_given(variable), literal=False, name=name)
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

    # Conditions

    def _compared(self, node: exp.Expr) -> Typed:
        one, other = self.read(node.this), self.read(node.expression)
        return operators.comparison(_COMPARED[type(node)], one, other, node)

    def _logical(self, word: str, node: exp.Expr) -> Typed:
        # A long chain leans to the left: it is read without going that deep.
        chain: list[exp.Expr] = []
        while isinstance(node, exp.And if word == "AND" else exp.Or):
            chain.append(node)
            node = node.this
        terms = [node, *(each.expression for each in reversed(chain))]
        return operators.logical(word, [self.read(each) for each in terms], chain[0])

    def _not(self, node: exp.Not) -> Typed:
        return operators.logical("NOT", [self.read(node.this)], node)

    def _is(self, node: exp.Is) -> Typed:
        value = self.read(node.this)
        other = node.expression
        if isinstance(other, exp.Null):
            return made(f"({value.sql} IS NULL)", BOOL, value, node=node)
        if not isinstance(other, exp.Boolean) or not fits(value, BOOL):
            word = "TRUE" if other.this else "FALSE"
            raise operators.no_signature(f"operator IS {word}", node, [value], f"BOOL IS {word}")
        word = "true" if other.this else "false"
        return made(f"({value.sql} IS NOT DISTINCT FROM {word})", BOOL, value, node=node)

    def _nullsafeeq(self, node: exp.NullSafeEQ) -> Typed:
        return self._distinct("IS NOT DISTINCT FROM", node)

    def _nullsafeneq(self, node: exp.NullSafeNEQ) -> Typed:
        return self._distinct("IS DISTINCT FROM", node)

    def _distinct(self, words: str, node: exp.Expr) -> Typed:
        one, other = self.read(node.this), self.read(node.expression)
        a, b = operators.together("IS DISTINCT FROM", one, other, node)
        return made(f"({a.sql} {words} {b.sql})", BOOL, a, b, node=node)

    def _between(self, node: exp.Between) -> Typed:
        value, low, high = (self.read(node.args[each]) for each in ("this", "low", "high"))
        given = [value, low, high]
        kind = supertype([(each.type, each.literal) for each in given])
        if kind is None or kind.kind in ("JSON", "ARRAY", "STRUCT"):
            raise operators.no_signature("operator BETWEEN", node, given, "ANY BETWEEN ANY AND ANY")
        a, b, c = (converted(each, kind) for each in given)
        sql = f"({a.sql} BETWEEN {b.sql} AND {c.sql})"
        if kind.kind == "FLOAT64":
            sql = f"({sql} AND {operators.compared_sql('<=', a, c)})"
        return made(sql, BOOL, a, b, c, node=node)

    def _like(self, node: exp.Like) -> Typed:
        value = self.read(node.this)
        pattern = node.expression
        if isinstance(pattern, (exp.Any, exp.All)) and isinstance(pattern.this, exp.Tuple):
            word = " OR " if isinstance(pattern, exp.Any) else " AND "
            each = [self._liked(value, self.read(one), node) for one in pattern.this.expressions]
            return made(f"({word.join(one.sql for one in each)})", BOOL, *each, node=node)
        return self._liked(value, self.read(pattern), node)

    @staticmethod
    def _liked(value: Typed, pattern: Typed, node: exp.Expr) -> Typed:
        if not (fits(value, STRING) and fits(pattern, STRING)):
            forms = "STRING LIKE STRING; BYTES LIKE BYTES"
            raise operators.no_signature("operator LIKE", node, [value, pattern], forms)
        sql = f"({value.sql} LIKE {pattern.sql} ESCAPE '\\')"
        return made(sql, BOOL, value, pattern, node=node)

    def _in(self, node: exp.In) -> Typed:
        value = self.read(node.this)
        if unnest := node.args.get("unnest"):
            array = self.read(unnest.expressions[0])
            if array.type.kind != "ARRAY":
                message = f"Second argument of IN UNNEST must be an array but was {array.type}"
                raise array.refuse(message)
            element = Typed("e", array.type.of, literal=array.literal)
            a, _ = operators.together("IN", value, element, node)
            wanted = converted(array, Type("ARRAY", a.type)) if a.type != element.type else array
            # As IN is: unknown if the value is, or if it is not found among values with a NULL.
            sql = f"({a.sql} IN (SELECT unnest({wanted.sql})))"
            return made(sql, BOOL, a, wanted, node=node)
        if query := node.args.get("query"):
            return self._in_query(value, query, node)
        items = [self.read(each) for each in node.expressions]
        if not items:
            raise refusal('Syntax error: Unexpected ")"', node)
        kind = supertype([(each.type, each.literal) for each in (value, *items)])
        if kind is None:
            given = [value, *items]
            raise operators.no_signature("operator IN", node, given, "ANY IN (ANY, ...)")
        a, *rest = (converted(each, kind) for each in (value, *items))
        inner = ", ".join(each.sql for each in rest)
        return made(f"({a.sql} IN ({inner}))", BOOL, a, *rest, node=node)

    def _in_query(self, value: Typed, query: exp.Expr, node: exp.Expr) -> Typed:
        found = self.owner.subquery(_inner(query), self.scope)
        if len(found.columns) != 1:
            raise refusal("Subquery of type IN must have only one output column", query)
        column = found.columns[0]
        element = Typed(column.sql, column.type)
        a, b = operators.together("IN", value, element, node)
        alias = self.context.fresh("s")
        inner = f"SELECT {b.sql} FROM ({found.sql}) AS {alias}"  # noqa: S608
        return made(f"({a.sql} IN ({inner}))", BOOL, a, *found.outer, node=node)

    def _exists(self, node: exp.Exists) -> Typed:
        found = self.owner.subquery(_inner(node.this), self.scope)
        return made(f"(EXISTS ({found.sql}))", BOOL, *found.outer, node=node)

    def _subquery(self, node: exp.Subquery) -> Typed:
        return self._scalar(_inner(node), node)

    def _scalar(self, query: exp.Expr, node: exp.Expr) -> Typed:
        found = self.owner.subquery(query, self.scope)
        if len(found.columns) != 1:
            message = (
                "Scalar subquery cannot have more than one column unless using SELECT AS STRUCT to"
                " build STRUCT values"
            )
            raise refusal(message, node)
        return made(f"({found.sql})", found.columns[0].type, *found.outer, node=node)

    # Branches

    def _case(self, node: exp.Case) -> Typed:
        subject = self.read(node.this) if node.this is not None else None
        branches = node.args["ifs"]
        conditions = [self.read(each.this) for each in branches]
        values = [self.read(each.args["true"]) for each in branches]
        default = node.args.get("default")
        if default is not None:
            values.append(self.read(default))
        kind = common(values, node, "CASE")
        tests = []
        for each in conditions:
            if subject is not None:
                a, b = operators.together("=", subject, each, node)
                tests.append(f"({a.sql} = {b.sql})")
            elif not fits(each, BOOL):
                raise operators.no_signature(
                    "operator CASE", node, [*conditions, *values], "CASE WHEN BOOL THEN ANY END"
                )
            else:
                tests.append(converted(each, BOOL).sql)
        parts = [converted(each, kind) for each in values]
        whens = " ".join(
            f"WHEN {test} THEN {value.sql}" for test, value in zip(tests, parts, strict=False)
        )
        other = f" ELSE {parts[-1].sql}" if default is not None else ""
        subjects = [subject] if subject is not None else []
        # DuckDB finds the type of NULLs by itself, but not GoogleSQL's.
        sql = f"(CASE {whens}{other} END)"
        return made(sql, kind, *subjects, *conditions, *parts, node=node)

    def _if(self, node: exp.If) -> Typed:
        arguments = [node.this, node.args["true"], node.args.get("false") or exp.Null()]
        return self._call(Call(this="IF", expressions=arguments))

    # Constructions

    def _array(self, node: exp.Array) -> Typed:
        first = node.expressions[0] if node.expressions else None
        if node.meta.get("query") or isinstance(first, (exp.Select, exp.SetOperation)):
            return self._array_of_query(first, node)
        items = [self.read(each) for each in node.expressions]
        declared: Type | None = node.meta.get("type")
        if declared is not None:
            kind = declared.of
            for each in items:
                if not fits(each, kind):
                    message = f"Array element type {each.type} does not coerce to {kind}"
                    raise each.refuse(message)
        else:
            found = supertype([(each.type, each.literal) for each in items])
            if found is None:
                named = ", ".join(dict.fromkeys(str(each.type) for each in items))
                message = f"Array elements of types {{{named}}} do not have a common supertype"
                raise refusal(message, node)
            kind = found
        if kind.kind == "ARRAY":
            message = "Cannot construct array with element type ARRAY because nested arrays are"
            raise refusal(f"{message} not supported", node)
        parts = [converted(each, kind) for each in items]
        wanted = Type("ARRAY", kind)
        inner = ", ".join(each.sql for each in parts)
        sql = f"CAST([{inner}] AS {wanted.duckdb})" if not parts else f"[{inner}]"
        literal = all(each.literal for each in parts)
        return Typed(sql, wanted, literal=literal, parts=tuple(parts), node=node)

    def _array_of_query(self, query: Any, node: exp.Expr) -> Typed:
        found = self.owner.subquery(query, self.scope)
        if len(found.columns) != 1:
            message = "ARRAY subquery cannot have more than one column unless using SELECT AS"
            raise refusal(f"{message} STRUCT to build STRUCT values", node)
        kind = Type("ARRAY", found.columns[0].type)
        if kind.of.kind == "ARRAY":
            message = "Cannot use array subquery with column of type"
            raise refusal(f"{message} {kind.of} because nested arrays are not supported", node)
        sql = f"coalesce(ARRAY({found.sql}), CAST([] AS {kind.duckdb}))"
        return made(sql, kind, *found.outer, node=node)

    def _struct(self, node: exp.Struct) -> Typed:
        declared: Type | None = node.meta.get("type")
        items: list[Typed] = []
        names: list[str] = []
        for each in node.expressions:
            inner = each.this if isinstance(each, exp.Alias) else each
            value = self.read(inner)
            items.append(value)
            names.append(each.alias if isinstance(each, exp.Alias) else value.name)
        if declared is not None:
            if len(declared.fields) != len(items):
                what = f"STRUCT type has {len(declared.fields)} fields but constructor call has"
                raise refusal(f"{what} {len(items)} fields", node)
            for value, (_, wanted) in zip(items, declared.fields, strict=True):
                if not fits(value, wanted):
                    raise value.refuse(
                        f"Struct field type {value.type} does not coerce to {wanted}"
                    )
            items = [
                converted(value, wanted)
                for value, (_, wanted) in zip(items, declared.fields, strict=True)
            ]
            kind = declared
        else:
            pairs = zip(names, items, strict=True)
            kind = Type("STRUCT", fields=tuple((name, value.type) for name, value in pairs))
        return struct(kind, items, node)

    def _tuple(self, node: exp.Tuple) -> Typed:
        items = [self.read(each) for each in node.expressions]
        kind = Type("STRUCT", fields=tuple(("", each.type) for each in items))
        return struct(kind, items, node)

    # Calls

    def _cast(self, node: exp.Cast) -> Typed:
        value = self.read(node.this)
        wanted: Type | None = node.args["to"].meta.get("type")
        if wanted is None:
            from gcp_local.bigquery.sql.grammar.lexer import read_tokens
            from gcp_local.bigquery.sql.grammar.queries import QueryReader
            from gcp_local.bigquery.sql.grammar.typenames import read_type

            wanted = read_type(QueryReader(read_tokens(node.args["to"].sql(dialect="bigquery"))))
        if wanted.kind in ("BIGNUMERIC", "GEOGRAPHY", "RANGE"):
            raise BigQueryError.lacking(f"the type {wanted.kind}", location="query")
        if node.meta.get("literal"):
            if wanted.kind != "JSON":
                try:
                    found = converted(value, wanted)
                except BigQueryError:
                    word = wanted.kind if wanted.kind == "NUMERIC" else wanted.kind.lower()
                    raise refusal(f"Invalid {word} literal", node) from None
            else:
                try:
                    text = documents.parsed(value.value)
                except RuntimeError as error:
                    raise refusal(f"Invalid JSON literal: {error}", node) from None
                return Typed(sql_of(text, wanted), wanted, literal=False, value=text)
            return replace(found, literal=False)
        form = node.args.get("format")
        zone = None
        if isinstance(form, exp.AtTimeZone):
            zone, form = self.read(form.args["zone"]), form.this
        return cast(
            value, wanted, node, self.context, safe=isinstance(node, exp.TryCast),
            form=self.read(form) if form is not None else None, zone=zone,
        )  # fmt: skip

    def _trycast(self, node: exp.TryCast) -> Typed:
        return self._cast(node)

    def _extract(self, node: exp.Extract) -> Typed:
        value = node.expression
        arguments = [node.this]
        if isinstance(value, exp.AtTimeZone):
            arguments += [value.this, value.args["zone"]]
        else:
            arguments.append(value)
        found = Call(this="EXTRACT", expressions=arguments)
        found.meta.update(node.meta)
        return self._call(found)

    def _anonymous(self, node: exp.Anonymous) -> Typed:
        return self._call(node)

    def _call(self, node: exp.Anonymous) -> Typed:
        return call(node, self)


def _inner(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Subquery) and not any(
        node.args.get(each) for each in ("order", "limit", "offset", "with_", "alias")
    ):
        node = node.this
    return node


def _given(parameter: Parameter) -> Typed:
    kind = type_of(parameter.field)
    value = parameter.value
    literal = kind.kind not in ("ARRAY", "STRUCT")
    if isinstance(value, Decimal):
        value = +value
    if literal:
        return Typed(sql_of(value, kind), kind, literal=True, value=value)
    return Typed(sql_of(value, kind), kind)


def struct(kind: Type, items: list[Typed], node: exp.Expr | None) -> Typed:
    """Put values together to a struct."""
    if not items:
        raise BigQueryError.lacking("empty structs", location="query")
    names = distinct_names(kind)
    inner = ", ".join(
        f"{quoted(name)} := {_known(value)}" for name, value in zip(names, items, strict=True)
    )
    literal = all(each.literal for each in items)
    return Typed(f"struct_pack({inner})", kind, literal=literal, parts=tuple(items), node=node)


def _known(value: Typed) -> str:
    return f"CAST({value.sql} AS {value.type.duckdb})" if value.type.unknown else value.sql


def common(values: list[Typed], node: exp.Expr, what: str) -> Type:
    """Find the type that all have in common.

    Raises:
        BigQueryError: there is none.

    """
    kind = supertype([(each.type, each.literal) for each in values])
    if kind is None:
        raise operators.no_signature(f"operator {what}", node, values, f"{what}(ANY, ...)")
    return kind


def times_index(number: int, length: int, form: str) -> int:
    """Hold an array's position to its length, and give it counting from 1."""
    position = number + 1 if form == "OFFSET" else number
    if not 1 <= position <= length:
        what = "offset" if form == "OFFSET" else "ordinal"
        raise RuntimeError(f"Array index {number} is out of bounds ({what})")
    return position


_PARTS = {
    "YEAR": "to_years", "MONTH": "to_months", "DAY": "to_days", "HOUR": "to_hours",
    "MINUTE": "to_minutes", "SECOND": "to_seconds", "MILLISECOND": "to_milliseconds",
    "MICROSECOND": "to_microseconds", "WEEK": "to_weeks",
}  # fmt: skip


def interval_sql(number: str, part: str, node: exp.Expr) -> str:
    """Write an interval of so many parts."""
    if part == "QUARTER":
        return f"to_months(CAST({number} * 3 AS INTEGER))"
    if part not in _PARTS:
        raise refusal(f"Invalid date part: {part}", node)
    cast_to = "INTEGER" if part in ("YEAR", "MONTH", "DAY", "WEEK") else "BIGINT"
    return f"{_PARTS[part]}(CAST({number} AS {cast_to}))"


def _interval_sql(months: int, days: int, micros: int) -> str:
    return (
        f"(to_months(CAST('{months}' AS INTEGER)) + to_days(CAST('{days}' AS INTEGER))"
        f" + to_microseconds(CAST('{micros}' AS BIGINT)))"
    )
