"""The labels of a pipeline's runs: whose they are, and of what.

One place, so that a run that a promotion, a schedule or a trigger started is found by the same
labels.
"""

from collections.abc import Mapping

from ecluse import naming
from ecluse.repository.settings import Environment, PipelineSettings

ENVIRONMENT = "ecluse-environment"
PIPELINE = "ecluse-pipeline"
DIGEST = "ecluse-digest"
COMMIT = "ecluse-commit"
OWNER = "ecluse-owner"
ACTIVATION = "ecluse-activation"
"""The sequence number of the ledger's entry that the run was started for."""


def run_labels(
    environment: Environment,
    settings: PipelineSettings,
    *,
    pipeline: str,
    digest: str,
    commit: str,
    activation: int | None = None,
) -> Mapping[str, str]:
    """Return the labels of a run.

    Args:
        environment: where it runs; its own labels come first.
        settings: the pipeline's, whose labels come next.
        pipeline: the pipeline's name.
        digest: the compiled bytes.
        commit: of the release they came from.
        activation: the ledger's entry that the run was started for; none for a run that qualifies.

    """
    ours = {
        ENVIRONMENT: environment.name,
        PIPELINE: pipeline,
        DIGEST: digest,
        COMMIT: commit,
        OWNER: settings.owner,
    }
    if activation is not None:
        ours[ACTIVATION] = str(activation)
    encoded = {key: naming.label(value) for key, value in ours.items()}
    return {**environment.labels, **settings.labels, **encoded}
