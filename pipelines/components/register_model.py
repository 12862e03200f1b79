"""Put a model into Vertex AI's Model Registry."""

from kfp import dsl
from kfp.dsl import Artifact, Input, Model, Output


@dsl.component(base_image="runtime", install_kfp_package=False)
def register_model(
    model: Input[Model],
    project: str,
    location: str,
    model_id: str,
    display_name: str,
    serving_image: str,
    labels: dict[str, str],
    registered: Output[Artifact],
) -> None:
    """Upload a model as a new version, known as `candidate`; what serves by default stays.

    A repeated attempt finds the version of the first, by a label that hashes the model's URI, and
    makes no second one. Vertex AI takes the alias from the version that had it before.

    Args:
        model: The folder to register.
        project: The Google Cloud project of the registry.
        location: The region of the registry.
        model_id: The registry's id of the model that this is a version of; made if need be.
        display_name: What people read in the console.
        serving_image: The container image that serves the model.
        labels: Marks on the version; values as Vertex AI allows them.
        registered: Where the model is now: `resourceName` and `versionId` in its metadata.

    """
    import hashlib
    import json
    import os
    from pathlib import Path

    from google.api_core.exceptions import NotFound
    from google.cloud import aiplatform_v1 as vertex

    # The same variable that gcloud reads; the container's account comes from its metadata server.
    endpoint = os.environ.get(
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM",
        f"https://{location}-aiplatform.googleapis.com",
    )
    registry = vertex.ModelServiceClient(
        transport="rest", client_options={"api_endpoint": endpoint.rstrip("/")}
    )
    parent = f"projects/{project}/locations/{location}"
    name = f"{parent}/models/{model_id}"
    fingerprint = hashlib.sha256(model.uri.encode()).hexdigest()[:40]

    try:
        versions = list(registry.list_model_versions(name=name))
    except NotFound:
        versions = []
    earlier = [version for version in versions if version.labels.get("artifact") == fingerprint]
    if earlier:
        version = earlier[0].version_id
    else:
        upload = vertex.Model(
            display_name=display_name,
            artifact_uri=model.uri,
            version_aliases=["candidate"],
            labels={**labels, "artifact": fingerprint},
            container_spec=vertex.ModelContainerSpec(
                image_uri=serving_image,
                command=["python", "-m", "churn.serving"],
                ports=[vertex.Port(container_port=8080)],
                health_route="/health",
                predict_route="/predict",
            ),
        )
        which = {"parent_model": name} if versions else {"model_id": model_id}
        request = vertex.UploadModelRequest(parent=parent, model=upload, **which)
        operation = registry.upload_model(request)
        version = operation.result(timeout=1800).model_version_id  # type: ignore[no-untyped-call]

    resource_name = f"{name}@{version}"
    registered.metadata.update(resourceName=resource_name, versionId=version)
    Path(registered.path).write_text(json.dumps(registered.metadata, indent=2))
    print(f"registered {resource_name}")  # noqa: T201 - the task's log
