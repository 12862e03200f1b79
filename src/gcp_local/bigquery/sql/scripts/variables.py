"""A script's variables: which there are where, and what may be put into them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gcp_local.bigquery.schema import Field
from gcp_local.bigquery.sql.dml.assigning import fits, literal_kind, put
from gcp_local.bigquery.sql.dml.writing import is_empty
from gcp_local.bigquery.sql.session import Parameter

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.cursor import Fragment


class Scopes:
    """The variables of a script or procedure, block by block."""

    def __init__(self) -> None:
        self._blocks: list[dict[str, Parameter]] = [{}]

    def enter(self) -> None:
        """Begin a block."""
        self._blocks.append({})

    def leave(self) -> None:
        """End a block: its variables are gone."""
        self._blocks.pop()

    def seen(self) -> dict[str, Parameter]:
        """Give all that can be seen, by names in small letters."""
        return {name: value for block in self._blocks for name, value in block.items()}

    def declare(self, name: str, variable: Parameter, place: Fragment) -> None:
        """Make a variable.

        Raises:
            BigQueryError: there is one of that name.

        """
        if name.lower() in self.seen():
            raise place.error(f"Variable '{name}' redeclaration is not allowed.")
        self._blocks[-1][name.lower()] = variable

    def bind(self, name: str, variable: Parameter) -> None:
        """Make a variable, or give one of this block another value and type."""
        self._blocks[-1][name.lower()] = variable

    def get(self, name: str, place: Fragment) -> Parameter:
        """Give a variable.

        Raises:
            BigQueryError: there is none.

        """
        found = self.seen().get(name.lower())
        if found is None:
            raise place.error(f"Undeclared variable: {name}")
        return found

    def assign(self, name: str, value: Parameter, place: Fragment) -> None:
        """Put a value into a variable that there is.

        Raises:
            BigQueryError: there is none, or the value's type does not fit.

        """
        lowered = name.lower()
        kept = fitted(value, self.get(name, place).field, place)
        for block in reversed(self._blocks):
            if lowered in block:
                block[lowered] = kept
                return


def fitted(value: Parameter, field: Field, place: Fragment) -> Parameter:
    """Give a value as a variable of a type has it.

    Raises:
        BigQueryError: the type does not fit.

    """
    if value.value is None or is_empty(place):
        return Parameter(field, value.value if value.value is None else [])
    if not fits(value.field, field, literal=bool(literal_kind(place))):
        raise place.error(
            f"Cannot coerce expression {place.text} of type {value.field.sql} to type {field.sql}"
        )
    return Parameter(field, put(value.value, value.field, field))


def unnamed(field: Field) -> Field:
    """Give a column's type, as a variable has it."""
    mode = "REPEATED" if field.repeated else "NULLABLE"
    return replace(field, name="", mode=mode, more=())


def text_variable(value: str | None) -> Parameter:
    """Give a text as a variable."""
    return Parameter(Field("", "STRING"), value)
