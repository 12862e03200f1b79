"""How much the orchestrator itself costs, beside `kfp.local`: `make bench`.

Both run the same pipelines on the same machine in turn, several times over, and the table goes
into docs/benchmarks.md. What is measured is the time from handing a compiled pipeline over to
its end:

    gcp-local   a running server; from before a job is created until its end, as it tells; it is
                asked for now and then only, since whoever asks takes part of the machine
    kfp.local   a call of the pipeline with the SubprocessRunner, in a process of its own each time
                (in one process it slows down); importing and compiling beforehand do not count

Components are lightweight ones without an installation of KFP. Those that measure overhead do
nothing; those that measure parallelism sleep.
"""

# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator, no-any-return"
# KFP reads annotations as they are written.
# ruff: noqa: D103, INP001, T201

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
import yaml
from kfp import compiler, dsl
from page import three, where_and_when, write_section

JOBS = "/v1/projects/benchmark/locations/europe-west1/pipelineJobs"
POLL_SECONDS = 0.1
SLEEP = 0.5
component = dsl.component(base_image="python:3.11", install_kfp_package=False)


@component
def nothing(n: int) -> int:
    return n


@component
def sleep(seconds: float, n: int) -> int:
    import time

    time.sleep(seconds)
    return n


@dsl.pipeline(name="one-after-the-other")
def one_after_the_other(n: int = 1) -> int:
    task = nothing(n=n)
    for _ in range(19):
        task = nothing(n=task.output)
    return task.output


@dsl.pipeline(name="side-by-side")
def side_by_side() -> None:
    for n in range(8):
        sleep(seconds=SLEEP, n=n)


@dsl.pipeline(name="in-a-loop")
def in_a_loop() -> None:
    with dsl.ParallelFor(list(range(8))) as n:
        sleep(seconds=SLEEP, n=n)


@dsl.pipeline(name="a-hundred-tasks")
def a_hundred_tasks() -> None:
    for n in range(100):
        nothing(n=n)


@dataclass(frozen=True)
class Scenario:
    """A pipeline to be run, and in which unit its time is told.

    Attributes:
        title: the row's title.
        pipeline: what is run.
        tasks: by how many its time is divided; 1 for the whole pipeline's.

    """

    title: str
    pipeline: Any
    tasks: int = 1

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return str(self.pipeline.name)

    @property
    def unit(self) -> str:
        """What its numbers are."""
        return "ms a task" if self.tasks > 1 else "s"

    def shown(self, seconds: float) -> str:
        """Write a time in the scenario's unit."""
        return f"{1000 * seconds / self.tasks:.0f}" if self.tasks > 1 else f"{seconds:.2f}"


SCENARIOS = (
    Scenario("20 tasks that do nothing, one after the other", one_after_the_other, 20),
    Scenario("100 tasks that do nothing, all independent", a_hundred_tasks, 100),
    Scenario(f"8 tasks that sleep {SLEEP} s, all independent", side_by_side),
    Scenario(f"8 rounds of a loop that sleep {SLEEP} s", in_a_loop),
)


def main() -> None:
    """Measure and write the page; or, with --kfp-local, run one pipeline and tell the seconds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--kfp-local", metavar="NAME", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.kfp_local:
        scenario = next(one for one in SCENARIOS if one.name == asked.kfp_local)
        print(f"\0{_under_kfp_local(scenario)}")
        return
    measured = measure(asked.repetitions)
    page = write_section("orchestrator", section(measured, asked.repetitions))
    print(f"written to {page.name}")


def measure(repetitions: int) -> dict[str, tuple[list[float], list[float]]]:
    """Run everything, ours and theirs in turn; give the seconds of each by the scenario's name."""
    measured: dict[str, tuple[list[float], list[float]]] = {one.name: ([], []) for one in SCENARIOS}
    with server() as endpoint:
        specs = {one.name: compiled(one) for one in SCENARIOS}
        for scenario in SCENARIOS:  # the server's first jobs load what later ones find loaded
            run(endpoint, specs[scenario.name])
        for repetition in range(repetitions):
            for scenario in SCENARIOS:
                ours, theirs = measured[scenario.name]
                ours.append(run(endpoint, specs[scenario.name]))
                theirs.append(elsewhere(scenario))
                print(
                    f"{repetition + 1}/{repetitions} {scenario.name}:"
                    f" {scenario.shown(ours[-1])}, kfp.local {scenario.shown(theirs[-1])}"
                    f" {scenario.unit}",
                    flush=True,
                )
    return measured


