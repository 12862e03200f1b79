"""The model registry: models, their versions and aliases.

A model's versions are kept one proto each, under `…/models/ID@VERSION`; the one that has the alias
`default` stands for the model where no version is named.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import model as model_types

from gcp_local import clock
from gcp_local.errors import AlreadyExists, InvalidArgument, NotFound
from gcp_local.resources.etags import etag_of
from gcp_local.resources.labels import check_labels
from gcp_local.rpc.protos import Message, copy_of, raw, timestamp
from gcp_local.vertex.models.checks import check_alias, check_id
from gcp_local.vertex.models.evaluations import delete_evaluations
from gcp_local.vertex.naming import check_display_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gcp_local.vertex.platform import Platform

Model = raw(model_types.Model)
DEFAULT = "default"
_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/models/[^/@]+(@[^/@]+)?")


class ModelRegistry:
    """The source of truth for which versions of which models there are."""

    def __init__(self, platform: Platform) -> None:
        self._resources = platform.resources
        self._database = platform.database
        self._projects = platform.projects

    def everywhere(self) -> Iterator[Message]:
        """Go through all versions of all models, oldest first."""
        return self._resources.everywhere(Model)

    def versions(self, name: str) -> list[Message]:
        """Give copies of a model's versions, oldest first."""
        return list(self._resources.children(self._projects.numbered(name), Model))

    def resolve(self, name: str) -> Message:
        """Give a copy of the version that a name stands for.

        That is the default one for a model's name or with `@-`, or one by `@VERSION` or `@ALIAS`.

        Raises:
            InvalidArgument: not a model's name.
            NotFound: no such version.

        """
        if not _NAME.fullmatch(name):
            raise InvalidArgument.of_field("name", f"Invalid Model name {name!r}.")
        base, _, version = self._projects.numbered(name).partition("@")
        if version.isdecimal():
            return self._resources.get(f"{base}@{version}", Model)
        wanted = DEFAULT if version in ("", "-") else version
        for model in self._resources.children(base, Model):
            if wanted in model.version_aliases:
                return model
        raise NotFound(f"The Model {name!r} does not exist.")

    def add_version(
        self, model: Message, parent: str, *, parent_model: str = "", model_id: str = ""
    ) -> Message:
        """Enter a model into the registry, and give it with its name and its version.

        Args:
            model: what is said of it, with the aliases that it is to have; output-only fields that
                are not about name, version and times are taken as they are.
            parent: the location, with the project's number.
            parent_model: the model that it is a new version of; empty for a new model.
            model_id: the new model's id; empty for one that is made up.

        Raises:
            InvalidArgument: a display name, label, alias or id that Vertex AI would refuse.
            AlreadyExists: the id is taken.
            NotFound: no such parent model.

        """
        model = copy_of(model)
        check_display_name(model.display_name, required=True)
        check_labels(model.labels)
        for alias in model.version_aliases:
            check_alias(alias)
        with self._database.transaction():
            self._place(model, parent, parent_model, model_id)
            number = self._next_version(model.name)
            now = timestamp(clock.now())
            for name in ("version_create_time", "version_update_time", "update_time"):
                getattr(model, name).CopyFrom(now)
            if not model.HasField("create_time"):
                model.create_time.CopyFrom(now)
            model.version_id = str(number)
            aliases = set(model.version_aliases)
            if number == 1:
                aliases.add(DEFAULT)
            del model.version_aliases[:]
            model.etag = etag_of(model)
            self._resources.add(f"{model.name}@{number}", model, parent=model.name)
            self.set_aliases(model.name, str(number), aliases)
            return self.resolve(f"{model.name}@{number}")

    def set_aliases(self, name: str, version: str, aliases: Iterable[str]) -> None:
        """Give a version exactly these aliases, and take them from all others."""
        wanted = set(aliases)
        for model in list(self._resources.children(name, Model)):
            before = set(model.version_aliases)
            after = wanted if model.version_id == version else before - wanted
            if after != before:
                model.version_aliases[:] = sorted(after)
                self.keep(model)

    def keep(self, model: Message) -> None:
        """Keep a changed version, with the time and a new etag."""
        now = timestamp(clock.now())
        model.update_time.CopyFrom(now)
        model.version_update_time.CopyFrom(now)
        model.etag = etag_of(model)
        self._resources.replace(f"{model.name}@{model.version_id}", model)

    def note_deployment(self, deployed: Message, endpoint: str) -> None:
        """Write into a model that it is deployed; NotFound if it has gone meanwhile."""
        with self._database.transaction():
            model = self.resolve(f"{deployed.model}@{deployed.model_version_id}")
            model.deployed_models.add(endpoint=endpoint, deployed_model_id=deployed.id)
            self._resources.replace(f"{model.name}@{model.version_id}", model)

    def forget_deployment(self, deployed: Message, endpoint: str) -> None:
        """Undo `note_deployment`."""
        with self._database.transaction():
            model = self.resolve(f"{deployed.model}@{deployed.model_version_id}")
            gone = (endpoint, deployed.id)
            left = [
                ref
                for ref in model.deployed_models
                if (ref.endpoint, ref.deployed_model_id) != gone
            ]
            del model.deployed_models[:]
            model.deployed_models.extend(left)
            self._resources.replace(f"{model.name}@{model.version_id}", model)

    def delete(self, model: Message) -> None:
        """Forget a version, with its evaluations."""
        versioned = f"{model.name}@{model.version_id}"
        self._resources.delete(versioned, Model)
        delete_evaluations(self._resources, versioned)

    # Inside

    def _place(self, model: Message, parent: str, parent_model: str, model_id: str) -> None:
        """Give the model its name: a new one, or that of the parent model."""
        model.ClearField("create_time")
        if parent_model:
            if model_id:
                raise InvalidArgument("Only one of parent_model and model_id can be set.")
            name = self._projects.numbered(parent_model).partition("@")[0]
            if not name.startswith(f"{parent}/models/"):
                raise InvalidArgument.of_field(
                    "parent_model", f"{parent_model!r} is not a model in {parent!r}."
                )
            first = self.resolve(name)
            model.name = name
            model.create_time.CopyFrom(first.create_time)
            return
        if model_id:
            check_id(model_id)
        model.name = f"{parent}/models/{model_id or uuid.uuid4().int % 10**19}"
        if next(iter(self._resources.children(model.name, Model)), None) is not None:
            raise AlreadyExists(f"The Model {model.name!r} already exists.")

    def _next_version(self, name: str) -> int:
        """Count versions up; a deleted one's number does not come again."""
        key = f"version of {name}"
        self._database.run(
            "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1",
            key,
        )
        if next(iter(self._resources.children(name, Model)), None) is None:
            self._database.run("UPDATE counters SET value = 1 WHERE name = ?", key)
        row = self._database.row("SELECT value FROM counters WHERE name = ?", key)
        assert row is not None
        return int(row["value"])
