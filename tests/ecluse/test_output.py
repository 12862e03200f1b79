"""What commands write: whole files, tables and lines that say whose they are."""

import io
import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from ecluse.cli import output
from ecluse.cli.output import write_json
from ecluse.cloud.run import Run, Task
from ecluse.errors import InvalidInput, SettingsError
from ecluse.report.markdown import run_report
from ecluse.report.terminal import Board
from ecluse.repository.catalog import Catalog
from tests.ecluse.repositories import make_repository


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


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_signs_that_an_encoding_lacks_end_no_command(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    output.speak_any_encoding()
    Console().print("✓ done → next … 🚀")
    sys.stdout.flush()
    said = written.getvalue().decode(encoding).strip()
    assert said == ("✓ done → next … 🚀" if encoding == "utf-8" else "+ done -> next ... ?")
    written.truncate(0)
    written.seek(0)
    output.show_json({"owner": "Zoë 🚀"})
    sys.stdout.flush()
    assert json.loads(written.getvalue().decode(encoding)) == {"owner": "Zoë 🚀"}


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full here")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_full_disk_is_one_line(options: list[str], tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repository", "full")
    words = [sys.executable, "-m", "ecluse", "check", *options]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            words, cwd=repository.root, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error standard output: cannot be written: No space left")
    assert len(done.stderr.splitlines()) == 1


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


def test_settings_without_a_pipeline_are_refused_and_not_overlooked(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repository", "half")
    (repository.root / "pipelines" / "alpha" / "pipeline.py").unlink()
    with pytest.raises(SettingsError, match=r"^pipelines/alpha: .* no pipeline\.py → "):
        _ = Catalog(repository.root).pipeline_names
