"""Programs of this package that stand in for serving images of Google's."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import gcp_local
from gcp_local.containers.host import LOG_NAME
from gcp_local.containers.processes import Command

if TYPE_CHECKING:
    from collections.abc import Mapping

_REGISTRIES = r"((us|europe|asia)-docker\.pkg\.dev/vertex-ai|gcr\.io/cloud-aiplatform)"
_PACKAGES = Path(gcp_local.__file__).parents[1]


@dataclass(frozen=True)
class StandIn:
    """A module of this package that serves the models of some images.

    Attributes:
        images: which images; their whole references.
        module: the module's name. It is run by this Python, with the variables of the contract
            (see `gcp_local.vertex.serving.contract`), and speaks it.

    """

    images: re.Pattern[str]
    module: str


STAND_INS: tuple[StandIn, ...] = (
    StandIn(
        re.compile(
            rf"{_REGISTRIES}/prediction/[a-z0-9_]+-(cpu|gpu)\.[a-z0-9.-]+(:\S+|@sha256:\S+)?"
        ),
        "gcp_local.vertex.serving.prebuilt",
    ),
    StandIn(re.compile(r"gcp-local/bigquery-ml"), "gcp_local.bigquery.ml.serve"),
    StandIn(re.compile(r"gcp-local/automl-tabular"), "gcp_local.vertex.training.stand_in.serve"),
)
"""Who stands in for which images: the first that matches."""


def stand_in_for(image: str) -> StandIn | None:
    """Find who stands in for an image, if anyone does."""
    return next((each for each in STAND_INS if each.images.fullmatch(image)), None)


def command_of(
    stand_in: StandIn, folder: Path, environment: Mapping[str, str], own: Mapping[str, str]
) -> Command:
    """Give the command of a stand-in, in a room like a container's."""
    home, scratch = folder / "home", folder / "tmp"
    home.mkdir()
    scratch.mkdir()
    variables = {
        **environment,
        "HOME": str(home),
        "TMPDIR": str(scratch),
        **own,
        "PYTHONPATH": str(_PACKAGES),
    }
    return Command((sys.executable, "-m", stand_in.module), variables, home, folder / LOG_NAME)
