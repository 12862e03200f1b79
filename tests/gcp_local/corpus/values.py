"""Parameters: every type, from everywhere, with its type kept."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="no-any-return"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator, valid-type, call-arg"
# ruff: noqa: B006, PTH123, UP006, UP035, UP045

from typing import Dict, List, NamedTuple, Optional

from kfp import dsl

from tests.gcp_local.corpus.case import Case
from tests.gcp_local.corpus.parts import add, component, echo, outputs, tell


@dsl.pipeline(name="runtime-parameters")
def runtime_parameters(
    whole: int, real: float, text: str, flag: bool, items: list, struct: dict
) -> str:
    return tell(whole=whole, real=real, text=text, flag=flag, items=items, struct=struct).output


@dsl.pipeline(name="constants")
def constants() -> str:
    return tell(
        whole=3,
        real=2.0,
        text='it\'s "so" \\ \n naïve',
        flag=False,
        items=[1, 2.5, "3", True, [4]],
        struct={"a": 1, "b": {"c": [2]}},
    ).output


@dsl.pipeline(name="defaults")
def defaults(
    whole: int = 1,
    real: float = 2.0,
    text: str = "",
    flag: bool = True,
    items: List[int] = [1, 2],
    struct: Dict[str, int] = {"a": 1},
) -> str:
    return tell(whole=whole, real=real, text=text, flag=flag, items=items, struct=struct).output


@dsl.pipeline(name="nulls")
def nulls(text: Optional[str] = None, whole: Optional[int] = None, real: float = 1.0) -> str:
    return tell(text=text, whole=whole, real=real).output


@component
def with_defaults(
    a: int = 7, b: str = "b", c: List[int] = [1], d: Optional[str] = None, e: bool = False
) -> str:
    return repr([a, b, c, d, e])


@dsl.pipeline(name="component-defaults")
def component_defaults() -> str:
    return with_defaults(b="given").output


@component
def several(n: int) -> NamedTuple(
    "Outputs",
    [
        ("whole", int),
        ("real", float),
        ("text", str),
        ("flag", bool),
        ("items", list),
        ("struct", dict),
    ],
):
    return n, n / 4, "é" * n, n > 3, [n, 1.5, [n]], {"n": n, "x": None}


@dsl.pipeline(name="named-outputs")
def named_outputs(n: int = 2) -> NamedTuple(
    "Outputs", [("told", str), ("whole", int), ("flag", bool), ("items", list), ("struct", dict)]
):
    made = several(n=n)
    told = tell(
        whole=made.outputs["whole"],
        real=made.outputs["real"],
        text=made.outputs["text"],
        flag=made.outputs["flag"],
        items=made.outputs["items"],
        struct=made.outputs["struct"],
    )
    return outputs(
        told=told.output,
        whole=made.outputs["whole"],
        flag=made.outputs["flag"],
        items=made.outputs["items"],
        struct=made.outputs["struct"],
    )


@dsl.pipeline(name="text-of-several")
def text_of_several(name: str, n: int, share: float = 0.5, flag: bool = True) -> str:
    made = add(a=n, b=1)
    return echo(text=f"{name}/{n}/{made.output}/{share}/{flag}").output


@component
def to_files(
    whole: dsl.OutputPath(int),
    real: dsl.OutputPath(float),
    text: dsl.OutputPath(str),
    flag: dsl.OutputPath(bool),
    items: dsl.OutputPath(list),
    struct: dsl.OutputPath(dict),
):
    for path, written in (
        (whole, "3"),
        (real, "2"),
        (text, "3"),
        (flag, "True"),
        (items, "[1, 2.5, null]"),
        (struct, '{"a": {"b": 1}}'),
    ):
        with open(path, "w") as file:
            file.write(written)


@dsl.pipeline(name="output-files")
def output_files() -> str:
    made = to_files().outputs
    return tell(
        whole=made["whole"],
        real=made["real"],
        text=made["text"],
        flag=made["flag"],
        items=made["items"],
        struct=made["struct"],
    ).output


@component
def largest() -> NamedTuple("Outputs", [("whole", int), ("real", float)]):
    return 2**53, 1e300


@dsl.pipeline(name="large-numbers")
def large_numbers(least: int) -> NamedTuple("Outputs", [("told", str), ("again", str)]):
    made = largest()
    told = tell(whole=made.outputs["whole"], real=made.outputs["real"])
    again = tell(whole=least)
    return outputs(told=told.output, again=again.output)


CASES = (
    Case(
        "runtime_parameters",
        "runtime parameters of every type; ints stay ints in lists and structs",
        runtime_parameters,
        {
            "whole": 3,
            "real": 2.0,
            "text": "naïve {{$}} $HOME 'q' \"",
            "flag": True,
            "items": [1, [2, "x"], {"a": 3}],
            "struct": {"b": [1, 2.5, {"c": None}], "a": 1},
        },
        outputs={
            "Output": repr(
                [
                    3,
                    2.0,
                    "naïve {{$}} $HOME 'q' \"",
                    True,
                    [1, [2, "x"], {"a": 3}],
                    {"a": 1, "b": [1, 2.5, {"c": None}]},
                ]
            )
        },
    ),
    Case(
        "constants",
        "constants of every type",
        constants,
        outputs={
            "Output": repr(
                [
                    3,
                    2.0,
                    'it\'s "so" \\ \n naïve',
                    False,
                    [1, 2.5, "3", True, [4]],
                    {"a": 1, "b": {"c": [2]}},
                ]
            )
        },
    ),
    Case(
        "defaults",
        "defaults of every type",
        defaults,
        outputs={"Output": repr([1, 2.0, "", True, [1, 2], {"a": 1}])},
    ),
    Case(
        "defaults_overridden",
        "defaults, some of them overridden by empty and falsy values",
        defaults,
        {"whole": 0, "flag": False, "items": [], "struct": {}},
        outputs={"Output": repr([0, 2.0, "", False, [], {}])},
    ),
    Case(
        "nulls",
        "optional parameters: null given, nothing given",
        nulls,
        {"text": None},
        outputs={"Output": repr([None, 1.0, None, None, None, None])},
    ),
    Case(
        "nulls_given",
        "optional parameters: values given",
        nulls,
        {"text": "", "whole": 0},
        outputs={"Output": repr([0, 1.0, "", None, None, None])},
    ),
    Case(
        "component_defaults",
        "defaults of a component",
        component_defaults,
        outputs={"Output": "[7, 'given', [1], None, False]"},
    ),
    Case(
        "named_outputs",
        "named outputs of every type, of a task and of the pipeline",
        named_outputs,
        outputs={
            "told": repr([2, 0.5, "éé", False, [2, 1.5, [2]], {"n": 2, "x": None}]),
            "whole": 2,
            "flag": False,
            "items": [2, 1.5, [2]],
            "struct": {"n": 2, "x": None},
        },
    ),
    Case(
        "text_of_several",
        "text put together of parameters and outputs",
        text_of_several,
        {"name": "{{$.pipeline_task_name}}", "n": 5},
        outputs={"Output": "{{$.pipeline_task_name}}/5/6/0.5/true"},
    ),
    Case(
        "output_files",
        "outputs of every type written to files (`OutputPath`)",
        output_files,
        outputs={"Output": repr([3, 2.0, "3", True, [1, 2.5, None], {"a": {"b": 1}}])},
    ),
    Case(
        "large_numbers",
        "the largest numbers that JSON keeps exactly",
        large_numbers,
        {"least": -(2**53)},
        outputs={
            "told": repr([2**53, 1e300, None, None, None, None]),
            "again": repr([-(2**53), None, None, None, None, None]),
        },
    ),
)