@contextmanager
def server() -> Iterator[str]:
    """Start a server on a folder of its own, and end it."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        process = subprocess.Popen(
            [sys.executable, "-m", "gcp_local", "serve", "--state", str(state)],
            stdout=subprocess.DEVNULL,
        )
        try:
            while not (state / "server.json").exists():
                assert process.poll() is None, "the server did not start"
                time.sleep(POLL_SECONDS)
            endpoint = json.loads((state / "server.json").read_text())["endpoint"]
            bucket = {"name": "benchmark"}
            requests.post(f"{endpoint}/storage/v1/b?project=benchmark", json=bucket, timeout=9)
            yield endpoint
        finally:
            process.terminate()
            process.wait()


def compiled(scenario: Scenario) -> dict[str, Any]:
    """Compile a pipeline, its tasks never to be taken from a cache."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(scenario.pipeline, str(path))
        spec: dict[str, Any] = yaml.safe_load(path.read_text())
    bodies = [spec["root"], *spec["components"].values()]
    for body in bodies:
        for task in body.get("dag", {}).get("tasks", {}).values():
            task.get("cachingOptions", {}).clear()
    return spec


def run(endpoint: str, spec: dict[str, Any]) -> float:
    """Run a job and give the seconds until it has ended."""
    session = requests.Session()
    root = {"gcsOutputDirectory": "gs://benchmark/runs"}
    began = datetime.now(UTC)
    body = {"pipelineSpec": spec, "runtimeConfig": root}
    job = session.post(f"{endpoint}{JOBS}", json=body, timeout=60).json()
    name = job["name"]
    masked = f"{endpoint}/v1/{name}"
    while job["state"] in ("PIPELINE_STATE_PENDING", "PIPELINE_STATE_RUNNING"):
        time.sleep(POLL_SECONDS)
        job = session.get(masked, timeout=60).json()
    assert job["state"] == "PIPELINE_STATE_SUCCEEDED", job
    return (datetime.fromisoformat(job["endTime"]) - began).total_seconds()


def elsewhere(scenario: Scenario) -> float:
    """Run a pipeline under kfp.local in a new process; give the seconds that it tells."""
    done = subprocess.run(
        [sys.executable, __file__, "--kfp-local", scenario.name],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.rpartition("\0")[2])


def _under_kfp_local(scenario: Scenario) -> float:
    from kfp import local

    with tempfile.TemporaryDirectory() as folder:
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=folder)
        began = time.perf_counter()
        scenario.pipeline()
        return time.perf_counter() - began


def section(measured: dict[str, tuple[list[float], list[float]]], repetitions: int) -> str:
    """Write what was measured, where, and the table."""
    rows = []
    for scenario in SCENARIOS:
        ours, theirs = measured[scenario.name]
        ratio = statistics.median(theirs) / statistics.median(ours)
        cells = [three(scenario.shown, times) for times in (ours, theirs)]
        rows.append(f"| {scenario.title} | {scenario.unit} | {' | '.join(cells)} | {ratio:.1f} × |")
    at_once = max(4, os.cpu_count() or 1)
    return f"""\
## The orchestrator beside `kfp.local`

`python benchmarks/orchestrator.py` measures anew. {where_and_when()}

What an engine costs beside the work itself. The same pipelines, in turn under a running `gcp-local`
and under the SubprocessRunner of `kfp.local`, {repetitions} times each: least / **median** / most,
and how many times as long `kfp.local` took in the median.

| pipeline | unit | gcp-local | kfp.local | ratio |
| --- | --- | --- | --- | --- |
{chr(10).join(rows)}

The time runs from handing over the compiled pipeline to its end: over HTTP for `gcp-local`, whose
server had run each pipeline once before; in a process of its own each time for `kfp.local`, whose
import is not counted. No task is taken from a cache. Components are lightweight ones without an
installation of KFP. `gcp-local` runs at most {at_once} components at a time on this machine, and
keeps each task's state, log and place in ML Metadata. Both are timed by the wall's clock: whatever
else the machine does lengthens both, and they run in turn so that it lengthens both alike.
"""


if __name__ == "__main__":
    main()
