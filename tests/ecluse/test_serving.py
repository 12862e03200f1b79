"""The model follows what is live: aliases in the registry, traffic of endpoints."""

from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1

from ecluse.cloud import Cloud, connect
from ecluse.cloud.models import Deployed, Endpoint, ModelVersion
from ecluse.cloud.run import Artifact, Run, Task
from ecluse.ledger.records import Entry, Head
from ecluse.promotion.serving import is_deployed, serves, shared_anew
from ecluse.repository.catalog import Catalog
from ecluse.upkeep.convergence.aliases import compare, wanted_aliases
from tests.ecluse.conftest import Commands
from tests.ecluse.steadfast.instruments import entry

MODEL = "projects/p/locations/europe-west1/models/churn"


def version(number: int) -> ModelVersion:
    found = ModelVersion.parse(f"{MODEL}@{number}")
    assert found is not None
    return found


def endpoint(traffic: dict[str, int], **deployed: tuple[str, str]) -> Endpoint:
    return Endpoint(
        name="projects/1/locations/europe-west1/endpoints/7",
        display_name="churn",
        deployed=tuple(Deployed(key, *what) for key, what in deployed.items()),
        traffic=traffic,
        etag="x",
    )


@pytest.mark.parametrize(
    ("deployed", "traffic", "split"),
    [
        ({"a": ("churn", "1"), "b": ("churn", "2")}, {"b": 100}, {"a": 100}),
        ({"a": ("churn", "1"), "b": ("churn", "2")}, {"a": 10, "b": 90}, {"a": 100}),
        ({"a": ("churn", "1"), "b": ("churn", "2")}, {"a": 100}, None),
        # Another model's share stays its own.
        (
            {"a": ("churn", "1"), "b": ("churn", "2"), "c": ("fraud", "1")},
            {"b": 60, "c": 40},
            {"a": 60, "c": 40},
        ),
        ({"a": ("churn", "1"), "c": ("fraud", "1")}, {"c": 100}, None),
        # Deployed twice: the one that serves already takes it all.
        ({"a": ("churn", "1"), "z": ("churn", "1")}, {"a": 40, "z": 60}, {"z": 100}),
        ({"b": ("churn", "2")}, {"b": 100}, None),
    ],
)
def test_a_version_takes_the_whole_share_of_its_model(
    deployed: dict[str, tuple[str, str]], traffic: dict[str, int], split: dict[str, int] | None
) -> None:
    assert shared_anew(endpoint(traffic, **deployed), version(1)) == split


def test_an_endpoint_is_concerned_if_the_model_gets_traffic_there() -> None:
    both = {"a": ("churn", "1"), "c": ("fraud", "1")}
    assert serves(endpoint({"a": 1, "c": 99}, **both), version(2))
    assert not serves(endpoint({"c": 100}, **both), version(2))
    assert not is_deployed(endpoint({"a": 100}, **both), version(2))
    assert is_deployed(endpoint({"a": 100}, **both), version(1))


@pytest.mark.parametrize(
    ("metadata", "models"),
    [
        ({"resourceName": f"{MODEL}@3"}, (f"{MODEL}@3",)),
        ({"resourceName": MODEL, "versionId": "3"}, (f"{MODEL}@3",)),
        ({"resourceName": MODEL}, ()),
        ({"resourceName": "projects/p/locations/l/endpoints/7"}, ()),
        ({"accuracy": 0.9}, ()),
    ],
)
def test_a_run_tells_which_model_versions_it_registered(
    metadata: dict[str, Any], models: tuple[str, ...]
) -> None:
    artifact = Artifact("model", "google.VertexModel", "", metadata)
    again = Task("retried", "succeeded", artifacts=(artifact,))
    task = Task("register", "succeeded", artifacts=(artifact,))
    assert Run("run", "succeeded", (task, again)).models == models


def test_an_alias_that_is_elsewhere_is_told_and_one_of_a_version_that_is_gone_needs_a_run() -> None:
    wanted = {f"{MODEL}@{number}": ("alpha", "champion") for number in (1, 2, 3)}
    found = {
        f"{MODEL}@1": frozenset({"champion", "default"}),
        f"{MODEL}@2": frozenset({"candidate"}),
        f"{MODEL}@3": None,
    }
    moved, gone = compare(wanted, found, "prod")
    assert (moved.resource, moved.mendable) == (f"{MODEL}@2", True)
    assert (gone.resource, gone.mendable) == (f"{MODEL}@3", False)
    assert "ecluse promote prod --rerun --pipeline alpha" in gone.fix


def test_an_alias_is_the_newest_versions_of_whoever_went_live_last() -> None:
    def live(token: int, *models: str, alias: str | None = "champion") -> Entry:
        changes = {"action": "activate", "token": token, "models": models}
        settings = {"owner": "ann"} | ({"model_alias": alias} if alias is not None else {})
        return entry("activate", "").model_copy(update={**changes, "settings": settings})

    head = Head(
        environment="prod",
        pipelines={
            "alpha": live(7, f"{MODEL}@10", f"{MODEL}@9", "projects/p/locations/l/models/other@1"),
            "beta": live(3, f"{MODEL}@11"),
            "gamma": live(9, f"{MODEL}@12", alias=None),
        },
    )
    wanted = {
        f"{MODEL}@10": ("alpha", "champion"),
        "projects/p/locations/l/models/other@1": ("alpha", "champion"),
    }
    assert wanted_aliases(head, None) == wanted
    assert wanted_aliases(head, ["alpha"]) == wanted
    assert wanted_aliases(head, ["beta"]) == {}


