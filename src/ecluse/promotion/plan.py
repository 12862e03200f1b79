"""The plan: what a promotion would do, pipeline by pipeline, and why. Pure."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ecluse.errors import InvalidInput, PlanMoved
from ecluse.ledger.records import Entry, Head
from ecluse.release.manifest import Digest, Release, ReleasedPipeline
from ecluse.repository.settings import Environment

Kind = Literal["create", "update", "unchanged", "retire"]
Qualification = Literal["full", "smoke"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Action(_Frozen):
    """What a promotion would do with one pipeline.

    Attributes:
        pipeline: its name.
        kind: create, update, unchanged or retire.
        reasons: why, in words: `code`, `runtime image`, `parameters`, `only the runtime image`, …
        mass_change: whether nothing of the pipeline's own moved, only the runtime image or the
            compiler, as it does for many pipelines at once.
        qualification: which run proves it: a full one, or the quick one that its settings allow
            for a mass change; none where nothing is to be proved.
        live: the digest that is live now.
        target: the digest that would be.
        sequence: how many entries the ledger has of it: tells whether the world has moved.

    """

    pipeline: str
    kind: Kind
    reasons: tuple[str, ...]
    mass_change: bool = False
    qualification: Qualification | None = None
    live: str | None
    target: str | None
    sequence: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the action as plain values."""
        return self.model_dump(mode="json")


