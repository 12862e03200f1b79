"""Promotion, through the command line, with Google's clients, against the embedded cloud."""

import base64
import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1
from google.cloud.storage import Client
from kfp.registry import ApiAuth, RegistryClient

from ecluse.canonical import canonical_json, digest_of, digest_of_value, readable_json
from ecluse.cloud import Cloud, connect
from ecluse.repository.catalog import Catalog
from tests.ecluse.conftest import Commands


def cloud_of(ecluse: Commands, name: str, address: str) -> Cloud:
    return connect(Catalog(ecluse.repository.root).environment(name), local=address)


def runs_of(ecluse: Commands, name: str, address: str) -> list[Any]:
    environment = Catalog(ecluse.repository.root).environment(name)
    client = aiplatform_v1.PipelineServiceClient(
        credentials=AnonymousCredentials(),
        transport="rest",
        client_options={"api_endpoint": address},
    )
    parent = f"projects/{environment.project}/locations/{environment.location}"
    return list(client.list_pipeline_jobs(parent=parent))


def status_rows(ecluse: Commands, *environment: str) -> list[dict[str, Any]]:
    answer = ecluse("status", *environment, "--json").json
    return [row for status in answer for row in status["pipelines"]]


def live_digest(ecluse: Commands, environment: str) -> str | None:
    rows = status_rows(ecluse, environment)
    return next((row["digest"] for row in rows if row["pipeline"] == "alpha"), None)


def test_prod_runs_the_bytes_that_nonprod_qualified(
    ecluse: Commands, address: str, tmp_path: Path
) -> None:
    folder = ecluse.build()
    nonprod = ecluse.promote("nonprod", "--release", str(folder))
    assert nonprod.code == 0, nonprod.err
    qualified = nonprod.json["outcomes"][0]["digest"]
    commit = nonprod.json["commit"]

    prod = ecluse.promote("prod", "--commit", commit, "--version", "v1.4.0")
    assert prod.code == 0, prod.err
    assert prod.json["outcomes"][0]["digest"] == qualified

    environment = Catalog(ecluse.repository.root).environment("prod")
    host = environment.template_host.removeprefix("https://")
    client = RegistryClient(host=f"{address}/{host}", auth=ApiAuth("x"))
    file = tmp_path / "downloaded.yaml"
    client.download_pipeline("alpha", version=qualified, file_name=str(file))
    assert digest_of(file.read_bytes()) == qualified
    client.download_pipeline("alpha", tag="live", file_name=str(file))
    assert digest_of(file.read_bytes()) == qualified
    image = yaml.safe_load(file.read_bytes())["deploymentSpec"]["executors"]["exec-measure"]
    assert image["container"]["image"].startswith(environment.images)
    assert "@sha256:" in image["container"]["image"]

    (job,) = runs_of(ecluse, "prod", address)
    assert job.template_uri == environment.template_uri("alpha", qualified)
    assert job.template_metadata.version == qualified
    assert job.labels["ecluse-commit"] == commit
    assert job.runtime_config.parameter_values["run_key"] == job.name.rsplit("/", 1)[1]
    (row,) = status_rows(ecluse, "prod")
    assert (row["version"], row["by"], row["digest"]) == ("v1.4.0", "ann@example.com", qualified)


def test_prod_takes_a_release_folder_only_if_it_is_the_one_that_nonprod_keeps(
    ecluse: Commands,
) -> None:
    release = str(ecluse.build())
    unknown = ecluse.promote("prod", "--release", release)
    assert unknown.code == 2
    assert "has no release in nonprod → check it out, `ecluse build`, then" in unknown.err
    assert ecluse.promote("nonprod", "--release", release).code == 0
    assert ecluse.promote("prod", "--release", release).code == 0


