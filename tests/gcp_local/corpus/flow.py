"""Order, failure, exit handlers, retries, caching, settings of tasks."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="no-any-return"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator, valid-type, call-arg"
# ruff: noqa: PTH118, PTH123, UP006, UP035

from typing import Dict, List, NamedTuple

from kfp import dsl

from tests.gcp_local.corpus.case import FAILED, FOLDER, NOT_TRIGGERED, SKIPPED, Case
from tests.gcp_local.corpus.parts import component, echo, fail, outputs


@component
def report(status: dsl.PipelineTaskFinalStatus, label: str) -> str:
    return f"{label}: {status.state} {status.pipeline_task_name} {status.error_message}"


@component
def cleanup(folder: str) -> str:
    return f"cleaned {folder}"


@dsl.pipeline(name="exit-handler")
def exit_handler(message: str = "") -> None:
    last = report(label="the end")
    with dsl.ExitHandler(last, name="guarded"):
        first = echo(text="a")
        with dsl.If(message != ""):
            fail(message=message).after(first)


@dsl.pipeline(name="exit-handler-without-status")
def exit_handler_without_status(folder: str = "x") -> None:
    last = cleanup(folder=folder)
    with dsl.ExitHandler(last):
        fail(message="no")
    echo(text="beside")


@component
def fall_back(text: str = "nothing came") -> str:
    return text


@dsl.pipeline(name="upstream-fails")
def upstream_fails() -> None:
    failed = fail(message="gone wrong")
    fall_back(text=failed.output).ignore_upstream_failure()
    echo(text=failed.output)
    echo(text="independent")


@component
def succeed_at(path: str, attempt: int) -> int:
    import os

    os.makedirs(path, exist_ok=True)  # noqa: PTH103
    tries = len(os.listdir(path)) + 1  # noqa: PTH208
    with open(os.path.join(path, str(tries)), "w"):
        pass
    if tries < attempt:
        raise ValueError(f"attempt {tries}")
    return tries


@dsl.pipeline(name="retries")
def retries(folder: str) -> int:
    return (
        succeed_at(path=f"{folder}/a", attempt=3)
        .set_retry(3, backoff_duration="0s", backoff_factor=1, backoff_max_duration="1s")
        .output
    )


@dsl.pipeline(name="retries-run-out")
def retries_run_out(folder: str) -> None:
    succeed_at(path=f"{folder}/a", attempt=4).set_retry(1, backoff_duration="0s")


@component
def stamp(path: str, name: str) -> str:
    import os

    os.makedirs(path, exist_ok=True)  # noqa: PTH103
    before = sorted(os.listdir(path))  # noqa: PTH208
    with open(os.path.join(path, name), "w"):
        pass
    return f"{name} after {before}"


@dsl.pipeline(name="order")
def order(folder: str) -> str:
    first = stamp(path=folder, name="a")
    second = stamp(path=folder, name="b").after(first)
    return stamp(path=folder, name="c").after(first, second).output


@component
def draw() -> str:
    import uuid

    return uuid.uuid4().hex


@component
def alike(first: str, second: str, third: str) -> str:
    return f"{first == second} {second == third}"


@dsl.pipeline(name="caching")
def caching() -> str:
    first = draw()
    second = draw().after(first)
    third = draw().after(second).set_caching_options(False)
    return alike(first=first.output, second=second.output, third=third.output).output


@component
def environment(names: List[str]) -> Dict:
    import os

    return {name: os.environ.get(name) for name in names}


@dsl.pipeline(name="task-settings")
def task_settings() -> dict:
    task = environment(names=["MODE", "EMPTY", "ABSENT"])
    task.set_env_variable("MODE", "it's $HOME")
    task.set_env_variable("EMPTY", "")
    task.set_display_name("What is around me?")
    task.set_caching_options(False)
    task.set_cpu_limit("500m").set_cpu_request("0.1")
    task.set_memory_limit("2Gi").set_memory_request("64M")
    return task.output


@dsl.pipeline(name="labels")
def labels() -> dict:
    return environment(names=["VERTEX_AI_PIPELINES_RUN_LABELS"]).output


@dsl.pipeline(name="display-names", display_name="Shown", description="As it is shown")
def display_names() -> NamedTuple("Outputs", [("one", str), ("two", str)]):
    one = echo(text="1").set_display_name("the same name")
    two = echo(text="2").set_display_name("the same name")
    return outputs(one=one.output, two=two.output)


@component
def both(first: str, second: str) -> str:
    return f"{first} {second}"


@dsl.pipeline(name="a-loop-under-an-exit-handler")
def a_loop_under_an_exit_handler(n: int = 1) -> None:
    before = echo(text="before")
    last = report(label="end")
    with dsl.ExitHandler(last), dsl.ParallelFor(["a", "b"]) as item, dsl.If(n == 1):
        both(first=before.output, second=item)


@dsl.pipeline(name="parts-under-an-exit-handler")
def parts_under_an_exit_handler() -> None:
    last = echo(text="end")
    with dsl.ExitHandler(last), dsl.ParallelFor([{"a": "x"}, {"a": "y"}]) as item:
        echo(text=item.a)


@component
def configured(text: str, config: dsl.TaskConfig) -> str:
    return text


@dsl.pipeline(name="task-config")
def task_config() -> str:
    return configured(text="a").output


@dsl.pipeline(name="gpu")
def gpu() -> str:
    task = echo(text="x").set_accelerator_type("NVIDIA_TESLA_T4")
    return task.set_accelerator_limit(2).output


@dsl.pipeline(name="cache-key")
def cache_key() -> str:
    return echo(text="x").set_caching_options(True, cache_key="mine").output


@dsl.pipeline(name="image-at-run-time")
def image_at_run_time(image: str = "python:3.11") -> str:
    return echo(text="x").set_container_image(image).output


@dsl.pipeline(name="inner-exit")
def inner_exit() -> None:
    last = report(label="inner")
    with dsl.ExitHandler(last):
        echo(text="a")


@dsl.pipeline(name="exit-handler-in-a-pipeline")
def exit_handler_in_a_pipeline() -> None:
    inner_exit()


@dsl.pipeline(name="inner")
def inner() -> str:
    return echo(text="a").output


@dsl.pipeline(name="retry-of-a-pipeline")
def retry_of_a_pipeline() -> str:
    return inner().set_retry(2).output


CASES = (
    Case(
        "exit_handler_success",
        "ExitHandler and PipelineTaskFinalStatus after success",
        exit_handler,
        told={"report.Output": "the end: SUCCEEDED exit-handler-1 "},
        tasks={"exit-handler-1.condition-2": NOT_TRIGGERED},
    ),
    Case(
        "exit_handler_failure",
        "ExitHandler and PipelineTaskFinalStatus with the real error",
        exit_handler,
        {"message": "it broke"},
        state=FAILED,
        error="ValueError: it broke",
        told={"report.Output": "ValueError: it broke"},
        tasks={
            "exit-handler-1": FAILED,
            "exit-handler-1.condition-2": FAILED,
            "exit-handler-1.condition-2.fail": FAILED,
        },
    ),
    Case(
        "exit_handler_without_status",
        "an exit task that does not read the status",
        exit_handler_without_status,
        {"folder": "y"},
        state=FAILED,
        error="ValueError: no",
        told={"cleanup.Output": "cleaned y", "echo.Output": "beside"},
        tasks={"exit-handler-1": FAILED, "exit-handler-1.fail": FAILED},
    ),
    Case(
        "upstream_fails",
        "ignore_upstream_failure, and what a failure keeps from running",
        upstream_fails,
        state=FAILED,
        error="ValueError: gone wrong",
        told={"fall-back.Output": "nothing came", "echo-2.Output": "independent"},
        tasks={"fail": FAILED, "echo": NOT_TRIGGERED},
    ),
    Case(
        "retries",
        "a task that succeeds at its third try",
        retries,
        {"folder": FOLDER},
        outputs={"Output": 3},
    ),
    Case(
        "retries_run_out",
        "a task whose tries run out",
        retries_run_out,
        {"folder": FOLDER},
        state=FAILED,
        error="ValueError: attempt 2",
        tasks={"succeed-at": FAILED},
    ),
    Case("order", "`.after`", order, {"folder": FOLDER}, outputs={"Output": "c after ['a', 'b']"}),
    Case(
        "caching",
        "a task like one before it is taken from the cache, unless it may not be",
        caching,
        outputs={"Output": "True False"},
        tasks={"draw-2": SKIPPED},
        cached=True,
    ),
    Case(
        "task_settings",
        "environment, display name, caching, CPU and memory of a task",
        task_settings,
        outputs={"Output": {"MODE": "it's $HOME", "EMPTY": "", "ABSENT": None}},
    ),
    Case(
        "labels",
        "a job's labels reach its components",
        labels,
        labels={"team": "churn"},
        outputs={},
    ),
    Case(
        "display_names",
        "tasks of one display name",
        display_names,
        outputs={"one": "1", "two": "2"},
    ),
    Case(
        "a_loop_under_an_exit_handler",
        "a loop with a condition under an ExitHandler, reading what was before",
        a_loop_under_an_exit_handler,
        told={
            "report.Output": "end: SUCCEEDED exit-handler-1 ",
            "exit-handler-1.for-loop-3.for-loop-3-1.condition-4.both.Output": "before b",
        },
    ),
    Case(
        "parts_under_an_exit_handler",
        "parts of a loop's items under an ExitHandler, which the compiler wires to an input that"
        " is not there (kubeflow/pipelines issue 13273)",
        parts_under_an_exit_handler,
        refused="from an unknown input 'loop-item-param-2'",
    ),
    Case("task_config", "`TaskConfig`", task_config, refused="TASK_CONFIG"),
    Case(
        "gpu",
        "an accelerator",
        gpu,
        refused="asks for an accelerator (2 NVIDIA_TESLA_T4)",
        outputs={"Output": "x"},
    ),
    Case(
        "cache_key",
        "a cache key of one's own",
        cache_key,
        refused="cacheKey",
        outputs={"Output": "x"},
    ),
    Case(
        "image_at_run_time",
        "an image that is a parameter",
        image_at_run_time,
        refused="an image that is known at run time only",
        outputs={"Output": "x"},
    ),
    Case(
        "exit_handler_in_a_pipeline",
        "an ExitHandler in a sub-pipeline",
        exit_handler_in_a_pipeline,
        refused="ExitHandler",
        told={"inner-exit.report.Output": "inner: SUCCEEDED exit-handler-1 "},
    ),
    Case(
        "retry_of_a_pipeline", "retries of a sub-pipeline", retry_of_a_pipeline, refused="set_retry"
    ),
)
