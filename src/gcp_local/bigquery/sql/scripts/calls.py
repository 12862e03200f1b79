"""EXECUTE IMMEDIATE, and CALL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import Field
from gcp_local.bigquery.sql.ddl.types import field_of
from gcp_local.bigquery.sql.scripts.reading import read_script
from gcp_local.bigquery.sql.scripts.steps import Frame
from gcp_local.bigquery.sql.scripts.syntax import Body, Call, Immediate, Plain
from gcp_local.bigquery.sql.scripts.variables import Scopes, fitted, unnamed
from gcp_local.bigquery.sql.session import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from gcp_local.bigquery.sql.cursor import Fragment
    from gcp_local.bigquery.sql.scripts.state import State

_DEEPEST = 50  # https://cloud.google.com/bigquery/quotas#multi_statement_query_limits


def immediate(state: State, node: Immediate) -> None:
    """Run a text that an expression gives."""
    said = state.value(node.sql, Field("", "STRING"))
    if said.value is None:
        raise node.sql.error("SQL string of EXECUTE IMMEDIATE cannot be NULL")
    body = read_script(said.value)
    if len(body) != 1 or not isinstance(body[0], Plain):
        raise node.sql.error("EXECUTE IMMEDIATE can only execute a single SQL statement")
    (inner,) = body
    given = []
    for fragment, name in node.using:
        value = state.value(fragment)
        given.append(Parameter(replace(value.field, name=name), value.value))
    outcome = state.step(
        node.source,
        "STATEMENT",
        lambda session: state.tools.statements.run(
            inner.source, replace(session, parameters=tuple(given))
        ),
        said.value,
    )
    if not node.into:
        state.note(outcome)
        return
    rows = outcome.rows.to_pylist() if outcome.rows is not None else []
    if len(rows) > 1:
        raise node.source.error("EXECUTE IMMEDIATE INTO expects at most one row")
    if len(outcome.schema) != len(node.into):
        raise node.source.error(
            f"EXECUTE IMMEDIATE INTO has {len(node.into)} variables, but the query gives"
            f" {len(outcome.schema)} columns"
        )
    values = list(rows[0].values()) if rows else [None] * len(node.into)
    for name, field, each in zip(node.into, outcome.schema, values, strict=True):
        state.scopes.assign(name, Parameter(unnamed(field), each), node.source)


def call(state: State, node: Call, run: Callable[[Body], None]) -> None:
    """Run a procedure.

    Args:
        state: the script's.
        node: the call.
        run: runs the procedure's body, up to its RETURN.

    """
    ref = state.tools.tables.ref(node.path, state.session())
    entry = state.tools.tables.catalog.find(ref, "routine")
    if entry is None or entry.body.get("routineType") != "PROCEDURE":
        raise node.source.error(f"Procedure not found: {'.'.join(node.path)}")
    arguments = entry.body.get("arguments", [])
    if len(arguments) != len(node.arguments):
        raise node.source.error(
            f"Number of arguments does not match for procedure {'.'.join(node.path)}: expected"
            f" {len(arguments)}, got {len(node.arguments)}"
        )
    inner = Scopes()
    back: list[tuple[str, str, Fragment]] = []
    for argument, fragment in zip(arguments, node.arguments, strict=True):
        _pass(state, argument, fragment, inner, back)
    (frames, procedure) = state.callers
    if len(frames) >= _DEEPEST:
        raise node.source.error(f"Procedure calls are nested deeper than {_DEEPEST} levels")
    start = node.source.start
    frame = Frame(node.source.text, (start.line, start.column), node.source.last, procedure)
    outer, state.scopes = state.scopes, inner
    state.callers = ((frame, *frames), str(ref.dotted))
    try:
        run(read_script(entry.body["definitionBody"]))
    except BigQueryError:
        state.at = node  # the place in the script is that of the call
        raise
    finally:
        state.scopes, state.callers = outer, (frames, procedure)
    for name, variable, fragment in back:
        state.scopes.assign(variable, inner.get(name, fragment), fragment)


def _pass(
    state: State,
    argument: dict[str, Any],
    fragment: Fragment,
    inner: Scopes,
    back: list[tuple[str, str, Fragment]],
) -> None:
    """Give a procedure one of its arguments."""
    name, mode = argument["name"], argument.get("mode", "IN")
    said = argument.get("dataType")
    field = unnamed(field_of("", said)) if said else None
    if mode in ("OUT", "INOUT"):
        tokens = fragment.tokens
        if len(tokens) != 1 or tokens[0].kind not in ("word", "quoted"):
            raise fragment.error(f"The argument {name} is {mode} and must be a variable")
        variable = str(tokens[0].value)
        held = state.scopes.get(variable, fragment)
        back.append((name, variable, fragment))
        kept = field or held.field
        value = fitted(held, kept, fragment) if mode == "INOUT" else Parameter(kept, None)
    else:
        value = state.value(fragment, field)
    inner.bind(name, value)
