"""Say whether the customers' file can be used."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Metrics, Output


@dsl.component(base_image="runtime", install_kfp_package=False)
def validate_data(
    data: Input[Dataset],
    run_key: str,
    report: Output[Markdown],
    metrics: Output[Metrics],
) -> bool:
    """Check types, ranges, categories, duplicates and gaps. What is wrong stands in the report.

    Args:
        data: The raw CSV file.
        run_key: A fresh value in every qualifying run, so that nothing comes from the cache.
        report: The errors and warnings, one line each.
        metrics: How many rows, customers, errors and warnings there are.

    Returns:
        Whether the file can be used.

    """
    from pathlib import Path

    from churn.validation import inspect

    found = inspect(Path(data.path))
    print(f"run {run_key}: {found.summary}")  # noqa: T201 - the task's log
    Path(report.path).write_text(found.to_markdown())
    for name, value in found.counts().items():
        metrics.log_metric(name, value)
    return found.valid
