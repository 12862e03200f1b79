"""A pipeline job of an environment: the same whether it runs now or on a schedule."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ecluse.repository.settings import Environment


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """What a pipeline job is made from.

    Attributes:
        display_name: its name in the console.
        template: the compiled pipeline's address, by digest.
        parameters: runtime parameters.
        labels: its labels.

    """

    display_name: str
    template: str
    parameters: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)


def pipeline_job(environment: Environment, request: JobRequest) -> Any:
    """Return the job as Vertex AI takes it.

    Its spec stays empty: the service takes the registry's bytes, and no second copy of the pipeline
    can differ from them.
    """
    from google.cloud import aiplatform_v1

    job = aiplatform_v1.PipelineJob(
        display_name=request.display_name,
        template_uri=request.template,
        labels=dict(request.labels),
        service_account=environment.service_account,
        runtime_config={
            "gcs_output_directory": f"{environment.bucket}/runs",
            "parameter_values": dict(request.parameters),
        },
    )
    if environment.network:
        job.network = environment.network
    if environment.encryption_key:
        job.encryption_spec = aiplatform_v1.EncryptionSpec(kms_key_name=environment.encryption_key)
    return job
