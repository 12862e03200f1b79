"""What a promotion takes nobody's word for, and what it finds again that was begun."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from ecluse import clock
from ecluse.cloud import Cloud, connect
from ecluse.cloud.run import RunRequest
from ecluse.errors import LeaseLost, NotQualified, Refused
from ecluse.ledger.alone import alone
from ecluse.ledger.journal import Journal
from ecluse.ledger.lease import Claim, acquire
from ecluse.promotion.descent import by_record
from ecluse.release.manifest import MANIFEST, Release, read_release
from ecluse.release.store import publish_release
from tests.ecluse.conftest import Commands
from tests.ecluse.places import make_place
from tests.ecluse.steadfast.instruments import entry
from tests.ecluse.test_execution import SLOW, builds, endings, git
from tests.ecluse.test_promotion import cloud_of, runs_of


def object_at(cloud: Cloud, address: str) -> bytes:
    found = cloud.storage.read(address)
    assert found is not None
    return found.content


# Descent


@pytest.fixture
def line(ecluse: Commands, address: str, tmp_path: Path) -> tuple[Cloud, list[Release]]:
    """A line of three releases after the first commit; nonprod keeps the last two."""
    made = [read_release(Path(folder)) for folder, _ in builds(ecluse, tmp_path, "0.91", "0.92")]
    cloud = cloud_of(ecluse, "nonprod", address)
    for release, files in made:
        publish_release(cloud, release, files)
    return cloud, [release for release, _ in made]


def test_a_release_that_nobody_signed_vouches_for_no_descent(
    ecluse: Commands, line: tuple[Cloud, list[Release]]
) -> None:
    cloud, (one, two) = line
    folder = f"{cloud.environment.evidence}/releases"
    base = git(ecluse, "rev-list", "--max-parents=0", "HEAD")
    assert not by_record(one, cloud, two.commit)
    invented = one.model_copy(update={"commit": base, "ancestry": (two.commit[:12],)})
    cloud.storage.write(f"{folder}/{base}/{MANIFEST}", invented.content())
    assert not by_record(one, cloud, two.commit)


def test_a_release_in_anothers_place_vouches_for_no_descent(
    ecluse: Commands, line: tuple[Cloud, list[Release]], tmp_path: Path
) -> None:
    cloud, (one, two) = line
    ((three, commit),) = builds(ecluse, tmp_path, "0.93")
    publish_release(cloud, *read_release(Path(three)))
    folder = f"{cloud.environment.evidence}/releases"
    base = git(ecluse, "rev-list", "--max-parents=0", "HEAD")
    for name in (MANIFEST, "signature.json"):
        cloud.storage.write(
            f"{folder}/{base}/{name}", object_at(cloud, f"{folder}/{commit}/{name}")
        )
    assert not by_record(one, cloud, two.commit)


def test_descent_goes_on_from_a_release_that_is_signed(
    ecluse: Commands, line: tuple[Cloud, list[Release]]
) -> None:
    cloud, (_one, two) = line
    base = git(ecluse, "rev-list", "--max-parents=0", "HEAD")
    # As if the newest release named no more than the one commit before it.
    newest = two.model_copy(update={"commit": "f" * 40, "ancestry": (two.commit[:12],)})
    assert by_record(newest, cloud, base)
    cloud.storage.delete(f"{cloud.environment.evidence}/releases/{two.commit}/signature.json")
    assert not by_record(newest, cloud, base)


# What is kept


def test_a_release_whose_signature_is_none_is_not_kept_as_if_it_had_one(
    line: tuple[Cloud, list[Release]], tmp_path: Path
) -> None:
    cloud, (one, two) = line
    folder = f"{cloud.environment.evidence}/releases"
    other = object_at(cloud, f"{folder}/{two.commit}/signature.json")
    _, files = read_release(tmp_path / "0.91")
    for content, complaint in ((b"{}", "no signed document"), (other, "for another release")):
        cloud.storage.write(f"{folder}/{one.commit}/signature.json", content)
        with pytest.raises(NotQualified if content == b"{}" else Refused, match=complaint):
            publish_release(cloud, one, files)


@pytest.mark.parametrize("name", ["alpha.yaml", MANIFEST, "signature.json"])
def test_no_override_lets_a_release_pass_that_is_not_what_was_signed(
    ecluse: Commands, line: tuple[Cloud, list[Release]], name: str
) -> None:
    cloud, (_, two) = line
    address = f"{cloud.environment.evidence}/releases/{two.commit}/{name}"
    content = object_at(cloud, address)
    cloud.storage.write(address, content.replace(b"alpha", b"omega").replace(b"sha", b"ash"))
    assert object_at(cloud, address) != content
    refused = ecluse.promote("prod", "--commit", two.commit, "--override", "we are in a hurry")
    assert refused.code == 1
    assert f"releases/{two.commit}" in refused.err
    assert "OVERRIDDEN" not in refused.err


def test_a_promotion_that_is_refused_leaves_the_image_of_triggers_as_it_was(
    ecluse: Commands, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ecluse.repository.root / "pipelines" / "alpha" / "pipeline.yaml"
    file.write_text(file.read_text() + "triggers: [{topic: arrived}]\n")
    folder = ecluse.build()
    release, files = read_release(folder)
    cloud = cloud_of(ecluse, "nonprod", address)
    other = release.model_copy(update={"subject": "Another release of this commit"})
    publish_release(cloud, other, files)
    monkeypatch.setenv("ECLUSE_TOOL_IMAGE", f"europe-docker.pkg.dev/p/r/tool@sha256:{'b' * 64}")
    refused = ecluse.promote("nonprod", "--release", str(folder))
    assert refused.code != 0
    assert "already has a release" in refused.err
    assert cloud.storage.read(f"{cloud.environment.ledger}/tool.json") is None


def test_a_head_that_was_deleted_is_not_taken_for_an_environment_without_a_past(
    ecluse: Commands, address: str, tmp_path: Path
) -> None:
    (one, _), (two, _) = builds(ecluse, tmp_path, "0.91", "0.92")
    assert ecluse.promote("nonprod", "--release", two).code == 0
    cloud = cloud_of(ecluse, "nonprod", address)
    where = f"{cloud.environment.ledger}/head.json"
    kept = object_at(cloud, where)
    cloud.storage.delete(where)
    for command in (("promote", "nonprod", "--release", one), ("status", "nonprod")):
        answer = ecluse(*command)
        assert answer.code != 0
        assert "the ledger's head was deleted" in answer.err
        assert f"gcloud storage ls --all-versions {where}" in answer.err
    cloud.storage.write(where, kept)
    assert ecluse.promote("nonprod", "--release", one).code == 1


# Attempts


def test_a_new_run_that_was_asked_for_is_joined_by_the_same_command(
    ecluse: Commands, address: str
) -> None:
    ecluse.repository.replace("pipelines/components/measure.py", *SLOW)
    release = str(ecluse.build())
    command = ("nonprod", "--release", release, "--rerun")
    assert ecluse.promote("nonprod", "--release", release).code == 0
    assert endings(ecluse.promote(*command, "--detach")) == {"alpha": "running"}
    assert endings(ecluse.promote(*command, "--detach")) == {"alpha": "running"}
    assert len(runs_of(ecluse, "nonprod", address)) == 2
    until = time.monotonic() + 30
    while {run.state.name for run in runs_of(ecluse, "nonprod", address)} != {
        "PIPELINE_STATE_SUCCEEDED"
    }:
        assert time.monotonic() < until
        time.sleep(0.02)
    # It ended meanwhile: it is the one that was asked for.
    assert endings(ecluse.promote(*command, "--detach")) == {"alpha": "activated"}
    assert len(runs_of(ecluse, "nonprod", address)) == 2
    # That is done: who asks now means another one.
    assert endings(ecluse.promote(*command, "--detach")) == {"alpha": "running"}
    assert len(runs_of(ecluse, "nonprod", address)) == 3


def test_a_new_run_that_the_gates_refused_is_not_taken_again(
    ecluse: Commands, address: str
) -> None:
    ecluse.repository.replace("pipelines/alpha/pipeline.py", "0.9,", "0.7,")
    command = ("nonprod", "--release", str(ecluse.build()), "--rerun")
    assert endings(ecluse.promote(*command)) == {"alpha": "refused"}
    assert endings(ecluse.promote(*command)) == {"alpha": "refused"}
    assert len(runs_of(ecluse, "nonprod", address)) == 2


def test_a_run_under_the_due_id_that_somebody_else_began_is_not_joined(address: str) -> None:
    place = make_place(address)
    live = place.live("alpha")
    environment = place.cloud.environment
    template = environment.template_uri(live.package, live.digest)
    request = RunRequest(
        run_id="alpha-1",
        display_name="alpha",
        template=template,
        parameters={"run_key": "alpha-1"},
    )
    stranger = environment.model_copy(update={"service_account": "other@p.iam.gserviceaccount.com"})
    connect(stranger, local=address).pipelines.create(request)
    with pytest.raises(Refused, match="it runs something else"):
        place.cloud.pipelines.create(request)
    ours = replace(request, run_id="alpha-2", parameters={"run_key": "alpha-2"})
    assert place.cloud.pipelines.create(ours).id == place.cloud.pipelines.create(ours).id


# One package, two pipelines


def test_a_pipeline_that_takes_over_the_package_of_a_retired_one_keeps_its_tag(
    ecluse: Commands, address: str
) -> None:
    ecluse.repository.pipeline("zeta", package="shared")
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    for file in sorted((ecluse.repository.root / "pipelines" / "zeta").iterdir()):
        if file.is_file():
            file.unlink()
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    ecluse.repository.pipeline("beta", package="shared")
    for name in ("pipeline.py", "pipeline.yaml"):
        (ecluse.repository.root / "pipelines" / "alpha" / name).unlink()
    answer = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert endings(answer) == {"alpha": "retired", "beta": "activated"}
    cloud = cloud_of(ecluse, "nonprod", address)
    live = cloud.ledger.head().live("beta")
    assert live is not None
    assert cloud.registry.live_digests(["shared"]) == {"shared": live.digest}
    assert json.loads(ecluse("drift", "nonprod", "--json").out)["differences"] == []


# The lease and the journal


def test_a_lease_that_was_given_back_lets_nothing_more_be_done(address: str) -> None:
    cloud = make_place(address).cloud
    with alone(cloud, by="ann", purpose="tests") as journal:
        journal.check()
    with pytest.raises(LeaseLost, match="given back"):
        journal.check()
    with pytest.raises(LeaseLost, match="given back"):
        journal.add({"alpha": entry("activate", "too late")})
    assert not cloud.ledger.head().pipelines


def test_whoever_writes_gets_the_head_that_holds_what_it_wrote(address: str) -> None:
    cloud = make_place(address).cloud
    claim = Claim("ann", "tests", 60)
    together = Barrier(4)

    def write(journal: Journal, number: int) -> None:
        together.wait()
        for turn in range(4):
            said = f"{number} {turn}"
            head = journal.add({"shared": entry("activate", said)})
            assert head.pipelines["shared"].reason == said

    with acquire(cloud.storage, f"{cloud.environment.ledger}/lease.json", claim) as lease:
        journal = Journal(cloud.ledger, lease)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: write(journal, number), range(4)))
    assert sum(1 for _ in cloud.ledger.history("shared")) == 16


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this clock")
def test_a_lease_runs_out_while_the_machine_is_suspended() -> None:
    suspended: Any = getattr(time, "CLOCK_BOOTTIME")  # noqa: B009 not in every platform's stubs
    assert abs(clock.steady() - time.clock_gettime(suspended)) < 5
