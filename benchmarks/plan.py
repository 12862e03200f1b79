"""How long `ecluse plan` takes in a large repository, beside a shell loop over `kfp dsl compile`.

Repositories of 1, 10, 100 and 500 generated pipelines, all of them live in an environment of an
embedded cloud. Each time is that of a whole command, a process of its own, by the wall's clock:

    nothing kept   `ecluse plan` in a fresh clone: everything is compiled
    unchanged      `ecluse plan` again: nothing is
    one change     `ecluse plan` after an edit of one pipeline's own component
    shell loop     `kfp dsl compile` for one pipeline after the other, which knows of no change

Run it with `python benchmarks/plan.py`; the table goes into docs/benchmarks.md.
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
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import generated
from page import three, where_and_when, write_section

from ecluse.cloud import connect
from ecluse.ledger.records import Entry, Head
from ecluse.local import embedded_cloud, stop_embedded_cloud
from ecluse.promotion.plan import standing_parameters
from ecluse.release.delivery import draft_release
from ecluse.release.manifest import Release
from ecluse.repository.catalog import Catalog
from ecluse.repository.settings import Environment
from ecluse.workplace import Workplace

SIZES = (1, 10, 100, 500)
ENVIRONMENT = "nonprod"


@dataclass
class Measured:
    """The seconds of one repository's commands.

    Attributes:
        pipelines: how many it has.
        looped: for how many of them `kfp dsl compile` was run.

    """

    pipelines: int
    nothing_kept: list[float] = field(default_factory=list)
    unchanged: list[float] = field(default_factory=list)
    one_change: list[float] = field(default_factory=list)
    compile_one: list[float] = field(default_factory=list)

    @property
    def looped(self) -> int:
        """For how many pipelines the loop was run."""
        return len(self.compile_one)

    @property
    def loop(self) -> float:
        """The seconds of the loop over all pipelines; from the mean where only some were run."""
        return statistics.mean(self.compile_one) * self.pipelines


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--loop", type=int, default=20, help="the most pipelines to loop over")
    asked = parser.parse_args()
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "cloud"
        os.environ["ECLUSE_LOCAL"] = embedded_cloud(state)
        try:
            for size in SIZES:
                root = Path(folder) / str(size)
                measured.append(measure(root, size, asked.repetitions, asked.loop))
        finally:
            del os.environ["ECLUSE_LOCAL"]
            stop_embedded_cloud(state)
    print(f"written to {write_section('plan', section(measured, asked.repetitions)).name}")


def measure(root: Path, size: int, repetitions: int, loop: int) -> Measured:
    """Measure a repository of so many pipelines."""
    generated.generate(root, size)
    make_all_live(root)
    found = Measured(size)
    for repetition in range(repetitions):
        subprocess.run(["rm", "-rf", str(root / ".ecluse")], check=True)
        found.nothing_kept.append(plan(root, changes=0))
        found.unchanged.append(plan(root, changes=0))
        generated.change(root, repetition % size, "a change")
        found.one_change.append(plan(root, changes=1))
        subprocess.run(["git", "-C", str(root), "checkout", "-q", "."], check=True)
        # In turn with the plans, so that whatever else the machine does lengthens both.
        for number in range(repetition, min(size, loop), repetitions):
            found.compile_one.append(compile_one(root, number))
        print(
            f"{size} pipelines, {repetition + 1}/{repetitions}: nothing kept "
            f"{found.nothing_kept[-1]:.1f} s, unchanged {found.unchanged[-1]:.2f} s, "
            f"one change {found.one_change[-1]:.2f} s",
            flush=True,
        )
    print(f"{size} pipelines: the loop takes {found.loop:.0f} s", flush=True)
    return found


def plan(root: Path, *, changes: int) -> float:
    """Run `ecluse plan`, and return its seconds; it has to find exactly so many changes."""
    command = [sys.executable, "-m", "ecluse", "plan", ENVIRONMENT, "--json"]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--repository", str(root)], check=True, capture_output=True, text=True
    )
    seconds = time.perf_counter() - began
    actions = json.loads(done.stdout)["actions"]
    changed = [action for action in actions if action["kind"] != "unchanged"]
    assert len(changed) == changes, changed[:3]
    return seconds


def compile_one(root: Path, number: int) -> float:
    """Run `kfp dsl compile` for one pipeline, and return its seconds."""
    file = root / "pipelines" / generated.name_of(number) / "pipeline.py"
    output = root / "dist" / f"{number}.yaml"
    output.parent.mkdir(exist_ok=True)
    kfp = Path(sys.executable).with_name("kfp")
    began = time.perf_counter()
    subprocess.run(
        [str(kfp), "dsl", "compile", "--py", str(file), "--output", str(output)],
        check=True,
        capture_output=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "src")])},
    )
    return time.perf_counter() - began


def make_all_live(root: Path) -> None:
    """Lay the ledger as a promotion of every pipeline would leave it."""
    catalog = Catalog(root)
    workplace = Workplace(catalog, local=True)
    settings = catalog.environment(ENVIRONMENT)
    workplace.cloud(ENVIRONMENT)
    release = draft_release(workplace, ENVIRONMENT).release
    storage = connect(settings, local=workplace.address).storage
    head = Head(environment=ENVIRONMENT, pipelines=entries(release, settings))
    storage.write(f"{settings.ledger}/head.json", head.model_dump_json().encode())


def entries(release: Release, environment: Environment) -> dict[str, Entry]:
    """Return the ledger's entries of a release whose pipelines are all live."""
    return {
        name: Entry(
            sequence=1,
            action="activate",
            package=pipeline.package,
            digest=pipeline.digest,
            code_digest=pipeline.code_digest,
            sources_digest=pipeline.sources_digest,
            runtime_image=pipeline.runtime_image,
            compiler=release.compiler,
            settings=pipeline.settings,
            settings_digest=pipeline.settings_digest,
            declared=pipeline.parameters,
            parameters=standing_parameters(pipeline, environment),
            release=release.digest,
            commit=release.commit,
            version=None,
            run="",
            metrics={},
            qualification="",
            at=datetime.now(UTC),
            by="benchmark",
        )
        for name, pipeline in release.pipelines.items()
    }


