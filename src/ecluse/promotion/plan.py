"""The plan: what a promotion would do, pipeline by pipeline, and why. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ecluse.ledger.records import Entry, Record
from ecluse.release.manifest import Release, ReleasedPipeline
from ecluse.repository.settings import Environment

Kind = Literal["create", "update", "unchanged", "retire"]


@dataclass(frozen=True)
class Action:
    """What a promotion would do with one pipeline.

    Attributes:
        pipeline: its name.
        kind: create, update, unchanged or retire.
        reasons: why, in words: `code`, `runtime image`, `parameters`, …
        live: the digest that is live now.
        target: the digest that would be.

    """

    pipeline: str
    kind: Kind
    reasons: tuple[str, ...]
    live: str | None
    target: str | None

    def as_json(self) -> dict[str, Any]:
        """Return the action as plain values."""
        return {**vars(self), "reasons": list(self.reasons)}


@dataclass(frozen=True)
class Plan:
    """The actions of one promotion, by pipeline name."""

    environment: str
    commit: str
    actions: tuple[Action, ...]

    @property
    def changes(self) -> tuple[Action, ...]:
        """The actions that do something."""
        return tuple(action for action in self.actions if action.kind != "unchanged")

    def as_json(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        return {
            "environment": self.environment,
            "commit": self.commit,
            "actions": [action.as_json() for action in self.actions],
        }


def make_plan(
    release: Release,
    records: Mapping[str, Record],
    environment: Environment,
    *,
    only: Sequence[str] = (),
    rerun: bool = False,
) -> Plan:
    """Compare a release with an environment's ledger.

    Args:
        release: what is to be promoted.
        records: the ledger, by pipeline.
        environment: where it would go.
        only: restrict the plan to these pipelines; nothing is retired then.
        rerun: qualify anew what is live as it is.

    """
    names = set(only) or set(release.pipelines) | set(records)
    actions = []
    for name in sorted(names):
        record = records.get(name)
        live = record.live if record is not None else None
        pipeline = release.pipelines.get(name)
        if pipeline is not None:
            actions.append(_action(pipeline, live, release, environment, rerun=rerun))
        elif live is not None:
            gone = ("no longer in the repository",)
            actions.append(Action(name, "retire", gone, live.digest, None))
    return Plan(environment.name, release.commit, tuple(actions))


def _action(
    pipeline: ReleasedPipeline,
    live: Entry | None,
    release: Release,
    environment: Environment,
    *,
    rerun: bool,
) -> Action:
    if live is None:
        return Action(pipeline.name, "create", ("not live here yet",), None, pipeline.digest)
    reasons = _reasons(pipeline, live, release.compiler, environment)
    if rerun and not reasons:
        reasons = ("asked for anew",)
    kind: Kind = "update" if reasons else "unchanged"
    return Action(pipeline.name, kind, reasons, live.digest, pipeline.digest)


def _reasons(
    pipeline: ReleasedPipeline, live: Entry, compiler: str, environment: Environment
) -> tuple[str, ...]:
    reasons = []
    if pipeline.code_digest != live.code_digest:
        reasons.append("code" if compiler == live.compiler else f"code or {compiler}")
    if pipeline.runtime_image != live.runtime_image:
        reasons.append("runtime image")
    if pipeline.digest != live.digest and not reasons:
        reasons.append("compiled bytes")
    if pipeline.settings_digest != live.settings_digest:
        changed = [
            name
            for name in sorted(pipeline.settings.keys() | live.settings.keys())
            if pipeline.settings.get(name) != live.settings.get(name)
        ]
        if changed == ["environments"] and _here(pipeline.settings, environment.name) == _here(
            live.settings, environment.name
        ):
            changed = ["settings of other environments"]
        reasons += changed or ["settings"]
    elif standing_parameters(pipeline, environment) != live.parameters:
        reasons.append("the environment's values")
    return tuple(reasons)


def standing_parameters(pipeline: ReleasedPipeline, environment: Environment) -> dict[str, Any]:
    """Return a pipeline's parameters in an environment, what differs by release left empty."""
    return pipeline.parsed_settings().parameters_in(
        environment, pipeline.parameters, runtime_image="", commit=""
    )


def _here(settings: Mapping[str, Any], environment: str) -> Any:
    return settings.get("environments", {}).get(environment)
