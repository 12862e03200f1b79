"""Small components that the tests' pipelines are made of."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator"
# KFP reads annotations as they are written, and ships the bodies to another process.
# ruff: noqa: PTH103, PTH109, PTH118, PTH120, PTH123, PTH208, PTH211, T201, UP006, UP035, UP045, PYI024

from typing import Dict, List, NamedTuple, Optional

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output

component = dsl.component(base_image="python:3.11", install_kfp_package=False)


class InnerOutputs(NamedTuple):
    total: int
    made: Dataset


@component
def echo(text: str) -> str:
    return text


@component
def add(a: int, b: int) -> int:
    return a + b


@component
def describe_values(
    whole: int,
    real: float,
    text: str,
    flag: bool,
    items: List[int],
    struct: Dict,
    absent: Optional[str] = None,
    default: int = 7,
) -> str:
    import json

    values = [whole, real, text, flag, items, struct, absent, default]
    return json.dumps([[type(v).__name__, v] for v in values], sort_keys=True)


@component
def several(n: int) -> NamedTuple("Outputs", [("big", bool), ("twice", int), ("share", float)]):  # type: ignore[valid-type]
    from collections import namedtuple

    outputs = namedtuple("Outputs", "big twice share")
    return outputs(n > 10, 2 * n, n / 4)


@component
def whole_items() -> NamedTuple("Outputs", [("items", list), ("struct", dict)]):  # type: ignore[valid-type]
    return [1, 2.0, "3", None], {"a": 1, "b": {"c": [2]}}


@component
def say(outputs: str, items: dsl.OutputPath(list), thing: Output[Artifact]) -> None:  # type: ignore[valid-type]
    # Put in place of what KFP would write when the function has ended.
    import atexit
    import os

    def write() -> None:
        folder = os.path.dirname(items)
        with open(os.path.join(folder, "executor_output.json"), "w") as file:
            file.write(outputs)

    atexit.register(write)


@component
def write_dataset(text: str, data: Output[Dataset]) -> None:
    with open(data.path, "w") as file:
        file.write(text)
    data.metadata["rows"] = len(text)


@component
def read_dataset(data: Input[Dataset]) -> str:
    with open(data.path) as file:
        return f"{type(data).__name__} {data.metadata} {file.read()}"


@component
def write_model_folder(model: Output[Model], metrics: Output[Metrics]) -> None:
    import os

    os.makedirs(os.path.join(model.path, "assets"))
    for name in ("weights.bin", "assets/classes.json"):
        with open(os.path.join(model.path, name), "w") as file:
            file.write(name)
    with open(model.path + ".notes", "w") as file:
        file.write("beside")
    model.metadata["framework"] = "none"
    metrics.log_metric("roc_auc", 0.75)


@component
def list_folder(model: Input[Model]) -> list:
    import os

    return sorted(
        os.path.relpath(os.path.join(folder, name), model.path)
        for folder, _, names in os.walk(model.path)
        for name in names
    )


@component
def describe_artifact(thing: Input[Artifact]) -> dict:
    return {"uri": thing.uri, "metadata": thing.metadata, "type": type(thing).__name__}


@component
def fail(message: str) -> str:
    print("before the end")
    raise ValueError(message)


@component
def touch(path: str) -> None:
    open(path, "w").close()


@component
def write_links(model: Output[Model], wrong: str) -> None:
    import os

    os.makedirs(os.path.join(model.path, "v1"))
    with open(os.path.join(model.path, "v1", "weights.bin"), "w") as file:
        file.write("weights")
    os.symlink("v1/weights.bin", os.path.join(model.path, "zlatest"))
    os.symlink("v1/weights.bin", os.path.join(model.path, "latest"))
    if wrong == "pipe":
        os.mkfifo(os.path.join(model.path, wrong))
    elif wrong:
        os.symlink(wrong, os.path.join(model.path, "wrong"))


@component
def sleep(seconds: float) -> float:
    import time

    time.sleep(seconds)
    return time.time()


@component
def sleep_with_child(seconds: int, marker: str) -> None:
    import subprocess

    subprocess.run(["sleep", f"{seconds}.{marker}"], check=True)


@component
def leave_a_daemon(marker: str, then: str) -> None:
    import subprocess
    import sys
    import time

    # One in a session of its own, and one more whose parent is gone already.
    subprocess.Popen(["sleep", f"600.{marker}"], start_new_session=True)
    code = (
        "import subprocess, sys;"
        "subprocess.Popen(['sleep', '700.' + sys.argv[1]], start_new_session=True)"
    )
    subprocess.run([sys.executable, "-c", code, marker], check=True)
    if then == "fail":
        raise ValueError
    while then == "wait":
        time.sleep(1)


@component
def report_status(status: dsl.PipelineTaskFinalStatus) -> str:
    return f"{status.state} {status.error_code} {status.error_message}"


@component
def show_environment() -> dict:
    import os
    import sys

    return {
        "environment": dict(os.environ),
        "cwd": os.getcwd(),
        "stdin": sys.stdin.read(),
        "argv": sys.argv,
        "group": os.getpgid(0) == os.getpid() or os.getpgid(0) == os.getppid(),
        "open": len(os.listdir("/proc/self/fd")),
    }


@component
def exit_with(code: int) -> None:
    import sys

    sys.exit(code)


@component
def fork_and_fail(how: str) -> None:
    import os
    import sys

    child = os.fork()
    if child == 0:
        if how == "exits":
            sys.exit(0)
        return
    os.waitpid(child, 0)
    raise ValueError("the parent failed")


@component
def kill_itself() -> None:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


@component
def leave_a_pool_open() -> int:
    import atexit
    import sys
    from concurrent.futures import ThreadPoolExecutor

    atexit.register(lambda: print("at exit"))
    print("to stderr", file=sys.stderr)
    return ThreadPoolExecutor(1).submit(lambda: 3).result()


@component
def spawn() -> int:
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return int(pool.apply(abs, (-3,)))


@component
def draw() -> list:
    import random
    import uuid

    import numpy as np

    return [random.random(), float(np.random.random()), uuid.uuid4().hex]


@component
def fit_models() -> dict:
    import numpy as np
    import xgboost

    rng = np.random.default_rng(1)
    x = rng.normal(size=(2000, 10))
    y = (x @ rng.normal(size=10) > 0).astype(int)
    model = xgboost.train(
        {"objective": "binary:logistic", "nthread": 2, "seed": 1},
        xgboost.DMatrix(x, label=y),
        num_boost_round=20,
    )
    predicted = model.predict(xgboost.DMatrix(x)) > 0.5
    return {
        "xgboost": float((predicted == y).mean()),
        "product": float((x @ x.T).sum()),
    }


@component
def import_module(name: str) -> str:
    import importlib

    return str(importlib.import_module(name).__file__)
