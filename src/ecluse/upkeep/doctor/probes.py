"""Asks Google Cloud about every need, side by side, and changes nothing."""

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from google.auth import exceptions as auth_exceptions

from ecluse.cloud import Cloud
from ecluse.cloud.access import Access
from ecluse.cloud.answers import Trouble
from ecluse.cloud.identity import Identity, caller
from ecluse.errors import CloudError, Refused
from ecluse.repository.settings import Environment
from ecluse.upkeep.doctor.findings import Diagnosis, Finding
from ecluse.upkeep.doctor.judgement import Examined, Whose, judged
from ecluse.upkeep.doctor.kinds import (
    AccountNeed,
    BucketNeed,
    ClockNeed,
    KeyNeed,
    Need,
    ProjectNeed,
    ReadersNeed,
    RepositoryNeed,
    TopicNeed,
    TriggerNeed,
    VertexNeed,
)
from ecluse.upkeep.doctor.needs import LEDGER_BUCKET, needs_of
from ecluse.upkeep.doctor.shapes import Facts

_AT_ONCE = 12
_LOG_IN = "gcloud auth application-default login"

T = TypeVar("T")


def diagnose(
    cloud: Cloud,
    below: Environment | None,
    triggers: Collection[str] | None,
    topics: Collection[str] = (),
    *,
    models: bool = False,
) -> Diagnosis:
    """Look at everything that a promotion to an environment needs.

    Args:
        cloud: the environment.
        below: the environment whose qualification it requires, if any.
        triggers: the builds that must be registered; none: builds start nothing here.
        topics: those whose messages start pipelines here.
        models: whether a pipeline's model goes with it.

    """
    environment = cloud.environment
    try:
        who = caller(cloud.addresses)
    except auth_exceptions.GoogleAuthError as error:
        return _without_identity(environment, error)
    member = who.member or f"serviceAccount:deployer@{environment.project}.iam.gserviceaccount.com"
    whose = Whose(environment, member)
    access = Access(cloud.addresses)
    needs = needs_of(environment, below, triggers, topics, models=models)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda need: examined(access, need), needs))
    findings = [
        finding
        for need, each in zip(needs, found, strict=True)
        for finding in judged(need, each, whose)
    ]
    return Diagnosis(
        environment.name,
        who.email or "",
        cloud.addresses.local is not None,
        [_of_identity(who, cloud.addresses.local), *findings, *_of_ledger(cloud, findings)],
    )


def examined(access: Access, need: Need) -> Examined:
    """Ask about one need."""
    facts, granted = _look(access, need), _granted(access, need)
    missing = ""
    if isinstance(need, KeyNeed) and isinstance(facts, Trouble) and facts.kind == "absent":
        missing = access.absent_part(need.resource)
    return Examined(facts, granted, missing)


def _look(access: Access, need: Need) -> Facts | Trouble:
    looks: Mapping[type[Need], Callable[[str], Facts]] = {
        RepositoryNeed: access.repository,
        KeyNeed: access.public_key,
        AccountNeed: access.account,
        TriggerNeed: access.trigger,
        TopicNeed: access.topic,
        VertexNeed: lambda _: access.runs(),
        ClockNeed: lambda _: access.clock(),
    }
    if isinstance(need, BucketNeed) and need.ours:
        return _answered(lambda: access.bucket(need.resource.removeprefix("gs://")))
    if isinstance(need, ReadersNeed):
        return _answered(lambda: access.readers(need.resource, need.project))
    look = looks.get(type(need))
    return _answered(lambda: look(need.resource)) if look is not None else None


def _granted(access: Access, need: Need) -> frozenset[str] | Trouble:
    tests: Mapping[type[Need], Callable[[str, Iterable[str]], frozenset[str]]] = {
        BucketNeed: access.bucket_permissions,
        RepositoryNeed: access.repository_permissions,
        KeyNeed: access.key_permissions,
        AccountNeed: access.account_permissions,
        ProjectNeed: access.project_permissions,
    }
    test = tests.get(type(need))
    if test is None or not need.permissions:
        return frozenset()
    # Permissions of a bucket and of a key are asked of these themselves.
    resource = need.resource.removeprefix("gs://").partition("/cryptoKeyVersions/")[0]
    return _answered(lambda: test(resource, need.permissions))


def _answered(ask: Callable[[], T]) -> T | Trouble:
    try:
        return ask()
    except Trouble as trouble:
        return trouble


def _of_ledger(cloud: Cloud, findings: Iterable[Finding]) -> Iterable[Finding]:
    """Say that the ledger cannot be understood; where its bucket is at fault, that is said."""
    if any(each.need == LEDGER_BUCKET and each.verdict == "failed" for each in findings):
        return ()
    try:
        cloud.ledger.head()
    except CloudError:
        return ()
    except Refused as refused:
        where = refused.where
        fix = (
            f"gcloud storage ls --all-versions {where}\n"
            f"gcloud storage cp {where}#GENERATION {where}"
        )
        return (Finding("the ledger", where, "failed", refused.what, "says what is live", fix),)
    return ()


def _of_identity(who: Identity, local: str | None) -> Finding:
    why = "is who the permissions are looked at for"
    if local is not None:
        said = "nobody: the embedded cloud lets everybody do everything"
        return Finding("the caller", local, "ok", said, why)
    if who.email is None:
        said = "not checked: the credentials do not tell whose they are"
        return Finding("the caller", "", "unchecked", said, why)
    said = "a person: what builds do is checked as their account" if who.is_person else "an account"
    return Finding("the caller", who.email, "ok", said, why)


def _without_identity(
    environment: Environment, error: auth_exceptions.GoogleAuthError
) -> Diagnosis:
    message = str(error).splitlines()[0]
    if isinstance(error, auth_exceptions.TransportError):
        said, fix = f"Google cannot be reached: {message}", f"ecluse doctor {environment.name}"
    else:
        said, fix = f"no usable credentials: {message}", _LOG_IN
    why = "is who the permissions are looked at for"
    finding = Finding("the caller", "", "failed", said, why, fix)
    return Diagnosis(environment.name, "", False, [finding])
