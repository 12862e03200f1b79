"""Plans that are kept, promotions in order, alone, detached, one pipeline after another."""

import json
import re
import shutil
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ecluse.canonical import readable_json
from ecluse.cloud.signing import signed
from ecluse.ledger.lease import Claim, acquire
from ecluse.ledger.qualification import Evidence
from tests.ecluse.conftest import Answer, Commands
from tests.ecluse.test_promotion import cloud_of, live_digest, runs_of

SLOW = ("    if fail:", "    import time\n    time.sleep(1)\n    if fail:")


def endings(answer: Answer) -> dict[str, str]:
    return {outcome["pipeline"]: outcome["ending"] for outcome in answer.json["outcomes"]}


def git(ecluse: Commands, *arguments: str) -> str:
    command = ["git", "-C", str(ecluse.repository.root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def builds(ecluse: Commands, tmp_path: Path, *accuracies: str) -> list[tuple[str, str]]:
    """Commit and build a line of releases; return each one's folder and commit."""
    made = []
    file = ecluse.repository.root / "pipelines" / "alpha" / "pipeline.py"
    for accuracy in accuracies:
        file.write_text(re.sub(r"float = [0-9.]+", f"float = {accuracy}", file.read_text()))
        folder = tmp_path / accuracy
        shutil.copytree(ecluse.build(), folder)
        made.append((str(folder), git(ecluse, "rev-parse", "HEAD")))
    return made


def test_a_kept_plan_is_done_exactly_or_not_at_all(ecluse: Commands, tmp_path: Path) -> None:
    (one, _), (two, commit) = builds(ecluse, tmp_path, "0.91", "0.92")
    file = tmp_path / "plan.json"
    planned = ecluse("plan", "nonprod", "--release", two, "--out", str(file), "--json")
    assert planned.code == 0, planned.err
    assert json.loads(file.read_text()) == planned.json
    assert ecluse.promote("nonprod", "--release", one).code == 0
    moved = ecluse.promote("nonprod", "--release", two, "--plan", str(file))
    assert moved.code == 1
    assert (
        "the world has moved: `alpha` was create (not live here yet; ledger entries: 0), and is "
        "update (code; ledger entries: 1)"
    ) in moved.err
    assert "→ plan the release anew: `ecluse plan nonprod … --out FILE`" in moved.err
    assert ecluse("plan", "nonprod", "--release", two, "--out", str(file)).code == 0
    other = ecluse.promote("nonprod", "--release", one, "--plan", str(file))
    assert other.code == 1
    assert "the plan is for the commit" in other.err
    done = ecluse.promote("nonprod", "--release", two, "--plan", str(file))
    assert endings(done) == {"alpha": "activated"}
    assert done.json["commit"] == commit
    again = ecluse.promote("nonprod", "--release", two, "--plan", str(file))
    assert again.code == 1
    assert "and is unchanged (ledger entries: 2)" in again.err
    elsewhere = ecluse.promote("prod", "--release", two, "--plan", str(file))
    assert elsewhere.code == 2
    assert "the plan is for nonprod, not for prod" in elsewhere.err


def test_a_plan_of_the_release_just_built_is_promoted_without_naming_the_release_again(
    ecluse: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ecluse.repository.root)
    ecluse.build()
    file = tmp_path / "plan.json"
    planned = ecluse("plan", "nonprod", "--release", "dist/release", "--out", str(file))
    assert planned.code == 0, planned.err
    done = ecluse.promote("nonprod", "--plan", str(file))
    assert endings(done) == {"alpha": "activated"}, done.err
    shutil.rmtree("dist")
    file.unlink()
    sha = git(ecluse, "rev-parse", "HEAD")
    assert ecluse("plan", "prod", "--commit", sha, "--out", str(file)).code == 0
    kept = ecluse.promote("prod", "--plan", str(file))
    assert endings(kept) == {"alpha": "activated"}, kept.err


def test_a_plan_says_for_what_a_promotion_would_be_refused(
    ecluse: Commands, tmp_path: Path
) -> None:
    ecluse.repository.pipeline("beta")
    (one, _), (two, commit) = builds(ecluse, tmp_path, "0.91", "0.1")
    assert ecluse.promote("nonprod", "--release", one).code == 0
    assert ecluse.promote("nonprod", "--release", two).code == 1
    report = tmp_path / "plan.md"
    planned = ecluse("plan", "prod", "--commit", commit, "--markdown", str(report))
    assert planned.code == 0
    assert "! a promotion would be refused: `alpha` (" in planned.out
    assert "did not qualify in nonprod" in planned.out
    assert "A promotion would be refused" in report.read_text()
    obstacles = ecluse("plan", "prod", "--commit", commit, "--json").json["obstacles"]
    assert len(obstacles) == 1
    assert obstacles[0].startswith("`alpha`")
    backwards = ecluse("plan", "nonprod", "--release", one, "--json").json
    assert backwards["obstacles"] == []
    ecluse.repository.write("src/business/more.py", "MORE = 1")
    (three, _) = builds(ecluse, tmp_path, "0.93")[0]
    assert ecluse.promote("nonprod", "--release", three).code == 0
    backwards = ecluse("plan", "nonprod", "--release", one, "--json").json
    assert "does not descend from" in backwards["obstacles"][0]


def test_what_is_unchanged_is_not_held_back_by_what_it_comes_after(ecluse: Commands) -> None:
    ecluse.repository.pipeline("beta")
    ecluse.repository.replace("pipelines/beta/pipeline.yaml", "gates:", "after: [alpha]\ngates:")
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    ecluse.repository.replace(
        "pipelines/alpha/pipeline.py", "accuracy: float = 0.9", "accuracy: float = 0.1"
    )
    answer = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert endings(answer) == {"alpha": "refused", "beta": "unchanged"}


def test_a_file_that_is_no_plan_is_one_line(ecluse: Commands, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    for content in ("", "[]", '{"environment": "nonprod"}'):
        file.write_text(content)
        answer = ecluse("promote", "nonprod", "--plan", str(file))
        assert answer.code == 2
        assert "is no plan" in answer.err
        assert "ecluse plan ENV --out FILE" in answer.err
    file.unlink()
    assert "cannot be read" in ecluse("promote", "nonprod", "--plan", str(file)).err


def test_an_older_release_is_refused_with_git_and_without(
    ecluse: Commands, address: str, tmp_path: Path
) -> None:
    (one, first), (two, second) = builds(ecluse, tmp_path, "0.91", "0.92")
    assert ecluse.promote("nonprod", "--release", two, "--version", "v2").code == 0
    refused = ecluse.promote("nonprod", "--release", one)
    assert refused.code == 1
    assert f"`alpha` was last changed here by commit {second[:12]} (v2)" in refused.err
    assert f"which {first[:12]} does not descend from" in refused.err
    assert "to go back: `ecluse rollback nonprod alpha`" in refused.err
    assert len(runs_of(ecluse, "nonprod", address)) == 1
    # What comes after it is known by the release's own record, where there is no git.
    ((three, _),) = builds(ecluse, tmp_path, "0.93")
    shutil.rmtree(ecluse.repository.root / ".git")
    assert ecluse.promote("nonprod", "--release", one).code == 1
    assert endings(ecluse.promote("nonprod", "--release", three)) == {"alpha": "activated"}


def test_a_release_from_a_side_branch_is_refused_until_it_is_merged(
    ecluse: Commands, tmp_path: Path
) -> None:
    base = git(ecluse, "rev-parse", "HEAD")
    ((main, _),) = builds(ecluse, tmp_path, "0.91")
    assert ecluse.promote("nonprod", "--release", main).code == 0
    git(ecluse, "switch", "-q", "-c", "side", base)
    ((side, _),) = builds(ecluse, tmp_path, "0.93")
    assert "does not descend from" in ecluse.promote("nonprod", "--release", side).err
    who = ("-c", "user.name=T", "-c", "user.email=t@example.com")
    git(ecluse, *who, "merge", "-q", "-s", "ours", "-m", "Merge", "main")
    merged = ecluse.build()
    assert endings(ecluse.promote("nonprod", "--release", str(merged))) == {"alpha": "activated"}


def test_a_shallow_clone_is_told_what_to_give_and_takes_it(
    ecluse: Commands, tmp_path: Path
) -> None:
    builds(ecluse, tmp_path, "0.91")
    whole = ecluse("build", "--output", str(tmp_path / "whole"), "--json").json
    shallow = tmp_path / "shallow"
    source = f"file://{ecluse.repository.root}"
    subprocess.run(["git", "clone", "-q", "--depth=1", source, str(shallow)], check=True)
    image = whole["pipelines"]["alpha"]["runtime_image"]
    build = ("build", "--repository", str(shallow), "--runtime-image", image, "--json")

    def at_the_clone(*arguments: str) -> Answer:
        from typer.testing import CliRunner

        from ecluse.cli import command_line

        found = CliRunner().invoke(command_line(), [*build, *arguments], catch_exceptions=False)
        return Answer(found.exit_code, found.stdout, found.stderr)

    refused = at_the_clone("--output", str(tmp_path / "a"))
    assert refused.code == 2
    assert "this clone is shallow → git fetch --unshallow" in refused.err
    given = ",".join(whole["ancestry"])
    assert at_the_clone("--output", str(tmp_path / "b"), "--ancestry", given).json == whole
    stray = at_the_clone("--output", str(tmp_path / "c"), "--ancestry", "main,v1")
    assert stray.code == 2
    assert "`main` is no commit" in stray.err


def test_a_detached_promotion_leaves_and_the_next_one_joins_its_run(
    ecluse: Commands, address: str
) -> None:
    ecluse.repository.replace("pipelines/components/measure.py", *SLOW)
    ecluse.repository.pipeline("beta")
    ecluse.repository.replace("pipelines/beta/pipeline.yaml", "gates:", "after: [alpha]\ngates:")
    release = str(ecluse.build())
    left = ecluse.promote("nonprod", "--release", release, "--detach")
    assert left.code == 1, left.err  # beta could not be tried yet
    assert endings(left) == {"alpha": "running", "beta": "held back"}
    assert "it comes after `alpha`, which still runs" in left.json["outcomes"][1]["error"]
    assert live_digest(ecluse, "nonprod") is None
    joined = ecluse.promote("nonprod", "--release", release)
    assert endings(joined) == {"alpha": "activated", "beta": "activated"}
    assert len(runs_of(ecluse, "nonprod", address)) == 2
    first, second = joined.json["outcomes"]
    assert first["run"] == left.json["outcomes"][0]["run"] != second["run"]


def test_a_detached_promotion_starts_no_more_runs_than_the_budget_allows(
    ecluse: Commands, address: str
) -> None:
    ecluse.repository.replace("pipelines/components/measure.py", *SLOW)
    ecluse.repository.pipeline("beta")
    path = "environments/nonprod.yaml"
    ecluse.repository.replace(path, "templates:", "budget: {runs: 1}\ntemplates:")
    release = str(ecluse.build())
    left = ecluse.promote("nonprod", "--release", release, "--detach")
    assert sorted(endings(left).values()) == ["held back", "running"]
    assert "as many runs are under way as the budget allows: 1" in left.out
    assert len(runs_of(ecluse, "nonprod", address)) == 1
    joined = ecluse.promote("nonprod", "--release", release)
    assert endings(joined) == {"alpha": "activated", "beta": "activated"}
    first, second = sorted(runs_of(ecluse, "nonprod", address), key=lambda job: job.create_time)
    assert second.create_time >= first.end_time


def test_one_pipeline_after_another_and_none_after_one_that_failed(
    ecluse: Commands, address: str
) -> None:
    for name, after in (("beta", "alpha"), ("gamma", "beta")):
        ecluse.repository.pipeline(name)
        path = f"pipelines/{name}/pipeline.yaml"
        ecluse.repository.replace(path, "gates:", f"after: [{after}]\ngates:")
    ecluse.repository.replace(
        "pipelines/beta/pipeline.py", "accuracy: float = 0.9", "accuracy: float = 0.1"
    )
    answer = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert answer.code == 1
    assert endings(answer) == {"alpha": "activated", "beta": "refused", "gamma": "held back"}
    assert "it comes after `beta`, which did not go live" in answer.json["outcomes"][2]["error"]
    alpha, beta = sorted(runs_of(ecluse, "nonprod", address), key=lambda job: job.name)
    assert beta.create_time >= alpha.end_time


def test_pipelines_that_wait_for_each_other_or_for_none_are_refused_beforehand(
    ecluse: Commands,
) -> None:
    ecluse.repository.pipeline("beta")
    for name, after in (("alpha", "beta"), ("beta", "alpha")):
        path = f"pipelines/{name}/pipeline.yaml"
        ecluse.repository.replace(path, "gates:", f"after: [{after}]\ngates:")
    answer = ecluse("check")
    assert answer.code == 2
    assert "`after` goes round in a circle" in answer.err
    ecluse.repository.replace("pipelines/beta/pipeline.yaml", "[alpha]", "[alpah]")
    answer = ecluse("check")
    assert answer.code == 2
    assert "pipelines/beta/pipeline.yaml:3: `after.0`: `alpah` is no other pipeline" in answer.err
    assert "did you mean `alpha`?" in answer.err


def test_fail_fast_stops_the_others(ecluse: Commands) -> None:
    for name in ("beta", "gamma"):
        ecluse.repository.pipeline(name)
    ecluse.repository.replace(
        "pipelines/alpha/pipeline.py", "fail: bool = False", "fail: bool = True"
    )
    release = str(ecluse.build())
    answer = ecluse.promote("nonprod", "--release", release, "--fail-fast", "--parallel", "1")
    found = endings(answer)
    assert found.pop("alpha") == "failed"
    assert "held back" in found.values()
    without = ecluse.promote("nonprod", "--release", release)
    assert endings(without) == {"alpha": "failed", "beta": "activated", "gamma": "activated"}


def test_whoever_comes_second_is_told_who_is_at_work_or_waits(
    ecluse: Commands, address: str
) -> None:
    release = str(ecluse.build())
    cloud = cloud_of(ecluse, "nonprod", address)
    ecluse("status")  # lays the environments out
    where = f"{cloud.environment.ledger}/lease.json"
    claim = Claim(holder="bob@example.com", purpose="promotes v7", seconds=60)
    with acquire(cloud.storage, where, claim):
        refused = ecluse.promote("nonprod", "--release", release)
        assert refused.code == 1
        assert "bob@example.com holds the lease since" in refused.err
        assert "promotes v7 → wait for it with --wait 30m" in refused.err
        began = time.monotonic()
        assert ecluse.promote("nonprod", "--release", release, "--wait", "1s").code == 1
        assert time.monotonic() - began > 1
    assert ecluse.promote("nonprod", "--release", release, "--wait", "soon").code == 2
    assert ecluse.promote("nonprod", "--release", release).code == 0


def test_a_change_of_the_image_alone_is_proved_by_a_quick_run_where_settings_allow_it(
    ecluse: Commands, address: str
) -> None:
    smoke = "requalify: smoke\nsmoke: {parameters: {accuracy: 0.2}}\ngates:"
    ecluse.repository.replace("pipelines/alpha/pipeline.yaml", "gates:", smoke)
    assert endings(ecluse.promote("nonprod", "--release", str(ecluse.build()))) == {
        "alpha": "activated"
    }
    ecluse.repository.replace("src/business/__init__.py", "return value", "return value * 1.0")
    commit = ecluse.promote("nonprod", "--release", str(ecluse.build())).json["commit"]
    *_, job = sorted(runs_of(ecluse, "nonprod", address), key=lambda job: job.create_time)
    assert job.runtime_config.parameter_values["accuracy"] == 0.2
    cloud = cloud_of(ecluse, "nonprod", address)
    newest, first = cloud.ledger.history("alpha")
    assert (newest.smoke, first.smoke) == (True, False)
    assert newest.run == job.name
    # What sample data measured is no champion for what comes next.
    assert newest.metrics == first.metrics == {"measure.accuracy": 0.9}
    found = cloud.storage.read(newest.qualification)
    assert found is not None
    evidence = json.loads(found.content)["document"]
    assert evidence["smoke"] is True
    assert [verdict["metric"] for verdict in evidence["verdicts"]] == ["run"]
    # prod saw neither before: there the run is a whole one.
    assert ecluse.promote("prod", "--commit", commit).code == 0
    (there,) = runs_of(ecluse, "prod", address)
    assert "accuracy" not in there.runtime_config.parameter_values
    # A change of the pipeline's own is never proved so.
    file = "pipelines/alpha/pipeline.py"
    ecluse.repository.replace(file, "accuracy: float = 0.9", "accuracy: float = 0.7")
    refused = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert endings(refused) == {"alpha": "refused"}


def test_an_override_needs_a_reason_and_keeps_it(ecluse: Commands, address: str) -> None:
    ecluse.repository.replace("pipelines/alpha/pipeline.yaml", "min: 0.8", "min: 0.95")
    release = str(ecluse.build())
    commit = ecluse.promote("nonprod", "--release", release).json["commit"]
    assert ecluse.promote("prod", "--commit", commit, "--override", " ").code == 2
    ecluse.repository.replace("pipelines/alpha/pipeline.yaml", "min: 0.95", "min: 0.8")
    assert "did not qualify in nonprod" in ecluse.promote("prod", "--commit", commit).err
    # The gate says no in prod as well: an override makes nothing pass that is measured there.
    answer = ecluse.promote("prod", "--commit", commit, "--override", "the fraud team waits")
    assert endings(answer) == {"alpha": "refused"}
    assert "OVERRIDDEN (the fraud team waits)" in answer.err


def test_an_override_stands_in_the_entry(ecluse: Commands, address: str) -> None:
    release = str(ecluse.build())
    assert ecluse.promote("nonprod", "--release", release).code == 0
    nonprod = cloud_of(ecluse, "nonprod", address)
    (proof,) = nonprod.storage.list(f"{nonprod.environment.evidence}/qualifications/")
    nonprod.storage.write(proof, b"{}")
    answer = ecluse.promote("prod", "--release", release, "--override", "evidence lost,  sorry")
    assert endings(answer) == {"alpha": "activated"}
    live = cloud_of(ecluse, "prod", address).ledger.head().live("alpha")
    assert live is not None
    assert live.override == "evidence lost, sorry"


def test_evidence_can_be_too_old(ecluse: Commands, address: str) -> None:
    release = str(ecluse.build())
    commit = ecluse.promote("nonprod", "--release", release).json["commit"]
    cloud = cloud_of(ecluse, "nonprod", address)
    (proof,) = cloud.storage.list(f"{cloud.environment.evidence}/qualifications/")
    found = cloud.storage.read(proof)
    assert found is not None
    evidence = Evidence.model_validate(json.loads(found.content)["document"])
    old = evidence.model_copy(update={"at": evidence.at - timedelta(days=31)})
    envelope: Any = signed(cloud, old.model_dump(mode="json"))
    cloud.storage.write(proof, readable_json(envelope))
    path = "environments/prod.yaml"
    ecluse.repository.replace(path, "requires: nonprod", "requires: nonprod\nevidence_max_age: 30d")
    refused = ecluse.promote("prod", "--commit", commit)
    assert refused.code == 1
    assert "`alpha` qualified in nonprod 31 d ago" in refused.err
    assert "ecluse promote nonprod --rerun" in refused.err
    ecluse.repository.replace(path, "30d", "32d")
    assert ecluse.promote("prod", "--commit", commit).code == 0
    ecluse.repository.replace(path, "32d", "soon")
    assert "is no length of time" in ecluse("check").err