def test_a_commit_can_be_called_by_its_tag(ecluse: Commands) -> None:
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    root = str(ecluse.repository.root)
    subprocess.run(["git", "-C", root, "tag", "v1.0.0"], check=True)
    assert ecluse.promote("prod", "--commit", "v1.0.0").code == 0
    unknown = ecluse.promote("prod", "--commit", "v2.0.0")
    assert unknown.code == 2
    assert "`v2.0.0` is no commit here" in unknown.err


def test_an_unchanged_pipeline_is_neither_run_nor_touched(ecluse: Commands, address: str) -> None:
    release = str(ecluse.build())
    assert ecluse.promote("nonprod", "--release", release).code == 0
    before = ecluse("status", "--json").json
    again = ecluse.promote("nonprod", "--release", release)
    assert [outcome["ending"] for outcome in again.json["outcomes"]] == ["unchanged"]
    assert ecluse("status", "--json").json == before
    assert len(runs_of(ecluse, "nonprod", address)) == 1


def test_a_failed_gate_leaves_the_live_digest_untouched(ecluse: Commands) -> None:
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    live = live_digest(ecluse, "nonprod")
    ecluse.repository.replace(
        "pipelines/alpha/pipeline.py", "accuracy: float = 0.9", "accuracy: float = 0.85"
    )
    refused = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert refused.code == 1
    (outcome,) = refused.json["outcomes"]
    assert outcome["ending"] == "refused"
    assert outcome["digest"] == live != outcome["tried"]
    failed = [verdict for verdict in outcome["verdicts"] if not verdict["passed"]]
    assert failed == [
        {
            "metric": "measure.accuracy",
            "rule": "no worse than the champion, within 0.01",
            "passed": False,
            "value": 0.85,
            "limit": 0.89,
            "champion": 0.9,
        }
    ]
    assert live_digest(ecluse, "nonprod") == live
    commit = refused.json["commit"]
    prod = ecluse.promote("prod", "--commit", commit)
    assert prod.code == 1
    assert "did not qualify in nonprod" in prod.err
    assert live_digest(ecluse, "prod") is None


def test_a_refused_release_is_refused_again_without_a_second_run(
    ecluse: Commands, address: str
) -> None:
    ecluse.repository.replace("pipelines/alpha/pipeline.yaml", "min: 0.8", "min: 0.95")
    release = str(ecluse.build())
    assert ecluse.promote("nonprod", "--release", release).code == 1
    assert ecluse.promote("nonprod", "--release", release).code == 1
    assert len(runs_of(ecluse, "nonprod", address)) == 1
    assert ecluse.promote("nonprod", "--release", release, "--rerun").code == 1
    assert len(runs_of(ecluse, "nonprod", address)) == 2


def test_a_failing_task_shows_its_own_last_line_and_its_log_and_activates_nothing(
    ecluse: Commands, address: str
) -> None:
    ecluse.repository.replace(
        "pipelines/alpha/pipeline.py", "fail: bool = False", "fail: bool = True"
    )
    release = str(ecluse.build())
    failed = ecluse.promote("nonprod", "--release", release)
    assert failed.code == 1
    (outcome,) = failed.json["outcomes"]
    assert outcome["ending"] == "failed"
    assert "task `measure` failed" in outcome["error"]
    assert "ValueError: the data smell" in outcome["error"]
    log = next(word for word in outcome["error"].split() if word.startswith("gs://"))
    content = cloud_of(ecluse, "nonprod", address).storage.read(log)
    assert content is not None
    assert b"ValueError: the data smell" in content.content
    assert live_digest(ecluse, "nonprod") is None
    # The next promotion is a new attempt.
    assert ecluse.promote("nonprod", "--release", release).code == 1
    ids = sorted(job.name[-2:] for job in runs_of(ecluse, "nonprod", address))
    assert ids == ["-1", "-2"]


def test_a_gate_on_a_metric_that_the_run_did_not_produce_is_one_line_and_exit_code_2(
    ecluse: Commands,
) -> None:
    ecluse.repository.replace(
        "pipelines/alpha/pipeline.yaml", "measure.accuracy, min", "measure.precision, min"
    )
    answer = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert answer.code == 2
    assert answer.json["outcomes"][0]["error"] == (
        "pipelines/alpha/pipeline.yaml: `gates.0.metric`: the run has no metric "
        "`measure.precision` → it has: measure.accuracy"
    )
    assert live_digest(ecluse, "nonprod") is None


