"""CEL, the expression language (https://cel.dev) of KFP's conditions and of triggers' filters."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class CelError(ValueError):
    """An expression that does not parse, or that cannot be evaluated on these values."""


@cache
def library() -> tuple[Any, Any]:
    """Load the library (its grammar takes a tenth of a second), and make an environment."""
    import celpy

    return celpy, celpy.Environment()


def program(
    expression: str, functions: Mapping[str, Callable[..., Any]] | None = None, noun: str = ""
) -> Any:
    """Parse an expression.

    Args:
        expression: what is written.
        functions: those beside CEL's own.
        noun: what the expression is to whoever wrote it, for the error.

    Raises:
        CelError: it does not parse.

    """
    celpy, environment = library()
    try:
        tree = environment.compile(expression)
    except celpy.CELParseError as error:
        line = " ".join(str(error).split())
        message = f"{expression!r} is not a {noun or 'CEL expression'}: {line}"
        raise CelError(message) from None
    return environment.program(tree, functions=dict(functions or {}))


def evaluated(parsed: Any, expression: str, variables: Mapping[str, Any]) -> Any:
    """Evaluate a parsed expression over JSON values; the answer is CEL's own value.

    Raises:
        CelError: it cannot be evaluated.

    """
    celpy, _ = library()
    context = {name: celpy.json_to_cel(value) for name, value in variables.items()}
    try:
        return parsed.evaluate(context)
    except celpy.CELEvalError as error:
        reason = " ".join(str(error.args[0]).split()) if error.args else "no reason given"
        raise CelError(f"{expression!r} cannot be evaluated: {reason}") from None


def is_truth(value: Any) -> bool:
    """Tell whether a value of CEL's is true or false, and nothing else."""
    return type(value).__name__ == "BoolType"
