"""Where messages may be sent to: to this machine, and nowhere else."""

from __future__ import annotations

from urllib.parse import urlsplit

from gcp_local.errors import InvalidArgument, Unimplemented

_HOSTS = ("127.0.0.1", "localhost", "::1")


def check_local(url: str, field: str) -> None:
    """Refuse a URL that nothing here is sent to.

    Raises:
        InvalidArgument: no URL.
        Unimplemented: one of another machine, or of another scheme than http.

    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https") or not url.isascii() or " " in url:
        raise InvalidArgument.of_field(field, f"Invalid endpoint {url!r:.300}: no URL.")
    if parts.scheme != "http" or host not in _HOSTS or parts.username is not None:
        raise Unimplemented(
            f"The embedded cloud sends to http://127.0.0.1:PORT/… only; {field} is {url!r:.300}."
        )
