"""Components that several pipelines of the corpus are made of."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="no-any-return"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator"
# KFP reads annotations as they are written, and ships the bodies to another process.
# ruff: noqa: PTH123, UP006, UP035, UP045

from collections import namedtuple
from typing import Any, Dict, List, Optional

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output


def outputs(**named: Any) -> Any:
    """Name a pipeline's outputs."""
    return namedtuple("Outputs", named)(**named)  # noqa: PYI024


component = dsl.component(base_image="python:3.11", install_kfp_package=False)


@component
def echo(text: str) -> str:
    return text


@component
def add(a: int, b: int) -> int:
    return a + b


@component
def tell(
    whole: Optional[int] = None,
    real: Optional[float] = None,
    text: Optional[str] = None,
    flag: Optional[bool] = None,
    items: Optional[List] = None,
    struct: Optional[Dict] = None,
) -> str:
    """Tell what has arrived, as Python writes it, which tells an int from a float."""
    if isinstance(struct, dict):
        struct = dict(sorted(struct.items()))
    return repr([whole, real, text, flag, items, struct])


@component
def write(text: str, data: Output[Dataset]):
    with open(data.path, "w") as file:
        file.write(text)
    data.metadata["length"] = len(text)


@component
def read(data: Input[Dataset]) -> str:
    with open(data.path) as file:
        return f"{type(data).__name__} {sorted(data.metadata.items())} {file.read()}"


@component
def read_all(data: Input[List[Dataset]]) -> str:
    def text(one):
        with open(one.path) as file:
            return file.read()

    return " ".join(text(one) for one in data)


@component
def join(items: List[str]) -> str:
    return "+".join(items)


@component
def total(items: List[int]) -> int:
    return sum(items)


@component
def fail(message: str) -> str:
    raise ValueError(message)


@component
def kind_of(thing: Input[Artifact]) -> str:
    return f"{type(thing).__name__} {thing.schema_title}"
