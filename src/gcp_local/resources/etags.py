"""Etags: by which a client updates the very state of a resource that it has read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gcp_local.errors import Aborted
from gcp_local.rpc.protos import copy_of

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message


def etag_of(resource: Message) -> str:
    """Make the etag of a resource's state, of which an earlier etag is no part."""
    bare = copy_of(resource)
    bare.ClearField("etag")
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()[:22]


def check_etag(kept: Message, said: Message) -> None:
    """Refuse, as Aborted, an update of another state of the resource than the one that is kept."""
    if said.etag and said.etag != kept.etag:
        raise Aborted(f"The etag of {kept.name!r} does not match.")
