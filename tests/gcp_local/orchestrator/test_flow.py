"""What runs, when, and what the record says of it."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator"

import itertools
import os
import subprocess
import time

import pytest
from google.cloud.aiplatform_v1.types import PipelineState, PipelineTaskDetail
from kfp import dsl

from gcp_local.containers.processes import PlainLauncher
from gcp_local.containers.warm import WarmLauncher
from gcp_local.orchestrator.states import JobState, TaskState
from gcp_local.storage.buckets import BucketStore
from gcp_local.storage.values import ANY
from tests.gcp_local.orchestrator import components as c
from tests.gcp_local.orchestrator.harness import Cloud, compiled

RAN, NOT_RUN = TaskState.SUCCEEDED, TaskState.NOT_TRIGGERED


def test_the_numbers_of_the_states_are_those_of_the_protos() -> None:
    for task_state in TaskState:
        assert PipelineTaskDetail.State[task_state.name] == task_state
    for job_state in JobState:
        assert PipelineState[f"PIPELINE_STATE_{job_state.name}"] == job_state


@pytest.mark.parametrize(("n", "expected"), [(11, RAN), (10, NOT_RUN)])
def test_a_condition_on_a_named_output_decides(cloud: Cloud, n: int, expected: TaskState) -> None:
    @dsl.pipeline(name="condition")
    def condition(n: int) -> None:
        made = c.several(n=n)
        with dsl.If(made.outputs["big"] == True, name="big"):  # noqa: E712
            first = c.echo(text="yes")
            c.echo(text=first.output)
        with dsl.If(made.outputs["share"] >= 2.75):
            c.echo(text="share")
        with dsl.If(made.outputs["twice"] > 20):
            c.echo(text="twice")

    result = cloud.succeed(condition, {"n": n})
    states = result.states()
    branches = {name: state for name, state in states.items() if name.startswith("condition-")}
    assert {state for name, state in branches.items() if "." not in name} == {expected}
    inside = [name for name in branches if "." in name]
    assert len(inside) == (4 if expected is RAN else 0)


@pytest.mark.parametrize(
    ("n", "text", "chosen"), [(3, "", "many"), (1, "y", "one"), (1, "o'clock", "none")]
)
def test_exactly_one_branch_runs_and_one_of_gives_its_output(
    cloud: Cloud, n: int, text: str, chosen: str
) -> None:
    @dsl.pipeline(name="branches")
    def branches(n: int, text: str) -> None:
        total = c.add(a=n, b=0)
        with dsl.If(total.output > 1):
            many = c.echo(text="many")
        with dsl.Elif(text == "y"):
            one = c.echo(text="one")
        with dsl.Else():
            none = c.echo(text="none")
        c.echo(text=dsl.OneOf(many.output, one.output, none.output))

    result = cloud.succeed(branches, {"n": n, "text": text})
    assert result.outputs("echo-4") == {"Output": chosen}
    states = result.states()
    triggered = [
        name
        for name in states
        if name.startswith("condition-branches") and name.count(".") == 1 and states[name] is RAN
    ]
    assert len(triggered) == 1


def test_what_comes_after_an_untriggered_task_is_not_triggered_either(cloud: Cloud) -> None:
    @dsl.pipeline(name="downstream")
    def downstream(go: bool = False) -> None:
        with dsl.If(go == True):  # noqa: E712
            c.echo(text="a")
        second = c.echo(text="b")
        c.echo(text="c").after(second)
        c.echo(text="d").after(second).ignore_upstream_failure()

    spec = compiled(downstream, cloud.folder)
    spec["root"]["dag"]["tasks"]["echo-2"]["dependentTasks"] = ["condition-1"]
    result = cloud.succeed(spec)
    assert result.states() == {
        "condition-1": NOT_RUN,
        "echo-2": NOT_RUN,
        "echo-3": NOT_RUN,
        "echo-4": RAN,
    }


def test_independent_tasks_run_side_by_side(cloud: Cloud) -> None:
    @dsl.pipeline(name="parallel")
    def parallel() -> None:
        c.sleep(seconds=1.0)
        c.sleep(seconds=1.0)

    tasks = cloud.succeed(parallel).tasks
    first, second = tasks["sleep"], tasks["sleep-2"]
    assert first.start_time.ToNanoseconds() < second.end_time.ToNanoseconds()
    assert second.start_time.ToNanoseconds() < first.end_time.ToNanoseconds()


def test_no_more_tasks_run_at_a_time_than_allowed(tmp_path) -> None:
    @dsl.pipeline(name="limited")
    def limited() -> None:
        for _ in range(4):
            c.sleep(seconds=0.1)

    cloud = Cloud(tmp_path, PlainLauncher(), max_parallel_tasks=1)
    result = cloud.succeed(limited)
    cloud.close()
    times = sorted(
        (task.start_time.ToNanoseconds(), task.end_time.ToNanoseconds())
        for name, task in result.tasks.items()
        if name
    )
    for (_, end), (start, _) in itertools.pairwise(times):
        assert end <= start


def test_states_and_times_are_recorded_as_they_change(cloud: Cloud) -> None:
    @dsl.pipeline(name="states")
    def states() -> None:
        c.echo(text="a")

    result = cloud.succeed(states)
    seen = list(dict.fromkeys(job.state for job in result.history))
    assert seen == [JobState.RUNNING, JobState.SUCCEEDED]
    task = result.tasks["echo"]
    history = [status.state for status in task.pipeline_task_status]
    assert history == [TaskState.PENDING, TaskState.RUNNING, TaskState.SUCCEEDED]
    moments = [task.create_time, task.start_time, task.end_time]
    assert moments == sorted(moments, key=lambda moment: moment.ToNanoseconds())
    assert result.job.end_time.ToNanoseconds() >= task.end_time.ToNanoseconds()
    root = result.job.job_detail.task_details[0]
    assert root.task_name == "run-1"
    assert root.execution.schema_title == "system.Run"
    assert task.parent_task_id == root.task_id
    assert task.execution.schema_title == "system.ContainerExecution"
    assert task.executor_detail.container_detail.main_job.startswith("projects/123456/")


def test_a_failing_component_shows_its_own_error_and_where_its_log_is(cloud: Cloud) -> None:
    @dsl.pipeline(name="failing")
    def failing() -> None:
        failed = c.fail(message="no such customer")
        c.echo(text=failed.output)
        c.echo(text="independent")

    result = cloud.run(failing)
    assert result.state is JobState.FAILED
    assert "The failed tasks are: [fail]" in result.error
    assert "ValueError: no such customer" in result.error
    task = result.tasks["fail"]
    assert task.error.code == 9
    log = f"gs://bucket/root/123456/run-1/fail_{task.task_id}/log.txt"
    assert task.error.message.endswith(f"The log is at {log}")
    assert "before the end" in result.log("fail")
    assert result.states() == {"fail": TaskState.FAILED, "echo": NOT_RUN, "echo-2": RAN}


def test_fail_fast_starts_nothing_after_a_failure_and_fail_slow_does(cloud: Cloud) -> None:
    @dsl.pipeline(name="policy")
    def policy() -> None:
        c.fail(message="x")
        first = c.sleep(seconds=0.8)
        c.echo(text="later").after(first)

    fast, slow = cloud.job(policy), cloud.job(policy)
    fast.runtime_config.failure_policy = 2
    for job in (fast, slow):
        cloud.orchestrator.submit(job)
    fast_states = cloud.wait(fast.name).states()
    slow_states = cloud.wait(slow.name).states()
    assert fast_states == {"fail": TaskState.FAILED, "sleep": RAN, "echo": NOT_RUN}
    assert slow_states == {"fail": TaskState.FAILED, "sleep": RAN, "echo": RAN}


def test_cancelling_ends_the_processes_and_their_children(cloud: Cloud) -> None:
    marker = f"{os.getpid()}{time.monotonic_ns()}"

    @dsl.pipeline(name="cancelled")
    def cancelled(marker: str) -> None:
        slow = c.sleep_with_child(seconds=600, marker=marker)
        c.echo(text="never").after(slow)

    def children() -> str:
        command = ["pgrep", "-f", f"^sleep 600.{marker}"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    name = cloud.submit(cancelled, {"marker": marker})
    deadline = time.monotonic() + 30
    while not children() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert children()
    cloud.orchestrator.cancel(name)
    result = cloud.wait(name)
    assert result.state is JobState.CANCELLED
    assert result.job.error.code == 1
    assert JobState.CANCELLING in [job.state for job in result.history]
    assert result.states() == {
        "sleep-with-child": TaskState.CANCELLED,
        "echo": TaskState.CANCELLED,
    }
    assert not children()


def test_a_cancelled_job_does_not_wait_for_the_tasks_of_others(tmp_path) -> None:
    @dsl.pipeline(name="waiting")
    def waiting() -> None:
        c.sleep(seconds=600.0)

    cloud = Cloud(tmp_path, PlainLauncher(), max_parallel_tasks=1)
    first = cloud.submit(waiting)
    cloud.wait(first, lambda job: any(t.state == TaskState.RUNNING for t in tasks_of(job)))
    second = cloud.submit(waiting)
    cloud.wait(second, tasks_of)
    cloud.orchestrator.cancel(second)
    result = cloud.wait(second, timeout=5)
    assert result.state is JobState.CANCELLED
    assert result.states() == {"sleep": TaskState.CANCELLED}
    assert cloud.saved[first][-1].state == JobState.RUNNING
    cloud.close()


def test_closing_ends_running_jobs_as_failed_and_leaves_no_files(tmp_path) -> None:
    @dsl.pipeline(name="closed")
    def closed() -> None:
        c.sleep(seconds=600.0)

    cloud = Cloud(tmp_path, WarmLauncher(()))
    name = cloud.submit(closed)
    cloud.wait(name, lambda job: any(t.state == TaskState.RUNNING for t in tasks_of(job)))
    cloud.close()
    result = cloud.wait(name)
    assert result.state is JobState.FAILED
    assert result.error == "The server stopped while this job ran."
    assert list(cloud.work.iterdir()) == []


def tasks_of(job):
    return [task for task in job.job_detail.task_details if task.task_unique_name]


def test_an_exit_task_runs_after_a_failure_and_knows_of_it(cloud: Cloud) -> None:
    @dsl.pipeline(name="exits")
    def exits() -> None:
        with dsl.ExitHandler(c.report_status()):
            c.fail(message="inside")

    result = cloud.run(exits)
    assert result.state is JobState.FAILED
    report = result.outputs("report-status")["Output"]
    assert report.startswith("FAILED 9 ")
    assert "ValueError: inside" in report


def test_a_loop_runs_once_an_item_and_its_outputs_are_collected_in_order(cloud: Cloud) -> None:
    @dsl.pipeline(name="loops")
    def loops(numbers: list) -> None:
        with dsl.ParallelFor(numbers, parallelism=2) as number:
            added = c.add(a=number, b=10)
        c.describe_values(
            whole=1,
            real=1.0,
            text="",
            flag=True,
            items=dsl.Collected(added.output),
            struct={},
        )
        with dsl.ParallelFor([{"a": "x", "b": 1}, {"a": "y", "b": 2}]) as item:
            c.echo(text=item.a)

    result = cloud.succeed(loops, {"numbers": [1, 2, 3]})
    assert '["list", [11, 12, 13]]' in result.outputs("describe-values")["Output"]
    echoed = [result.outputs(name)["Output"] for name in result.tasks if name.endswith(".echo")]
    assert sorted(echoed) == ["x", "y"]


def test_a_failed_task_is_tried_again(cloud: Cloud) -> None:
    @dsl.pipeline(name="retries")
    def retries() -> None:
        c.fail(message="again").set_retry(2, backoff_duration="0s")

    result = cloud.run(retries)
    history = [status.state for status in result.tasks["fail"].pipeline_task_status]
    again = [TaskState.PENDING, TaskState.RUNNING]
    assert history == [*again, *again, *again, TaskState.FAILED]


def test_a_job_whose_record_cannot_be_saved_fails_and_says_why(tmp_path) -> None:
    @dsl.pipeline(name="faulty")
    def faulty() -> None:
        c.echo(text="a")

    class Faulty(Cloud):
        def _save(self, job) -> None:
            if any(task.state == RAN for task in tasks_of(job)):
                raise OverflowError("no room")
            super()._save(job)

    cloud = Faulty(tmp_path, PlainLauncher())
    result = cloud.run(faulty)
    cloud.close()
    assert result.state is JobState.FAILED
    assert result.states() == {"echo": TaskState.FAILED}
    assert "OverflowError: no room" in result.tasks["echo"].error.message
    assert "OverflowError: no room" in result.error


def test_a_save_that_fails_for_a_while_loses_nothing(tmp_path) -> None:
    @dsl.pipeline(name="shaky")
    def shaky() -> None:
        c.echo(text="a")

    class Shaky(Cloud):
        def _save(self, job) -> None:
            if any(task.state == TaskState.RUNNING for task in tasks_of(job)):
                raise OSError("no space left on device")
            super()._save(job)

    cloud = Shaky(tmp_path, PlainLauncher())
    result = cloud.succeed(shaky)
    cloud.close()
    assert result.outputs("echo") == {"Output": "a"}


def test_objects_that_cannot_be_files_side_by_side_fail_the_task_that_reads_them(cloud) -> None:
    for name in ("d/a", "d/a/b"):
        cloud.objects.write("bucket", name, b"x")

    @dsl.pipeline(name="tangled")
    def tangled() -> None:
        data = dsl.importer(artifact_uri="gs://bucket/d", artifact_class=dsl.Dataset)
        c.read_dataset(data=data.output)

    result = cloud.run(tangled)
    assert result.states() == {"importer": RAN, "read-dataset": TaskState.FAILED}
    message = result.tasks["read-dataset"].error.message
    assert message.startswith("'gs://bucket/d/a/b' cannot be shown as a file")
    assert "fault" not in result.error


def test_nothing_runs_where_the_bucket_for_the_outputs_is_missing(cloud: Cloud, tmp_path) -> None:
    @dsl.pipeline(name="homeless")
    def homeless(marker: str) -> None:
        c.touch(path=marker)

    marker = tmp_path / "ran"
    result = cloud.run(homeless, {"marker": str(marker)}, root="gs://nowhere/root")
    assert result.state is JobState.FAILED
    assert "gs://nowhere/root/123456/run-1 cannot be written" in result.error
    assert "The specified bucket does not exist" in result.error
    assert not marker.exists()


def test_a_log_that_cannot_be_kept_does_not_hide_the_error_of_the_component(
    cloud: Cloud, tmp_path
) -> None:
    @c.component
    def wait_and_fail(path: str) -> None:
        import time
        from pathlib import Path

        Path(path).touch()
        while Path(path).exists():
            time.sleep(0.02)
        raise ValueError("the real reason")

    @dsl.pipeline(name="unlogged")
    def unlogged(path: str) -> None:
        wait_and_fail(path=path)

    path = tmp_path / "waiting"
    name = cloud.submit(unlogged, {"path": str(path)})
    while not path.exists():
        time.sleep(0.02)
    BucketStore(cloud.database).delete("bucket", ANY)
    path.unlink()
    message = cloud.wait(name).tasks["wait-and-fail"].error.message
    assert "ValueError: the real reason. The log gs://bucket/" in message
    assert message.endswith("log.txt cannot be written: The specified bucket does not exist.")


def test_a_hundred_tasks_do_not_slow_down(cloud: Cloud) -> None:
    @dsl.container_component
    def nothing():
        return dsl.ContainerSpec(image="python:3.11", command=["true"])

    @dsl.pipeline(name="hundred")
    def hundred() -> None:
        last = nothing()
        for number in range(99):
            task = nothing().set_caching_options(False)
            if number % 10 == 0:
                last = task.after(last)

    started = time.monotonic()
    result = cloud.succeed(hundred)
    assert set(result.states().values()) == {RAN}
    assert time.monotonic() - started < 10
