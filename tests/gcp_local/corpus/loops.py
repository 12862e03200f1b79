"""ParallelFor over everything that can be looped over, and Collected."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="no-any-return"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator, valid-type, call-arg"
# ruff: noqa: E712, UP006, UP035, B006

from typing import Dict, List, NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input

from tests.gcp_local.corpus.case import NOT_TRIGGERED, Case, Made
from tests.gcp_local.corpus.parts import (
    add,
    component,
    echo,
    join,
    outputs,
    read,
    read_all,
    tell,
    total,
    write,
)


@component
def numbers(n: int) -> List[int]:
    return list(range(1, n + 1))


@component
def structs() -> List[Dict]:
    return [{"word": "a", "n": 1, "deep": {"x": [1]}}, {"word": "b", "n": 2, "deep": {"x": []}}]


@component
def lists() -> List[List[str]]:
    return [["a", "b"], [], ["c"]]


@component
def join_lists(items: List[List[str]]) -> str:
    return ";".join("+".join(inner) for inner in items)


@component
def pair(first: str, second: str) -> str:
    return first + second


@dsl.pipeline(name="static-items")
def static_items() -> NamedTuple("Outputs", [("whole", str), ("text", str), ("real", str)]):
    with dsl.ParallelFor([1, 2, 3]) as whole:
        wholes = tell(whole=whole)
    with dsl.ParallelFor(["a", "1", "it's"]) as text:
        texts = tell(text=text)
    with dsl.ParallelFor([0.5, 1.5]) as real:
        reals = tell(real=real)
    return outputs(
        whole=join(items=dsl.Collected(wholes.output)).output,
        text=join(items=dsl.Collected(texts.output)).output,
        real=join(items=dsl.Collected(reals.output)).output,
    )


@dsl.pipeline(name="static-structs")
def static_structs() -> str:
    with dsl.ParallelFor([{"a": 1, "b": 10}, {"a": 2, "b": 20}]) as item:
        told = tell(whole=item.b, struct=item)
    return join(items=dsl.Collected(told.output)).output


@dsl.pipeline(name="items-from-a-parameter")
def items_from_a_parameter(items: List[int], words: List[str]) -> NamedTuple(
    "Outputs", [("total", int), ("words", str)]
):
    with dsl.ParallelFor(items) as item:
        added = add(a=item, b=10)
    with dsl.ParallelFor(words) as word:
        said = echo(text=word)
    return outputs(
        total=total(items=dsl.Collected(added.output)).output,
        words=join(items=dsl.Collected(said.output)).output,
    )


@dsl.pipeline(name="items-from-an-output")
def items_from_an_output(n: int = 3) -> int:
    with dsl.ParallelFor(numbers(n=n).output) as item:
        added = add(a=item, b=item)
    return total(items=dsl.Collected(added.output)).output


@dsl.pipeline(name="structs-from-an-output")
def structs_from_an_output() -> str:
    with dsl.ParallelFor(structs().output) as item:
        told = tell(text=item.word, whole=item.n, struct=item.deep)
    return join(items=dsl.Collected(told.output)).output


@dsl.pipeline(name="structs-from-a-parameter")
def structs_from_a_parameter(items: List[Dict]) -> str:
    with dsl.ParallelFor(items) as item:
        told = tell(text=item.word, whole=item.n)
    return join(items=dsl.Collected(told.output)).output


@dsl.pipeline(name="a-body-that-reads-upstream")
def a_body_that_reads_upstream(n: int) -> int:
    upstream = add(a=n, b=100)
    with dsl.ParallelFor([1, 2]) as item:
        added = add(a=upstream.output, b=item)
        again = add(a=added.output, b=n)
    return total(items=dsl.Collected(again.output)).output


@dsl.pipeline(name="loops-in-loops")
def loops_in_loops() -> str:
    with dsl.ParallelFor(["a", "b"]) as outer, dsl.ParallelFor(["x", "y"]) as inner:
        said = pair(first=outer, second=inner)
    return join_lists(items=dsl.Collected(said.output)).output


@dsl.pipeline(name="items-of-two-loops-in-a-text")
def items_of_two_loops_in_a_text() -> None:
    with dsl.ParallelFor(["a", "b"]) as outer, dsl.ParallelFor(["x", "y"]) as inner:
        echo(text=f"{outer}{inner}")


@dsl.pipeline(name="loops-over-the-outer-item")
def loops_over_the_outer_item() -> str:
    with dsl.ParallelFor(lists().output) as outer, dsl.ParallelFor(outer) as inner:
        said = echo(text=inner)
    return join_lists(items=dsl.Collected(said.output)).output


@dsl.pipeline(name="one-at-a-time")
def one_at_a_time() -> str:
    with dsl.ParallelFor(["a", "b", "c"], parallelism=1) as item:
        said = echo(text=item)
    return join(items=dsl.Collected(said.output)).output


@dsl.pipeline(name="over-no-items")
def over_no_items(items: List[str] = []) -> str:
    with dsl.ParallelFor(items) as item:
        said = echo(text=item)
    return join(items=dsl.Collected(said.output)).output


@dsl.pipeline(name="read-each")
def read_each(data: Input[List[Dataset]]) -> List[str]:
    with dsl.ParallelFor(items=data) as one:
        told = read(data=one)
    return dsl.Collected(told.output)


@dsl.pipeline(name="over-artifacts")
def over_artifacts() -> str:
    with dsl.ParallelFor(["a", "bb"]) as text:
        made = write(text=text)
    return join(items=read_each(data=dsl.Collected(made.outputs["data"])).output).output


@dsl.pipeline(name="collected-artifacts-of-loops-in-loops")
def collected_artifacts_of_loops_in_loops() -> NamedTuple(
    "Outputs", [("told", str), ("data", List[Dataset])]
):
    with dsl.ParallelFor(["a", "b"]) as outer, dsl.ParallelFor(["x", "y"]) as inner:
        made = write(text=pair(first=outer, second=inner).output)
    told = read_all(data=dsl.Collected(made.outputs["data"]))
    return outputs(told=told.output, data=dsl.Collected(made.outputs["data"]))


@dsl.pipeline(name="collected-as-output")
def collected_as_output() -> List[int]:
    with dsl.ParallelFor([1, 2, 3]) as item:
        added = add(a=item, b=1)
    return dsl.Collected(added.output)


@dsl.pipeline(name="conditions-in-a-loop")
def conditions_in_a_loop() -> str:
    with dsl.ParallelFor([1, 2, 3]) as item:
        with dsl.If(item == 2):
            two = echo(text="two")
        with dsl.Else():
            other = echo(text=f"not two: {item}")
        said = echo(text=dsl.OneOf(two.output, other.output))
    return join(items=dsl.Collected(said.output)).output


@dsl.pipeline(name="loops-in-a-condition")
def loops_in_a_condition(go: bool = True) -> str:
    with dsl.If(go == True):
        with dsl.ParallelFor(["a", "b"]) as item:
            said = echo(text=item)
        yes = join(items=dsl.Collected(said.output))
    with dsl.Else():
        no = echo(text="no")
    return dsl.OneOf(yes.output, no.output)


@dsl.pipeline(name="a-loop-over-one-of-two-outputs")
def a_loop_over_one_of_two_outputs(n: int) -> int:
    with dsl.If(n > 2):
        many = numbers(n=n)
    with dsl.Else():
        few = numbers(n=1)
    with dsl.ParallelFor(dsl.OneOf(many.output, few.output)) as item:
        added = add(a=item, b=1)
    return total(items=dsl.Collected(added.output)).output


@dsl.pipeline(name="collected-within-a-loop")
def collected_within_a_loop() -> str:
    with dsl.ParallelFor(["a", "b"]) as outer:
        with dsl.ParallelFor(["x", "y"]) as inner:
            said = pair(first=outer, second=inner)
        joined = join(items=dsl.Collected(said.output))
    return join(items=dsl.Collected(joined.output)).output


def made(*texts: str) -> tuple[Made, ...]:
    return tuple(Made("system.Dataset@0.0.1", {"length": len(text)}, text) for text in texts)


CASES = (
    Case(
        "static_items",
        "ParallelFor over static ints, strings, floats",
        static_items,
        outputs={
            "whole": "+".join(repr([n, None, None, None, None, None]) for n in (1, 2, 3)),
            "text": "+".join(repr([None, None, t, None, None, None]) for t in ("a", "1", "it's")),
            "real": "+".join(repr([None, r, None, None, None, None]) for r in (0.5, 1.5)),
        },
    ),
    Case(
        "static_structs",
        "ParallelFor over static structs and their parts",
        static_structs,
        outputs={
            "Output": "+".join(
                repr([b, None, None, None, None, {"a": a, "b": b}]) for a, b in ((1, 10), (2, 20))
            )
        },
    ),
    Case(
        "items_from_a_parameter",
        "ParallelFor over parameters",
        items_from_a_parameter,
        {"items": [1, 2], "words": ["a", "", "{{$}}"]},
        outputs={"total": 23, "words": "a++{{$}}"},
    ),
    Case(
        "items_from_an_output",
        "ParallelFor over an output",
        items_from_an_output,
        outputs={"Output": 12},
    ),
    Case(
        "structs_from_an_output",
        "ParallelFor over structs of an output and their parts",
        structs_from_an_output,
        outputs={
            "Output": repr([1, None, "a", None, None, {"x": [1]}])
            + "+"
            + repr([2, None, "b", None, None, {"x": []}])
        },
    ),
    Case(
        "structs_from_a_parameter",
        "ParallelFor over structs of a parameter",
        structs_from_a_parameter,
        {"items": [{"word": "a", "n": 1}, {"word": "b", "n": 2}]},
        outputs={
            "Output": repr([1, None, "a", None, None, None])
            + "+"
            + repr([2, None, "b", None, None, None])
        },
    ),
    Case(
        "a_body_that_reads_upstream",
        "a loop's body reads an upstream output beside its item",
        a_body_that_reads_upstream,
        {"n": 1},
        outputs={"Output": 103 + 104},
    ),
    Case(
        "loops_in_loops",
        "loops in loops, collected as lists of lists",
        loops_in_loops,
        outputs={"Output": "ax+ay;bx+by"},
    ),
    Case(
        "items_of_two_loops_in_a_text",
        "a text of two loops' items, which the compiler wires to an input that is not there"
        " (kubeflow/pipelines issue 13273)",
        items_of_two_loops_in_a_text,
        refused="from an unknown input 'loop-item-param-3'",
    ),
    Case(
        "loops_over_the_outer_item",
        "a loop over the item of the loop around it",
        loops_over_the_outer_item,
        outputs={"Output": "a+b;;c"},
    ),
    Case("one_at_a_time", "`parallelism=1`", one_at_a_time, outputs={"Output": "a+b+c"}),
    Case("over_no_items", "a loop over an empty list", over_no_items, outputs={"Output": ""}),
    Case(
        "over_artifacts",
        "ParallelFor over artifacts",
        over_artifacts,
        outputs={"Output": "Dataset [('length', 1)] a+Dataset [('length', 2)] bb"},
    ),
    Case(
        "collected_artifacts_of_loops_in_loops",
        "artifacts collected from loops in loops",
        collected_artifacts_of_loops_in_loops,
        outputs={"told": "ax ay bx by"},
        made={"data": made("ax", "ay", "bx", "by")},
    ),
    Case(
        "collected_as_output",
        "Collected as the pipeline's output",
        collected_as_output,
        outputs={"Output": [2, 3, 4]},
    ),
    Case(
        "a_loop_over_one_of_two_outputs",
        "ParallelFor over OneOf, which the compiler wires to an output that is not there",
        a_loop_over_one_of_two_outputs,
        {"n": 3},
        refused="from an unknown output condition-branches-1",
    ),
    Case(
        "collected_within_a_loop",
        "Collected within a loop, of the loop in it",
        collected_within_a_loop,
        outputs={"Output": "ax+ay+bx+by"},
    ),
    Case(
        "conditions_in_a_loop",
        "If, Else and OneOf in a loop",
        conditions_in_a_loop,
        outputs={"Output": "not two: 1+two+not two: 3"},
        tasks={
            "for-loop-2.for-loop-2-0.condition-branches-3.condition-4": NOT_TRIGGERED,
            "for-loop-2.for-loop-2-1.condition-branches-3.condition-5": NOT_TRIGGERED,
            "for-loop-2.for-loop-2-2.condition-branches-3.condition-4": NOT_TRIGGERED,
        },
    ),
    Case(
        "loops_in_a_condition",
        "a loop in a branch",
        loops_in_a_condition,
        outputs={"Output": "a+b"},
        tasks={"condition-branches-1.condition-5": NOT_TRIGGERED},
    ),
)
