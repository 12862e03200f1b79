"""Runs the corpus under `kfp.local`, to know what a team would get without an engine.

    python -m tests.gcp_local.corpus.kfp_local

runs every case with the SubprocessRunner, each in a process of its own, and writes the table of
README.md anew. It takes some minutes, and is no test.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.gcp_local.corpus.case import SUCCEEDED, Case
from tests.gcp_local.corpus.cases import CASES, source_of
from tests.gcp_local.corpus.running import given, plain

README = Path(__file__).with_name("README.md")
_SECONDS = 90


def main(name: str | None = None) -> None:
    """Run one case and print what came of it, or all of them and write the table."""
    if name is not None:
        case = next(case for case in CASES if case.name == name)
        sys.stdout.write("\0" + json.dumps(_run(case)))
        return
    rows = []
    for case in CASES:
        verdict = _verdict(case)
        sys.stdout.write(f"{case.name}: {verdict}\n")
        ours = "refused" if case.refused else "runs"
        rows.append(
            f"| {case.feature} | `{case.name}` | `{source_of(case)}` | {ours} | {verdict} |\n"
        )
    text = README.read_text()
    head, _, rest = text.partition("<!-- table: begin -->\n")
    _, _, tail = rest.partition("<!-- table: end -->")
    columns = "| feature | case | source | gcp-local | kfp.local 2.17 |\n" + 5 * "| --- " + "|\n"
    README.write_text(
        f"{head}<!-- table: begin -->\n{columns}{''.join(rows)}<!-- table: end -->{tail}"
    )


def _run(case: Case) -> dict[str, Any]:
    """Run a case in this process."""
    from kfp import dsl, local

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "outputs"
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root))
        outputs = case.pipeline(**given(case, Path(folder) / "own")).outputs
        shown: dict[str, Any] = {}
        for key, value in outputs.items():
            several = value if isinstance(value, list) else [value]
            if several and all(isinstance(one, dsl.Artifact) for one in several):
                shown[key] = [[one.metadata, Path(one.path).read_text()] for one in several]
            else:
                shown[key] = value
        for written in root.rglob("executor_output.json"):
            said = json.loads(written.read_text()).get("parameterValues", {})
            where = written.parent.relative_to(root)  # run, rounds, task
            shown.update({f"{where}.{key}": value for key, value in said.items()})
        return shown


def _verdict(case: Case) -> str:
    """Say how kfp.local fares, in a few words."""
    module = "tests.gcp_local.corpus.kfp_local"
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, case.name],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not ended after {_SECONDS} s"
    if done.returncode != 0:
        failed = "fails" if case.state == SUCCEEDED and not case.refused else "fails too"
        return f"{failed}: {_reason(done.stdout + done.stderr)}"
    if case.state != SUCCEEDED:
        return "**wrong**: succeeds"
    return "runs" if case.refused else _compared(case, json.loads(done.stdout.rpartition("\0")[2]))


def _compared(case: Case, got: dict[str, Any]) -> str:
    wanted: dict[str, Any] = dict(case.outputs)
    for key, made in case.made.items():
        if "." not in key:
            several = made if isinstance(made, tuple) else (made,)
            wanted[key] = [[one.metadata, one.content] for one in several]
    wrong = [key for key in wanted if plain(got.get(key)) != plain(wanted[key])]
    for which, value in case.told.items():
        task, key = which.split(".")[-2:]  # kfp.local numbers the folders of tasks of one name
        wanted[which] = value
        said = [got[one] for one in got if re.search(rf"/{task}(-\d+)?\.{key}$", one)]
        if not any(value in one for one in said):
            wrong.append(which)
    if not wrong:
        return "the same" if wanted else "runs"
    key = wrong[0]
    shown = _short(json.dumps(got[key], ensure_ascii=False)) if key in got else "nothing"
    return f"**wrong**: `{key}` is {shown}"


def _reason(log: str) -> str:
    """Find the error that matters: the last line of what is not a traceback's inside."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in log.splitlines()]
    errors = [line for line in lines if re.match(r"[A-Za-z_.]+(Error|Exception)\b.*: ", line)]
    return _short((errors or lines or ["no word"])[-1])


def _short(text: str) -> str:
    text = re.sub(r"/tmp/\S+", "…", text.replace("|", "\\|"))
    return f"`{text[:110]}…`" if len(text) > 110 else f"`{text}`"


if __name__ == "__main__":
    main(*sys.argv[1:])
