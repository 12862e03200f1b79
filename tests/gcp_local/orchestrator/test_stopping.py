"""Retries and their pauses, failure policies, cancellation."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator"

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from kfp import dsl

from gcp_local import clock
from gcp_local.containers import processes, warm
from gcp_local.orchestrator.spec import Retry
from gcp_local.orchestrator.states import JobState, TaskState
from tests.gcp_local.orchestrator import components as c
from tests.gcp_local.orchestrator.harness import Cloud, compiled

RAN, NOT_RUN = TaskState.SUCCEEDED, TaskState.NOT_TRIGGERED
PENDING, RUNNING, FAILED = TaskState.PENDING, TaskState.RUNNING, TaskState.FAILED
CANCELLED = TaskState.CANCELLED


@dsl.container_component
def count_up(path: str, enough: int):
    """Fail until it has been tried so often."""
    script = 'echo x >> "$0"; test "$(wc -l < "$0")" -ge "$1" || { echo not yet; exit 3; }'
    return dsl.ContainerSpec(image="python:3.11", command=["sh", "-c", script], args=[path, enough])


@dsl.container_component
def stay(path: str):
    """Touch the file and ignore SIGTERM."""
    script = 'trap "" TERM; echo $$ > "$0"; while :; do sleep 0.1; done'
    return dsl.ContainerSpec(image="python:3.11", command=["sh", "-c", script], args=[path])


@pytest.fixture
def driven_clock() -> Iterator[None]:
    yield
    clock._ahead = timedelta()


def history(task) -> list[TaskState]:
    return [TaskState(status.state) for status in task.pipeline_task_status]


@pytest.mark.parametrize(
    ("retry", "pauses"),
    [
        (Retry(5, 0.0, 2.0, 3600.0), [0, 0, 0]),
        (Retry(5, 10.0, 2.0, 3600.0), [10, 20, 40]),
        (Retry(5, 10.0, 3.0, 50.0), [10, 30, 50]),
        (Retry(5, 10.0, 0.5, 3600.0), [10, 5, 2.5]),
        (Retry(9, 10.0, 1e308, 3600.0), [10, 3600, 3600]),
    ],
)
def test_pauses_grow_by_their_factor_up_to_the_longest(retry: Retry, pauses: list[float]) -> None:
    assert [retry.pause(tries) for tries in (1, 2, 3)] == pauses


@pytest.mark.parametrize(("retries", "state"), [(1, JobState.FAILED), (2, JobState.SUCCEEDED)])
def test_a_task_is_tried_as_often_as_its_policy_says(
    plain_cloud: Cloud, tmp_path: Path, retries: int, state: JobState
) -> None:
    @dsl.pipeline(name="retrying")
    def retrying(path: str) -> None:
        tried = count_up(path=path, enough=3).set_retry(retries)
        c.echo(text="after").after(tried)

    result = plain_cloud.run(retrying, {"path": str(tmp_path / "tries")})
    assert result.state is state
    task = result.tasks["count-up"]
    last = RAN if state is JobState.SUCCEEDED else FAILED
    assert history(task) == [*[PENDING, RUNNING] * (retries + 1), last]
    errors = [s.error.message for s in task.pipeline_task_status if s.HasField("error")]
    assert all("non-zero status of 3. not yet" in error for error in errors)
    assert len(errors) == (retries if last is RAN else retries + 1)
    assert result.states()["echo"] is (RAN if last is RAN else NOT_RUN)


def test_each_round_of_a_loop_has_its_own_tries(plain_cloud: Cloud, tmp_path: Path) -> None:
    @dsl.pipeline(name="rounds")
    def rounds(paths: list) -> None:
        with dsl.ParallelFor(paths) as path:
            count_up(path=path, enough=2).set_retry(1)

    paths = [tmp_path / name for name in "ab"]
    plain_cloud.succeed(rounds, {"paths": [str(path) for path in paths]})
    assert [path.read_text() for path in paths] == ["x\nx\n", "x\nx\n"]


def test_a_pause_goes_by_the_clock_that_can_be_driven(
    plain_cloud: Cloud, tmp_path: Path, driven_clock: None
) -> None:
    @dsl.pipeline(name="pausing")
    def pausing(path: str) -> None:
        count_up(path=path, enough=3).set_retry(2, backoff_duration="600s", backoff_factor=3)

    name = plain_cloud.submit(pausing, {"path": str(tmp_path / "tries")})
    for tries, pause in ((1, 600), (2, 1800)):
        paused = [PENDING, RUNNING] * tries + [PENDING]
        plain_cloud.wait(
            name, lambda job, paused=paused: history(job.job_detail.task_details[-1]) == paused
        )
        clock.advance(timedelta(seconds=pause - 60))
        time.sleep(0.05)
        assert (tmp_path / "tries").read_text() == "x\n" * tries
        clock.advance(timedelta(seconds=60))
    assert plain_cloud.wait(name, timeout=10).state is JobState.SUCCEEDED


def test_cancelling_does_not_wait_for_the_end_of_a_pause(
    plain_cloud: Cloud, tmp_path: Path
) -> None:
    @dsl.pipeline(name="pausing")
    def pausing(path: str) -> None:
        with dsl.ExitHandler(c.echo(text="the end")):
            count_up(path=path, enough=9).set_retry(9, backoff_duration="3600s")

    name = plain_cloud.submit(pausing, {"path": str(tmp_path / "tries")})
    paused = [PENDING, RUNNING, PENDING]
    plain_cloud.wait(
        name, lambda job: any(history(task) == paused for task in job.job_detail.task_details)
    )
    plain_cloud.orchestrator.cancel(name)
    result = plain_cloud.wait(name, timeout=5)
    assert result.state is JobState.CANCELLED
    assert set(result.states().values()) == {CANCELLED}
    assert (tmp_path / "tries").read_text() == "x\n"


def test_a_job_that_is_cancelled_at_once_runs_nothing_more(
    plain_cloud: Cloud, tmp_path: Path
) -> None:
    @dsl.pipeline(name="early")
    def early(path: str) -> None:
        c.touch(path=path).after(c.sleep(seconds=600.0))

    path = tmp_path / "ran"
    name = plain_cloud.submit(early, {"path": str(path)})
    plain_cloud.orchestrator.cancel(name)
    plain_cloud.orchestrator.cancel(name)
    result = plain_cloud.wait(name, timeout=10)
    assert result.state is JobState.CANCELLED
    assert set(result.states().values()) <= {CANCELLED}
    assert not path.exists()
    seen = list(dict.fromkeys(JobState(job.state) for job in result.history))
    assert seen[-1] is JobState.CANCELLED
    if JobState.CANCELLING in seen:  # it may have ended before that was saved
        assert JobState.RUNNING not in seen[seen.index(JobState.CANCELLING) :]


def test_a_component_that_ignores_the_signal_to_end_is_killed(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dsl.pipeline(name="staying")
    def staying(path: str) -> None:
        stay(path=path)

    for module in (processes, warm):
        monkeypatch.setattr(module, "GRACE_SECONDS", 0.3)
    path = tmp_path / "pid"
    name = cloud.submit(staying, {"path": str(path)})
    while not (path.exists() and path.read_text()):
        time.sleep(0.02)
    pid = int(path.read_text())
    began = time.monotonic()
    cloud.orchestrator.cancel(name)
    assert JobState(cloud.saved[name][-1].state) in {JobState.CANCELLING, JobState.CANCELLED}
    assert cloud.wait(name, timeout=10).states() == {"stay": CANCELLED}
    assert time.monotonic() - began >= 0.3
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_cancelling_a_loop_starts_no_further_round(plain_cloud: Cloud) -> None:
    @dsl.pipeline(name="looping")
    def looping() -> None:
        with dsl.ParallelFor(list(range(20)), parallelism=2) as number:
            c.add(a=number, b=1).after(c.sleep(seconds=600.0))

    name = plain_cloud.submit(looping)
    plain_cloud.wait(
        name,
        lambda job: (
            [task.task_name for task in job.job_detail.task_details if task.state == RUNNING].count(
                "sleep"
            )
            == 2
        ),
    )
    plain_cloud.orchestrator.cancel(name)
    result = plain_cloud.wait(name, timeout=10)
    assert result.state is JobState.CANCELLED
    assert set(result.states().values()) == {CANCELLED}
    assert sum(name.endswith(".sleep") for name in result.tasks) == 2


@pytest.mark.parametrize(("policy", "rest"), [(0, RAN), (1, RAN), (2, NOT_RUN)])
def test_fail_fast_starts_no_further_round_of_a_loop(
    plain_cloud: Cloud, tmp_path: Path, policy: int, rest: TaskState
) -> None:
    @dsl.pipeline(name="policy")
    def policies(paths: list) -> None:
        ended = c.report_status()
        with dsl.ExitHandler(ended), dsl.ParallelFor(paths, parallelism=1) as path:
            count_up(path=path, enough=1)

    missing = str(tmp_path / "no" / "such" / "folder")
    job = plain_cloud.job(policies, {"paths": [missing, str(tmp_path / "a"), str(tmp_path / "b")]})
    job.runtime_config.failure_policy = policy
    plain_cloud.orchestrator.submit(job)
    result = plain_cloud.wait(job.name)
    assert result.state is JobState.FAILED
    states = result.states()
    loop = next(name for name in states if name.endswith("-0")).removesuffix("-0")
    assert states[f"{loop}-0"] is FAILED
    assert [states[f"{loop}-{number}"] for number in (1, 2)] == [rest, rest]
    assert (tmp_path / "a").exists() is (rest is RAN)
    assert states["report-status"] is RAN
    assert "FAILED" in result.outputs("report-status")["Output"]


def test_fail_fast_stops_another_loop_between_its_rounds(
    plain_cloud: Cloud, tmp_path: Path
) -> None:
    @dsl.container_component
    def await_file(path: str):
        script = 'while ! test -e "$0"; do sleep 0.02; done; sleep 0.2'
        return dsl.ContainerSpec(image="python:3.11", command=["sh", "-c", script], args=[path])

    @dsl.pipeline(name="elsewhere")
    def elsewhere(path: str) -> None:
        with dsl.ParallelFor([1, 2], parallelism=1):
            await_file(path=path)
        c.fail(message="elsewhere")

    path = tmp_path / "failed"
    job = plain_cloud.job(elsewhere, {"path": str(path)})
    job.runtime_config.failure_policy = 2
    plain_cloud.orchestrator.submit(job)
    plain_cloud.wait(
        job.name, lambda job: any(task.state == FAILED for task in job.job_detail.task_details)
    )
    path.touch()
    result = plain_cloud.wait(job.name)
    states = result.states()
    (loop,) = (name for name in states if name.startswith("for-loop-") and "." not in name)
    assert states[loop] is CANCELLED
    assert [states[f"{loop}.{loop}-{number}"] for number in (0, 1)] == [RAN, NOT_RUN]
    assert result.state is JobState.FAILED


def test_a_pipeline_that_fail_fast_stopped_half_way_has_not_succeeded(
    plain_cloud: Cloud, tmp_path: Path
) -> None:
    @dsl.container_component
    def await_file(path: str):
        script = 'while ! test -e "$0"; do sleep 0.02; done'
        return dsl.ContainerSpec(image="python:3.11", command=["sh", "-c", script], args=[path])

    @dsl.pipeline(name="inner")
    def inner(path: str) -> None:
        c.echo(text="never").after(await_file(path=path))

    @dsl.pipeline(name="half-way")
    def half_way(path: str) -> None:
        ended = c.report_status()
        with dsl.ExitHandler(ended):
            inner(path=path)
        c.fail(message="elsewhere")

    path = tmp_path / "failed"
    job = plain_cloud.job(half_way, {"path": str(path)})
    job.runtime_config.failure_policy = 2
    plain_cloud.orchestrator.submit(job)
    plain_cloud.wait(
        job.name, lambda job: any(task.state == FAILED for task in job.job_detail.task_details)
    )
    path.touch()
    result = plain_cloud.wait(job.name)
    assert result.state is JobState.FAILED
    assert result.states() == {
        "fail": FAILED,
        "exit-handler-1": CANCELLED,
        "exit-handler-1.inner": CANCELLED,
        "exit-handler-1.inner.await-file": RAN,
        "exit-handler-1.inner.echo": NOT_RUN,
        "report-status": RAN,
    }
    assert "CANCELLED" in result.outputs("report-status")["Output"]


def test_the_ir_has_no_timeout_for_a_task() -> None:
    from kfp.pipeline_spec import pipeline_spec_pb2

    kinds = pipeline_spec_pb2.DESCRIPTOR.message_types_by_name
    names = {
        field.name
        for message in (kinds["PipelineTaskSpec"], kinds["PipelineDeploymentConfig"])
        for kind in (message, *message.nested_types)
        for field in kind.fields
    }
    assert "retry_policy" in names
    assert not {name for name in names if "timeout" in name or "deadline" in name}


def test_more_artifacts_than_vertex_ai_collects_fail_the_loop(plain_cloud: Cloud) -> None:
    @dsl.container_component
    def nothing(number: int, data: dsl.Output[dsl.Dataset]):
        return dsl.ContainerSpec(image="python:3.11", command=["true"], args=[data.path, number])

    @dsl.container_component
    def every(data: dsl.Input[list[dsl.Dataset]]):
        return dsl.ContainerSpec(image="python:3.11", command=["true"])

    @dsl.pipeline(name="collecting")
    def collecting() -> None:
        with dsl.ParallelFor(list(range(101))) as number:
            made = nothing(number=number)
        every(data=dsl.Collected(made.outputs["data"]))

    spec = compiled(collecting, plain_cloud.folder)
    result = plain_cloud.run(spec)
    assert "gives 101 artifacts" in result.error
    assert result.states()["every"] is NOT_RUN
