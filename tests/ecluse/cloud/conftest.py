"""An environment for the adapters' tests, on the session's embedded cloud."""

from pathlib import Path

import pytest
from kfp import compiler, dsl

from ecluse.canonical import digest_of
from ecluse.cloud import calls, connect
from gcp_local.testing import LocalCloud
from tests.ecluse.cloud.place import Place, environment, unused


@pytest.fixture(scope="session")
def quiet_pipeline(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A compiled pipeline that starts no process when it runs."""

    @dsl.pipeline(name="quiet")
    def quiet(run_key: str) -> None:
        dsl.importer(artifact_uri="gs://somewhere/something", artifact_class=dsl.Artifact)

    file: Path = tmp_path_factory.mktemp("quiet") / "quiet.yaml"
    compiler.Compiler().compile(quiet, str(file))
    return file.read_bytes()


@pytest.fixture
def place(gcp_local: LocalCloud, quiet_pipeline: bytes, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An environment that nobody else uses, laid out. It is called with little patience."""
    monkeypatch.setattr(calls, "PATIENCE", calls.Patience(deadline=3.0, first=0.01, longest=0.05))
    gcp_local.faults.clear()
    settings = environment(unused())
    cloud = connect(settings, local=gcp_local.endpoint)
    for bucket in (settings.bucket, settings.ledger):
        cloud.storage.ensure_bucket(bucket, settings.location)
    cloud.registry.ensure_repository()
    cloud.registry.upload("quiet", quiet_pipeline)
    cloud.keys.ensure_key(settings.signing_key)
    # The adapters of the tests are others than those that laid it out, as they are for a user.
    cloud = connect(settings, local=gcp_local.endpoint)
    return Place(gcp_local, cloud, "quiet", digest_of(quiet_pipeline), quiet_pipeline)
