"""The door: who is let in.

The server runs commands on its user's machine, so it listens on the loopback interface unless it is
told otherwise, and a page open in the user's browser can start nothing: a request that names
another host (DNS rebinding) or comes from another origin (cross-site request) is refused before it
is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address

from gcp_local.errors import PermissionDenied

_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(:\d+)?")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_HERE = IPv4Address("127.0.0.1")


@dataclass(frozen=True)
class Door:
    """Decides which requests are heard.

    Attributes:
        address: where the server listens.
        names: hosts, in lower case, by which clients may ask for it beside its addresses.

    """

    address: IPv4Address = _HERE
    names: frozenset[str] = frozenset()

    @property
    def opened(self) -> bool:
        """Whether other machines may reach it."""
        return not self.address.is_loopback

    @property
    def reached_at(self) -> str:
        """The address at which processes of this machine reach it."""
        return "127.0.0.1" if self.address.is_unspecified else str(self.address)

    def warning(self, port: int) -> str:
        """Give what is to be said, loudly, at the start; nothing if this machine alone is in."""
        if not self.opened:
            return ""
        return (
            f"WARNING: gcp-local listens on {self.address}, not on the loopback interface alone.\n"
            f"WARNING: it has no identities. Whoever reaches port {port} can run any command here,"
            " as you.\n"
        )

    def check(self, headers: Mapping[str, str]) -> None:
        """Raise PermissionDenied for a request that is not to be heard.

        Args:
            headers: of the request; names in lower case.

        """
        host = headers.get("host", "")
        if not self._knows(host):
            interface = (
                "a host of this server" if self.opened else "this machine's loopback interface"
            )
            raise PermissionDenied(f"The host {host!r} is not {interface}.")
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            raise PermissionDenied(f"Requests from the origin {origin!r} are refused.")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise PermissionDenied("Requests from other sites are refused.")

    def _knows(self, host: str) -> bool:
        matched = _HOST.fullmatch(host)
        if matched is None:
            return False
        name = matched["name"].lower()
        if name in _LOOPBACK or name in self.names or name == str(self.address):
            return True
        # An address cannot be rebound to another machine, as a name can.
        return self.opened and _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
