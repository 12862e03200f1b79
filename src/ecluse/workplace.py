"""A command's workplace: the repository, its environments' clouds, and whether this is a laptop."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from ecluse.actor import actor
from ecluse.cloud import Cloud, connect
from ecluse.errors import InvalidInput
from ecluse.local import embedded_cloud, lay_out, wanted_locally
from ecluse.repository.catalog import Catalog
from ecluse.repository.settings import Environment


@dataclass(frozen=True)
class Workplace:
    """Where a command works.

    Attributes:
        catalog: the repository.
        local: whether to use the embedded cloud.

    """

    catalog: Catalog
    local: bool

    @property
    def state(self) -> Path:
        """The folder that the repository's embedded cloud keeps its state in."""
        return self.catalog.root / ".ecluse" / "gcp-local"

    @cached_property
    def actor(self) -> str:
        """Who works here."""
        return actor(self.catalog.root)

    @cached_property
    def address(self) -> str | None:
        """The embedded cloud's address, started if need be; none for Google's."""
        return embedded_cloud(self.state) if self.local else None

    def cloud(self, name: str) -> Cloud:
        """Return an environment's services, laid out first if they are embedded.

        Raises:
            UnknownEnvironment: there is no such environment.
            SettingsError: its settings are wrong.

        """
        return self._connect(self.catalog.environment(name))

    def below(self, cloud: Cloud) -> Cloud | None:
        """Return the services of the environment that must qualify what this one takes, if any."""
        below = cloud.environment.requires
        return self.cloud(below) if below is not None else None

    def clouds(self) -> tuple[Cloud, ...]:
        """Return every environment's services, each after the one it requires."""
        return tuple(self._connect(environment) for environment in self.catalog.environments())

    @cached_property
    def _clouds(self) -> dict[str, Cloud]:
        return {}

    def _connect(self, environment: Environment) -> Cloud:
        """Return an environment's services: the same each time, for they share one budget."""
        known = self._clouds.get(environment.name)
        if known is not None and known.environment == environment:
            return known
        if self.address is not None:
            lay_out([environment], self.address)
        cloud = self._clouds[environment.name] = connect(environment, local=self.address)
        return cloud


def cloud_of_settings(name: str, settings: str, *, local: bool) -> Cloud:
    """Return the services of an environment whose settings come in JSON, where no repository is.

    Args:
        name: the environment's name, which the settings have to say, too.
        settings: the fields of its file, and its `name`.
        local: whether to use the embedded cloud.

    Raises:
        InvalidInput: they are no such settings.

    """
    where = "the environment's settings"
    fix = "promote again: it writes the trigger anew"
    try:
        environment = Environment.model_validate_json(settings)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"]) or "the whole"
        raise InvalidInput(f"`{field}`: {problem['msg']}", where=where, fix=fix) from None
    if environment.name != name:
        raise InvalidInput(f"they are those of `{environment.name}`", where=where, fix=fix)
    address = embedded_cloud(Path(".ecluse") / "gcp-local") if wanted_locally(local) else None
    return connect(environment, local=address)