def test_a_pipeline_that_left_the_repository_is_retired_and_keeps_its_history(
    ecluse: Commands, address: str
) -> None:
    ecluse.repository.pipeline("beta")
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    for file in (ecluse.repository.root / "pipelines" / "beta").glob("*.*"):
        file.unlink()
    answer = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    endings = {outcome["pipeline"]: outcome["ending"] for outcome in answer.json["outcomes"]}
    assert endings == {"alpha": "unchanged", "beta": "retired"}
    cloud = cloud_of(ecluse, "nonprod", address)
    entries = list(cloud.ledger.history("beta"))
    assert cloud.ledger.head().live("beta") is None
    assert [entry.action for entry in entries] == ["retire", "activate"]
    assert cloud.registry.live_digest("beta") is None
    # Brought back, it goes live again as new.
    ecluse.repository.pipeline("beta")
    answer = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    endings = {outcome["pipeline"]: outcome["ending"] for outcome in answer.json["outcomes"]}
    assert endings == {"alpha": "unchanged", "beta": "activated"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("pipelines/alpha/pipeline.py", "= 0.9", "= 0.91"), ["code"]),
        (
            ("src/business/__init__.py", "return value", "return value * 1.0"),
            ["only the runtime image"],
        ),
        (("pipelines/alpha/pipeline.yaml", "min: 0.8", "min: 0.7"), ["gates"]),
        (
            ("pipelines/alpha/pipeline.yaml", "gates:", "parameters: {accuracy: 0.92}\ngates:"),
            ["parameters"],
        ),
        (
            ("pipelines/alpha/pipeline.yaml", "gates:", "schedule: {cron: '0 6 * * 1'}\ngates:"),
            ["schedule"],
        ),
        (
            (
                "pipelines/alpha/pipeline.yaml",
                "gates:",
                "environments: {prod: {parameters: {accuracy: 0.92}}}\ngates:",
            ),
            ["settings of other environments"],
        ),
    ],
)
def test_a_plan_tells_what_would_change_and_why_and_does_nothing(
    ecluse: Commands, address: str, change: tuple[str, str, str], reason: list[str]
) -> None:
    release = str(ecluse.build())
    first = ecluse("plan", "nonprod", "--release", release, "--json").json
    assert [action["kind"] for action in first["actions"]] == ["create"]
    assert ecluse.promote("nonprod", "--release", release).code == 0
    ecluse.repository.replace(*change)
    plan = ecluse("plan", "nonprod", "--release", str(ecluse.build()), "--json").json
    assert [(action["kind"], action["reasons"]) for action in plan["actions"]] == [
        ("update", reason)
    ]
    assert len(runs_of(ecluse, "nonprod", address)) == 1


# What was altered afterwards


def rewrite(folder: Path, change: dict[str, Any]) -> None:
    manifest = folder / "release.json"
    content = json.loads(manifest.read_bytes())
    content["pipelines"]["alpha"].update(change)
    manifest.write_bytes(readable_json(content))


def test_a_release_whose_bytes_were_altered_is_refused(ecluse: Commands) -> None:
    folder = ecluse.build()
    with (folder / "alpha.yaml").open("a") as file:
        file.write("# nothing\n")
    answer = ecluse.promote("nonprod", "--release", str(folder))
    assert answer.code == 1
    assert "the compiled pipeline `alpha` is sha256:" in answer.err
    assert live_digest(ecluse, "nonprod") is None


def test_a_release_whose_settings_were_altered_is_refused(ecluse: Commands) -> None:
    folder = ecluse.build()
    rewrite(folder, {"settings": {"owner": "tests@example.com", "gates": []}})
    answer = ecluse.promote("nonprod", "--release", str(folder))
    assert answer.code == 1
    assert "the settings of `alpha` do not hash to their digest" in answer.err


