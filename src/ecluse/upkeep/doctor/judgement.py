"""From what was found of a need to sentences, and the commands that mend. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ecluse.cloud.answers import (
    Trouble,
    TroubleKind,
)
from ecluse.repository.settings import Environment
from ecluse.upkeep.doctor import commands
from ecluse.upkeep.doctor.findings import Finding, Verdict
from ecluse.upkeep.doctor.kinds import (
    AccountNeed,
    BucketNeed,
    Grant,
    KeyNeed,
    Need,
    ProjectNeed,
    ReadersNeed,
    RepositoryNeed,
    SettingNeed,
    TopicNeed,
    TriggerNeed,
    VertexNeed,
)
from ecluse.upkeep.doctor.shapes import Facts, finding_on, praise, wrongs

_STOPPING: tuple[TroubleKind, ...] = ("disabled", "absent", "not ready", "unreachable", "refused")
# Only the doctor asks these: a promotion goes without them.
_ONLY_ASKED_HERE = ("cloudresourcemanager.googleapis.com", "iam.googleapis.com")


@dataclass(frozen=True)
class Examined:
    """What was found of a need.

    Attributes:
        facts: the thing as it is, or why nobody could look; none where there is nothing to see.
        granted: which of the permissions the caller has, or why nobody could tell.
        missing_part: of a key version that is not there, what is missing first.

    """

    facts: Facts | Trouble = None
    granted: frozenset[str] | Trouble = frozenset()
    missing_part: str = ""


@dataclass(frozen=True)
class Whose:
    """For whom the commands are.

    Attributes:
        environment: where a promotion is to go.
        member: the caller as policies name it.

    """

    environment: Environment
    member: str

    @property
    def settings(self) -> str:
        """The environment's file."""
        return f"environments/{self.environment.name}.yaml"


def judged(need: Need, found: Examined, whose: Whose) -> Sequence[Finding]:
    """Return the findings on a need: what is wrong with it, or that it is as it has to be."""
    if isinstance(need, SettingNeed):
        return [_of_setting(need)]
    stopped = _stopped(need, found, whose)
    if stopped is not None:
        return [stopped]
    wrong = [*_not_seen(need, found, whose), *_not_allowed(need, found, whose)]
    facts = None if isinstance(found.facts, Trouble) else found.facts
    wrong += wrongs(need, facts, whose.settings)
    if isinstance(found.facts, Trouble) and not wrong:
        return [_of_trouble(need, found.facts, found, whose)]
    return wrong or [finding_on(need, "ok", praise(need, facts))]


def _of_setting(need: SettingNeed) -> Finding:
    if need.holds is None:
        return finding_on(need, "unchecked", need.said)
    if need.holds:
        return finding_on(need, "ok", need.good)
    return finding_on(need, "failed" if need.severe else "warning", need.said, need.fix)


def _stopped(need: Need, found: Examined, whose: Whose) -> Finding | None:
    """Return the one finding that leaves no room for others: no such API, no such thing."""
    troubles = [each for each in (found.facts, found.granted) if isinstance(each, Trouble)]
    for kind in _STOPPING:
        for trouble in troubles:
            if trouble.kind == kind:
                return _of_trouble(need, trouble, found, whose)
    return None


def _of_trouble(need: Need, trouble: Trouble, found: Examined, whose: Whose) -> Finding:
    verdict: Verdict = "failed"
    match trouble.kind:
        case "disabled":
            said = f"{trouble.service} is not enabled"
            project = trouble.consumer or _project_of(need, whose)
            fix = commands.enable_service(trouble.service, project)
            if trouble.service in _ONLY_ASKED_HERE:
                verdict, said = "warning", f"cannot be checked: {said}"
        case "absent" if isinstance(need, ReadersNeed):
            verdict, said, fix = "unchecked", "not checked: the repository is not there", ""
        case "absent":
            said, fix = "is not there", _creating(need, found, whose)
        case "not ready" if isinstance(need, KeyNeed):
            said, fix = trouble.message, commands.enable_key_version(need.resource)
        case "unreachable":
            said, fix = f"cannot be reached: {trouble.message}", _again(whose)
        case "denied" if isinstance(need, VertexNeed):
            said = f"was refused: {trouble.message}"
            project = whose.environment.project
            fix = commands.grant_on_project(project, whose.member, "roles/aiplatform.user")
        case _:
            said, fix = f"was refused: {trouble.message}", _again(whose)
    return finding_on(need, verdict, said, fix)


