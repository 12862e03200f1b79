"""How long the promotion of many pipelines takes side by side, and one after the other.

Fifty pipelines of one task, which sleeps for two seconds; every call to the embedded cloud takes a
tenth of a second longer than it would. Both times are those of a whole `ecluse promote`, a process
of its own, by the wall's clock, in an environment where nothing was live:

    side by side          `ecluse promote --parallel 50`
    one after the other   `ecluse promote --parallel 1`

Run it with `python benchmarks/promotion.py`; the table goes into docs/benchmarks.md.
"""

# ruff: noqa: INP001, T201

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import generated
from page import three, where_and_when, write_section

from gcp_local.testing import LocalCloud

ENVIRONMENT = "nonprod"
BUDGET = "budget: {{calls: 64, runs: {pipelines}}}\n"

COMPONENT = """\
\"\"\"A task that takes its time.\"\"\"

from kfp import dsl


@dsl.container_component
def sleep(seconds: float, run_key: str) -> dsl.ContainerSpec:
    \"\"\"Sleep.\"\"\"
    return dsl.ContainerSpec(
        image="runtime", command=["sh", "-c", 'sleep "$0"'], args=[seconds, run_key]
    )
"""

PIPELINE = """\
\"\"\"Pipeline {number}.\"\"\"

from kfp import dsl

from pipelines.components.sleep import sleep


@dsl.pipeline(name="{package}")
def {name}(run_key: str, seconds: float = {seconds}) -> None:
    \"\"\"Sleep.\"\"\"
    sleep(seconds=seconds, run_key=run_key)
"""

SETTINGS = """\
description: Pipeline {number}, which sleeps.
owner: bench@example.com
"""


@dataclass(frozen=True)
class Way:
    """One way of promoting, and how long it took.

    Attributes:
        words: the way, in words.
        parallel: how many pipelines side by side.
        seconds: how long each promotion took.
        calls: how many calls to the cloud each made.

    """

    words: str
    parallel: int
    seconds: tuple[float, ...]
    calls: tuple[int, ...]


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pipelines", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each pipeline sleeps")
    parser.add_argument("--latency", type=float, default=0.1, help="of every call, in seconds")
    parser.add_argument("--repetitions", type=int, default=3, help="of the promotion side by side")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "repository"
        arguments = ("--components", str(asked.pipelines))
        with LocalCloud(Path(folder) / "cloud", arguments=arguments) as cloud:
            os.environ["ECLUSE_LOCAL"] = cloud.endpoint
            write_repository(root, asked.pipelines, asked.seconds)
            run("build", root)
            ways = [
                measure(cloud, root, words, parallel, times, asked.latency)
                for words, parallel, times in (
                    ("side by side", asked.pipelines, asked.repetitions),
                    ("one after the other", 1, 1),
                )
            ]
    print(f"written to {write_section('promotion', section(ways, asked)).name}")


def measure(
    cloud: LocalCloud, root: Path, words: str, parallel: int, times: int, latency: float
) -> Way:
    """Promote so many times, each time to an environment where nothing is live."""
    seconds, calls = [], []
    for repetition in range(times):
        settings = root / "environments" / f"{ENVIRONMENT}.yaml"
        before = settings.read_text(encoding="utf-8")
        place = f"{ENVIRONMENT}-{parallel}-{repetition}"
        settings.write_text(
            before.replace(f"bench-{ENVIRONMENT}", f"bench-{place}"), encoding="utf-8"
        )
        run("status", root, ENVIRONMENT)  # lays the environment out
        cloud.faults.clear()
        with cloud.faults.ordered(path="/*", latency=latency):
            began = time.perf_counter()
            answer = run("promote", root, ENVIRONMENT, "--parallel", str(parallel))
            seconds.append(time.perf_counter() - began)
        calls.append(len(cloud.faults.calls))
        endings = {outcome["ending"] for outcome in answer["outcomes"]}
        assert endings == {"activated"}, endings
        settings.write_text(before, encoding="utf-8")
        print(f"{words}: {seconds[-1]:.1f} s, {calls[-1]} calls", flush=True)
    return Way(words, parallel, tuple(seconds), tuple(calls))


def run(command: str, root: Path, *arguments: str) -> dict[str, list[dict[str, str]]]:
    """Run `ecluse` and return its answer."""
    words = [sys.executable, "-m", "ecluse", command, *arguments, "--json"]
    if command in ("build", "promote"):
        words += ["--output" if command == "build" else "--release", str(root / "dist")]
    done = subprocess.run(
        [*words, "--repository", str(root)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
    return answer


def write_repository(root: Path, pipelines: int, seconds: float) -> None:
    """Write a repository of pipelines that sleep, and commit it."""
    generated.generate(root, 0)
    settings = root / "environments" / f"{ENVIRONMENT}.yaml"
    budget = BUDGET.format(pipelines=pipelines)
    settings.write_text(settings.read_text(encoding="utf-8") + budget, encoding="utf-8")
    (root / "pipelines/components/sleep.py").write_text(COMPONENT, encoding="utf-8")
    for number in range(pipelines):
        name = generated.name_of(number)
        folder = root / "pipelines" / name
        folder.mkdir()
        files = {"pipeline.py": PIPELINE, "pipeline.yaml": SETTINGS, "__init__.py": ""}
        for file, content in files.items():
            filled = content.format(
                number=number, name=name, package=name.replace("_", "-"), seconds=seconds
            )
            (folder / file).write_text(filled, encoding="utf-8")
    generated.commit(root)


def section(ways: list[Way], asked: argparse.Namespace) -> str:
    """Write what was measured, and how."""
    slowest = statistics.median(ways[-1].seconds)
    rows = []
    for way in ways:
        times = f"**{slowest:.1f}**"
        if len(way.seconds) > 1:
            times = three(lambda seconds: f"{seconds:.1f}", way.seconds)
        ratio = slowest / statistics.median(way.seconds)
        calls = round(statistics.median(way.calls))
        rows.append(f"| {way.words} | {way.parallel} | {times} | {calls} | {ratio:.1f} × |")
    sleeping = asked.pipelines * asked.seconds
    waiting = statistics.median(ways[-1].calls) * asked.latency
    return f"""\
## A promotion of {asked.pipelines} pipelines, side by side and one after the other

`python benchmarks/promotion.py` measures anew. {where_and_when()}

Seconds of a whole `ecluse promote {ENVIRONMENT}` of {asked.pipelines} pipelines whose one task
sleeps for {asked.seconds:g} s, with {asked.latency * 1000:.0f} ms of latency on every call: least /
**median** / most of {len(ways[0].seconds)} side by side, and one measured whole one after the
other.

| way | `--parallel` | seconds | calls | times as fast |
| --- | --- | --- | --- | --- |
{chr(10).join(rows)}

Every promotion went to an environment of an embedded cloud where nothing was live, and did all that
a promotion does: upload and download, run, gates, signed evidence, the ledger's compare-and-swap,
the tag. Of the time one after the other, {sleeping:.0f} s are sleep and {waiting:.0f} s latency of
the calls, as far as they overlap neither each other nor a sleep. Side by side the environment's
budget allowed {asked.pipelines} runs and 64 calls at once, and the embedded cloud ran all
tasks at once, as Vertex AI would. The time holds the start of Python and of Google's clients. By
the wall's clock: whatever else the machine does lengthens all of them.
"""


if __name__ == "__main__":
    main()
