"""What functions take and give, written as BigQuery's reference writes it.

`"STRING, INT64, [INT64] -> STRING"`: an argument in brackets may be left out, one with dots may be
given several times. T is any type, the same wherever it stands; ANY is any type; PART is a part of
a date, as DAY or WEEK(MONDAY).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.sql.queries.typed import Typed, converted, fits
from gcp_local.bigquery.sql.types import Type, same, supertype

if TYPE_CHECKING:
    from sqlglot import exp

    from gcp_local.bigquery.sql.queries.functions.reading import Reading

Build = Callable[[list[Typed], "Reading", "exp.Expr"], "str | Typed"]


@dataclass(frozen=True)
class Argument:
    """An argument: its type's pattern, and whether it may be missing or repeated."""

    pattern: str
    optional: bool = False
    repeated: bool = False

    def __str__(self) -> str:
        text = f"{self.pattern}, ..." if self.repeated else self.pattern
        return f"[{text}]" if self.optional else text


@dataclass(frozen=True)
class Python:
    """A function in Python does it; see `PythonFunction`."""

    act: Callable[..., Any]
    nulls: bool = False
    volatile: bool = False


@dataclass(frozen=True)
class Aggregate:
    """An aggregate or analytic function of DuckDB's does it.

    Attributes:
        name: DuckDB's function.
        wrap: what is made of its result, `{}`.
        arguments: what it is called with, `{0}`, …; all of them where it says nothing.

    """

    name: str
    wrap: str = "{}"
    arguments: str = ""


Act = str | Python | Aggregate | Build


@dataclass(frozen=True)
class Signature:
    """One way to call a function."""

    arguments: tuple[Argument, ...]
    result: str
    act: Act

    def expanded(self, count: int) -> list[Argument] | None:
        """Give an argument for each of so many values; None if they cannot be so many."""
        least = sum(not each.optional and not each.repeated for each in self.arguments)
        found: list[Argument] = []
        for each in self.arguments:
            if each.repeated:
                behind = len(self.arguments) - self.arguments.index(each) - 1
                found.extend([each] * max(count - len(found) - behind, 0))
            else:
                found.append(each)
        repeated = any(each.repeated for each in self.arguments)
        if count < least or (count > len(self.arguments) and not repeated):
            return None
        return found[:count]

    def match(self, values: list[Typed], *, freedom: int) -> tuple[list[Typed], Type] | None:
        """Bring values to the types that are wanted, and tell the result's.

        Args:
            values: what the function is called with.
            freedom: 0: they are to have the types; 1: they may become them; 2: a FLOAT64 literal
                may become NUMERIC, too.

        """
        arguments = self.expanded(len(values))
        if arguments is None:
            return None
        bound: dict[str, list[tuple[Type, bool]]] = {}
        for argument, value in zip(arguments, values, strict=True):
            if not _binds(argument.pattern, value, bound, freedom):
                return None
        chosen: dict[str, Type] = {}
        for name, types in bound.items():
            common = supertype(types)
            if common is None:
                return None
            chosen[name] = common.known
        brought = [
            _brought(argument.pattern, value, chosen)
            for argument, value in zip(arguments, values, strict=True)
        ]
        if any(each is None for each in brought):
            return None
        return [each for each in brought if each is not None], type_from(self.result, chosen)

    def described(self, name: str) -> str:
        """Write it as messages do."""
        return f"{name}({', '.join(map(str, self.arguments))})"


@dataclass(frozen=True)
class Function:
    """A function.

    Attributes:
        kind: scalar, aggregate, or analytic: one that needs OVER.

    """

    name: str
    signatures: tuple[Signature, ...]
    kind: str = "scalar"

    @property
    def parts(self) -> frozenset[int]:
        """The positions at which a part of a date stands."""
        return frozenset(
            at
            for each in self.signatures
            for at, argument in enumerate(each.arguments)
            if argument.pattern == "PART"
        )


def function(name: str, *ways: tuple[str, Act], kind: str = "scalar") -> Function:
    """Make an entry of the table."""
    return Function(name, tuple(_signature(text, act) for text, act in ways), kind)


def _signature(text: str, act: Act) -> Signature:
    given, _, result = text.partition("->")
    arguments = []
    for each in re.split(r",\s*(?![^<]*>)", given.strip()):
        if not each:
            continue
        optional = each.startswith("[")
        inner = each.strip("[]") if optional else each
        arguments.append(Argument(inner.removesuffix("..."), optional, inner.endswith("...")))
    return Signature(tuple(arguments), result.strip(), act)


def type_from(pattern: str, chosen: dict[str, Type]) -> Type:
    """Give the type that a pattern means."""
    if pattern in chosen:
        return chosen[pattern]
    if pattern.startswith("ARRAY<"):
        return Type("ARRAY", type_from(pattern[6:-1], chosen))
    if pattern.startswith("STRUCT<"):
        pairs = [each.strip().split(" ", 1) for each in pattern[7:-1].split(",")]
        return Type("STRUCT", fields=tuple((n, type_from(kind, chosen)) for n, kind in pairs))
    return Type(pattern)


def _variable(pattern: str) -> bool:
    return pattern in ("T", "U")


def _binds(
    pattern: str, value: Typed, bound: dict[str, list[tuple[Type, bool]]], freedom: int
) -> bool:
    inner = pattern[6:-1] if pattern.startswith("ARRAY<") else ""
    if _variable(pattern):
        bound.setdefault(pattern, []).append((value.type, value.literal))
    elif _variable(inner) and value.type.kind == "ARRAY":
        bound.setdefault(inner, []).append((value.type.of, value.literal))
    elif _variable(inner):
        return value.type.unknown
    elif pattern not in ("ANY", "PART"):
        return _may_be(type_from(pattern, {}), value, freedom)
    return True


def _may_be(wanted: Type, value: Typed, freedom: int) -> bool:
    if freedom == 0:
        return value.type.unknown or same(value.type, wanted)
    if freedom == 1 and value.type.kind == "FLOAT64" and wanted.kind == "NUMERIC":
        return False
    return fits(value, wanted)


def _brought(pattern: str, value: Typed, chosen: dict[str, Type]) -> Typed | None:
    if pattern == "PART":
        return value
    if pattern == "ANY":
        return converted(value, value.type.known) if value.type.unknown else value
    if pattern.startswith("ARRAY<") and pattern[6:-1] not in chosen and _variable(pattern[6:-1]):
        return value
    wanted = type_from(pattern, chosen)
    return converted(value, wanted) if fits(value, wanted) else None