def _project_of(need: Need, whose: Whose) -> str:
    parts = need.resource.split("/")
    return parts[1] if parts[0] == "projects" else whose.environment.project


def _again(whose: Whose) -> str:
    return f"ecluse doctor {whose.environment.name}"


def _creating(need: Need, found: Examined, whose: Whose) -> str:
    making: Sequence[str] = [f"name one that is there in {whose.settings}"]
    match need:
        case BucketNeed():
            making = [commands.create_bucket(need.resource, need.project, need.location)]
        case RepositoryNeed():
            making = [commands.create_repository(need.resource, need.format)]
        case KeyNeed():
            making = _creating_key(need.resource, found.missing_part)
        case AccountNeed() if commands.is_made_by_people(need.resource):
            making = [commands.create_account(need.resource)]
        case TriggerNeed():
            making = [commands.create_trigger(need.resource)]
        case TopicNeed():
            making = [commands.create_topic(need.resource)]
    return "\n".join(making)


def _creating_key(version: str, missing_part: str) -> Sequence[str]:
    match missing_part:
        case "ring":
            return [commands.create_key_ring(version), commands.create_key(version)]
        case "version":
            return [commands.create_key_version(version)]
        case _:
            return [commands.create_key(version)]


def _not_seen(need: Need, found: Examined, whose: Whose) -> Iterator[Finding]:
    """Yield what the caller may not look at, where a promotion need not look either."""
    if not isinstance(found.facts, Trouble):
        return
    project, member = whose.environment.project, whose.member
    match need:
        case BucketNeed():
            role = "roles/storage.legacyBucketReader"
            fix = commands.grant_on_bucket(need.resource, member, role)
        case AccountNeed():
            role = "roles/iam.serviceAccountViewer"
            fix = commands.grant_on_account(need.resource, member, role)
        case TriggerNeed():
            fix = commands.grant_on_project(project, member, "roles/cloudbuild.builds.viewer")
        case TopicNeed():
            fix = commands.grant_on_project(project, member, "roles/pubsub.viewer")
        case ReadersNeed():
            # Whoever may read policies may mostly write them, too: better ask who may already.
            fix = commands.show_policy_of_repository(need.resource)
        case _:
            return
    said = "cannot be checked: you may not look at it, and a promotion need not"
    yield finding_on(need, "warning", said, fix)


def _not_allowed(need: Need, found: Examined, whose: Whose) -> Iterator[Finding]:
    """Yield the permissions that lack, each with the role that brings it."""
    if isinstance(found.granted, Trouble):
        said = f"nobody tells what you may do with it: {found.granted.message}"
        yield finding_on(need, "warning", said, _again(whose))
        return
    for grant in need.grants:
        lacking = [each for each in grant.permissions if each not in found.granted]
        if lacking:
            said = f"you lack {', '.join(lacking)}"
            yield finding_on(need, "failed", said, _granting(need, grant, whose))


def _granting(need: Need, grant: Grant, whose: Whose) -> str:
    giving = {
        BucketNeed: commands.grant_on_bucket,
        RepositoryNeed: commands.grant_on_repository,
        KeyNeed: commands.grant_on_key,
        AccountNeed: commands.grant_on_account,
        ProjectNeed: commands.grant_on_project,
    }[type(need)]
    return giving(need.resource, whose.member, grant.role)
