"""Small compiled pipelines for the tests."""

# mypy: disable-error-code="no-any-return, untyped-decorator"
# KFP reads annotations as they are written.

import tempfile
from functools import cache
from pathlib import Path

from kfp import compiler, dsl


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def double(number: int) -> int:
    return number * 2


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def sleep(seconds: float) -> str:
    import time

    time.sleep(seconds)
    return "woke"


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def look_around() -> list:  # type: ignore[type-arg]
    import os

    return sorted(os.environ)


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def tell(text: str) -> str:
    return text


@dsl.pipeline(name="doubling")
def doubling(number: int = 3) -> int:
    return double(number=number).output


@dsl.pipeline(name="sleeping_beauty")
def sleeping(seconds: float = 60.0) -> None:
    sleep(seconds=seconds)


@dsl.pipeline(name="looking-around")
def looking_around() -> None:
    look_around()


@dsl.pipeline(name="telling")
def telling() -> None:
    tell(text=dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER)


@cache
def compiled(name: str) -> bytes:
    """The YAML of one of the pipelines above."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(globals()[name], str(path))
        return path.read_bytes()
