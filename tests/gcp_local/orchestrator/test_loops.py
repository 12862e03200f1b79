"""Loops, branches and lists of artifacts: the parts of the IR that `kfp.local` gets wrong."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator"
# KFP reads annotations as they are written.
# ruff: noqa: UP006, UP035

from typing import List

import pytest
from kfp import dsl

from gcp_local.orchestrator.states import JobState, TaskState
from tests.gcp_local.orchestrator import components as c
from tests.gcp_local.orchestrator.harness import Cloud


@c.component
def make_structs() -> list:
    return [{"a": "x", "n": 1}, {"a": "y", "n": 2}]


@c.component
def concatenate(parts: dsl.Input[List[dsl.Dataset]]) -> str:
    texts = []
    for part in parts:
        with open(part.path) as file:  # noqa: PTH123
            texts.append(file.read())
    return "+".join(texts)


@c.component
def lengths(items: list) -> list:
    return items


def test_a_loop_over_the_structs_of_an_upstream_task_reads_their_parts(plain_cloud: Cloud) -> None:
    @dsl.pipeline(name="structs")
    def structs() -> None:
        made = make_structs()
        with dsl.ParallelFor(made.output) as item:
            total = c.add(a=item.n, b=10)
            c.echo(text=item.a)
        lengths(items=dsl.Collected(total.output))

    result = plain_cloud.succeed(structs)
    assert result.outputs("lengths")["Output"] == [11, 12]
    echoed = [result.outputs(name)["Output"] for name in result.tasks if name.endswith(".echo")]
    assert sorted(echoed) == ["x", "y"]


def test_a_condition_compares_items_and_their_parts_as_the_compiler_wrote_it(
    plain_cloud: Cloud,
) -> None:
    @c.component
    def make_items() -> list:
        return [{"n": 1, "flag": True, "text": "x"}, {"n": 2, "flag": False, "text": "y"}]

    @dsl.pipeline(name="parts")
    def parts(numbers: list) -> None:
        with dsl.ParallelFor(make_items().output) as item:
            with dsl.If(item.n == 2, name="n"):
                c.add(a=item.n, b=10)
            with dsl.If(item.flag == True, name="flag"):  # noqa: E712
                c.echo(text=item.text)
            with dsl.If(item.text == "y", name="text"):
                lengths(items=[1])
        with dsl.ParallelFor(numbers) as number, dsl.If(number == 2, name="number"):
            c.add(a=number, b=20)

    result = plain_cloud.succeed(parts, {"numbers": [1, 2]})
    ran = {
        name.rpartition(".")[2]: result.outputs(name)["Output"]
        for name, task in result.tasks.items()
        if ".condition-" in name and not name.rpartition(".")[2].startswith("condition-")
        if task.state == TaskState.SUCCEEDED
    }
    assert ran == {"add": 12, "echo": "x", "lengths": [1], "add-2": 22}


def test_a_loop_body_may_read_an_upstream_parameter_beside_its_item(plain_cloud: Cloud) -> None:
    @dsl.pipeline(name="upstream")
    def upstream(n: int = 100) -> None:
        base = c.add(a=n, b=0)
        with dsl.ParallelFor([1, 2]) as item:
            total = c.add(a=item, b=base.output)
        lengths(items=dsl.Collected(total.output))

    assert plain_cloud.succeed(upstream).outputs("lengths")["Output"] == [101, 102]


def test_nested_loops_collect_nested_lists(plain_cloud: Cloud) -> None:
    @dsl.pipeline(name="nested")
    def nested() -> None:
        with dsl.ParallelFor([1, 2]) as outer, dsl.ParallelFor([10, 20]) as inner:
            total = c.add(a=outer, b=inner)
        lengths(items=dsl.Collected(total.output))

    assert plain_cloud.succeed(nested).outputs("lengths")["Output"] == [[11, 21], [12, 22]]


def test_the_artifacts_of_a_loop_are_collected_in_the_order_of_its_items(
    plain_cloud: Cloud,
) -> None:
    @dsl.pipeline(name="collected")
    def collected() -> None:
        with dsl.ParallelFor(["a", "b", "c"]) as text:
            written = c.write_dataset(text=text)
        concatenate(parts=dsl.Collected(written.outputs["data"]))

    result = plain_cloud.succeed(collected)
    assert result.outputs("concatenate")["Output"] == "a+b+c"
    assert len(result.tasks["concatenate"].inputs["parts"].artifacts) == 3


@pytest.mark.parametrize(("first", "expected"), [(True, "one"), (False, "two")])
def test_one_of_two_artifacts_goes_on(plain_cloud: Cloud, first: bool, expected: str) -> None:
    @dsl.pipeline(name="choice")
    def choice(first: bool) -> None:
        with dsl.If(first == True):  # noqa: E712
            one = c.write_dataset(text="one")
        with dsl.Else():
            two = c.write_dataset(text="two")
        c.read_dataset(data=dsl.OneOf(one.outputs["data"], two.outputs["data"]))

    result = plain_cloud.succeed(choice, {"first": first})
    assert expected in result.outputs("read-dataset")["Output"]


def test_a_failed_round_fails_the_loop_and_the_others_finish(plain_cloud: Cloud) -> None:
    @dsl.pipeline(name="rounds")
    def rounds(n: int = 2) -> None:
        with dsl.ParallelFor([1, 2]) as item, dsl.If(item == n):
            c.fail(message="two")

    result = plain_cloud.run(rounds)
    assert result.state is JobState.FAILED
    states = result.states()
    assert states["for-loop-2.for-loop-2-0"] is TaskState.SUCCEEDED
    assert states["for-loop-2.for-loop-2-1"] is TaskState.FAILED
    assert "ValueError: two" in result.error


def test_an_empty_loop_succeeds(plain_cloud: Cloud) -> None:
    @dsl.pipeline(name="empty")
    def empty(items: list) -> None:
        with dsl.ParallelFor(items) as item:
            total = c.add(a=item, b=1)
        lengths(items=dsl.Collected(total.output))

    assert plain_cloud.succeed(empty, {"items": []}).outputs("lengths")["Output"] == []


def test_an_exit_task_after_success_says_so(plain_cloud: Cloud) -> None:
    @dsl.pipeline(name="exits")
    def exits() -> None:
        with dsl.ExitHandler(c.report_status()):
            c.echo(text="a")

    result = plain_cloud.succeed(exits)
    assert result.outputs("report-status")["Output"] == "SUCCEEDED None None"
