"""The TRANSFORM clause with what was learned put in; and such functions in a query.

It works on words, not on what they mean: a use of a function is cut out of the text, from `ML.` to
its closing bracket or `OVER()`, and what it becomes is put there. Inner uses come first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError

if TYPE_CHECKING:
    from gcp_local.bigquery.ml.preprocessing.functions import Function, Use
    from gcp_local.bigquery.sql.grammar.lexer import Token

Values = Callable[[str], Sequence[Any]]
"""Gives the values of an expression, GoogleSQL, in the training data."""


@dataclass(frozen=True)
class Item:
    """One item of a TRANSFORM clause.

    Attributes:
        name: of the column that it gives, in small letters.
        sql: in GoogleSQL, with its alias.
        reads: the columns that it reads, in small letters.

    """

    name: str
    sql: str
    reads: tuple[str, ...] = ()


def frozen(items: Sequence[Item], values: Values) -> list[Item]:
    """Put what the functions learn from the training data into the items.

    Raises:
        BigQueryError: a wrong use of a function; one that the stand-in lacks.

    """
    return [replace(item, sql=_written(item.sql, values)) for item in items]


def inlined(sql: str) -> str:
    """Write functions that learn nothing, as ML.BUCKETIZE, without them.

    Raises:
        BigQueryError: as `frozen`; a function that learns, outside of TRANSFORM.

    """

    def nothing(value: str) -> Sequence[Any]:
        raise BigQueryError.lacking(
            f"analytic preprocessing functions outside of TRANSFORM (of {value})", location="query"
        )

    return _written(sql, nothing)


def _written(sql: str, values: Values) -> str:
    from gcp_local.bigquery.sql.grammar.lexer import read_tokens

    tokens = read_tokens(sql)[:-1]
    words: list[str] = []
    at = 0
    while at < len(tokens):
        function = _function_at(tokens, at)
        if function is None:
            words.append(tokens[at].text)
            at += 1
            continue
        name, found = function
        end = _closing(tokens, at + 3)
        arguments = [_written(part, values) for part in _parts(tokens[at + 4 : end])]
        after = _behind_over(tokens, end + 1)
        if found.analytic and after == end + 1:
            raise _wrong(name, "it needs an OVER() clause", tokens[at])
        if not found.analytic and after != end + 1:
            raise _wrong(name, "it takes no OVER clause", tokens[at])
        words.append(found.write(_use(name, found, arguments, values, tokens[at])))
        at = after
    return " ".join(words)


def _function_at(tokens: Sequence[Token], at: int) -> tuple[str, Function] | None:
    """Tell which function is used here, if one is."""
    if tokens[at].upper != "ML" or [each.text for each in tokens[at + 1 : at + 4 : 2]] != [
        ".",
        "(",
    ]:
        return None
    from gcp_local.bigquery.ml.preprocessing.functions import FUNCTIONS, LACKING

    name = tokens[at + 2].upper
    if name in FUNCTIONS:
        return name, FUNCTIONS[name]
    if name in LACKING:
        raise BigQueryError.lacking(f"the function ML.{name}", location="query")
    place = tokens[at].place
    raise BigQueryError.query(f"Function not found: ML.{name}", place.line, place.column)


def _use(
    name: str, function: Function, arguments: Sequence[str], values: Values, token: Token
) -> Use:
    from gcp_local.bigquery.ml.preprocessing.functions import Use
    from gcp_local.bigquery.ml.reading import literal
    from gcp_local.bigquery.sql.parsing import parse_expression

    if not 1 <= len(arguments) <= function.most + 1:
        raise _wrong(name, "wrong number of arguments", token)
    first, *others = arguments
    return Use(
        name,
        first,
        settings=[literal(parse_expression(each)) for each in others],
        learned=values(first) if function.analytic else (),
        fields=_fields(name, first, token) if function.struct else (),
    )


def _fields(name: str, argument: str, token: Token) -> list[tuple[str, str]]:
    """Read `STRUCT(a AS x, b)`: the fields' names, and what they are."""
    from gcp_local.bigquery.sql.grammar.lexer import read_tokens

    words = read_tokens(argument)[:-1]
    if [each.upper for each in words[:2]] != ["STRUCT", "("] or words[-1].text != ")":
        raise _wrong(name, "it takes a STRUCT(…)", token)
    found = []
    for part in _parts(words[2:-1]):
        own = read_tokens(part)[:-1]
        if len(own) > 2 and own[-2].upper == "AS":
            sql = " ".join(each.text for each in own[:-2])
        elif len(own) == 1:
            sql = own[0].text
        else:
            raise _wrong(name, "each of its features needs a name", token)
        found.append((str(own[-1].value), sql))
    return found


def _closing(tokens: Sequence[Token], at: int) -> int:
    """Find the bracket that closes that at a place."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += (tokens[place].text in ("(", "[")) - (tokens[place].text in (")", "]"))
        if not depth:
            return place
    raise AssertionError("the grammar has read this before")


def _behind_over(tokens: Sequence[Token], at: int) -> int:
    """Find what follows `OVER ()`, if that is here."""
    if at >= len(tokens) or tokens[at].upper != "OVER":
        return at
    if [each.text for each in tokens[at + 1 : at + 3]] != ["(", ")"]:
        place = tokens[at].place
        raise BigQueryError.query(
            "Preprocessing functions take an empty OVER() clause", place.line, place.column
        )
    return at + 3


def _parts(tokens: Sequence[Token]) -> list[str]:
    """Split words at the commas that are in no bracket."""
    parts: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
        if token.text == "," and not depth:
            parts.append([])
        else:
            parts[-1].append(token.text)
    return [" ".join(part) for part in parts if part]


def _wrong(name: str, what: str, token: Token) -> BigQueryError:
    return BigQueryError.query(f"ML.{name}: {what}", token.place.line, token.place.column)
