from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn import features, schema, validation
from churn.errors import ForbiddenFeatureError


@pytest.mark.parametrize(
    "feature",
    [
        *(features.Number(name) for name in sorted(schema.FORBIDDEN)),
        features.Number("Naive_Bayes_of_another_year"),
        features.Ratio("Harmless", schema.LEAKING[0], "Credit_Limit"),
        features.Category("Attrition_Flag"),
    ],
    ids=lambda feature: str(feature.name),
)
def test_what_gives_the_answer_away_is_refused_as_a_feature(feature: features.Feature) -> None:
    with pytest.raises(ForbiddenFeatureError, match="gives the answer away"):
        features.check((*features.FEATURES, feature))


def test_a_forbidden_feature_never_reaches_the_matrix(generated: pd.DataFrame) -> None:
    with pytest.raises(ForbiddenFeatureError):
        features.matrix(generated, (features.Number(schema.LEAKING[0]),))


def test_every_column_that_describes_a_customer_is_known_to_the_schema() -> None:
    sources = {source for feature in features.FEATURES for source in feature.sources}
    assert sources <= set(schema.REQUIRED) - schema.FORBIDDEN


def test_prepared_rows_have_id_label_and_features(
    generated: pd.DataFrame, table: pd.DataFrame
) -> None:
    assert list(table.columns) == ["CLIENTNUM", "label", *features.names()]
    attrited = generated["Attrition_Flag"] == "Attrited Customer"
    np.testing.assert_array_equal(table["label"], attrited.astype(int))
    np.testing.assert_allclose(
        table["Avg_Trans_Amt"], generated["Total_Trans_Amt"] / generated["Total_Trans_Ct"]
    )


def test_a_ratio_over_zero_is_zero(generated: pd.DataFrame) -> None:
    raw = generated.head(3).astype(str)
    raw["Total_Trans_Ct"] = "0"
    prepared = features.prepare(validation.clean(raw))
    assert prepared["Avg_Trans_Amt"].tolist() == [0.0, 0.0, 0.0]


def test_the_matrix_has_codes_for_categories_and_nan_for_gaps(table: pd.DataFrame) -> None:
    some = table.head(3).astype({"Total_Trans_Ct": float})
    some["Gender"] = ["F", "M", "never seen"]
    some.loc[0, "Total_Trans_Ct"] = None
    matrix = features.matrix(some)
    assert matrix.dtype == np.float32
    assert matrix.shape == (3, len(features.FEATURES))
    gender = matrix[:, features.names().index("Gender")]
    assert gender[:2].tolist() == [0, 1]
    assert np.isnan(gender[2])
    assert np.isnan(matrix[0, features.names().index("Total_Trans_Ct")])
