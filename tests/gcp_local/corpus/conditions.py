"""If, Elif, Else and OneOf: every operator on every type."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="no-any-return"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator, valid-type, call-arg"
# ruff: noqa: E712

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Dataset

from tests.gcp_local.corpus.case import NOT_TRIGGERED, Case, Made
from tests.gcp_local.corpus.parts import add, component, echo, outputs, read, tell, write


@component
def several(n: int) -> NamedTuple(
    "Outputs", [("whole", int), ("real", float), ("text", str), ("flag", bool)]
):
    return n, n / 2, "it is " + str(n), n > 3


def verdict(condition) -> str:
    """Tell, as a task's output, whether a condition holds."""
    with dsl.If(condition):
        yes = echo(text="yes")
    with dsl.Else():
        no = echo(text="no")
    return dsl.OneOf(yes.output, no.output)


@dsl.pipeline(name="integer-operators")
def integer_operators(n: int) -> NamedTuple(
    "Outputs",
    [("eq", str), ("ne", str), ("lt", str), ("le", str), ("gt", str), ("ge", str)],
):
    return outputs(
        eq=verdict(n == 4),
        ne=verdict(n != 4),
        lt=verdict(n < 4),
        le=verdict(n <= 4),
        gt=verdict(n > 4),
        ge=verdict(n >= 4),
    )


@dsl.pipeline(name="operators-on-named-outputs")
def operators_on_named_outputs(n: int = 5) -> NamedTuple(
    "Outputs",
    [("whole", str), ("real", str), ("text", str), ("flag", str), ("unflag", str), ("both", str)],
):
    made = several(n=n).outputs
    return outputs(
        whole=verdict(made["whole"] >= 5),
        real=verdict(made["real"] < 2.75),
        text=verdict(made["text"] == "it is 5"),
        flag=verdict(made["flag"] == True),
        unflag=verdict(made["flag"] != True),
        both=verdict(made["whole"] > made["real"]),
    )


@dsl.pipeline(name="operators-on-parameters")
def operators_on_parameters(text: str = "b", share: float = 0.5, flag: bool = False) -> NamedTuple(
    "Outputs", [("text", str), ("before", str), ("share", str), ("flag", str)]
):
    return outputs(
        text=verdict(text != "a"),
        before=verdict(text < "c"),
        share=verdict(share <= 0.5),
        flag=verdict(flag == False),
    )


@dsl.pipeline(name="a-named-output-decides")
def a_named_output_decides(n: int) -> str:
    made = several(n=n)
    with dsl.If(made.outputs["flag"] == True, name="large"):
        large = tell(whole=made.outputs["whole"])
    with dsl.Else(name="small"):
        small = tell(text=made.outputs["text"])
    return dsl.OneOf(large.output, small.output)


@dsl.pipeline(name="hostile-text")
def hostile_text(text: str) -> str:
    return verdict(text == "harmless")


@dsl.pipeline(name="a-quote-in-a-condition")
def a_quote_in_a_condition(text: str = "it's") -> str:
    return verdict(text == "it's")


@dsl.pipeline(name="branches")
def branches(n: int, text: str) -> str:
    made = add(a=n, b=0)
    with dsl.If(made.output > 1):
        many = echo(text="many")
    with dsl.Elif(text == "y"):
        one = echo(text="one")
    with dsl.Else():
        none = echo(text="none")
    return echo(text=dsl.OneOf(many.output, one.output, none.output)).output


@dsl.pipeline(name="branches-in-branches")
def branches_in_branches(a: int, b: int) -> str:
    with dsl.If(a > 0):
        with dsl.If(b > 0):
            both = echo(text="both")
        with dsl.Else():
            first = echo(text="first")
        inner = echo(text=dsl.OneOf(both.output, first.output))
    with dsl.Else():
        outer = echo(text="neither or second")
    return dsl.OneOf(inner.output, outer.output)


@dsl.pipeline(name="one-of-artifacts")
def one_of_artifacts(first: bool) -> NamedTuple("Outputs", [("told", str), ("data", Dataset)]):
    with dsl.If(first == True):
        one = write(text="one")
    with dsl.Else():
        other = write(text="other")
    chosen = dsl.OneOf(one.outputs["data"], other.outputs["data"])
    return outputs(told=read(data=chosen).output, data=chosen)


@dsl.pipeline(name="if-alone-on-a-named-output")
def if_alone_on_a_named_output(n: int = 5) -> str:
    made = several(n=n)
    with dsl.If(made.outputs["flag"] == True), dsl.If(made.outputs["whole"] == 5):
        echo(text="inside")
    return echo(text="beside").output


@dsl.pipeline(name="if-alone")
def if_alone(n: int) -> str:
    made = add(a=n, b=1)
    with dsl.If(made.output == 3):
        echo(text="inside")
        echo(text="inside too")
    return echo(text="beside").output


