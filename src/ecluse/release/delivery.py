"""A release's way from a working tree to an environment: built here, or found where it is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecluse.canonical import digest_of, is_digest
from ecluse.cloud import Cloud
from ecluse.errors import InvalidInput, ReleaseAltered
from ecluse.release.compiler import compile_pipelines
from ecluse.release.manifest import Release, make_draft, make_release, read_release
from ecluse.release.runtime_image import find_image, resolve_image
from ecluse.release.store import fetch_release, refuse_other_release
from ecluse.repository.check import check_settings
from ecluse.repository.commit import ancestry as commit_ancestry
from ecluse.repository.commit import head_commit, is_shallow, resolve_commit
from ecluse.repository.sample_data import lay_sample, sample_address, sample_file
from ecluse.workplace import Workplace


def build_release(
    workplace: Workplace,
    environment: str,
    *,
    runtime_image: str | None,
    ancestry: Sequence[str] = (),
) -> tuple[Release, dict[str, bytes]]:
    """Check and compile everything, and put the release of the checked-out commit together.

    Args:
        workplace: the repository.
        environment: whose project holds the runtime image.
        runtime_image: its reference by digest; none to let the embedded cloud record one.
        ancestry: the commits before this one, for a shallow clone; a whole one knows them.

    Raises:
        InvalidInput: something written is wrong, or the working tree is not clean.

    """
    catalog = workplace.catalog
    settings = catalog.environment(environment)
    if runtime_image is not None:
        _check_image(runtime_image, settings.images)
    commit = head_commit(catalog.root)
    before = ancestry if ancestry and is_shallow(catalog.root) else commit_ancestry(catalog.root)
    compiled = compile_pipelines(catalog)
    check_settings(catalog, compiled)
    wants_image = any(pipeline.uses_runtime_image for pipeline in compiled.values())
    if runtime_image is None and wants_image and workplace.local:
        runtime_image = resolve_image(
            catalog, workplace.cloud(environment), "runtime", commit=commit.sha, log=lambda _: None
        )
    return make_release(
        catalog, compiled, commit=commit, ancestry=before, runtime_image=runtime_image
    )


@dataclass(frozen=True)
class Draft:
    """What a release of the working tree as it is would be. For looking at, not for promoting.

    Attributes:
        release, files: the manifest and the compiled bytes.
        notes: what a reader has to know besides, in sentences.

    """

    release: Release
    files: Mapping[str, bytes]
    notes: tuple[str, ...]


def draft_release(
    workplace: Workplace, environment: str, *, runtime_image: str | None = None
) -> Draft:
    """Check and compile the working tree, changes that no commit holds included.

    No image is built for it. Where Google Cloud has none of these sources, one that cannot be
    stands in its place, and a note says so.

    Args:
        workplace: the repository.
        environment: whose settings say where images are.
        runtime_image: the image by digest; none to look for it by its sources.

    Raises:
        InvalidInput: something written is wrong.

    """
    catalog = workplace.catalog
    settings = catalog.environment(environment)
    if runtime_image is not None:
        _check_image(runtime_image, settings.images)
    commit = head_commit(catalog.root)
    compiled = compile_pipelines(catalog)
    check_settings(catalog, compiled)
    notes = []
    if not commit.clean:
        notes.append(
            f"the working tree as it is, with changes that commit {commit.sha[:12]} does not hold"
        )
    if runtime_image is None and any(each.uses_runtime_image for each in compiled.values()):
        cloud = workplace.cloud(environment)
        runtime_image = find_image(catalog, cloud, "runtime")
        if runtime_image is None:
            runtime_image = f"{settings.images}/runtime@{digest_of(b'not built yet')}"
            notes.append(
                "the runtime image of these sources is not built yet: what runs in it will have "
                "other digests than these"
            )
    release, files = make_draft(
        catalog,
        compiled,
        commit=commit,
        ancestry=commit_ancestry(catalog.root),
        runtime_image=runtime_image,
    )
    return Draft(release, files, tuple(notes))


def find_release(
    workplace: Workplace, environment: str, *, folder: Path | None, commit: str | None
) -> tuple[Release, Mapping[str, bytes]]:
    """Return a release from a folder, or by its commit from where the environment below keeps it.

    Raises:
        InvalidInput: neither or both are given, or there is no such release.
        ReleaseAltered: it is not what was built.

    """
    if folder is not None and commit is not None:
        raise InvalidInput(
            "give --release or --commit, not both",
            where="command line",
            fix="--commit takes what is kept of a commit, --release what `ecluse build` made",
        )
    cloud = workplace.cloud(environment)
    below = workplace.below(cloud)
    if commit is not None:
        return fetch_release(below or cloud, resolve_commit(workplace.catalog.root, commit))
    if folder is None:
        raise InvalidInput("which release?", where="command line", fix="give --release or --commit")
    release, files = read_release(folder)
    if below is not None:
        refuse_other_release(below, release)
    return release, files


def find_planned_release(
    workplace: Workplace, environment: str, commit: str, digest: str, *, built: Path
) -> tuple[Release, Mapping[str, bytes]]:
    """Return the release that a plan was made of: the one just built, or else by its commit.

    Args:
        workplace: the repository.
        environment: which one the plan is for.
        commit: the release's.
        digest: the release's, as the plan says it.
        built: where `ecluse build` puts releases.

    Raises:
        InvalidInput: it is neither built here nor kept anywhere.
        ReleaseAltered: it is not what was built.

    """
    try:
        is_built = read_release(built)[0].digest == digest
    except (InvalidInput, ReleaseAltered):
        is_built = False
    if is_built:
        return find_release(workplace, environment, folder=built, commit=None)
    return find_release(workplace, environment, folder=None, commit=commit)


def lay_missing_samples(workplace: Workplace, release: Release, cloud: Cloud) -> None:
    """On the embedded cloud, lay sample data where a pipeline would look and find nothing."""
    if not workplace.local:
        return
    catalog = workplace.catalog
    for name in sorted(set(release.pipelines) & set(catalog.pipeline_names)):
        folder = catalog.pipeline(name)
        if folder.settings.sample_data is None:
            continue
        address = sample_address(folder, cloud)
        if not cloud.storage.exists(address):
            lay_sample(folder, cloud, sample_file(catalog, folder, given=None))


def _check_image(reference: str, repository: str) -> None:
    name, _, digest = reference.partition("@")
    if not is_digest(digest) or not name.startswith(f"{repository}/"):
        raise InvalidInput(
            f"`{reference}` is no image by digest in {repository}",
            where="--runtime-image",
            fix="`ecluse image ENVIRONMENT` prints it",
        )
