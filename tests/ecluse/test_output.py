"""What commands write: whole files, tables and lines that say whose they are."""

import io
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from ecluse.cli.output import write_json
from ecluse.cloud.run import Run, Task
from ecluse.errors import InvalidInput
from ecluse.report.markdown import run_report
from ecluse.report.terminal import Board


def test_a_document_is_written_into_what_is_no_file_and_through_links(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write_json(pipe, {"a": 1})
    reader.join(10)
    assert read == ['{\n  "a": 1\n}\n']
    assert pipe.is_fifo()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_json(tmp_path / "link", [])
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "[]\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link", "pipe", "real"]


@pytest.mark.parametrize("file", ["missing/plan.json", "/proc/plan.json", "file/plan.json", "."])
def test_a_document_that_cannot_be_written_is_one_error(file: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match=r"cannot be written: .* → name another file"):
        write_json(tmp_path / file, {})


def _run(name: str) -> Run:
    begun = datetime(2026, 11, 22, tzinfo=UTC)
    task = Task("measure", "succeeded", begun, begun + timedelta(seconds=1), id="1")
    return Run(f"projects/p/locations/l/pipelineJobs/{name}", "succeeded", tasks=(task,))


def test_tasks_of_several_pipelines_say_whose_they_are() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    board = Board(console)
    board.step("alpha", "run alpha-1")
    board.running("alpha", _run("alpha-1"))
    board.step("beta", "run beta-1")
    board.running("alpha", _run("alpha-2"))
    board.running("beta", _run("beta-1"))
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert lines == [
        "✓ alpha run alpha-1",
        "✓ measure 1.0 s",
        "✓ beta run beta-1",
        "alpha tasks",
        "✓ measure 1.0 s",
        "beta tasks",
        "✓ measure 1.0 s",
    ]


def test_a_report_of_a_run_that_was_not_judged_has_no_empty_table() -> None:
    assert "severity" not in run_report("alpha", _run("alpha-1"), ())