PIPELINE = """
from kfp import dsl

from pipelines.components.measure import measure


@dsl.component(base_image="runtime", install_kfp_package=False)
def register(run_key: str, name: str, registered: dsl.Output[dsl.Artifact]) -> None:
    registered.metadata["resourceName"] = name


@dsl.pipeline(name="alpha")
def pipeline(run_key: str, project: str, version: int = 1) -> None:
    measure(run_key=run_key, accuracy=0.9, fail=False)
    register(
        run_key=run_key,
        name=f"projects/{project}/locations/europe-west1/models/churn@{version}",
    )
"""

SETTINGS = """
description: A pipeline for the tests.
owner: tests@example.com
parameters: {project: "{project}"}
model_alias: champion
"""

SERVER = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

ThreadingHTTPServer(("127.0.0.1", int(os.environ["AIP_HTTP_PORT"])), Handler).serve_forever()
"""


class Vertex:
    """Google's clients, for what people do by hand: upload, deploy."""

    def __init__(self, cloud: Cloud, address: str) -> None:
        settings = cloud.environment
        self.parent = f"projects/{settings.project}/locations/{settings.location}"
        client: dict[str, Any] = {
            "credentials": AnonymousCredentials(),
            "transport": "rest",
            "client_options": {"api_endpoint": address},
        }
        # A typed client takes dicts for messages, which its types deny.
        self.models: Any = aiplatform_v1.ModelServiceClient(**client)
        self.endpoints: Any = aiplatform_v1.EndpointServiceClient(**client)
        self.model = f"{self.parent}/models/churn"

    def upload(self, *, new: bool) -> None:
        which = {"model_id": "churn"} if new else {"parent_model": self.model}
        spec = {"image_uri": "python:3.11", "command": ["python", "-c", SERVER]}
        model = {"display_name": "churn", "container_spec": spec}
        self.models.upload_model({"parent": self.parent, "model": model, **which}).result()

    def endpoint(self, name: str, *versions: int) -> str:
        """Make an endpoint with these versions deployed, all traffic going to the last one."""
        made = self.endpoints.create_endpoint(
            parent=self.parent, endpoint={"display_name": name}
        ).result()
        for number in versions:
            deployed = {
                "id": str(number),
                "model": f"{self.model}@{number}",
                "dedicated_resources": {
                    "machine_spec": {"machine_type": "n1-standard-2"},
                    "min_replica_count": 1,
                },
            }
            self.endpoints.deploy_model(
                endpoint=made.name, deployed_model=deployed, traffic_split={"0": 100}
            ).result()
        return str(made.name)

    def traffic(self, name: str) -> dict[str, int]:
        split = self.endpoints.get_endpoint(name=name).traffic_split
        return {key: share for key, share in split.items() if share}

    def champion(self) -> str:
        return str(self.models.get_model(name=f"{self.model}@champion").version_id)


def test_the_model_goes_along(ecluse: Commands, address: str) -> None:
    repository = ecluse.repository
    repository.write("pipelines/alpha/pipeline.py", PIPELINE)
    repository.write("pipelines/alpha/pipeline.yaml", SETTINGS)
    cloud = connect(Catalog(repository.root).environment("nonprod"), local=address)
    vertex = Vertex(cloud, address)
    ecluse("status")  # lays the environments out
    vertex.upload(new=True)
    vertex.upload(new=False)

    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    assert cloud.ledger.head().pipelines["alpha"].models == (f"{vertex.model}@1",)
    assert vertex.champion() == "1"
    repository.replace("pipelines/alpha/pipeline.py", "version: int = 1", "version: int = 2")
    release = str(ecluse.build())
    assert ecluse.promote("nonprod", "--release", release).code == 0
    assert vertex.champion() == "2"

    # Moved by hand, it is drift, and the next promotion mends it.
    vertex.models.merge_version_aliases(name=f"{vertex.model}@1", version_aliases=["champion"])
    assert "model alias" in ecluse("drift", "nonprod").out
    assert ecluse.promote("nonprod", "--release", release).code == 0
    assert vertex.champion() == "2"

    both, alone = vertex.endpoint("both", 1, 2), vertex.endpoint("alone", 2)
    back = ecluse("rollback", "nonprod", "--with-model")
    assert back.code == 0, back.err
    assert vertex.champion() == "1"
    assert vertex.traffic(both) == {"1": 100}
    assert vertex.traffic(alone) == {"2": 100}
    said = " ".join(back.out.split())
    assert "the endpoint both sends its traffic to churn@1" in said
    assert "churn@1 is not deployed to the endpoint alone" in said
    assert "gcloud ai endpoints deploy-model" in said
    # Again: what is done stays done, and what is left is told again.
    again = " ".join(ecluse("rollback", "nonprod", "--with-model").out.split())
    assert "sends its traffic" not in again
    assert "churn@1 is not deployed to the endpoint alone" in again
    assert vertex.traffic(both) == {"1": 100}
