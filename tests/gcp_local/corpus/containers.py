"""Container components: every placeholder."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="no-any-return"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator, valid-type, call-arg"
# ruff: noqa: UP006, UP035, UP045

from typing import List, NamedTuple, Optional

from kfp import dsl
from kfp.dsl import ConcatPlaceholder, Dataset, IfPresentPlaceholder, Input, Output

from tests.gcp_local.corpus.case import Case, Made
from tests.gcp_local.corpus.parts import outputs, read, tell, write

# Writes its second and further words, one a line, into the file that is its first word.
SAY = 'mkdir -p "$(dirname "$0")" && printf "%s\\n" "$@" > "$0"'


@dsl.container_component
def values(
    said: dsl.OutputPath(str),
    whole: int,
    real: float,
    text: str,
    flag: bool,
    items: list,
    struct: dict,
):
    return dsl.ContainerSpec(
        image="python:3.11-slim",
        command=["sh", "-c", SAY, said],
        args=[whole, real, text, flag, items, struct, f"--text={text}/{whole}"],
    )


@dsl.pipeline(name="container-values")
def container_values(text: str = "a b $HOME 'q'") -> str:
    return values(whole=3, real=2.5, text=text, flag=True, items=[1, "b"], struct={"a": 1}).outputs[
        "said"
    ]


@dsl.container_component
def artifacts(
    said: dsl.OutputPath(str),
    whole: dsl.OutputPath(int),
    data: Input[Dataset],
    made: Output[Dataset],
):
    script = (
        'mkdir -p "$(dirname "$0")" "$(dirname "$1")" && cat "$2" > "$0" && printf 42 > "$1"'
        ' && cp "$2" "$3" && printf " %s %s" "$4" "$(test "$5" != "$3" && echo uri)" >> "$0"'
    )
    return dsl.ContainerSpec(
        image="python:3.11-slim",
        command=["sh", "-c", script],
        args=[said, whole, data.path, made.path, data.metadata["length"], made.uri],
    )


@dsl.pipeline(name="container-artifacts")
def container_artifacts() -> NamedTuple(
    "Outputs", [("said", str), ("told", str), ("made", Dataset), ("read", str)]
):
    data = write(text="abc").outputs["data"]
    done = artifacts(data=data)
    told = tell(whole=done.outputs["whole"])
    again = read(data=done.outputs["made"])
    return outputs(
        said=done.outputs["said"], told=told.output, made=done.outputs["made"], read=again.output
    )


@dsl.container_component
def listed(said: dsl.OutputPath(str), data: Input[List[Dataset]]):
    script = (
        "import json, pathlib, sys\n"
        "out = pathlib.Path(sys.argv[2]); out.parent.mkdir(parents=True, exist_ok=True)\n"
        "out.write_text(json.dumps([one['metadata'] for one in json.loads(sys.argv[1])]))\n"
    )
    return dsl.ContainerSpec(
        image="python:3.11-slim", command=["python3", "-c", script], args=[data, said]
    )


@dsl.pipeline(name="container-list-of-artifacts")
def container_list_of_artifacts() -> str:
    with dsl.ParallelFor(["a", "bb"]) as text:
        made = write(text=text)
    return listed(data=dsl.Collected(made.outputs["data"])).outputs["said"]


@dsl.container_component
def structures(
    said: dsl.OutputPath(str),
    text: str,
    extra: Optional[str] = None,
    more: Optional[List[str]] = None,
):
    return dsl.ContainerSpec(
        image="python:3.11-slim",
        command=["sh", "-c", SAY, said],
        args=[
            ConcatPlaceholder(["--text=", text, ";", "end"]),
            IfPresentPlaceholder("extra", then=["--extra", extra], else_=["--none"]),
            IfPresentPlaceholder("more", then=ConcatPlaceholder(["--more=", more])),
            ConcatPlaceholder(["<", IfPresentPlaceholder("extra", then=extra, else_="-"), ">"]),
            "last",
        ],
    )


@dsl.pipeline(name="container-structures")
def container_structures() -> NamedTuple("Outputs", [("without", str), ("given", str)]):
    without = structures(text="a b")
    given = structures(text="c", extra="x y", more=["1", "2"])
    return outputs(without=without.outputs["said"], given=given.outputs["said"])


@dsl.container_component
def job_values(said: dsl.OutputPath(str), job: str):
    return dsl.ContainerSpec(
        image="python:3.11-slim",
        command=["sh", "-c", SAY, said],
        args=[
            job,
            dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
            dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
            dsl.PIPELINE_JOB_ID_PLACEHOLDER,
            dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
            dsl.PIPELINE_TASK_ID_PLACEHOLDER,
            dsl.PIPELINE_ROOT_PLACEHOLDER,
            dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
            dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER,
        ],
    )


@dsl.pipeline(name="job-placeholders")
def job_placeholders() -> str:
    return job_values(job=dsl.PIPELINE_JOB_NAME_PLACEHOLDER).outputs["said"]


@dsl.container_component
def executor_input(said: dsl.OutputPath(str), text: str, made: Output[Dataset]):
    script = (
        "import json, pathlib, sys\n"
        "given = json.loads(sys.argv[1])\n"
        "out = pathlib.Path(sys.argv[2]); out.parent.mkdir(parents=True, exist_ok=True)\n"
        "made = given['outputs']['artifacts']['made']['artifacts'][0]\n"
        "made['metadata'] = {'by': 'hand', 'n': 3}\n"
        "pathlib.Path(sys.argv[3]).write_text('payload')\n"
        "said = given['inputs']['parameterValues']['text'] + '!'\n"
        "out.write_text(json.dumps({'parameterValues': {'said': said},"
        " 'artifacts': {'made': {'artifacts': [made]}}}))\n"
    )
    return dsl.ContainerSpec(
        image="python:3.11-slim",
        command=["python3", "-c", script],
        args=[
            dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER,
            dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER,
            made.path,
        ],
    )


@dsl.pipeline(name="executor-input")
def executor_inputs(text: str) -> NamedTuple("Outputs", [("said", str), ("made", Dataset)]):
    done = executor_input(text=text)
    return outputs(said=done.outputs["said"], made=done.outputs["made"])


@dsl.container_component
def environment(said: dsl.OutputPath(str)):
    return dsl.ContainerSpec(
        image="python:3.11-slim",
        command=["sh", "-c", 'mkdir -p "$(dirname "$0")" && printf "%s" "$MODE" > "$0"'],
        args=[said],
    )


@dsl.pipeline(name="container-environment")
def container_environment() -> str:
    return environment().set_env_variable("MODE", "of its own").outputs["said"]


@dsl.container_component
def nothing():
    return dsl.ContainerSpec(image="python:3.11-slim", command=["true"])


@dsl.container_component
def wrong():
    return dsl.ContainerSpec(
        image="python:3.11-slim", command=["sh", "-c", "echo it cannot be done >&2; exit 3"]
    )


@dsl.pipeline(name="container-exit-codes")
def container_exit_codes() -> None:
    nothing()
    wrong()


CASES = (
    Case(
        "container_values",
        "container components: parameters of every type as words",
        container_values,
        outputs={
            "Output": '3\n2.5\na b $HOME \'q\'\ntrue\n[1, "b"]\n{"a": 1}\n'
            "--text=a b $HOME 'q'/3\n"
        },
    ),
    Case(
        "container_artifacts",
        "container components: artifacts' path, uri and metadata",
        container_artifacts,
        outputs={
            "said": "abc 3 uri",
            "told": "[42, None, None, None, None, None]",
            "read": "Dataset [] abc",
        },
        made={"made": Made("system.Dataset@0.0.1", {}, "abc")},
    ),
    Case(
        "container_list_of_artifacts",
        "container components: a list of artifacts as one word",
        container_list_of_artifacts,
        outputs={"Output": '[{"length": 1}, {"length": 2}]'},
    ),
    Case(
        "container_structures",
        "ConcatPlaceholder and IfPresentPlaceholder, one in the other",
        container_structures,
        outputs={
            "without": "--text=a b;end\n--none\n<->\nlast\n",
            "given": '--text=c;end\n--extra\nx y\n--more=["1", "2"]\n<x y>\nlast\n',
        },
    ),
    Case("job_placeholders", "placeholders of the job and the task", job_placeholders),
    Case(
        "executor_inputs",
        "the executor input, and an executor output written by hand",
        executor_inputs,
        {"text": "it's {{$}}"},
        outputs={"said": "it's {{$}}!"},
        made={"made": Made("system.Dataset@0.0.1", {"by": "hand", "n": 3}, "payload")},
    ),
    Case(
        "container_environment",
        "environment variables of a container component",
        container_environment,
        outputs={"Output": "of its own"},
    ),
    Case(
        "container_exit_codes",
        "a container component that fails",
        container_exit_codes,
        state="FAILED",
        error="non-zero status of 3. it cannot be done. The log is at ",
        tasks={"wrong": "FAILED"},
    ),
)
