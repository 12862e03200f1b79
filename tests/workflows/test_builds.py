"""cloudbuild/*.yaml: each build is one that Cloud Build takes, and the checker sees what is not."""

from pathlib import Path

import pytest

from tests.workflows import strict_yaml
from tests.workflows.builds import problems

CLOUDBUILD = Path(__file__).parents[2] / "cloudbuild"
DIGEST = "0" * 64
DEPLOYER = "deployer@${PROJECT_ID}.iam.gserviceaccount.com"

SOUND = f"""\
steps:
  - id: first
    name: example/tool@sha256:{DIGEST}
    args: [promote, "${{_VERSION}}"]
  - id: second
    name: ${{_TOOL_IMAGE}}
    waitFor: [first]
substitutions:
  _VERSION: ""
  _TOOL_IMAGE: ""
serviceAccount: projects/${{PROJECT_ID}}/serviceAccounts/{DEPLOYER}
logsBucket: gs://${{PROJECT_ID}}-builds
timeout: 600s
options:
  logging: GCS_ONLY
  substitutionOption: MUST_MATCH
"""


@pytest.mark.parametrize("file", sorted(CLOUDBUILD.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_build_is_one_that_cloud_build_takes(file: Path) -> None:
    assert problems(file.read_text(encoding="utf-8")) == []


def test_the_builds_are_there() -> None:
    names = {"image", "release", "promote", "rollback", "watch"}
    assert {file.stem for file in CLOUDBUILD.iterdir()} == names


@pytest.mark.parametrize("name", ["release", "promote", "rollback"])
def test_a_promotion_is_told_who_asked_for_it(name: str) -> None:
    build = strict_yaml.load((CLOUDBUILD / f"{name}.yaml").read_text(encoding="utf-8"))
    assert all("ECLUSE_ACTOR=${_ACTOR}" in step["env"] for step in build["steps"])


@pytest.mark.parametrize("name", ["release", "promote"])
def test_a_promotion_is_told_the_image_it_runs_in_for_triggers_to_run_in(name: str) -> None:
    build = strict_yaml.load((CLOUDBUILD / f"{name}.yaml").read_text(encoding="utf-8"))
    (promote,) = (step for step in build["steps"] if step["args"][0] == "promote")
    assert f"ECLUSE_TOOL_IMAGE={promote['name']}" in promote["env"]


def test_the_watch_runs_as_somebody_who_is_less_than_the_deployer() -> None:
    build = strict_yaml.load((CLOUDBUILD / "watch.yaml").read_text(encoding="utf-8"))
    assert "/watcher@" in build["serviceAccount"]
    (step,) = build["steps"]
    assert step["args"][:1] == ["watch"]
    assert "--act" in step["args"]


def test_a_sound_build_has_no_problem() -> None:
    assert problems(SOUND) == []


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ("timeout: 600s", "timeout: 600s\ntimeout: 60s", "stands there twice"),
        ("timeout: 600s", "timeOut: 600s", 'no field named "timeOut"'),
        ("timeout: 600s", "timeout: 600", "Cloud Build refuses it"),
        ("timeout: 600s", "", "say how long"),
        ("logging: GCS_ONLY", "logging: GCS", "Cloud Build refuses it"),
        ("logging: GCS_ONLY", "logging: CLOUD_LOGGING_ONLY", "options.logging"),
        ("MUST_MATCH", "ALLOW_LOOSE", "options.substitutionOption"),
        ("args: [promote,", "args: [1,", "Cloud Build refuses it"),
        ("waitFor: [first]", "waitFor: [frist]", "waits for `frist`"),
        ("waitFor: [first]", "waitFor: [second]", "waits for `second`"),
        ("- id: second\n    name", "- name", "step 2 has no id"),
        ("id: second", "id: first", "step first stands there twice"),
        ("${_VERSION}", "${_VERSON}", "_VERSON is used, but not declared"),
        ("${_VERSION}", "v1", "_VERSION is declared, but not used"),
        ("${_VERSION}", "$_VERSION of $HOME", "no substitution HOME"),
        ("${_VERSION}", "$_VERSION costs $5", "written `$$`"),
        ("${_VERSION}", "$_VERSION $(date)", "written `$$`"),
        ("  _VERSION:", "  VERSION: a\n  _VERSION:", "starts with `_`"),
        (f"@sha256:{DIGEST}", ":latest", "by digest"),
        ('_TOOL_IMAGE: ""', "_TOOL_IMAGE: example/tool", "by digest"),
        ("    waitFor", "    entrypoint: bash\n    waitFor", "a shell script"),
        ("    waitFor", "    script: ecluse check\n    waitFor", "a shell script"),
        ("    waitFor", "    args: [push, x]\n    waitFor", "no provenance"),
        ("    waitFor", "    args: [build, .]\n    waitFor", "not pushed"),
        ("timeout: 600s", "timeout: 600s\nimages: [x]", "requestedVerifyOption"),
        ("serviceAccount: ", "# ", "serviceAccount"),
        ("serviceAccounts/deployer@${PROJECT_ID}", "serviceAccounts/a@other", "serviceAccount"),
        ("logsBucket: ", "# ", "logsBucket"),
    ],
)
def test_a_problem_is_found_and_named(written: str, instead: str, said: str) -> None:
    assert written in SOUND
    found = problems(SOUND.replace(written, instead, 1))
    assert any(said in problem for problem in found), found


def test_a_build_without_steps_is_refused() -> None:
    without = SOUND[SOUND.index("substitutions:") :]
    assert "there are no steps" in problems(without)


def test_a_doubled_dollar_and_a_wait_for_nothing_are_right() -> None:
    build = SOUND.replace("${_VERSION}", "$_VERSION costs $$5").replace("[first]", '["-"]')
    assert problems(build) == []


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: [", "a: 1\n---\nb: 2\n"])
def test_what_is_no_mapping_is_refused_in_one_line(text: str) -> None:
    (problem,) = problems(text)
    assert "\n" not in problem
