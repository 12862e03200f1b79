"""GoogleSQL's types, and which becomes which by itself.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_rules.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import Field, quoted

_FIELD_TYPES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}
_FROM_FIELD = {value: key for key, value in _FIELD_TYPES.items()}
ALIASES = {
    "INT": "INT64", "SMALLINT": "INT64", "INTEGER": "INT64", "BIGINT": "INT64", "TINYINT": "INT64",
    "BYTEINT": "INT64", "BOOLEAN": "BOOL", "DECIMAL": "NUMERIC", "BIGDECIMAL": "BIGNUMERIC",
}  # fmt: skip
SIMPLE = (
    "INT64", "FLOAT64", "NUMERIC", "BOOL", "STRING", "BYTES", "DATE", "TIME", "DATETIME",
    "TIMESTAMP", "INTERVAL", "JSON",
)  # fmt: skip
MISSING = ("BIGNUMERIC", "GEOGRAPHY", "RANGE")
_DUCKDB = {
    "INT64": "BIGINT", "FLOAT64": "DOUBLE", "NUMERIC": "DECIMAL(38, 9)", "BOOL": "BOOLEAN",
    "STRING": "VARCHAR", "BYTES": "BLOB", "DATE": "DATE", "TIME": "TIME", "DATETIME": "TIMESTAMP",
    "TIMESTAMP": "TIMESTAMPTZ", "INTERVAL": "INTERVAL", "JSON": "JSON",
}  # fmt: skip
# What a type becomes by itself, nearest first.
_WIDER = {"INT64": ("NUMERIC", "FLOAT64"), "NUMERIC": ("FLOAT64",), "DATE": ("DATETIME",)}
_TEXTUAL = ("DATE", "DATETIME", "TIME", "TIMESTAMP")


@dataclass(frozen=True)
class Type:
    """A type.

    Attributes:
        kind: INT64, …, ARRAY, STRUCT.
        element: of an ARRAY.
        fields: of a STRUCT: names, empty where there is none, and types.
        unknown: whether nothing says the type: that of a bare NULL or `[]`.

    """

    kind: str
    element: Type | None = None
    fields: tuple[tuple[str, Type], ...] = ()
    unknown: bool = False

    def __str__(self) -> str:
        if self.kind == "ARRAY":
            return f"ARRAY<{self.element}>"
        if self.kind == "STRUCT":
            inner = (f"{name} {kind}" if name else str(kind) for name, kind in self.fields)
            return f"STRUCT<{', '.join(inner)}>"
        return self.kind

    @property
    def of(self) -> Type:
        """The type of an array's elements."""
        assert self.element is not None
        return self.element

    @property
    def known(self) -> Type:
        """The type, said for certain."""
        if self.kind == "ARRAY":
            return Type("ARRAY", self.of.known)
        if self.kind == "STRUCT":
            return Type("STRUCT", fields=tuple((name, kind.known) for name, kind in self.fields))
        return replace(self, unknown=False)

    @property
    def duckdb(self) -> str:
        """The type in DuckDB's words."""
        if self.kind == "ARRAY":
            return f"{self.of.duckdb}[]"
        if self.kind == "STRUCT":
            names = distinct_names(self)
            pairs = zip(names, self.fields, strict=True)
            return f"STRUCT({', '.join(f'{quoted(n)} {kind.duckdb}' for n, (_, kind) in pairs)})"
        if self.kind in MISSING:
            raise BigQueryError.lacking(f"the type {self.kind}", location="query")
        return _DUCKDB[self.kind]

    def field(self, name: str) -> Field:
        """Give the column of a result that has this type.

        Raises:
            BigQueryError: an array of arrays, which no column can be.

        """
        if self.kind == "ARRAY":
            inner = self.of
            if inner.kind == "ARRAY":
                message = "Cannot construct array with element type ARRAY because nested arrays"
                raise BigQueryError.query(f"{message} are not supported")
            return replace(inner.field(name), mode="REPEATED")
        if self.kind == "STRUCT":
            fields = tuple(
                kind.field(inner)
                for inner, (_, kind) in zip(distinct_names(self), self.fields, strict=True)
            )
            return Field(name, "RECORD", fields=fields)
        return Field(name, _FIELD_TYPES.get(self.kind, self.kind))


