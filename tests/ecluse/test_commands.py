"""The commands as people type them: help, mistakes, runs, JSON."""

import json
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.ecluse.conftest import Commands

HEAVY = (
    "google.cloud.aiplatform",
    "google.cloud.aiplatform_v1",
    "google.cloud.artifactregistry_v1",
    "google.cloud.devtools",
    "google.cloud.kms_v1",
    "jinja2",
    "kfp",
    "matplotlib",
    "numpy",
    "pandas",
    "pyarrow",
    "sklearn",
    "starlette",
    "uvicorn",
    "xgboost",
)


def modules_after(arguments: list[str], tmp_path: Path) -> set[str]:
    """Return the modules that a command imported, in a process of its own."""
    listing = tmp_path / "modules"
    code = (
        "import sys, atexit, pathlib\n"
        f"atexit.register(lambda: pathlib.Path({str(listing)!r}).write_text("
        "'\\n'.join(sys.modules)))\n"
        f"sys.argv = ['ecluse', *{arguments!r}]\n"
        "from ecluse.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(listing.read_text().splitlines())


def test_help_imports_no_heavy_library(tmp_path: Path) -> None:
    modules = modules_after(["--help"], tmp_path)
    assert not modules & {*HEAVY, "google.cloud.storage", "pydantic", "requests"}


def test_what_the_ledger_says_imports_no_heavy_library(ecluse: Commands, tmp_path: Path) -> None:
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    root = str(ecluse.repository.root)
    assert ecluse("status").code == 0
    modules = modules_after(["status", "--ledger-only", "--repository", root], tmp_path)
    assert not modules & set(HEAVY)
    assert "google.cloud.storage" in modules, "it really looked"


def test_a_plan_of_what_did_not_change_imports_no_heavy_library(
    ecluse: Commands, tmp_path: Path
) -> None:
    root = str(ecluse.repository.root)
    assert ecluse("plan", "nonprod").code == 0
    modules = modules_after(["plan", "nonprod", "--repository", root], tmp_path)
    assert not modules & set(HEAVY)
    assert "google.cloud.storage" in modules, "it really looked"


@pytest.mark.parametrize(
    "command",
    [
        "check",
        "compile",
        "run",
        "image",
        "build",
        "plan",
        "promote",
        "trigger",
        "status",
        "report",
        "demo",
    ],
)
def test_every_command_explains_itself(ecluse: Commands, command: str) -> None:
    from typer.testing import CliRunner

    from ecluse.cli import command_line

    found = CliRunner().invoke(command_line(), [command, "--help"])
    assert found.exit_code == 0
    assert "Usage" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["run", "alpha", "-e", "nonprd"],
            "there is no environment `nonprd` → did you mean `nonprod`",
        ),
        (["run", "alhpa"], "there is no pipeline `alhpa` → did you mean `alpha`"),
        (["run", "alpha", "-p", "accuracy"], "`accuracy` is not NAME=VALUE"),
        (["run", "alpha", "-p", "acc=1"], "the pipeline has no parameter `acc`"),
        (["promote", "nonprd"], "there is no environment `nonprd`"),
        (["promote", "nonprod"], "there is no release → build one with `ecluse build`"),
        (
            ["promote", "nonprod", "--commit", "0" * 40],
            "commit 000000000000 has no release in nonprod",
        ),
        (["promote", "nonprod", "--release", "x", "--commit", "y"], "give --release or --commit"),
        (["status", "staging"], "there is no environment `staging`"),
        (["image", "nonprod", "other"], "no image `other` is declared"),
        (["compile", "gamma"], "there is no pipeline `gamma`"),
        (["build", "--runtime-image", "elsewhere/runtime:latest"], "is no image by digest in"),
        (["run", "alpha", "-p", "fail=3"], "`fail` must be true or false, found `3`"),
        (["run", "alpha", "-e", "prod"], "prod runs only what nonprod qualified"),
        (["promote", "nonprod", "--version", "[/x]"], "`[/x]` is no version"),
        (["promote", "nonprod", "--markdown", "/no/such/file"], "cannot be written"),
        (["report", "nonprod", "--commit", "HEAD"], "has no report in nonprod"),
        (["compile", "--output", "Dockerfile"], "cannot be written"),
        (["build", "--output", "environments"], "there is something here, and it is no release"),
        (["demo"], "no pipeline says how to get sample data"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    ecluse: Commands, arguments: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ecluse.repository.root)
    answer = ecluse(*arguments)
    assert answer.code == 2, answer
    assert answer.err.count("\n") == 1
    assert complaint in answer.err
    assert not list(ecluse.repository.root.glob("dist/**/*"))


def test_a_mistake_in_a_settings_file_stops_every_command_that_reads_it(ecluse: Commands) -> None:
    ecluse.repository.replace("environments/nonprod.yaml", "templates:", "tmplates:")
    for arguments in (["check"], ["status"], ["plan", "nonprod"], ["promote", "nonprod"]):
        answer = ecluse(*arguments)
        assert answer.code == 2, answer
        assert "environments/nonprod.yaml:6: `tmplates`: there is no such field" in answer.err


def test_a_working_tree_with_changes_is_no_release(ecluse: Commands) -> None:
    ecluse.repository.replace("src/business/__init__.py", "value:", "value: ")
    answer = ecluse("build", "--output", str(ecluse.repository.root / "dist"))
    assert answer.code == 2
    assert "the working tree has changes that no commit holds" in answer.err


