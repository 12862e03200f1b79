"""Turns what Google's clients raise into our errors: what, where, and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from requests import exceptions as http_exceptions

from ecluse.errors import CloudError


@contextmanager
def translated(resource: str) -> Iterator[None]:
    """Raise `CloudError` for whatever a call on a resource raises.

    Raises:
        CloudError: with Google's own message.

    """
    try:
        yield
    except exceptions.PermissionDenied as error:
        raise CloudError(
            f"permission denied: {_message(error)}",
            where=resource,
            fix="give the calling service account the role that the message names",
        ) from error
    except exceptions.Unauthenticated as error:
        raise CloudError(_message(error), where=resource, fix=_LOG_IN) from error
    except exceptions.GoogleAPICallError as error:
        raise CloudError(_message(error), where=resource) from error
    except exceptions.RetryError as error:
        cause = error.cause if error.cause is not None else error
        raise CloudError(
            f"cannot be reached: {_reason(cause)}", where=resource, fix="try again"
        ) from error
    except http_exceptions.HTTPError as error:
        response = error.response
        said = response.text.strip()[:300] if response is not None else str(error)
        status = response.status_code if response is not None else "no answer"
        raise CloudError(f"HTTP {status}: {said}", where=resource) from error
    except (http_exceptions.ConnectionError, http_exceptions.Timeout) as error:
        raise CloudError(
            f"cannot be reached: {_reason(error)}", where=resource, fix="try again"
        ) from error
    except auth_exceptions.GoogleAuthError as error:
        raise CloudError(
            f"no usable credentials: {_reason(error)}", where=resource, fix=_LOG_IN
        ) from error


_LOG_IN = (
    "log in with `gcloud auth application-default login`, or add --local for the embedded cloud"
)


def _message(error: exceptions.GoogleAPICallError) -> str:
    return str(error.message or error)


def _reason(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