def distinct_names(struct: Type) -> list[str]:
    """Name a struct's fields for DuckDB: each has a name, and no two the same."""
    names: list[str] = []
    for at, (name, _) in enumerate(struct.fields):
        wanted = name or f"_field_{at + 1}"
        while wanted.lower() in {each.lower() for each in names}:
            wanted += "_"
        names.append(wanted)
    return names


def type_of(field: Field) -> Type:
    """Give the type of a column."""
    if field.repeated:
        return Type("ARRAY", type_of(field.element))
    if field.type == "RECORD":
        return Type("STRUCT", fields=tuple((each.name, type_of(each)) for each in field.fields))
    return Type(_FROM_FIELD.get(field.type, field.type))


INT64, FLOAT64, NUMERIC, BOOL, STRING, BYTES, DATE, TIME, DATETIME, TIMESTAMP, INTERVAL, JSON = (
    Type(kind) for kind in SIMPLE
)
NULL = Type("INT64", unknown=True)


def same(one: Type, other: Type) -> bool:
    """Tell whether two types are the same; names of fields do not matter."""
    if one.kind != other.kind:
        return False
    if one.kind == "ARRAY":
        return same(one.of, other.of)
    if one.kind == "STRUCT":
        return len(one.fields) == len(other.fields) and all(
            same(a, b) for (_, a), (_, b) in zip(one.fields, other.fields, strict=True)
        )
    return True


def becomes(given: Type, wanted: Type, *, literal: bool = False) -> bool:
    """Tell whether a value becomes one of another type by itself.

    Args:
        given: the type that it has.
        wanted: the type that it is to have.
        literal: it is a literal or a parameter, which becomes more.

    """
    if given.unknown or same(given, wanted):
        return True
    if given.kind == wanted.kind == "ARRAY":
        return given.of.unknown or (literal and becomes(given.of, wanted.of, literal=True))
    if given.kind == wanted.kind == "STRUCT":
        return len(given.fields) == len(wanted.fields) and all(
            becomes(a, b, literal=literal)
            for (_, a), (_, b) in zip(given.fields, wanted.fields, strict=True)
        )
    if wanted.kind in _WIDER.get(given.kind, ()):
        return True
    return literal and (
        (given.kind == "STRING" and wanted.kind in _TEXTUAL)
        or (given.kind == "FLOAT64" and wanted.kind == "NUMERIC")
    )


def supertype(types: list[tuple[Type, bool]]) -> Type | None:
    """Find the type that values of several types have in common.

    Args:
        types: each with whether its value is a literal, which gives way to what is none.

    """
    known = [(kind, literal) for kind, literal in types if not kind.unknown]
    if not known:
        return types[0][0] if types else NULL
    firm = [kind for kind, literal in known if not literal] or [kind for kind, _ in known]
    candidates: list[Type] = [*firm, *(kind for kind, _ in known)]
    candidates.extend(
        Type(wider)
        for wider in ("NUMERIC", "FLOAT64", "DATETIME")
        if any(wider in _WIDER.get(kind.kind, ()) for kind, _ in known)
    )
    for candidate in candidates:
        if all(becomes(kind, candidate, literal=literal) for kind, literal in known):
            return _named(candidate, known[0][0])
    first = known[0][0]
    if first.kind == "STRUCT" and all(
        kind.kind == "STRUCT" and len(kind.fields) == len(first.fields) for kind, _ in known
    ):
        fields = []
        for at, (name, _) in enumerate(first.fields):
            inner = supertype([(kind.fields[at][1], literal) for kind, literal in known])
            if inner is None:
                return None
            fields.append((name, inner))
        return Type("STRUCT", fields=tuple(fields))
    return None


def _named(kind: Type, names: Type) -> Type:
    """Give the fields of a struct, or of an array's structs, another's names."""
    if kind.kind == names.kind == "ARRAY":
        return replace(kind, element=_named(kind.of, names.of))
    if kind.kind == names.kind == "STRUCT":
        pairs = zip(kind.fields, names.fields, strict=True)
        return replace(kind, fields=tuple((name, _named(of, n)) for (_, of), (name, n) in pairs))
    return kind