CASES = (
    Case(
        "integer_operators",
        "every comparison of an integer with a constant",
        integer_operators,
        {"n": 4},
        outputs={"eq": "yes", "ne": "no", "lt": "no", "le": "yes", "gt": "no", "ge": "yes"},
        tasks={
            "condition-branches-1.condition-3": NOT_TRIGGERED,
            "condition-branches-10.condition-12": NOT_TRIGGERED,
            "condition-branches-13.condition-14": NOT_TRIGGERED,
            "condition-branches-16.condition-18": NOT_TRIGGERED,
            "condition-branches-4.condition-5": NOT_TRIGGERED,
            "condition-branches-7.condition-8": NOT_TRIGGERED,
        },
    ),
    Case(
        "operators_on_named_outputs",
        "conditions on named outputs: int, float, str, bool, one with another",
        operators_on_named_outputs,
        outputs={
            "whole": "yes",
            "real": "yes",
            "text": "yes",
            "flag": "yes",
            "unflag": "no",
            "both": "yes",
        },
        tasks={
            "condition-branches-1.condition-3": NOT_TRIGGERED,
            "condition-branches-10.condition-12": NOT_TRIGGERED,
            "condition-branches-13.condition-14": NOT_TRIGGERED,
            "condition-branches-16.condition-18": NOT_TRIGGERED,
            "condition-branches-4.condition-6": NOT_TRIGGERED,
            "condition-branches-7.condition-9": NOT_TRIGGERED,
        },
    ),
    Case(
        "operators_on_parameters",
        "conditions on parameters: str, float, bool",
        operators_on_parameters,
        outputs={"text": "yes", "before": "yes", "share": "yes", "flag": "yes"},
        tasks={
            "condition-branches-1.condition-3": NOT_TRIGGERED,
            "condition-branches-10.condition-12": NOT_TRIGGERED,
            "condition-branches-4.condition-6": NOT_TRIGGERED,
            "condition-branches-7.condition-9": NOT_TRIGGERED,
        },
    ),
    Case(
        "a_named_output_decides",
        "If on a *named* output, which holds",
        a_named_output_decides,
        {"n": 5},
        outputs={"Output": "[5, None, None, None, None, None]"},
        tasks={"condition-branches-1.condition-3": NOT_TRIGGERED},
    ),
    Case(
        "a_named_output_decides_otherwise",
        "If on a *named* output, which does not hold",
        a_named_output_decides,
        {"n": 2},
        outputs={"Output": "[None, None, 'it is 2', None, None, None]"},
        tasks={"condition-branches-1.condition-2": NOT_TRIGGERED},
    ),
    Case(
        "hostile_text",
        "text in a condition is never run",
        hostile_text,
        {"text": "x' == 'x' or __import__('os').abort() or '"},
        outputs={"Output": "no"},
        tasks={"condition-branches-1.condition-2": NOT_TRIGGERED},
    ),
    Case(
        "a_quote_in_a_condition",
        "a constant with a quote in a condition, which the compiler does not escape",
        a_quote_in_a_condition,
        refused="is not a CEL expression",
    ),
    Case(
        "if_branch",
        "If, Elif, Else: the first",
        branches,
        {"n": 2, "text": "y"},
        outputs={"Output": "many"},
        tasks={
            "condition-branches-1.condition-3": NOT_TRIGGERED,
            "condition-branches-1.condition-4": NOT_TRIGGERED,
        },
    ),
    Case(
        "elif_branch",
        "If, Elif, Else: the second",
        branches,
        {"n": 1, "text": "y"},
        outputs={"Output": "one"},
        tasks={
            "condition-branches-1.condition-2": NOT_TRIGGERED,
            "condition-branches-1.condition-4": NOT_TRIGGERED,
        },
    ),
    Case(
        "else_branch",
        "If, Elif, Else: the last",
        branches,
        {"n": 0, "text": ""},
        outputs={"Output": "none"},
        tasks={
            "condition-branches-1.condition-2": NOT_TRIGGERED,
            "condition-branches-1.condition-3": NOT_TRIGGERED,
        },
    ),
    Case(
        "branches_in_branches",
        "conditions in conditions: both hold",
        branches_in_branches,
        {"a": 1, "b": 1},
        outputs={"Output": "both"},
        tasks={
            "condition-branches-1.condition-5.condition-branches-2.condition-4": NOT_TRIGGERED,
            "condition-branches-1.condition-6": NOT_TRIGGERED,
        },
    ),
    Case(
        "branches_in_branches_else",
        "conditions in conditions: the inner does not hold",
        branches_in_branches,
        {"a": 1, "b": 0},
        outputs={"Output": "first"},
        tasks={
            "condition-branches-1.condition-5.condition-branches-2.condition-3": NOT_TRIGGERED,
            "condition-branches-1.condition-6": NOT_TRIGGERED,
        },
    ),
    Case(
        "branches_in_branches_outer",
        "conditions in conditions: the outer does not hold",
        branches_in_branches,
        {"a": 0, "b": 1},
        outputs={"Output": "neither or second"},
        tasks={"condition-branches-1.condition-5": NOT_TRIGGERED},
    ),
    Case(
        "one_of_artifacts",
        "OneOf on artifacts: the first",
        one_of_artifacts,
        {"first": True},
        outputs={"told": "Dataset [('length', 3)] one"},
        made={"data": Made("system.Dataset@0.0.1", {"length": 3}, "one")},
        tasks={"condition-branches-1.condition-3": NOT_TRIGGERED},
    ),
    Case(
        "one_of_artifacts_other",
        "OneOf on artifacts: the second",
        one_of_artifacts,
        {"first": False},
        outputs={"told": "Dataset [('length', 5)] other"},
        made={"data": Made("system.Dataset@0.0.1", {"length": 5}, "other")},
        tasks={"condition-branches-1.condition-2": NOT_TRIGGERED},
    ),
    Case(
        "if_alone_on_a_named_output",
        "If without Else on a *named* output, which holds",
        if_alone_on_a_named_output,
        outputs={"Output": "beside"},
        told={"condition-1.condition-2.echo.Output": "inside"},
    ),
    Case(
        "if_alone",
        "If without Else: what is in it is not triggered",
        if_alone,
        {"n": 1},
        outputs={"Output": "beside"},
        tasks={"condition-1": NOT_TRIGGERED},
    ),
)