def test_a_manifest_that_was_touched_at_all_is_refused(ecluse: Commands) -> None:
    folder = ecluse.build()
    manifest = folder / "release.json"
    manifest.write_text(manifest.read_text() + "\n")
    answer = ecluse.promote("nonprod", "--release", str(folder))
    assert answer.code == 1
    assert "was edited after it was built" in answer.err


def test_settings_altered_together_with_their_digest_are_not_what_nonprod_keeps(
    ecluse: Commands,
) -> None:
    folder = ecluse.build()
    assert ecluse.promote("nonprod", "--release", str(folder)).code == 0
    settings = {
        "owner": "tests@example.com",
        "labels": {},
        "parameters": {},
        "environments": {},
        "gates": [],
    }
    rewrite(folder, {"settings": settings, "settings_digest": digest_of_value(settings)})
    answer = ecluse.promote("prod", "--release", str(folder))
    assert answer.code == 1
    assert "this is not the release that nonprod keeps for commit" in answer.err
    assert live_digest(ecluse, "prod") is None


def test_another_release_of_the_same_commit_is_refused(ecluse: Commands) -> None:
    folder = ecluse.build()
    assert ecluse.promote("nonprod", "--release", str(folder)).code == 0
    settings = {
        "owner": "other@example.com",
        "labels": {},
        "parameters": {},
        "environments": {},
        "gates": [],
    }
    rewrite(folder, {"settings": settings, "settings_digest": digest_of_value(settings)})
    answer = ecluse.promote("nonprod", "--release", str(folder))
    assert answer.code == 1
    assert "already has a release, and it is not this one" in answer.err


def altered_claim(envelope: dict[str, Any]) -> None:
    envelope["document"]["metrics"]["measure.accuracy"] = 1.0


def altered_signature(envelope: dict[str, Any]) -> None:
    signature = bytearray(base64.b64decode(envelope["signature"]))
    signature[-1] ^= 1
    envelope["signature"] = base64.b64encode(signature).decode()


def signed_by_somebody_else(envelope: dict[str, Any]) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    key = ec.generate_private_key(ec.SECP256R1())
    signature = key.sign(canonical_json(envelope["document"]), ec.ECDSA(SHA256()))
    envelope["signature"] = base64.b64encode(signature).decode()


def no_evidence(envelope: dict[str, Any]) -> None:
    envelope.clear()


@pytest.mark.parametrize(
    ("alter", "complaint"),
    [
        (altered_claim, "the signature does not fit"),
        (altered_signature, "the signature does not fit"),
        (signed_by_somebody_else, "the signature does not fit"),
        (no_evidence, "is no signed document"),
    ],
)
def test_an_altered_qualification_is_refused(
    ecluse: Commands, address: str, alter: Any, complaint: str
) -> None:
    nonprod = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert nonprod.code == 0
    cloud = cloud_of(ecluse, "nonprod", address)
    (found,) = cloud.storage.list(f"{cloud.environment.evidence}/qualifications/alpha/")
    kept = cloud.storage.read(found)
    assert kept is not None
    envelope = json.loads(kept.content)
    alter(envelope)
    cloud.storage.write(found, json.dumps(envelope).encode())
    answer = ecluse.promote("prod", "--commit", nonprod.json["commit"])
    assert answer.code == 1
    assert complaint in answer.err
    assert live_digest(ecluse, "prod") is None
    assert not runs_of(ecluse, "prod", address)


def test_a_qualification_of_another_pipeline_does_not_fit(ecluse: Commands, address: str) -> None:
    ecluse.repository.pipeline("beta")
    nonprod = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    cloud = cloud_of(ecluse, "nonprod", address)
    (alpha,) = cloud.storage.list(f"{cloud.environment.evidence}/qualifications/alpha/")
    (beta,) = cloud.storage.list(f"{cloud.environment.evidence}/qualifications/beta/")
    other = cloud.storage.read(beta)
    assert other is not None
    cloud.storage.write(alpha, other.content)
    answer = ecluse.promote("prod", "--commit", nonprod.json["commit"])
    assert answer.code == 1
    assert "the evidence is for another pipeline: beta, not alpha" in answer.err


