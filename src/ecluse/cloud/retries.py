"""When a call is tried again: one policy for all calls that may be repeated."""

from typing import Any, Final

from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from requests import exceptions as http_exceptions

READING: Final[dict[str, Any]] = {
    "retry": Retry(
        predicate=if_exception_type(
            exceptions.TooManyRequests,
            exceptions.InternalServerError,
            exceptions.BadGateway,
            exceptions.ServiceUnavailable,
            exceptions.GatewayTimeout,
            http_exceptions.ConnectionError,
            http_exceptions.Timeout,
        ),
        initial=0.2,
        maximum=10.0,
        timeout=60.0,
    ),
    "timeout": 30.0,
}
"""Arguments for a call that reads, or whose repetition finds its own work done."""
