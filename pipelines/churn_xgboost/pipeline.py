"""Bank churners with gradient-boosted trees: from a CSV file to a registered model."""

from kfp import dsl

from pipelines.churn_xgboost.train import train_model
from pipelines.components.evaluate_model import evaluate_model
from pipelines.components.prepare_features import prepare_features
from pipelines.components.register_model import register_model
from pipelines.components.split_data import split_data
from pipelines.components.validate_data import validate_data


@dsl.pipeline(
    name="churn-xgboost",
    description="Who of a bank's credit-card customers is about to leave: gradient-boosted trees.",
)
def churn_xgboost(
    run_key: str,
    project: str,
    location: str,
    data_uri: str,
    serving_image: str,
    model_id: str = "churn-xgboost",
    model_labels: dict[str, str] = {},  # noqa: B006 - KFP reads the default, nobody changes it
    validation_share: float = 0.15,
    test_share: float = 0.15,
    split_salt: str = "churn-9",
    split_tolerance: float = 0.03,
    rounds: int = 600,
    patience: int = 30,
    learning_rate: float = 0.1,
    max_depth: int = 5,
    min_child_weight: float = 2.0,
    row_share: float = 0.9,
    column_share: float = 0.8,
    seed: int = 1,
    threads: int = 1,
    threshold: float = 0.5,
    sanity_roc_auc: float = 0.7,
) -> None:
    """Validate, prepare, split, train, evaluate, register.

    Args:
        run_key: A fresh value in every qualifying run, so that nothing comes from the cache.
        project: The Google Cloud project to register the model in.
        location: The region to register the model in.
        data_uri: The customers, a CSV file at `gs://…`.
        serving_image: The container image that serves the model.
        model_id: The model's id in the registry; each run adds a version.
        model_labels: Marks on the registered version.
        validation_share: The share of customers that decide when training stops.
        test_share: The share of customers that the model is judged on.
        split_salt: Which division of the customers to take; keep it, or customers move.
        split_tolerance: How far a part's share of leaving customers may be from the whole's, if
            chance does not explain more.
        rounds: The most trees there may be.
        patience: Training stops after so many rounds without a gain.
        learning_rate: How much each tree corrects the ones before.
        max_depth: How many questions in a row a tree may ask.
        min_child_weight: How much evidence a leaf needs.
        row_share: The share of customers that each tree sees.
        column_share: The share of features that each tree sees.
        seed: The same seed, data and number of threads give the same model.
        threads: How many threads train; one is the fastest on thousands of customers.
        threshold: The probability from which on a customer counts as leaving.
        sanity_roc_auc: A model below this is broken and does not even get registered. Whether a
            model is good enough to go live is for the gates in pipeline.yaml to say.

    """
    raw = dsl.importer(artifact_uri=data_uri, artifact_class=dsl.Dataset, reimport=True)
    raw.set_display_name("Import the customers")
    validated = validate_data(data=raw.output, run_key=run_key)
    validated.set_display_name("Validate the data")
    # A scheduled run has the same parameters as the one before: what reads the data runs anyway,
    # and what reads that has new inputs.
    validated.set_caching_options(False)

    with dsl.If(validated.outputs["Output"] == True, name="The data can be used"):  # noqa: E712
        prepared = prepare_features(data=raw.output, run_key=run_key)
        prepared.set_display_name("Prepare the features")
        prepared.set_caching_options(False)
        parts = split_data(
            features=prepared.outputs["features"],
            validation_share=validation_share,
            test_share=test_share,
            salt=split_salt,
            tolerance=split_tolerance,
        )
        parts.set_display_name("Split by customer")
        trained = train_model(
            train=parts.outputs["train"],
            validation=parts.outputs["validation"],
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
        trained.set_display_name("Train XGBoost")
        evaluated = evaluate_model(
            model=trained.outputs["model"], test=parts.outputs["test"], threshold=threshold
        )
        evaluated.set_display_name("Evaluate on held-out customers")

        with dsl.If(evaluated.outputs["Output"] >= sanity_roc_auc, name="The model is sane"):
            registered = register_model(
                model=evaluated.outputs["evaluated_model"],
                project=project,
                location=location,
                model_id=model_id,
                display_name="Churn (XGBoost)",
                serving_image=serving_image,
                labels=model_labels,
            )
            registered.set_display_name("Register the model")
            registered.set_retry(num_retries=2, backoff_duration="10s")