def test_a_release_altered_in_the_evidence_is_refused(ecluse: Commands, address: str) -> None:
    nonprod = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    commit = nonprod.json["commit"]
    cloud = cloud_of(ecluse, "nonprod", address)
    cloud.storage.write(f"{cloud.environment.evidence}/releases/{commit}/alpha.yaml", b"other")
    answer = ecluse.promote("prod", "--commit", commit)
    assert answer.code == 1
    assert "the compiled pipeline `alpha` is sha256:" in answer.err


def test_a_registry_that_gives_back_other_bytes_is_found_out(
    ecluse: Commands, address: str
) -> None:
    from ecluse.errors import ReleaseAltered

    ecluse.build()
    cloud = cloud_of(ecluse, "nonprod", address)
    ecluse("status", "--json")  # lays the environments out
    with pytest.raises(ReleaseAltered, match="is not in the registry"):
        cloud.registry.verify("alpha", "sha256:" + "0" * 64)


def test_an_altered_qualification_can_be_mended_by_qualifying_anew(
    ecluse: Commands, address: str
) -> None:
    release = str(ecluse.build())
    commit = ecluse.promote("nonprod", "--release", release).json["commit"]
    cloud = cloud_of(ecluse, "nonprod", address)
    (found,) = cloud.storage.list(f"{cloud.environment.evidence}/qualifications/alpha/")
    cloud.storage.write(found, b"{}")
    assert ecluse.promote("prod", "--commit", commit).code == 1
    anew = ecluse.promote("nonprod", "--release", release, "--rerun")
    assert [outcome["ending"] for outcome in anew.json["outcomes"]] == ["activated"]
    assert ecluse.promote("prod", "--commit", commit).code == 0


def test_a_manifest_altered_in_the_evidence_is_refused(ecluse: Commands, address: str) -> None:
    folder = ecluse.build()
    commit = ecluse.promote("nonprod", "--release", str(folder)).json["commit"]
    manifest = json.loads((folder / "release.json").read_bytes())
    manifest["pipelines"] = {}
    cloud = cloud_of(ecluse, "nonprod", address)
    kept = f"{cloud.environment.evidence}/releases/{commit}/release.json"
    cloud.storage.write(kept, readable_json(manifest))
    answer = ecluse.promote("prod", "--commit", commit)
    assert answer.code == 1
    assert "the signature is for another release" in answer.err


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../secret"},
        {"name": "beta"},
        {"package": "a/b"},
        {"settings": {"owner": 3}, "settings_digest": digest_of_value({"owner": 3})},
    ],
)
def test_a_manifest_with_impossible_names_or_settings_is_refused(
    ecluse: Commands, change: dict[str, Any]
) -> None:
    folder = ecluse.build()
    rewrite(folder, change)
    answer = ecluse.promote("nonprod", "--release", str(folder))
    assert answer.code == 1
    assert "no valid release" in answer.err
    assert answer.err.count("\n") == 1


def test_a_commit_that_changes_no_pipeline_can_be_promoted_to_prod(ecluse: Commands) -> None:
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    ecluse.repository.write("README.md", "Words.")
    unchanged = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert [outcome["ending"] for outcome in unchanged.json["outcomes"]] == ["unchanged"]
    prod = ecluse.promote("prod", "--commit", unchanged.json["commit"], "--version", "v1.0.0")
    assert prod.code == 0, prod.err
    assert [outcome["ending"] for outcome in prod.json["outcomes"]] == ["activated"]


