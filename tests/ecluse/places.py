"""An environment of the embedded cloud with a ledger's head to converge from, and no promotion."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1

from ecluse.canonical import digest_of, digest_of_value
from ecluse.cloud import Cloud, connect
from ecluse.ledger.records import Entry, Head
from ecluse.local import lay_out
from ecluse.release.canonical_yaml import canonical_yaml
from ecluse.repository.settings import Environment

CRON = "0 6 * * 1"
MONDAYS: dict[str, Any] = {"cron": CRON, "time_zone": "Europe/Paris"}


def template(package: str, *, word: str = "hello") -> bytes:
    """Return a compiled pipeline of one uncached task, which prints a word."""
    task = {"componentRef": {"name": "comp-say"}, "taskInfo": {"name": "say"}}
    container = {"image": "python:3.11-slim", "command": ["echo", word]}
    parameters = {
        "run_key": {"parameterType": "STRING"},
        "rounds": {"parameterType": "NUMBER_INTEGER", "isOptional": True, "defaultValue": 3},
    }
    return canonical_yaml(
        {
            "pipelineInfo": {"name": package},
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.17.0",
            "root": {
                "dag": {"tasks": {"say": task}},
                "inputDefinitions": {"parameters": parameters},
            },
            "components": {"comp-say": {"executorLabel": "exec-say"}},
            "deploymentSpec": {"executors": {"exec-say": {"container": container}}},
        }
    )


@dataclass
class Place:
    """One environment, its own project and buckets.

    Attributes:
        cloud: its services.
        address: the embedded cloud's.
        head: what its ledger says.

    """

    cloud: Cloud
    address: str
    head: Head = field(default_factory=lambda: Head(environment="nonprod"))

    @property
    def parent(self) -> str:
        environment = self.cloud.environment
        return f"projects/{environment.project}/locations/{environment.location}"

    def client(self, kind: Callable[..., Any]) -> Any:
        """Return one of Google's typed clients, as a person with a notebook would have it."""
        return kind(
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": self.address},
            transport="rest",
        )

    @property
    def by_hand(self) -> Any:
        return self.client(aiplatform_v1.ScheduleServiceClient)

    def schedules(self) -> list[Any]:
        """Return the schedules, as the service has them."""
        return list(self.by_hand.list_schedules(parent=self.parent))

    def change(self, schedule: Any, **fields: Any) -> None:
        """Change a schedule by hand."""
        self.by_hand.update_schedule(
            schedule={"name": schedule.name, **fields}, update_mask={"paths": list(fields)}
        )

    def live(
        self,
        pipeline: str,
        *,
        schedule: dict[str, Any] | None = None,
        word: str = "hello",
        commit: str = "c" * 40,
        upload: bool = True,
        **changes: Any,
    ) -> Entry:
        """Make a pipeline live in the head, its template in the registry."""
        package = changes.pop("package", pipeline.replace("_", "-"))
        content = template(package, word=word)
        if upload:
            self.cloud.registry.upload(package, content)
        settings: dict[str, Any] = {
            "owner": "ann@example.com",
            "labels": {"domain": "tests"},
            "parameters": {"rounds": 5},
        }
        if schedule is not None:
            settings["schedule"] = schedule
        settings |= changes.pop("settings", {})
        last = self.head.pipelines.get(pipeline)
        entry = Entry(
            sequence=last.sequence + 1 if last is not None else 1,
            action="activate",
            package=package,
            digest=digest_of(content),
            code_digest=digest_of(content),
            runtime_image=None,
            compiler="kfp 2.17.0",
            settings=settings,
            settings_digest=digest_of_value(settings),
            declared=("run_key", "rounds"),
            parameters=settings["parameters"],
            release=digest_of(b"release"),
            commit=commit,
            version=None,
            run="projects/1/locations/europe-west1/pipelineJobs/a-run",
            metrics={},
            qualification="gs://somewhere",
            at=datetime.now(UTC),
            by="ann@example.com",
        ).model_copy(update=changes)
        self.set(pipeline, entry)
        return entry

    def retire(self, pipeline: str) -> None:
        """Retire a pipeline in the head."""
        entry = self.head.pipelines[pipeline]
        self.set(
            pipeline,
            entry.model_copy(update={"action": "retire", "sequence": entry.sequence + 1}),
        )

    def set(self, pipeline: str, entry: Entry) -> None:
        self.head = self.head.model_copy(
            update={"pipelines": {**self.head.pipelines, pipeline: entry}}
        )


def make_place(address: str, **settings: Any) -> Place:
    """Make an environment that nobody else uses."""
    suffix = uuid.uuid4().hex[:8]
    project = f"test-{suffix}"
    environment = Environment(
        name="nonprod",
        project=project,
        location="europe-west1",
        bucket=f"gs://{suffix}-pipelines",
        ledger=f"gs://{suffix}-ledger",
        evidence=f"gs://{suffix}-evidence",
        templates="pipelines",
        images="europe-west1-docker.pkg.dev/test-images/images",
        service_account=f"pipelines@{project}.iam.gserviceaccount.com",
        signing_key=f"projects/{project}/locations/europe-west1/keyRings/ecluse/cryptoKeys/q"
        "/cryptoKeyVersions/1",
        **{"labels": {"environment": "nonprod"}, **settings},
    )
    lay_out([environment], address)
    return Place(connect(environment, local=address), address)
