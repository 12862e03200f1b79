""".github: pinned, least privileged, and with no logic of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.workflows import strict_yaml
from tests.workflows.commands import steps_of
from tests.workflows.pins import ACTIONS

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yaml"))
FILES = [*WORKFLOWS, *sorted(GITHUB.glob("actions/*/action.yaml"))]

every_workflow = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
every_file = pytest.mark.parametrize(
    "file", FILES, ids=lambda file: file.relative_to(GITHUB).as_posix()
)


def read(file: Path) -> dict[str, Any]:
    document = strict_yaml.load(file.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def triggers_of(workflow: dict[str, Any]) -> dict[str, Any]:
    triggers = workflow[True]  # type: ignore[index]  # YAML 1.1 reads the key `on` as true
    assert isinstance(triggers, dict)
    return triggers


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of this environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [name, *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": path, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_actionlint_finds_nothing() -> None:
    done = tool("actionlint", *(str(file) for file in WORKFLOWS))
    assert done.returncode == 0, done.stdout


def test_zizmor_finds_nothing() -> None:
    done = tool(
        "zizmor", "--offline", "--quiet", "--strict-collection", "--persona", "pedantic", ".github"
    )
    assert done.returncode == 0, done.stdout


@every_file
def test_each_action_is_pinned_to_the_commit_in_the_table(file: Path) -> None:
    for line in re.findall(r"uses:\s*(.+)", file.read_text(encoding="utf-8")):
        if line.startswith("./"):
            assert (ROOT / line / "action.yaml").exists()
            continue
        match = re.fullmatch(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", line)
        assert match, f"{line}: pin it as OWNER/NAME@COMMIT # vX.Y.Z"
        assert ACTIONS.get(match[1]) == (match[3], match[2])


def test_the_table_holds_no_action_that_nobody_uses() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in FILES)
    assert [name for name in ACTIONS if f"{name}@" not in text] == []


@every_workflow
def test_a_workflow_has_no_right_that_a_job_does_not_ask_for(file: Path) -> None:
    assert read(file)["permissions"] == {}


@every_workflow
def test_a_job_may_read_the_code_and_at_most_borrow_an_identity(file: Path) -> None:
    for name, job in read(file)["jobs"].items():
        borrows = any("google-github-actions/auth@" in s.get("uses", "") for s in job["steps"])
        rights = {"contents": "read", "id-token": "write"} if borrows else {"contents": "read"}
        assert job["permissions"] == rights, name


@every_workflow
def test_only_a_job_of_an_environment_borrows_an_identity(file: Path) -> None:
    for job in read(file)["jobs"].values():
        assert ("id-token" in job["permissions"]) == ("environment" in job)


@every_workflow
def test_every_job_ends_by_itself(file: Path) -> None:
    for name, job in read(file)["jobs"].items():
        assert job["timeout-minutes"] <= 240, name


@every_workflow
def test_a_checkout_leaves_no_credentials_behind(file: Path) -> None:
    checkouts = [s for s in steps_of(read(file)) if "actions/checkout@" in s.get("uses", "")]
    assert checkouts
    for step in checkouts:
        assert step["with"]["persist-credentials"] is False


@every_workflow
def test_a_job_that_holds_an_identity_takes_nothing_from_a_cache(file: Path) -> None:
    for name, job in read(file)["jobs"].items():
        if "id-token" in job["permissions"]:
            (setup,) = (s for s in job["steps"] if s.get("uses") == "./.github/actions/setup")
            assert setup["with"].get("cache", "false") == "false", name
            assert setup["with"]["for"] == "delivery", name


@every_file
def test_no_shell_line_is_pasted_together_from_an_expression(file: Path) -> None:
    for step in steps_of(read(file)):
        assert "${{" not in step.get("run", ""), step


@every_file
def test_a_step_is_what_a_person_could_type(file: Path) -> None:
    for step in steps_of(read(file)):
        words = set(re.findall(r"[\w&|]+", step.get("run", "")))
        assert not words & {"if", "for", "while", "case", "function", "&&", "||", "eval", "curl"}


def test_a_pull_request_holds_no_identity_and_no_secret() -> None:
    text = (GITHUB / "workflows/pull-request.yaml").read_text(encoding="utf-8")
    assert set(triggers_of(read(GITHUB / "workflows/pull-request.yaml"))) == {"pull_request"}
    assert "secrets" not in text.replace("no secret", "")
    assert "id-token" not in text


@pytest.mark.parametrize(
    ("workflow", "job", "group"),
    [("merge", None, "promote-nonprod"), ("release", "prod", "promote-prod")],
)
def test_a_promotion_is_never_cut_off_and_never_beside_another(
    workflow: str, job: str | None, group: str
) -> None:
    document = read(GITHUB / f"workflows/{workflow}.yaml")
    owner = document["jobs"][job] if job else document
    assert owner["concurrency"] == {"group": group, "cancel-in-progress": False}


@pytest.mark.parametrize("workflow", ["merge", "release"])
def test_the_ledger_learns_who_merged_or_tagged(workflow: str) -> None:
    steps = steps_of(read(GITHUB / f"workflows/{workflow}.yaml"))
    (trigger,) = (step["run"] for step in steps if "ecluse trigger " in step.get("run", ""))
    assert '-s "_ACTOR=$GITHUB_ACTOR"' in trigger


@pytest.mark.parametrize(
    ("workflow", "job", "environment"),
    [("merge", "nonprod", "nonprod"), ("release", "prod", "prod")],
)
def test_the_summary_says_what_a_promotion_did_even_one_that_was_refused(
    workflow: str, job: str, environment: str
) -> None:
    steps = read(GITHUB / f"workflows/{workflow}.yaml")["jobs"][job]["steps"]
    *_, promotion, report, status = steps
    assert "ecluse trigger " in promotion["run"]
    assert f'ecluse report {environment} --commit "$GITHUB_SHA"' in report["run"]
    assert report["if"] == f"always() && steps.{promotion['id']}.outcome != 'skipped'"
    assert f"ecluse status {environment} " in status["run"]
    assert status["if"].startswith("always() && ")
    for step in (report, status):
        assert step["run"].endswith('--markdown "$GITHUB_STEP_SUMMARY"')


def test_nonprod_is_reached_from_main_alone_and_prod_from_tags_alone() -> None:
    merge, release = (read(GITHUB / f"workflows/{name}.yaml") for name in ("merge", "release"))
    assert triggers_of(merge) == {"push": {"branches": ["main"]}}
    assert {job["environment"] for job in merge["jobs"].values()} == {"nonprod"}
    assert triggers_of(release) == {"push": {"tags": ["v*"]}}
    assert release["jobs"]["plan"]["environment"] == "prod-plan"
    assert release["jobs"]["prod"]["environment"] == "prod"
    assert release["jobs"]["prod"]["needs"] == "plan"


def test_the_nightly_look_borrows_identities_of_its_own_and_mends_nothing() -> None:
    document = read(GITHUB / "workflows/drift.yaml")
    assert set(triggers_of(document)) == {"schedule", "workflow_dispatch"}
    for name, job in document["jobs"].items():
        assert job["environment"] == f"{name}-drift"
        *_, identity, drift, watch = job["steps"]
        assert [step for step in job["steps"] if "run" in step] == [drift, watch]
        for command, step in (("drift", drift), ("watch", watch)):
            assert (
                step["run"] == f'uv run ecluse {command} {name} --markdown "$GITHUB_STEP_SUMMARY"'
            )
        # What drifted hides no run that failed.
        assert watch["if"] == f"always() && steps.{identity['id']}.outcome == 'success'"


def test_a_rollback_is_asked_for_approved_in_prod_and_never_behind_a_promotion() -> None:
    document = read(GITHUB / "workflows/rollback.yaml")
    assert set(triggers_of(document)) == {"workflow_dispatch"}
    asked = triggers_of(document)["workflow_dispatch"]["inputs"]
    assert {name for name, said in asked.items() if said.get("required")} == {
        "environment",
        "reason",
    }
    assert document["concurrency"]["group"].startswith("rollback-")
    assert document["concurrency"]["cancel-in-progress"] is False
    jobs = document["jobs"]
    assert {name: job["environment"] for name, job in jobs.items()} == {
        "plan": "prod-plan",
        "prod": "prod",
        "nonprod": "nonprod",
    }
    assert jobs["prod"]["needs"] == "plan"
    for job in (jobs["plan"], jobs["nonprod"]):
        assert job["if"].startswith("inputs.environment == ")
    *_, look = jobs["plan"]["steps"]
    assert "--dry-run" in look["run"]


def test_what_a_rollback_is_asked_for_reaches_the_build_as_variables() -> None:
    """The command reads them from its environment, so that nothing is pasted into a line."""
    workflow = read(GITHUB / "workflows/rollback.yaml")
    build = strict_yaml.load((GITHUB.parent / "cloudbuild/rollback.yaml").read_text("utf-8"))
    names = {name for name in workflow["env"] if name.startswith("ECLUSE_ROLLBACK_")}
    (step,) = build["steps"]
    assert {text.partition("=")[0] for text in step["env"]} == {
        "ECLUSE_ACTOR",
        "ECLUSE_TOOL_IMAGE",
        *names,
    }
    from typer.main import get_command

    from ecluse.cli import command_line

    command: Any = get_command(command_line())
    read_by = {p.envvar for p in command.commands["rollback"].params if p.envvar}
    assert names <= read_by


def test_the_setup_installs_the_lock_and_nothing_else() -> None:
    installs = [
        s["run"] for s in steps_of(read(GITHUB / "actions/setup/action.yaml")) if "run" in s
    ]
    assert installs
    for install in installs:
        assert install.startswith("uv sync --locked ")
