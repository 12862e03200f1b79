"""What a subscription may say: https://cloud.google.com/pubsub/docs/subscription-properties."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument
from gcp_local.pubsub import kinds
from gcp_local.pubsub.addresses import check_local
from gcp_local.pubsub.filters import compile_filter
from gcp_local.resources.labels import check_labels

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message

LACKING = (
    "bigquery_config", "cloud_storage_config", "bigtable_config", "enable_exactly_once_delivery",
    "message_transforms", "tags",
)  # fmt: skip
_OUTPUT_ONLY = ("detached", "state", "topic_message_retention_duration",
                "analytics_hub_subscription_info")  # fmt: skip
_DEFAULT_DEADLINE, _LEAST_DEADLINE, _MOST_DEADLINE = 10, 10, 600
_DEFAULT_RETENTION, _DEFAULT_TTL = 7 * 86400, 31 * 86400
_DEFAULT_LEAST_BACKOFF, _DEFAULT_MOST_BACKOFF, _MOST_BACKOFF = 10, 600, timedelta(seconds=600)
_DEFAULT_ATTEMPTS, _LEAST_ATTEMPTS, _MOST_ATTEMPTS = 5, 5, 100


def completed(subscription: Message) -> None:
    """Fill in the defaults, in place."""
    for name in _OUTPUT_ONLY:
        subscription.ClearField(name)
    subscription.ack_deadline_seconds = subscription.ack_deadline_seconds or _DEFAULT_DEADLINE
    if not subscription.HasField("message_retention_duration"):
        subscription.message_retention_duration.CopyFrom(kinds.seconds(_DEFAULT_RETENTION))
    if not subscription.HasField("expiration_policy"):
        subscription.expiration_policy.ttl.CopyFrom(kinds.seconds(_DEFAULT_TTL))
    if subscription.HasField("retry_policy"):
        policy = subscription.retry_policy
        if not policy.HasField("minimum_backoff"):
            policy.minimum_backoff.CopyFrom(kinds.seconds(_DEFAULT_LEAST_BACKOFF))
        if not policy.HasField("maximum_backoff"):
            policy.maximum_backoff.CopyFrom(kinds.seconds(_DEFAULT_MOST_BACKOFF))
    if subscription.HasField("dead_letter_policy"):
        policy = subscription.dead_letter_policy
        policy.max_delivery_attempts = policy.max_delivery_attempts or _DEFAULT_ATTEMPTS
    subscription.push_config.SetInParent()
    subscription.state = kinds.SubscriptionState.ACTIVE


def check(subscription: Message) -> None:
    """Refuse what Pub/Sub would refuse; completed it is already.

    Raises:
        InvalidArgument: the error names the field.
        Unimplemented: a field that is not honoured here.

    """
    kinds.refuse_fields(subscription, LACKING)
    check_labels(subscription.labels)
    if not _LEAST_DEADLINE <= subscription.ack_deadline_seconds <= _MOST_DEADLINE:
        raise InvalidArgument.of_field(
            "ack_deadline_seconds",
            f"Invalid ack deadline given (ack_deadline_secs={subscription.ack_deadline_seconds}):"
            f" between {_LEAST_DEADLINE} and {_MOST_DEADLINE} seconds.",
        )
    kinds.check_retention(subscription)
    compile_filter(subscription.filter)
    _check_expiration(subscription)
    _check_retry(subscription)
    attempts = subscription.dead_letter_policy.max_delivery_attempts
    if subscription.HasField("dead_letter_policy") and not (
        _LEAST_ATTEMPTS <= attempts <= _MOST_ATTEMPTS
    ):
        raise InvalidArgument.of_field(
            "dead_letter_policy.max_delivery_attempts",
            f"max_delivery_attempts must be between {_LEAST_ATTEMPTS} and {_MOST_ATTEMPTS}.",
        )
    check_push(subscription.push_config)


def check_push(config: Message) -> None:
    """Refuse a push config that Pub/Sub would refuse, or that leads away from this machine."""
    for name, value in config.attributes.items():
        if name != "x-goog-version" or value not in ("v1", "v1beta1"):
            raise InvalidArgument.of_field(
                "push_config.attributes", f"Invalid push attribute {name!r}: {value!r}."
            )
        if value != "v1":
            kinds.lacks("the push format v1beta1")
    if not config.push_endpoint:
        if config.HasField("oidc_token"):
            raise InvalidArgument.of_field(
                "push_config.push_endpoint", "An OIDC token goes with a push endpoint."
            )
        return
    check_local(config.push_endpoint, "push_config.push_endpoint")
    token = config.oidc_token
    if config.HasField("oidc_token") and "@" not in token.service_account_email:
        raise InvalidArgument.of_field(
            "push_config.oidc_token.service_account_email",
            f"Invalid service account {token.service_account_email!r}.",
        )


def _check_expiration(subscription: Message) -> None:
    policy = subscription.expiration_policy
    if not policy.HasField("ttl"):
        return
    ttl = policy.ttl.ToTimedelta()
    if ttl < timedelta(days=1) or ttl < subscription.message_retention_duration.ToTimedelta():
        raise InvalidArgument.of_field(
            "expiration_policy.ttl",
            "The ttl is at least one day, and no shorter than message_retention_duration.",
        )


def _check_retry(subscription: Message) -> None:
    if not subscription.HasField("retry_policy"):
        return
    policy = subscription.retry_policy
    least, most = policy.minimum_backoff.ToTimedelta(), policy.maximum_backoff.ToTimedelta()
    for name, value in (("minimum_backoff", least), ("maximum_backoff", most)):
        if not timedelta() <= value <= _MOST_BACKOFF:
            raise InvalidArgument.of_field(
                f"retry_policy.{name}", f"{name} must be between 0 and 600 seconds."
            )
    if least > most:
        raise InvalidArgument.of_field(
            "retry_policy.minimum_backoff", "minimum_backoff is longer than maximum_backoff."
        )
