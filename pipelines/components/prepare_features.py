"""Turn the customers' file into the table that everything downstream works on."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component(base_image="runtime", install_kfp_package=False)
def prepare_features(data: Input[Dataset], run_key: str, features: Output[Dataset]) -> None:
    """Clean the rows and compute the features.

    Args:
        data: The raw CSV file.
        run_key: A fresh value in every qualifying run, so that nothing comes from the cache.
        features: Parquet, one row a customer: id, label, features.

    """
    from pathlib import Path

    from churn.features import prepare
    from churn.validation import clean, read

    table = prepare(clean(read(Path(data.path))))
    table.to_parquet(features.path, index=False)
    features.metadata.update(rows=len(table), columns=len(table.columns), run_key=run_key)
