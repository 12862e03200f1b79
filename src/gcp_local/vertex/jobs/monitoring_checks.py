"""A model monitoring job's settings: held against the documentation of its protos.

Source: `ModelDeploymentMonitoringJob` and `ModelMonitoringObjectiveConfig` in
google.cloud.aiplatform.v1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument
from gcp_local.resources.labels import check_labels
from gcp_local.vertex.addresses import check_object, check_table
from gcp_local.vertex.naming import check_display_name
from gcp_local.vertex.settings import check_encryption, check_folder

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message

AT = "model_deployment_monitoring_job"
_HOUR = 3600
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_CHANNEL = re.compile(r"projects/[^/]+/notificationChannels/[^/]+")
_FORMATS = ("tf-record", "csv", "jsonl")


def check_job(job: Message, endpoint: Message, *, anew: bool) -> None:
    """Check a whole job, new or changed; its interval becomes whole hours.

    Args:
        job: it is changed.
        endpoint: the one that it is about.
        anew: whether the objectives are new, so that their models have to be deployed now.

    Raises:
        InvalidArgument: Vertex AI would refuse it; the field is named.

    """
    check_display_name(job.display_name, required=True)
    check_labels(job.labels)
    check_encryption(job, endpoint.name.split("/")[3], at=AT)
    _check_objectives(job, endpoint, anew=anew)
    _check_schedule(job)
    sampling = f"{AT}.logging_sampling_strategy"
    rate = job.logging_sampling_strategy.random_sample_config.sample_rate
    if not 0 < rate <= 1:
        message = "sample_rate is required: more than 0, and at most 1."
        raise InvalidArgument.of_field(f"{sampling}.random_sample_config.sample_rate", message)
    _check_alerts(job.model_monitoring_alert_config, f"{AT}.model_monitoring_alert_config")
    for name in ("predict_instance_schema_uri", "analysis_instance_schema_uri"):
        uri = getattr(job, name)
        if uri:
            check_object(uri, f"{AT}.{name}")
    folder = job.stats_anomalies_base_directory.output_uri_prefix
    check_folder(folder, f"{AT}.stats_anomalies_base_directory.output_uri_prefix")
    if job.log_ttl.ToTimedelta().total_seconds() < 0:
        raise InvalidArgument.of_field(f"{AT}.log_ttl", "log_ttl must not be negative.")


def _check_objectives(job: Message, endpoint: Message, *, anew: bool) -> None:
    at = f"{AT}.model_deployment_monitoring_objective_configs"
    configs = job.model_deployment_monitoring_objective_configs
    if not configs:
        raise InvalidArgument.of_field(at, "There must be an objective config.")
    deployed = {each.id for each in endpoint.deployed_models}
    seen: set[str] = set()
    for config in configs:
        name = config.deployed_model_id
        if anew and name not in deployed:
            message = f"No model with the id {name!r} is deployed to {endpoint.name!r}."
            raise InvalidArgument.of_field(f"{at}.deployed_model_id", message)
        if name in seen:
            message = f"There is more than one objective config for {name!r}."
            raise InvalidArgument.of_field(f"{at}.deployed_model_id", message)
        seen.add(name)
        _check_objective(config.objective_config, f"{at}.objective_config")


def _check_objective(config: Message, at: str) -> None:
    skew = config.HasField("training_prediction_skew_detection_config")
    if skew and not config.HasField("training_dataset"):
        raise InvalidArgument.of_field(
            f"{at}.training_dataset", "Skew can be detected only against a training_dataset."
        )
    if config.HasField("training_dataset"):
        _check_dataset(config.training_dataset, f"{at}.training_dataset")
    thresholds = [
        *config.training_prediction_skew_detection_config.skew_thresholds.values(),
        *config.training_prediction_skew_detection_config.attribution_score_skew_thresholds.values(),
        *config.prediction_drift_detection_config.drift_thresholds.values(),
        *config.prediction_drift_detection_config.attribution_score_drift_thresholds.values(),
    ]
    if any(threshold.value < 0 for threshold in thresholds):
        raise InvalidArgument.of_field(at, "A threshold must not be negative.")


def _check_dataset(dataset: Message, at: str) -> None:
    source = dataset.WhichOneof("data_source")
    if source is None:
        raise InvalidArgument.of_field(
            at, "There must be one of dataset, gcs_source and bigquery_source."
        )
    if source == "gcs_source":
        uris = dataset.gcs_source.uris
        if not uris:
            raise InvalidArgument.of_field(f"{at}.gcs_source.uris", "uris is required.")
        for uri in uris:
            check_object(uri, f"{at}.gcs_source.uris")
        if dataset.data_format not in _FORMATS:
            message = f"Invalid data_format {dataset.data_format!r}: one of {', '.join(_FORMATS)}."
            raise InvalidArgument.of_field(f"{at}.data_format", message)
    if source == "bigquery_source":
        check_table(dataset.bigquery_source.input_uri, f"{at}.bigquery_source.input_uri")


def _check_schedule(job: Message) -> None:
    schedule = job.model_deployment_monitoring_schedule_config
    at = f"{AT}.model_deployment_monitoring_schedule_config"
    seconds = schedule.monitor_interval.ToTimedelta().total_seconds()
    if seconds <= 0:
        message = "monitor_interval is required."
        raise InvalidArgument.of_field(f"{at}.monitor_interval", message)
    if schedule.monitor_window.ToTimedelta().total_seconds() < 0:
        message = "monitor_window must not be negative."
        raise InvalidArgument.of_field(f"{at}.monitor_window", message)
    schedule.monitor_interval.FromSeconds(int(-(-seconds // _HOUR)) * _HOUR)


def _check_alerts(config: Message, at: str) -> None:
    for address in config.email_alert_config.user_emails:
        if not _EMAIL.fullmatch(address):
            message = f"Invalid e-mail address {address!r}."
            raise InvalidArgument.of_field(f"{at}.email_alert_config.user_emails", message)
    for channel in config.notification_channels:
        if not _CHANNEL.fullmatch(channel):
            message = f"Invalid channel {channel!r}: projects/PROJECT/notificationChannels/CHANNEL."
            raise InvalidArgument.of_field(f"{at}.notification_channels", message)