def test_old_is_not_retired_until_new_is_proven(ecluse: Commands, address: str) -> None:
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    live = live_digest(ecluse, "nonprod")
    pipelines = ecluse.repository.root / "pipelines"
    (pipelines / "alpha").rename(pipelines / "beta")
    ecluse.repository.replace("pipelines/beta/pipeline.yaml", "min: 0.8", "min: 0.99")
    refused = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert refused.code == 1
    assert live_digest(ecluse, "nonprod") == live
    ecluse.repository.replace("pipelines/beta/pipeline.yaml", "min: 0.99", "min: 0.7")
    answer = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    endings = {outcome["pipeline"]: outcome["ending"] for outcome in answer.json["outcomes"]}
    assert endings == {"alpha": "retired", "beta": "activated"}
    # Both have one package: its tag is the new one's.
    cloud = cloud_of(ecluse, "nonprod", address)
    now = cloud.ledger.head().live("beta")
    assert now is not None
    assert cloud.registry.live_digest("alpha") == now.digest


def test_a_tag_that_was_moved_by_hand_is_put_back(ecluse: Commands, address: str) -> None:
    release = str(ecluse.build())
    assert ecluse.promote("nonprod", "--release", release).code == 0
    cloud = cloud_of(ecluse, "nonprod", address)
    live = cloud.registry.live_digest("alpha")
    cloud.registry.untag_live("alpha")
    assert ecluse.promote("nonprod", "--release", release).code == 0
    assert cloud.registry.live_digest("alpha") == live


def test_a_way_back_is_a_new_run(ecluse: Commands, address: str) -> None:
    ecluse.repository.replace("pipelines/alpha/pipeline.yaml", "tolerance: 0.01", "tolerance: 0.5")
    runs = []
    for old, new in (("= 0.9", "= 0.9"), ("= 0.9", "= 0.91"), ("= 0.91", "= 0.9")):
        ecluse.repository.replace("pipelines/alpha/pipeline.py", f"float {old}", f"float {new}")
        answer = ecluse.promote("nonprod", "--release", str(ecluse.build()))
        assert answer.code == 0, answer.err
        runs.append(answer.json["outcomes"][0]["run"])
    assert len(set(runs)) == 3
    assert len(runs_of(ecluse, "nonprod", address)) == 3


def test_other_values_of_the_environment_are_a_reason_for_an_update(ecluse: Commands) -> None:
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    ecluse.repository.replace(
        "environments/nonprod.yaml", "templates:", "parameters: {accuracy: 0.93}\ntemplates:"
    )
    plan = ecluse("plan", "nonprod", "--release", str(ecluse.build()), "--json").json
    assert plan["actions"][0]["reasons"] == ["the environment's values"]


def test_a_run_whose_data_kept_the_gates_task_from_running_is_tried_anew(
    ecluse: Commands, address: str
) -> None:
    ecluse.repository.write(
        "pipelines/alpha/pipeline.py",
        """
        from kfp import dsl

        from pipelines.components.measure import measure


        @dsl.component(base_image="runtime", install_kfp_package=False)
        def look(run_key: str) -> bool:
            return False


        @dsl.pipeline(name="alpha")
        def pipeline(run_key: str) -> None:
            with dsl.If(look(run_key=run_key).output == True):
                measure(run_key=run_key, accuracy=0.9, fail=False)
        """,
    )
    release = str(ecluse.build())
    for attempt in (1, 2):
        answer = ecluse.promote("nonprod", "--release", release)
        assert answer.code == 1
        assert "`measure` did not run: not triggered" in answer.json["outcomes"][0]["error"]
        assert len(runs_of(ecluse, "nonprod", address)) == attempt


def test_a_gate_on_a_task_in_a_loop_is_refused_rather_than_judged_by_its_last_value(
    ecluse: Commands,
) -> None:
    ecluse.repository.write(
        "pipelines/alpha/pipeline.py",
        """
        from kfp import dsl

        from pipelines.components.measure import measure


        @dsl.pipeline(name="alpha")
        def pipeline(run_key: str) -> None:
            with dsl.ParallelFor([0.1, 0.2, 0.95]) as accuracy:
                measure(run_key=run_key, accuracy=accuracy, fail=False)
        """,
    )
    answer = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert answer.code == 2
    assert "the run has several values of `measure.accuracy`" in answer.json["outcomes"][0]["error"]
    assert live_digest(ecluse, "nonprod") is None


