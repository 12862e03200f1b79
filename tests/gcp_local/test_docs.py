"""docs/gcp-local.md: its snippets run, its table is up to date."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.gcp_local.coverage import PAGE, page_with, table
from tests.gcp_local.emulators import start
from tests.gcp_local.pipelines import compiled

RUNNER = """
import sys
for number, snippet in enumerate(sys.stdin.read().split("\\0")):
    exec(compile(snippet, f"snippet {number}", "exec"), {"__name__": f"snippet{number}"})
"""


def test_the_table_of_methods_is_up_to_date() -> None:
    assert page_with(table()) == PAGE.read_text(), "run python -m tests.gcp_local.coverage"


def test_the_snippets_run_as_they_stand(tmp_path: Path) -> None:
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(snippets) >= 5
    (tmp_path / "pipeline.yaml").write_bytes(compiled("doubling"))
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
