"""Rollback, through the command line, with Google's clients, against the embedded cloud."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.auth.credentials import AnonymousCredentials
from google.cloud import artifactregistry_v1
from google.cloud.devtools import cloudbuild_v1
from google.cloud.storage import Client
from google.protobuf import json_format

from ecluse import clock
from ecluse.canonical import digest_of, digest_of_value
from ecluse.cloud import Cloud, connect
from ecluse.ledger.alone import alone
from ecluse.ledger.qualification import Evidence, Qualifications
from ecluse.ledger.records import Entry
from ecluse.local import lay_out, record_image
from ecluse.release.manifest import ReleasedPipeline
from ecluse.repository.catalog import Catalog
from ecluse.repository.image import python_files_archive
from ecluse.upkeep.convergence.converging import converge
from tests.ecluse.conftest import Answer, Commands
from tests.ecluse.places import template
from tests.ecluse.repositories import Repository

ROOT = Path(__file__).parents[2]


@dataclass
class Place:
    """An environment with some releases behind it."""

    ecluse: Commands
    address: str

    @property
    def cloud(self) -> Cloud:
        return connect(
            Catalog(self.ecluse.repository.root).environment("nonprod"), local=self.address
        )

    def promoted(self, version: str, **accuracies: float) -> None:
        """Promote a release of these pipelines with their accuracies."""
        for name, accuracy in accuracies.items():
            write_pipeline(self.ecluse.repository, name, accuracy)
        answer = self.ecluse.promote(
            "nonprod", "--release", str(self.ecluse.build()), "--version", version
        )
        assert answer.code == 0, answer.err

    def release(self, version: str, **accuracies: float) -> str:
        """Leave what a promotion of these pipelines leaves, without its runs; return the commit."""
        commit = self.ecluse.repository.commit(version)
        cloud = self.cloud
        lay_out([cloud.environment], self.address)
        with alone(cloud, by="ann@example.com", purpose=f"promotes {version}") as journal:
            head = journal.head
            entries = {
                name: last.model_copy(
                    update={
                        "action": "retire",
                        "restores": None,
                        "commit": commit,
                        "version": version,
                        "release": digest_of(version.encode()),
                    }
                )
                for name, last in head.all_live.items()
                if name not in accuracies
            }
            for name, accuracy in accuracies.items():
                live = head.live(name)
                if live is None or live.metrics["measure.accuracy"] != accuracy:
                    entries[name] = qualified(cloud, name, accuracy, version, commit)
            converge(cloud, journal.add(entries), list(entries))
        return commit

    def live(self) -> dict[str, float]:
        """Return the accuracy that is live of each pipeline."""
        return {
            name: entry.metrics["measure.accuracy"]
            for name, entry in self.cloud.ledger.head().all_live.items()
        }

    def tags(self, *names: str) -> dict[str, str | None]:
        return {name: self.cloud.registry.live_digest(name) for name in names}

    def history(self, name: str) -> list[Entry]:
        return list(self.cloud.ledger.history(name))

    def rollback(self, *arguments: str) -> Answer:
        return self.ecluse("rollback", "nonprod", "--json", *arguments)


SETTINGS = """
description: A pipeline for the tests.
owner: tests@example.com
"""


def write_pipeline(repository: Repository, name: str, accuracy: float) -> None:
    repository.pipeline(name, settings=SETTINGS)
    repository.replace(f"pipelines/{name}/pipeline.py", "= 0.9", f"= {accuracy}")


def qualified(cloud: Cloud, name: str, accuracy: float, version: str, commit: str) -> Entry:
    """Upload a pipeline, sign that it qualified, and return the entry that makes it live."""
    content = template(name, word=str(accuracy))
    digest = digest_of(content)
    cloud.registry.upload(name, content)
    settings = {"owner": "tests@example.com"}
    pipeline = ReleasedPipeline(
        name=name,
        package=name,
        digest=digest,
        code_digest=digest,
        runtime_image=None,
        parameters=("run_key",),
        settings=settings,
        settings_digest=digest_of_value(settings),
    )
    metrics = {"measure.accuracy": accuracy}
    evidence = Evidence(
        environment=cloud.environment.name,
        subject=pipeline.subject,
        pipeline=name,
        digest=digest,
        settings_digest=pipeline.settings_digest,
        runtime_image=None,
        release=digest_of(version.encode()),
        commit=commit,
        run=cloud.pipelines.resource_name(f"{name}-{version}"),
        metrics=metrics,
        verdicts=(),
        at=clock.now(),
        by="ann@example.com",
    )
    return Entry(
        action="activate",
        package=name,
        digest=digest,
        code_digest=digest,
        runtime_image=None,
        compiler="kfp",
        settings=settings,
        settings_digest=pipeline.settings_digest,
        declared=pipeline.parameters,
        parameters={},
        release=evidence.release,
        commit=commit,
        version=version,
        run=evidence.run,
        metrics=metrics,
        qualification=Qualifications(cloud).record(pipeline, evidence),
        at=evidence.at,
        by=evidence.by,
    )


@pytest.fixture
def place(ecluse: Commands, address: str) -> Place:
    return Place(ecluse, address)


def test_what_the_newest_promotion_changed_goes_back_together(place: Place) -> None:
    place.promoted("v1", alpha=0.1, beta=0.2, gamma=0.3)
    place.promoted("v2", alpha=0.11, beta=0.22, gamma=0.3)
    before = place.cloud.ledger.head()
    answer = place.rollback("--reason", "the data smell")
    assert answer.code == 0, answer.err
    assert place.live() == {"alpha": 0.1, "beta": 0.2, "gamma": 0.3}
    head = place.cloud.ledger.head()
    assert head.pipelines["gamma"] == before.pipelines["gamma"]
    assert [back["pipeline"] for back in answer.json["returns"]] == ["alpha", "beta"]
    for name in ("alpha", "beta"):
        now, bad, first = place.history(name)
        assert (now.action, now.restores, now.reason) == ("rollback", 1, "the data smell")
        assert (now.digest, now.run) == (first.digest, first.run)
        assert now.token > bad.token
        assert place.tags(name) == {name: first.digest}
    assert head.pipelines["alpha"].token == head.pipelines["beta"].token


def test_a_repeated_rollback_finds_its_work_done_and_one_goes_further_by_saying_where_to(
    place: Place,
) -> None:
    place.release("v1", alpha=0.1)
    second = place.release("v2", alpha=0.2)
    place.release("v3", alpha=0.3)
    assert place.rollback().code == 0
    place.cloud.registry.untag_live("alpha")  # as if it had been killed in between
    again = place.rollback()
    assert again.code == 0
    assert [back["kind"] for back in again.json["returns"]] == ["already"]
    assert "to go further back" in again.err
    assert place.live() == {"alpha": 0.2}
    assert len(place.history("alpha")) == 4
    assert place.tags("alpha") == {"alpha": place.history("alpha")[0].digest}
    assert place.rollback("alpha").json["returns"][0]["kind"] == "already"

    assert place.rollback("--to", "v1").code == 0
    assert place.live() == {"alpha": 0.1}
    assert place.rollback("--to", "v1").json["returns"][0]["kind"] == "already"
    # And forward again to what is known by now to have been good, by its commit.
    assert place.rollback("alpha", "--to", second[:9]).code == 0
    assert place.live() == {"alpha": 0.2}
    assert [entry.restores for entry in place.history("alpha")] == [2, 1, 2, None, None, None]


def test_a_release_is_the_whole_environment_of_its_time(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.release("v1", alpha=0.1, beta=0.2)
    place.release("v2", alpha=0.11, beta=0.2)
    place.release("v3", alpha=0.11, beta=0.22, gamma=0.3)
    place.release("v4", alpha=0.12, gamma=0.3)
    assert place.live() == {"alpha": 0.12, "gamma": 0.3}
    # As a build gives it: from the environment, and what is empty is not there.
    monkeypatch.setenv("ECLUSE_ROLLBACK_PIPELINES", "")
    monkeypatch.setenv("ECLUSE_ROLLBACK_WITH_MODEL", "")
    monkeypatch.setenv("ECLUSE_ROLLBACK_REASON", "")
    monkeypatch.setenv("ECLUSE_ROLLBACK_TO", "v2")
    dry = place.rollback("--dry-run")
    assert {back["pipeline"]: back["kind"] for back in dry.json["returns"]} == {
        "alpha": "rollback",
        "beta": "rollback",
        "gamma": "retire",
    }
    assert place.live() == {"alpha": 0.12, "gamma": 0.3}, "a dry run does nothing"
    monkeypatch.setenv("ECLUSE_ROLLBACK_PIPELINES", "beta gamma")
    assert len(place.rollback("--dry-run").json["returns"]) == 2
    monkeypatch.setenv("ECLUSE_ROLLBACK_PIPELINES", "")
    monkeypatch.setenv("ECLUSE_ROLLBACK_TO", "")
    assert place.rollback("--to", "v2").code == 0
    assert place.live() == {"alpha": 0.11, "beta": 0.2}
    assert place.tags("gamma") == {"gamma": None}
    assert place.history("gamma")[0].version == "v2"
    # Undoing the newest promotion is no way to bring gamma back, but naming it is.
    assert place.rollback("gamma").json["returns"][0]["kind"] == "already"
    assert place.rollback("gamma", "--to", "v3").code == 0
    assert place.live() == {"alpha": 0.11, "beta": 0.2, "gamma": 0.3}


def test_a_pipeline_that_a_release_retired_comes_back_and_one_that_it_made_stays(
    place: Place,
) -> None:
    place.release("v1", alpha=0.1, beta=0.2)
    place.release("v2", alpha=0.11, gamma=0.3)
    answer = place.rollback()
    assert {back["pipeline"]: back["kind"] for back in answer.json["returns"]} == {
        "alpha": "rollback",
        "beta": "rollback",
        "gamma": "stays",
    }
    assert place.live() == {"alpha": 0.1, "beta": 0.2, "gamma": 0.3}
    assert place.rollback("--to", "v1").code == 0
    assert place.live() == {"alpha": 0.1, "beta": 0.2}


def test_what_cannot_be_vouched_for_is_passed_over_or_refused(place: Place) -> None:
    place.release("v1", alpha=0.1)
    place.release("v2", alpha=0.2)
    place.release("v3", alpha=0.3)
    evidence = place.history("alpha")[1].qualification
    place.cloud.storage.write(evidence, b"{}")
    refused = place.rollback("--to", "v2")
    assert refused.code == 1
    assert "is no signed document → go back further with `ecluse rollback nonprod" in refused.err
    assert place.live() == {"alpha": 0.3}

    (back,) = place.rollback("--dry-run").json["returns"]
    assert back["to"]["version"] == "v1"
    assert "v2" in back["passed_over"][0]

    delete_template(place, "alpha", place.history("alpha")[2].digest)
    gone = place.rollback()
    assert gone.code == 1
    assert "the compiled pipeline is not in the registry" in gone.err
    assert place.live() == {"alpha": 0.3}
    assert len(place.history("alpha")) == 3


def delete_template(place: Place, package: str, digest: str) -> None:
    environment = place.cloud.environment
    client = artifactregistry_v1.ArtifactRegistryClient(
        credentials=AnonymousCredentials(),
        transport="rest",
        client_options={"api_endpoint": place.address},
    )
    parent = f"projects/{environment.project}/locations/{environment.location}"
    name = f"{parent}/repositories/{environment.templates}/packages/{package}/versions/{digest}"
    client.delete_version(name=name).result()  # type: ignore[no-untyped-call]


def test_of_two_rollbacks_at_once_one_finds_the_others_work_done(place: Place) -> None:
    place.release("v1", alpha=0.1, beta=0.2)
    place.release("v2", alpha=0.11, beta=0.22)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: typed(place, "rollback", "nonprod", "--wait", "2m"), "ab"))
    kinds = sorted(json.loads(done.stdout)["returns"][0]["kind"] for done in both)
    assert kinds == ["already", "rollback"], both
    assert [len(place.history(name)) for name in ("alpha", "beta")] == [3, 3]
    assert place.live() == {"alpha": 0.1, "beta": 0.2}


def test_a_rollback_waits_for_a_promotion_or_breaks_the_glass(place: Place) -> None:
    place.release("v1", alpha=0.1)
    place.release("v2", alpha=0.2)
    ecluse = place.ecluse
    write_pipeline(ecluse.repository, "alpha", 0.3)
    ecluse.repository.replace(
        "pipelines/components/measure.py",
        "    if fail:",
        "    import time\n    time.sleep(5)\n    if fail:",
    )
    release = str(ecluse.build())
    promotion = begin(place, "promote", "nonprod", "--release", release)
    assert promotion.stdout is not None
    next(line for line in promotion.stdout if "run alpha-nonprod" in line)

    held = place.rollback()
    assert held.code == 1
    assert "ann@example.com holds the lease" in held.err
    assert "--break-glass REASON" in held.err
    broken = place.rollback("--break-glass", "prod is  on fire", "--reason", "v2 leaks")
    assert broken.code == 0, broken.err
    assert place.live() == {"alpha": 0.1}
    rest, complaint = promotion.communicate(timeout=60)
    assert promotion.returncode == 1, rest
    assert "the lease was taken over" in rest + complaint
    assert place.live() == {"alpha": 0.1}, "who lost the lease makes nothing live"
    entry, *_ = place.history("alpha")
    assert (entry.break_glass, entry.reason, entry.by) == (
        "prod is on fire",
        "v2 leaks",
        "ann@example.com",
    )
    # It stands out for ever, wherever one looks.
    assert "prod is on fire" in ecluse("history", "nonprod", "alpha").out
    # The same promotion, begun again, joins its run.
    assert ecluse.promote("nonprod", "--release", release).code == 0
    assert place.live() == {"alpha": 0.3}


def command(place: Place, *arguments: str) -> list[str]:
    root = str(place.ecluse.repository.root)
    return [sys.executable, "-u", "-m", "ecluse", *arguments, "--repository", root]


def typed(place: Place, *arguments: str) -> "subprocess.CompletedProcess[str]":
    words = command(place, *arguments, "--json")
    return subprocess.run(words, capture_output=True, text=True, check=False)


def begin(place: Place, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command(place, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_there_is_no_way_back_from_the_first_release(place: Place) -> None:
    empty = place.rollback()
    assert empty.code == 1
    assert "nothing was ever live in nonprod" in empty.err
    place.release("v1", alpha=0.1)
    answer = place.rollback()
    assert answer.code == 1
    assert "`alpha`: nothing else was live in nonprod before" in answer.err
    assert "ecluse history nonprod alpha" in answer.err
    assert len(place.history("alpha")) == 1
    stray = place.rollback("omega")
    assert stray.code == 2
    assert "`omega` was never live in nonprod → the ledger has: alpha" in stray.err
    release = place.rollback("--to", "v9")
    assert release.code == 2
    assert "`v9` changed nothing in nonprod → name a release that did: v1" in release.err


@pytest.mark.parametrize("reason", ["\x1b[2Jgone", "x" * 501, "   "])
def test_a_reason_is_a_line_of_text(ecluse: Commands, reason: str) -> None:
    answer = ecluse("rollback", "nonprod", "--break-glass", reason)
    assert answer.code == 2
    assert "a reason is" in answer.err


def test_the_registered_build_rolls_back_for_the_reason_that_somebody_typed(
    place: Place, tmp_path: Path
) -> None:
    place.release("v1", alpha=0.1)
    place.release("v2", alpha=0.2)
    project = place.cloud.environment.project
    archive = python_files_archive(Catalog(ROOT), "tool")
    image = record_image(place.address, f"{place.cloud.environment.images}/tool", archive)
    options: dict[str, Any] = {
        "credentials": AnonymousCredentials(),
        "client_options": {"api_endpoint": place.address},
    }
    buckets = Client(project=project, **options)
    tree = tmp_path / "tree.tar.gz"
    root = str(place.ecluse.repository.root)
    subprocess.run(["git", "-C", root, "archive", "-o", str(tree), "HEAD"], check=True)
    buckets.bucket(f"{project}-builds").blob("tree.tar.gz").upload_from_filename(tree)

    typed_reason = 'a "$(touch broken)" `touch broken`, --to v9; said ann'
    config = yaml.safe_load((ROOT / "cloudbuild/rollback.yaml").read_text(encoding="utf-8"))
    config["substitutions"] |= {
        "_ENVIRONMENT": "nonprod",
        "_PIPELINES": "",
        "_TO": "",
        "_WITH_MODEL": "false",
        "_REASON": typed_reason,
        "_TOOL_IMAGE": image,
        "_ACTOR": "octocat",
    }
    config["source"] = {"storageSource": {"bucket": f"{project}-builds", "object": "tree.tar.gz"}}
    wanted = cloudbuild_v1.Build()
    json_format.ParseDict(config, wanted._pb)
    builds: Any = cloudbuild_v1.CloudBuildClient(transport="rest", **options)
    location = f"projects/{project}/locations/europe-west1"
    build = builds.create_build(
        request={"parent": location, "project_id": project, "build": wanted}
    ).result(timeout=240)
    assert build.status.name == "SUCCESS"
    assert place.live() == {"alpha": 0.1}
    entry, *_ = place.history("alpha")
    assert (entry.reason, entry.by, entry.break_glass) == (typed_reason, "octocat", "")
