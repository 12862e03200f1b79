"""Every feature of KFP's compiled pipelines, by what comes out of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.gcp_local.corpus.case import FAILED, SUCCEEDED, Case, Made
from tests.gcp_local.corpus.cases import CASES, FOLDER, committed, compiled_again, path_of
from tests.gcp_local.corpus.running import Ran, run_all
from tests.gcp_local.emulators import Emulator, start

TABLE = Path(__file__).with_name("README.md")
RUNNING = [case for case in CASES if not case.refused]
UNPROVEN = [case for case in CASES if case.refused and (case.outputs or case.told)]
PIPELINES = list({case.pipeline.name: case for case in CASES}.values())


def named(case: Case) -> str:
    return case.name


@pytest.fixture(scope="module")
def ran(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Ran]:
    return run_all(emulator, CASES, tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def ran_unproven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Ran]]:
    folder = tmp_path_factory.mktemp("unproven")
    emulator = start(folder / "state", "--permissive", "--ignore-accelerators")
    yield run_all(emulator, UNPROVEN, folder)
    emulator.end()


@pytest.mark.parametrize("case", RUNNING, ids=named)
def test_a_pipeline_gives_what_kfp_says_it_gives(case: Case, ran: Mapping[str, Ran]) -> None:
    check(case, ran[case.name])


@pytest.mark.parametrize("case", UNPROVEN, ids=named)
def test_what_is_refused_may_run_where_the_user_says_so(
    case: Case, ran_unproven: Mapping[str, Ran]
) -> None:
    check(case, ran_unproven[case.name])


@pytest.mark.parametrize("case", [case for case in CASES if case.refused], ids=named)
def test_a_pipeline_is_refused_and_the_reason_named(case: Case, ran: Mapping[str, Ran]) -> None:
    result = ran[case.name]
    assert result.job is None
    assert case.refused in result.refusal


def check(case: Case, result: Ran) -> None:
    assert result.job is not None, result.refusal
    assert (result.state, result.job.error.message) == (case.state, result.job.error.message)
    assert case.error in result.job.error.message
    if case.state == SUCCEEDED:
        assert not result.job.error.message
    if case.outputs:
        assert result.outputs() == case.outputs
    for which, value in case.told.items():
        task, _, key = which.rpartition(".")
        assert value in result.outputs(task)[key]
    for which, wanted in case.made.items():
        made = result.made(which)
        several = wanted if isinstance(wanted, tuple) else (wanted,)
        assert [_known(one, other) for one, other in zip(made, several, strict=True)] == [*several]


def _known(made: Made, wanted: Made) -> Made:
    """Leave out the metadata where a case does not say what they are."""
    return made if wanted.metadata is not None else Made(made.type, None, made.content)


@pytest.mark.parametrize("case", RUNNING, ids=named)
def test_every_task_ends_as_it_should(case: Case, ran: Mapping[str, Ran]) -> None:
    tasks = ran[case.name].tasks
    unusual = {name: state for name, state in tasks.items() if state != SUCCEEDED}
    assert unusual == case.tasks
    assert tasks.keys() >= committed(case)["root"]["dag"]["tasks"].keys()
    assert (FAILED in tasks.values()) == (case.state == FAILED)


@pytest.mark.parametrize("case", PIPELINES, ids=lambda case: case.pipeline.name)
def test_compiling_again_gives_the_same_pipeline(case: Case) -> None:
    assert compiled_again(case) == committed(case)


def test_no_compiled_pipeline_is_left_over() -> None:
    assert set(FOLDER.iterdir()) == {path_of(case) for case in CASES}


def test_the_table_names_every_case() -> None:
    rows = re.findall(r"^\| .* \| `(\w+)` \|", TABLE.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(case.name for case in CASES)


def test_rounds_run_one_after_the_other_where_that_is_asked(ran: Mapping[str, Ran]) -> None:
    rounds = [
        detail
        for name, detail in ran["one_at_a_time"].details.items()
        if re.fullmatch(r"for-loop-\d+\.for-loop-\d+-\d+", name)
    ]
    assert len(rounds) == 3
    times = sorted(
        (detail._pb.start_time.ToNanoseconds(), detail._pb.end_time.ToNanoseconds())
        for detail in rounds
    )
    for (_, ended), (began, _) in itertools.pairwise(times):
        assert ended <= began


def test_labels_reach_a_component(ran: Mapping[str, Ran]) -> None:
    (shown,) = ran["labels"].outputs()["Output"].values()
    assert '"team": "churn"' in shown


def test_placeholders_of_the_job_and_the_task_say_what_the_record_says(
    ran: Mapping[str, Ran],
) -> None:
    result = ran["job_placeholders"]
    assert result.job is not None
    task = result.details["job-values"]
    said = result.outputs()["Output"].splitlines()
    assert said[:3] == ["job-placeholders", "job-placeholders", result.job.name]
    assert int(said[3]) != 0
    assert said[4:6] == ["job-values", str(task.task_id)]
    assert said[6] == result.job.runtime_config.gcs_output_directory
    created = result.job._pb.create_time.ToJsonString()
    assert said[7:] == [created, created]
