"""docs/gcp-local.md and its pages: their snippets run, the tables are up to date."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import yaml

from tests.gcp_local.coverage import PAGE, page_with, table
from tests.gcp_local.emulators import start
from tests.gcp_local.pipelines import compiled

PIPELINES = PAGE.parent / "gcp-local" / "pipelines.md"
# In files: KFP reads a component's source.
RUNNER = """
import sys
from pathlib import Path
for number, snippet in enumerate(sys.stdin.read().split("\\0")):
    file = Path(f"snippet{number}.py").absolute()
    file.write_text(snippet)
    exec(compile(snippet, file, "exec"), {"__name__": file.stem})
"""


def test_the_table_of_methods_is_up_to_date() -> None:
    assert page_with(table()) == PAGE.read_text(), "run python -m tests.gcp_local.coverage"


def test_the_table_of_variables_is_the_whole_environment(tmp_path: Path) -> None:
    section = (
        PIPELINES.read_text().partition("## What a component finds")[2].partition("**Files.**")[0]
    )
    rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    named = sorted(name for row in rows for name in re.findall(r"`(\w+)`", row))
    emulator = start(tmp_path / "state")
    try:
        emulator.call("POST", "/storage/v1/b?project=my-project", json={"name": "my-bucket"})
        body = {
            "pipelineSpec": yaml.safe_load(compiled("looking_around")),
            "runtimeConfig": {"gcsOutputDirectory": "gs://my-bucket/runs"},
        }
        jobs = "/v1/projects/my-project/locations/europe-west1/pipelineJobs"
        job = emulator.call("POST", jobs, json=body).json()
        while job["state"] in ("PIPELINE_STATE_PENDING", "PIPELINE_STATE_RUNNING"):
            time.sleep(0.05)
            job = emulator.call("GET", f"/v1/{job['name']}").json()
        assert job["state"] == "PIPELINE_STATE_SUCCEEDED", job
        tasks = {task["taskName"]: task for task in job["jobDetail"]["taskDetails"]}
    finally:
        emulator.end()
    assert tasks["look-around"]["execution"]["metadata"]["output:Output"] == named


def test_the_snippets_run_as_they_stand(tmp_path: Path) -> None:
    names = re.findall(r"^\| \[.+\]\((gcp-local/[\w-]+\.md)\)", PAGE.read_text(), re.MULTILINE)
    pages = [PAGE.parent / name for name in names]
    assert sorted(pages) == sorted(PIPELINES.parent.glob("*.md")), "every page, and no other"
    text = "\n".join(page.read_text() for page in pages)
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(snippets) >= 5
    emulator = start(tmp_path / "state")
    try:
        done = subprocess.run(
            [sys.executable, "-c", RUNNER],
            input="\0".join(snippets).replace("http://127.0.0.1:8085", emulator.endpoint),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        emulator.end()
    assert done.returncode == 0, done.stderr[-3000:]
    assert "BEGIN PUBLIC KEY" in done.stdout