# Killed, and twice at once


def test_ctrl_c_stops_a_promotion_before_anything_goes_live(ecluse: Commands, address: str) -> None:
    ecluse.repository.replace(
        "pipelines/components/measure.py",
        "    if fail:",
        "    import time\n    time.sleep(4)\n    if fail:",
    )
    release = str(ecluse.build())
    stopped = subprocess.Popen(
        [
            *(sys.executable, "-u", "-m", "ecluse", "promote", "nonprod", "--release", release),
            *("--repository", str(ecluse.repository.root)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has them ignore Ctrl-C.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert stopped.stdout is not None
    for line in stopped.stdout:
        if "run alpha-nonprod" in line:
            stopped.send_signal(signal.SIGINT)
            break
    _, complaint = stopped.communicate(timeout=30)
    assert stopped.returncode == 130
    assert "interrupted: what runs in the cloud goes on" in complaint
    assert "Traceback" not in complaint
    assert live_digest(ecluse, "nonprod") is None
    assert ecluse.promote("nonprod", "--release", release).code == 0
    assert len(runs_of(ecluse, "nonprod", address)) == 1


def test_two_promotions_at_once_make_one_run_and_one_entry(ecluse: Commands, address: str) -> None:
    release = str(ecluse.build())
    ecluse("status")  # lays the environments out
    command = [
        *(sys.executable, "-m", "ecluse", "promote", "nonprod", "--release", release, "--json"),
        *("--wait", "2m", "--repository", str(ecluse.repository.root)),
    ]
    with ThreadPoolExecutor(2) as pool:
        both = list(
            pool.map(
                lambda _: subprocess.run(command, capture_output=True, text=True, check=False),
                range(2),
            )
        )
    # The second one waits for the first, and then finds nothing to do.
    endings = [json.loads(done.stdout)["outcomes"][0]["ending"] for done in both]
    assert sorted(endings) == ["activated", "unchanged"], both
    assert len(list(cloud_of(ecluse, "nonprod", address).ledger.history("alpha"))) == 1
    assert len(runs_of(ecluse, "nonprod", address)) == 1


def test_a_promotion_that_was_killed_is_finished_by_the_same_command(
    ecluse: Commands, address: str
) -> None:
    ecluse.repository.replace(
        "pipelines/components/measure.py",
        "    if fail:",
        "    import time\n    time.sleep(3)\n    if fail:",
    )
    release = str(ecluse.build())
    killed = subprocess.Popen(
        [
            *(sys.executable, "-u", "-m", "ecluse", "promote", "nonprod", "--release", release),
            *("--repository", str(ecluse.repository.root)),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert killed.stdout is not None
    with killed, killed.stdout:
        for line in killed.stdout:
            if "run alpha-nonprod" in line:
                killed.kill()
                break
    assert live_digest(ecluse, "nonprod") is None
    again = ecluse.promote("nonprod", "--release", release)
    assert again.code == 0, again.err
    assert len(runs_of(ecluse, "nonprod", address)) == 1
    assert live_digest(ecluse, "nonprod") == again.json["outcomes"][0]["digest"]


def test_the_ledger_is_an_object_that_any_client_can_read(ecluse: Commands, address: str) -> None:
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    environment = Catalog(ecluse.repository.root).environment("nonprod")
    client = Client(
        project=environment.project,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": address},
    )
    blob = client.bucket(environment.ledger.removeprefix("gs://")).blob("head.json")
    content = json.loads(blob.download_as_bytes())
    assert content["pipelines"]["alpha"]["metrics"] == {"measure.accuracy": 0.9}
