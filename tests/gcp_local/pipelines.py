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


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def count_rows(table: str) -> int:
    from google.cloud import bigquery

    return len(list(bigquery.Client().list_rows(table)))


@dsl.pipeline(name="counting-rows")
def counting_rows(table: str) -> int:
    return count_rows(table=table).output


@dsl.pipeline(name="looking-around")
def looking_around() -> None:
    look_around()


@dsl.pipeline(name="telling")
def telling() -> None:
    tell(text=dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER)


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def train(
    rows: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    depth: int,
    wait: float,
) -> None:
    import time
    from pathlib import Path

    time.sleep(wait)
    Path(model.path).write_text(str(depth))
    model.metadata["framework"] = "none"
    metrics.log_metric("accuracy", 0.5)


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def judge(model: dsl.Input[dsl.Model], fail: bool) -> str:
    if fail:
        raise ValueError("not good enough")
    return "good"


@dsl.pipeline(name="tracing")
def tracing(rows: str, depth: int = 3, fail: bool = False, wait: float = 0.0) -> None:
    imported = dsl.importer(artifact_uri=rows, artifact_class=dsl.Dataset, reimport=False)
    trained = train(rows=imported.output, depth=depth, wait=wait)
    judge(model=trained.outputs["model"], fail=fail)


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def weigh(model: dsl.Input[dsl.Model]) -> str:
    from pathlib import Path

    return f"{Path(model.path).read_text()} {model.metadata['framework']}"


@dsl.pipeline(name="weighing")
def weighing(model: dsl.Input[dsl.Model]) -> str:
    return weigh(model=model).output


@dsl.container_component
def rest(seconds: float):  # type: ignore[no-untyped-def]
    return dsl.ContainerSpec(image="python:3.11", command=["sleep"], args=[seconds])


@dsl.pipeline(name="halfway")
def halfway(seconds: float) -> None:
    rest(seconds=seconds).after(double(number=2))


@dsl.pipeline(name="judging")
def judging(model: dsl.Input[dsl.Model]) -> str:
    return judge(model=model, fail=False).output


@cache
def compiled(name: str) -> bytes:
    """The YAML of one of the pipelines above."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(globals()[name], str(path))
        return path.read_bytes()