class Plan(_Frozen):
    """The actions of one promotion, by pipeline name.

    Attributes:
        environment: where.
        commit, release: of which release; the digest is the manifest's.
        only: the pipelines that it is restricted to; none for no restriction.
        actions: what it would do.
        freeze: the freeze that keeps it from being done, in words; empty if none does.
        obstacles: for what else a promotion would be refused as a whole, in words.

    """

    kind: Literal["ecluse.plan/1"] = "ecluse.plan/1"
    environment: str
    commit: str
    release: Digest
    only: tuple[str, ...] = ()
    actions: tuple[Action, ...]
    freeze: str = ""
    obstacles: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Action, ...]:
        """The actions that do something."""
        return tuple(action for action in self.actions if action.kind != "unchanged")

    @property
    def mass_changes(self) -> tuple[str, ...]:
        """What moved by itself for how many: `12 pipelines only for the runtime image`."""
        counts = Counter(action.reasons[0] for action in self.actions if action.mass_change)
        return tuple(
            f"{count} pipeline{'s' if count > 1 else ''} only for {reason.removeprefix('only ')}"
            for reason, count in sorted(counts.items())
        )

    def as_json(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        return self.model_dump(mode="json")


def read_plan(file: Path) -> Plan:
    """Read what `ecluse plan --out` wrote.

    Raises:
        InvalidInput: there is no plan in the file.

    """
    again = "make one with `ecluse plan ENV --out FILE`"
    try:
        return Plan.model_validate(json.loads(file.read_bytes()))
    except OSError as error:
        raise InvalidInput(
            f"cannot be read: {error.strerror}", where=str(file), fix=again
        ) from None
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"])
        raise InvalidInput(
            f"is no plan: {field}: {problem['msg']}", where=str(file), fix=again
        ) from None
    except (ValueError, RecursionError):
        raise InvalidInput("is no plan", where=str(file), fix=again) from None


def refuse_other_plan(made: Plan, now: Plan) -> None:
    """Check that a promotion would do exactly what a plan said.

    Raises:
        InvalidInput: the plan is for another environment.
        PlanMoved: naming the first thing that is otherwise now.

    """
    again = f"plan the release anew: `ecluse plan {now.environment} … --out FILE`"
    if made.environment != now.environment:
        raise InvalidInput(
            f"the plan is for {made.environment}, not for {now.environment}",
            where="--plan",
            fix=f"`ecluse promote {made.environment} --plan FILE`; or {again}",
        )
    for what in ("commit", "release"):
        if getattr(made, what) != getattr(now, what):
            raise PlanMoved(
                f"the plan is for the {what} {getattr(made, what)}, not {getattr(now, what)}",
                where="--plan",
                fix=again,
            )
    before = {action.pipeline: action for action in made.actions}
    after = {action.pipeline: action for action in now.actions}
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            raise PlanMoved(
                f"the world has moved: `{name}` was {_words(before.get(name))}, "
                f"and is {_words(after.get(name))}",
                where="--plan",
                fix=again,
            )


def _words(action: Action | None) -> str:
    if action is None:
        return "not in the plan"
    because = f"{', '.join(action.reasons)}; " if action.reasons else ""
    return f"{action.kind} ({because}ledger entries: {action.sequence})"


def make_plan(
    release: Release,
    head: Head,
    environment: Environment,
    *,
    only: Sequence[str] = (),
    rerun: bool = False,
) -> Plan:
    """Compare a release with an environment's ledger.

    Args:
        release: what is to be promoted.
        head: what is live.
        environment: where it would go.
        only: restrict the plan to these pipelines; nothing is retired then.
        rerun: qualify anew what is live as it is.

    """
    names = set(only) or set(release.pipelines) | set(head.pipelines)
    actions = []
    for name in sorted(names):
        last = head.pipelines.get(name)
        sequence = last.sequence if last is not None else 0
        live = head.live(name)
        pipeline = release.pipelines.get(name)
        if pipeline is not None:
            actions.append(_action(pipeline, live, release, environment, sequence, rerun=rerun))
        elif live is not None:
            actions.append(
                Action(
                    pipeline=name,
                    kind="retire",
                    reasons=("no longer in the repository",),
                    live=live.digest,
                    target=None,
                    sequence=sequence,
                )
            )
    return Plan(
        environment=environment.name,
        commit=release.commit,
        release=release.digest,
        only=tuple(sorted(only)),
        actions=tuple(actions),
    )


def _action(
    pipeline: ReleasedPipeline,
    live: Entry | None,
    release: Release,
    environment: Environment,
    sequence: int,
    *,
    rerun: bool,
) -> Action:
    kind: Kind
    reasons: tuple[str, ...]
    is_mass_change = False
    if live is None:
        kind, reasons = "create", ("not live here yet",)
    else:
        bytes_moved, mass_change = _why_bytes_moved(pipeline, live, release.compiler)
        others = _why_settings_moved(pipeline, live, environment)
        is_mass_change = mass_change is not None and not others
        reasons = (f"only {mass_change}",) if is_mass_change else (*bytes_moved, *others)
        if rerun and not reasons:
            reasons = ("asked for anew",)
        kind = "update" if reasons else "unchanged"
    smoke = is_mass_change and pipeline.parsed_settings().requalify == "smoke"
    return Action(
        pipeline=pipeline.name,
        kind=kind,
        reasons=reasons,
        mass_change=is_mass_change,
        qualification=None if kind == "unchanged" else "smoke" if smoke else "full",
        live=live.digest if live is not None else None,
        target=pipeline.digest,
        sequence=sequence,
    )


def _why_bytes_moved(
    pipeline: ReleasedPipeline, live: Entry, compiler: str
) -> tuple[tuple[str, ...], str | None]:
    """Say why the compiled bytes are others than the live ones.

    Returns:
        The reasons, and all of them in words if none is the pipeline's own.

    """
    own = []
    foreign = []
    if pipeline.code_digest != live.code_digest:
        moved = f"the compiler ({live.compiler} → {compiler})" if compiler != live.compiler else ""
        if pipeline.sources_digest is None or live.sources_digest is None:
            # An older release did not say what its bytes were made of.
            own.append(f"code or {moved}" if moved else "code")
        elif pipeline.sources_digest != live.sources_digest:
            own.append("code")
            foreign += [moved] if moved else []
        elif moved:
            foreign.append(moved)
        else:
            own.append("code from outside the repository")
    if pipeline.runtime_image != live.runtime_image:
        foreign.insert(0, "the runtime image")
    if pipeline.digest != live.digest and not own and not foreign:
        own.append("compiled bytes")
    reasons = (*own, *(reason.removeprefix("the ") for reason in foreign))
    return reasons, " and ".join(foreign) if foreign and not own else None


def _why_settings_moved(
    pipeline: ReleasedPipeline, live: Entry, environment: Environment
) -> tuple[str, ...]:
    if pipeline.settings_digest == live.settings_digest:
        moved = standing_parameters(pipeline, environment) != live.parameters
        return ("the environment's values",) if moved else ()
    changed = [
        name
        for name in sorted(pipeline.settings.keys() | live.settings.keys())
        if pipeline.settings.get(name) != live.settings.get(name)
    ]
    if changed == ["environments"] and _here(pipeline.settings, environment.name) == _here(
        live.settings, environment.name
    ):
        changed = ["settings of other environments"]
    return tuple(changed) or ("settings",)


def standing_parameters(pipeline: ReleasedPipeline, environment: Environment) -> dict[str, Any]:
    """Return a pipeline's parameters in an environment, what differs by release left empty."""
    return pipeline.parsed_settings().parameters_in(
        environment, pipeline.parameters, runtime_image="", commit=""
    )


def _here(settings: Mapping[str, Any], environment: str) -> Any:
    return settings.get("environments", {}).get(environment)
