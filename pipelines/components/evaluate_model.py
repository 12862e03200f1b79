"""Judge a model on customers that it has not seen."""

from kfp import dsl
from kfp.dsl import HTML, ClassificationMetrics, Dataset, Input, Metrics, Model, Output


@dsl.component(base_image="runtime", install_kfp_package=False)
def evaluate_model(
    model: Input[Model],
    test: Input[Dataset],
    threshold: float,
    metrics: Output[Metrics],
    slice_metrics: Output[Metrics],
    classification: Output[ClassificationMetrics],
    report: Output[HTML],
    evaluated_model: Output[Model],
) -> float:
    """Score the model overall and slice by slice, and write the report.

    Args:
        model: The trained model's folder.
        test: The customers to judge it on.
        threshold: The probability from which on a customer counts as leaving.
        metrics: The scores: ROC AUC, PR AUC, F1, log loss and so on.
        slice_metrics: The scores of customers alike, under keys like `roc_auc.Gender.F`.
        classification: The ROC curve and the confusion matrix.
        report: A page to look at.
        evaluated_model: The model's folder, with the threshold that it was judged by and
            `evaluation.json` beside it: what gets registered.

    Returns:
        The ROC AUC, for the pipeline to decide by.

    """
    from dataclasses import replace
    from pathlib import Path

    import pandas as pd

    from churn.evaluation import evaluate
    from churn.model import load
    from churn.report import render

    table = pd.read_parquet(test.path)
    judged = replace(load(Path(model.path)), threshold=threshold)
    evaluation = evaluate(
        table, judged.predict(table), threshold=threshold, importance=judged.importance(table)
    )
    judged.save(Path(evaluated_model.path))
    evaluation.write(Path(evaluated_model.path) / "evaluation.json")
    evaluated_model.metadata.update(model.metadata)
    Path(report.path).write_text(render(evaluation), encoding="utf-8")
    metrics.metadata.update(evaluation.overall())
    slice_metrics.metadata.update(evaluation.by_slice())
    curve = evaluation.roc_curve
    classification.log_roc_curve(
        list(curve.false_positive_rate), list(curve.true_positive_rate), list(curve.threshold)
    )
    classification.log_confusion_matrix(
        list(evaluation.class_names), [list(row) for row in evaluation.confusion]
    )
    return evaluation.scores.roc_auc