def test_a_run_of_the_working_tree_touches_no_ledger(ecluse: Commands) -> None:
    ecluse.repository.replace("src/business/__init__.py", "return value", "return value / 1")
    answer = ecluse("run", "alpha", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["metrics"] == {"measure.accuracy": 0.9}
    assert answer.json["state"] == "succeeded"
    assert [each["pipelines"] for each in ecluse("status", "--json").json] == [[], [], []]


def test_a_runs_parameters_can_be_given_and_its_gates_can_refuse(ecluse: Commands) -> None:
    answer = ecluse("run", "alpha", "--json", "-p", "accuracy=0.5")
    assert answer.code == 1
    assert answer.json["metrics"] == {"measure.accuracy": 0.5}
    assert "measure.accuracy is 0.5000, at least 0.8 was asked" in answer.err


def test_a_run_that_fails_shows_the_components_own_error(ecluse: Commands) -> None:
    answer = ecluse("run", "alpha", "-p", "fail=true")
    assert answer.code == 1
    assert "✗ measure" in answer.out
    assert "ValueError: the data smell" in answer.err


def test_a_report_in_markdown_is_appended(ecluse: Commands, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    release = str(ecluse.build())
    assert ecluse("promote", "nonprod", "--release", release, "--markdown", str(summary)).code == 0
    assert ecluse("status", "--markdown", str(summary)).code == 0
    text = summary.read_text()
    assert text.startswith("before\n")
    assert "## Promotion to nonprod" in text
    assert (
        "| ✅ | <code>measure.accuracy</code> | at least 0.8 | 0.9000 | 0.8000 |  | blocker |"
        in text
    )
    assert "## What is live" in text


def test_check_and_compile_touch_no_cloud(
    ecluse: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECLUSE_LOCAL", "http://127.0.0.1:9")
    assert ecluse("check").code == 0
    assert ecluse("compile", "--output", str(tmp_path)).code == 0
    digests = ecluse("compile", "--json").json
    assert list(digests) == ["alpha"]
    assert (tmp_path / "alpha.yaml").is_file()


def test_a_cloud_that_cannot_be_reached_is_one_line_and_exit_code_1(
    ecluse: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ecluse.cloud import calls

    def hang_up(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                server.accept()[0].close()

    # A lost connection is tried again for a minute: let it give up at once.
    monkeypatch.setattr(calls, "PATIENCE", calls.Patience(deadline=0.1))
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("ECLUSE_LOCAL", f"http://127.0.0.1:{server.getsockname()[1]}")
        threading.Thread(target=hang_up, args=(server,), daemon=True).start()
        answer = ecluse("status")
        server.shutdown(socket.SHUT_RDWR)
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    assert "cannot be reached" in answer.err


def test_an_embedded_cloud_that_is_not_there_is_known_at_once(
    ecluse: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("ECLUSE_LOCAL", address)
    answer = ecluse("status")
    assert answer.code == 1
    assert f"ECLUSE_LOCAL={address}: no embedded cloud answers there → set" in answer.err


def test_an_image_is_the_same_until_its_sources_change(ecluse: Commands) -> None:
    first = ecluse("image", "nonprod")
    assert first.code == 0
    assert first.out.startswith("europe-west1-docker.pkg.dev/test-images/images/runtime@sha256:")
    ecluse.repository.write("src/ecluse/x.py", "a = 1\n")
    assert ecluse("image", "nonprod").out == first.out
    ecluse.repository.write("src/business/x.py", "a = 1\n")
    assert ecluse("image", "nonprod").out != first.out


def test_a_release_is_the_same_bytes_when_it_is_built_again(ecluse: Commands) -> None:
    folder = ecluse.build()
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    manifest = json.loads(before["release.json"])
    assert ecluse("build", "--output", str(folder)).code == 0
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert list(manifest["pipelines"]) == ["alpha"]


def test_an_error_has_an_answer_in_json_too(ecluse: Commands) -> None:
    answer = ecluse("promote", "nonprod", "--commit", "0" * 40, "--json")
    assert answer.code == 2
    assert answer.json["error"]["what"].startswith("commit 000000000000 has no release")
    failed = ecluse("run", "alpha", "-p", "fail=true", "--json")
    assert failed.code == 1
    assert failed.json["state"] == "failed"


def test_building_over_an_older_release_replaces_it_whole(ecluse: Commands) -> None:
    ecluse.repository.pipeline("beta")
    folder = ecluse.build()
    assert (folder / "beta.yaml").exists()
    for file in (ecluse.repository.root / "pipelines/beta").glob("*.*"):
        file.unlink()
    ecluse.build()
    assert sorted(file.name for file in folder.iterdir()) == ["alpha.yaml", "release.json"]
    assert not list(folder.parent.glob(".*"))


def test_the_report_of_a_promotion_can_be_fetched_later(ecluse: Commands) -> None:
    ecluse.repository.replace("pipelines/alpha/pipeline.yaml", "min: 0.8", "min: 0.95")
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 1
    report = ecluse("report", "nonprod", "--commit", "HEAD")
    assert report.code == 0
    assert "⛔ refused" in report.out
    assert "<code>measure.accuracy</code> | at least 0.95 | 0.9000" in report.out


def test_the_log_of_a_failed_task_can_be_opened(ecluse: Commands) -> None:
    answer = ecluse("run", "alpha", "-p", "fail=true")
    (log,) = (ecluse.repository.root / ".ecluse" / "logs").glob("*/measure.txt")
    assert "ValueError: the data smell" in log.read_text()
    assert str(log) in answer.out


def test_what_a_component_says_is_only_text_in_a_report() -> None:
    from ecluse.report.markup import text

    said = "![x](https://evil.example) [approve](javascript:1) **b** <b> @team | `c`"
    assert not set(text(said)) & set("![]*<>@|`")
    assert "://" not in text(said)
