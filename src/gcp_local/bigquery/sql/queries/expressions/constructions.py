"""What puts values together: CASE, arrays, structs, casts."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import quoted
from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries import operators
from gcp_local.bigquery.sql.queries.casts import cast
from gcp_local.bigquery.sql.queries.expressions.reader import Reader
from gcp_local.bigquery.sql.queries.literals import sql_of
from gcp_local.bigquery.sql.queries.typed import Typed, converted, fits, made
from gcp_local.bigquery.sql.runtime import documents
from gcp_local.bigquery.sql.types import BOOL, Type, distinct_names, supertype


class Constructions(Reader):
    """Reads what puts values together."""

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
