"""Train gradient-boosted trees."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Metrics, Model, Output


@dsl.component(base_image="runtime", install_kfp_package=False)
def train_model(
    train: Input[Dataset],
    validation: Input[Dataset],
    rounds: int,
    patience: int,
    learning_rate: float,
    max_depth: int,
    min_child_weight: float,
    row_share: float,
    column_share: float,
    seed: int,
    threads: int,
    model: Output[Model],
    metrics: Output[Metrics],
) -> None:
    """Train until the validation customers stop gaining.

    Args:
        train: The customers to learn from.
        validation: The customers that decide when training stops.
        rounds: The most trees there may be.
        patience: Training stops after so many rounds without a gain.
        learning_rate: How much each tree corrects the ones before.
        max_depth: How many questions in a row a tree may ask.
        min_child_weight: How much evidence a leaf needs.
        row_share: The share of customers that each tree sees.
        column_share: The share of features that each tree sees.
        seed: The same seed, data and number of threads give the same model.
        threads: How many threads train; one is the fastest on thousands of customers.
        model: The model's folder: XGBoost's own format, class names, feature names, threshold.
        metrics: The number of trees, and the log loss on both parts.

    """
    from pathlib import Path

    import pandas as pd

    from churn.training import TrainingPlan
    from churn.training import train as fit

    plan = TrainingPlan(
        rounds=rounds,
        patience=patience,
        learning_rate=learning_rate,
        max_depth=max_depth,
        min_child_weight=min_child_weight,
        row_share=row_share,
        column_share=column_share,
        seed=seed,
        threads=threads,
    )
    training = fit(pd.read_parquet(train.path), pd.read_parquet(validation.path), plan)
    training.model.save(Path(model.path))
    model.metadata["framework"] = "XGBoost"
    metrics.metadata.update(training.summary())
