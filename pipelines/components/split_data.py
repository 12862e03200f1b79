"""Divide the customers into train, validation and test."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component(base_image="runtime", install_kfp_package=False)
def split_data(
    features: Input[Dataset],
    validation_share: float,
    test_share: float,
    salt: str,
    tolerance: float,
    train: Output[Dataset],
    validation: Output[Dataset],
    test: Output[Dataset],
) -> None:
    """Divide by customer id, so that a customer is always in the same part.

    Args:
        features: The prepared table.
        validation_share: The share of customers that decide when training stops.
        test_share: The share of customers that the model is judged on.
        salt: Which of all fair divisions to take; keep it, or customers move.
        tolerance: How far a part's share of leaving customers may be from the whole's, if chance
            does not explain more.
        train: The customers to learn from.
        validation: The customers that decide when training stops.
        test: The customers that the model is judged on.

    """
    import pandas as pd

    from churn.split import SplitPlan, split

    plan = SplitPlan(validation=validation_share, test=test_share, salt=salt, tolerance=tolerance)
    parts = split(pd.read_parquet(features.path), plan)
    for name, artifact in {"train": train, "validation": validation, "test": test}.items():
        getattr(parts, name).to_parquet(artifact.path, index=False)
        artifact.metadata.update(parts.shares()[name])
