"""How a pipeline is refused: with the place in its `pipeline_spec`."""

from __future__ import annotations

from gcp_local.errors import InvalidArgument

AT = "pipeline_job.pipeline_spec"


def refusal(message: str, where: str) -> InvalidArgument:
    """Say what is wrong with the pipeline, and where."""
    return InvalidArgument.of_field(f"{AT}.{where}", f"Invalid pipeline spec: {message}.")