def section(measured: list[Measured], repetitions: int) -> str:
    """Write what was measured, and how."""
    rows = []
    for each in measured:
        counted = "" if each.looped == each.pipelines else f" ({each.looped} run)"
        times = [
            three(lambda seconds: f"{seconds:.2f}", one)
            for one in (each.nothing_kept, each.unchanged, each.one_change)
        ]
        ratio = each.loop / statistics.mean(each.one_change)
        rows.append(
            f"| {each.pipelines} | {' | '.join(times)} | {each.loop:.0f}{counted} | {ratio:.1f} × |"
        )
    one = [seconds for each in measured for seconds in each.compile_one]
    return f"""\
## A plan in a large repository, beside a loop over `kfp dsl compile`

`python benchmarks/plan.py` measures anew. {where_and_when()}

Seconds of a whole `ecluse plan {ENVIRONMENT} --json`, {repetitions} times each, least / **median**
/ most: in a fresh clone, again with nothing changed, and after an edit of one pipeline. Beside it
the seconds of `kfp dsl compile` in a shell loop over all pipelines, and how many times as long that
takes as a plan after one change, by the means.

| pipelines | nothing kept | unchanged | one change | shell loop | ratio |
| --- | --- | --- | --- | --- | --- |
{chr(10).join(rows)}

Each pipeline has a component of its own, four shared ones, a query and settings with gates, and all
were live in an embedded cloud, whose ledger was laid as a promotion would leave it. A plan compiles
what changed, checks every setting of every pipeline for every environment, looks for the runtime
image, reads the ledger and compares; a good part of its time is Python importing Google's
clients. The loop compiles, and does nothing else. Where it says so, the loop was run for that many
pipelines, and its time is their mean times the number of all: a pipeline took
{three(lambda seconds: f"{seconds:.2f}", one)} s. How many workers compile in a fresh clone follows
from the number of cores. All are timed by the wall's clock, and in turn: whatever else the machine
does lengthens all of them.
"""


if __name__ == "__main__":
    main()
