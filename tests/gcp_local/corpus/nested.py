"""Pipelines in pipelines: parameters, defaults, artifacts through every level."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="no-any-return"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator, valid-type, call-arg"
# ruff: noqa: UP045

from typing import NamedTuple, Optional

from kfp import dsl
from kfp.dsl import Dataset, Input

from tests.gcp_local.corpus.case import NOT_TRIGGERED, Case, Made
from tests.gcp_local.corpus.parts import add, echo, join, outputs, read, tell, write


@dsl.pipeline(name="doubling")
def doubling(n: int, times: int = 2) -> NamedTuple("Outputs", [("sum", int), ("told", str)]):
    first = add(a=n, b=n)
    return outputs(sum=first.output, told=tell(whole=times).output)


@dsl.pipeline(name="nested-outputs")
def nested_outputs(n: int = 4) -> NamedTuple("Outputs", [("sum", int), ("told", str)]):
    one = doubling(n=n)
    two = doubling(n=one.outputs["sum"], times=n)
    return outputs(sum=two.outputs["sum"], told=two.outputs["told"])


@dsl.pipeline(name="reading")
def reading(data: Input[Dataset], label: str) -> NamedTuple(
    "Outputs", [("told", str), ("copy", Dataset)]
):
    told = read(data=data)
    said = echo(text=f"{label}: {told.output}")
    return outputs(told=said.output, copy=write(text=told.output).outputs["data"])


@dsl.pipeline(name="middle")
def middle(data: Input[Dataset]) -> NamedTuple("Outputs", [("told", str), ("copy", Dataset)]):
    inner = reading(data=data, label="inner")
    return outputs(told=inner.outputs["told"], copy=inner.outputs["copy"])


@dsl.pipeline(name="artifacts-through-levels")
def artifacts_through_levels() -> NamedTuple(
    "Outputs", [("told", str), ("again", str), ("copy", Dataset)]
):
    made = write(text="deep")
    levels = middle(data=made.outputs["data"])
    again = read(data=levels.outputs["copy"])
    return outputs(told=levels.outputs["told"], again=again.output, copy=levels.outputs["copy"])


@dsl.pipeline(name="optional-inner")
def optional_inner(text: Optional[str] = None, n: Optional[int] = None) -> str:
    return tell(text=text, whole=n).output


@dsl.pipeline(name="nested-optionals")
def nested_optionals(n: Optional[int] = None) -> NamedTuple(
    "Outputs", [("none", str), ("some", str)]
):
    none = optional_inner(n=n)
    some = optional_inner(text="x", n=3)
    return outputs(none=none.output, some=some.output)


@dsl.pipeline(name="choosing")
def choosing(n: int) -> str:
    with dsl.If(n > 1):
        many = echo(text="many")
    with dsl.Else():
        few = echo(text="few")
    return dsl.OneOf(many.output, few.output)


@dsl.pipeline(name="a-pipeline-in-a-loop")
def a_pipeline_in_a_loop() -> str:
    with dsl.ParallelFor([1, 2]) as n:
        chosen = choosing(n=n)
    return join(items=dsl.Collected(chosen.output)).output


CASES = (
    Case(
        "nested_outputs",
        "a pipeline used twice in another, with its outputs and defaults",
        nested_outputs,
        outputs={"sum": 16, "told": "[4, None, None, None, None, None]"},
    ),
    Case(
        "artifacts_through_levels",
        "artifacts into and out of pipelines in pipelines",
        artifacts_through_levels,
        outputs={
            "told": "inner: Dataset [('length', 4)] deep",
            "again": "Dataset [('length', 28)] Dataset [('length', 4)] deep",
        },
        made={"copy": Made("system.Dataset@0.0.1", {"length": 28}, "Dataset [('length', 4)] deep")},
    ),
    Case(
        "nested_optionals",
        "optional parameters through levels",
        nested_optionals,
        outputs={
            "none": "[None, None, None, None, None, None]",
            "some": "[3, None, 'x', None, None, None]",
        },
    ),
    Case(
        "a_pipeline_in_a_loop",
        "a pipeline with branches in a loop",
        a_pipeline_in_a_loop,
        outputs={"Output": "few+many"},
        tasks={
            "for-loop-2.for-loop-2-0.choosing.condition-branches-1.condition-2": NOT_TRIGGERED,
            "for-loop-2.for-loop-2-1.choosing.condition-branches-1.condition-3": NOT_TRIGGERED,
        },
    ),
)
