"""What a trigger makes its builds of: a build that it holds, or a file of a commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.builds import substitutions
from gcp_local.builds.archives import read_member
from gcp_local.builds.configuration import read_build
from gcp_local.builds.creation import Triggered
from gcp_local.builds.messages import Build, Substitution
from gcp_local.errors import FailedPrecondition, InvalidArgument, NotFound
from gcp_local.rpc.protos import Message, copy_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.builds.commits import Commit, CommitStore


class Templates:
    """Makes builds of triggers."""

    def __init__(self, commits: CommitStore) -> None:
        self._commits = commits

    def filled(
        self, trigger: Message, said: Message, given: Mapping[str, str]
    ) -> tuple[Message, Triggered]:
        """Give a build that a trigger makes, and what it has from the trigger.

        Args:
            trigger: whose.
            said: the revision, as `RunBuildTrigger` has it; if it says none, the trigger's.
            given: substitutions that come before the trigger's.

        Raises:
            InvalidArgument: the trigger has no repository, or the file is no build.
            FailedPrecondition: there is no such commit, or no such file in it.

        """
        built_in = {"TRIGGER_NAME": trigger.name, "TRIGGER_BUILD_CONFIG_PATH": ""}
        commit = self._commit(trigger, said)
        if commit is not None:
            built_in |= _of_commit(trigger, said, commit)
        build, path = self._template(trigger, commit)
        built_in["TRIGGER_BUILD_CONFIG_PATH"] = path
        if commit is not None:
            _set_source(build, trigger.source_to_build, commit.sha)
        for more in (trigger.substitutions, given):
            build.substitutions.update(more)
        build.service_account = trigger.service_account or build.service_account
        build.tags.extend(tag for tag in (*trigger.tags, f"trigger-{trigger.id}")
                          if tag not in build.tags)  # fmt: skip
        # Triggered builds always have these, whatever their configuration says.
        build.options.substitution_option = Substitution.ALLOW_LOOSE
        build.options.dynamic_substitutions = True
        required = bool(trigger.approval_config.approval_required)
        return build, Triggered(trigger.id, required, built_in)

    def _commit(self, trigger: Message, said: Message) -> Commit | None:
        """Find the commit that a run is of; None if the trigger has no repository."""
        chosen = said.WhichOneof("revision")
        if not trigger.HasField("source_to_build"):
            if chosen:
                raise InvalidArgument.of_field(
                    "source", f"trigger {trigger.name!r} has no repository: it cannot be run on"
                    " a revision."
                )  # fmt: skip
            return None
        source = trigger.source_to_build
        revision = {
            "commit_sha": said.commit_sha,
            "branch_name": f"refs/heads/{said.branch_name}",
            "tag_name": f"refs/tags/{said.tag_name}",
        }.get(chosen or "", source.ref)
        try:
            return self._commits.find(source.repository or source.uri, revision)
        except NotFound as error:
            raise FailedPrecondition(error.message) from None

    def _template(self, trigger: Message, commit: Commit | None) -> tuple[Message, str]:
        """Give a build of the trigger's template, and the path of its file, if it has one."""
        match trigger.WhichOneof("build_template"):
            case "filename":
                path = trigger.filename
            case "git_file_source":
                path, commit = trigger.git_file_source.path, self._of_file(trigger, commit)
            case _:
                return copy_of(trigger.build), ""
        assert commit is not None  # a file needs a repository, see `check_trigger`
        content = read_member(commit.tar, path)
        if content is None:
            message = f"couldn't find {path!r} in commit {commit.sha} of {commit.repository}"
            raise FailedPrecondition(message)
        build = Build()
        build.CopyFrom(read_build(content, path))
        return build, path

    def _of_file(self, trigger: Message, commit: Commit | None) -> Commit | None:
        said = trigger.git_file_source
        repository = said.repository or said.uri
        if not repository and not said.revision:
            return commit
        source = trigger.source_to_build
        revision = said.revision or source.ref
        try:
            return self._commits.find(repository or source.repository or source.uri, revision)
        except NotFound as error:
            raise FailedPrecondition(error.message) from None


def _of_commit(trigger: Message, said: Message, commit: Commit) -> dict[str, str]:
    """Give the substitutions that a run has from its commit and from how that was named."""
    source = trigger.source_to_build
    name = (source.repository or source.uri).rstrip("/").removesuffix(".git")
    parts = name.split("/")
    found = {
        **substitutions.of_commit(commit.sha),
        "REPO_NAME": parts[-1],
        "REPO_FULL_NAME": "/".join(parts[-2:]) if source.uri else parts[-1],
    }
    ref = source.ref if said.WhichOneof("revision") is None else ""
    branch = said.branch_name or (ref.removeprefix("refs/heads/") if "/heads/" in ref else "")
    tag = said.tag_name or (ref.removeprefix("refs/tags/") if "/tags/" in ref else "")
    if branch:
        found |= {"BRANCH_NAME": branch, "REF_NAME": branch}
    if tag:
        found |= {"TAG_NAME": tag, "REF_NAME": tag}
    return found


def _set_source(build: Message, source: Message, sha: str) -> None:
    if source.repository:
        build.source.connected_repository.repository = source.repository
        build.source.connected_repository.revision = sha
    else:
        build.source.git_source.url = source.uri
        build.source.git_source.revision = sha
