"""The image of this tree's sources, by digest: found by its tag, or else built."""

from collections.abc import Callable

from ecluse.cloud import Cloud
from ecluse.errors import CloudError
from ecluse.local import record_image
from ecluse.repository.catalog import Catalog
from ecluse.repository.image import image_source, python_files_archive

IMAGE_TRIGGER = "ecluse-image"


def resolve_image(
    catalog: Catalog, cloud: Cloud, name: str, *, commit: str, log: Callable[[str], None]
) -> str:
    """Return `REPOSITORY/NAME@sha256:…` of an image's sources as they are in this tree.

    On the embedded cloud the files themselves are recorded. In Google's the image is looked up by
    the tag that its sources hash to, and if there is none, the environment's image trigger builds
    it from the commit.

    Args:
        catalog: the repository.
        cloud: the environment whose project builds images.
        name: the image, such as `runtime`.
        commit: the commit to build from.
        log: takes the build's log as it appears.

    Raises:
        CloudError: the build failed, or did not push what was asked for.

    """
    found = find_image(catalog, cloud, name)
    if found is not None:
        return found
    source = image_source(catalog, name)
    repository = cloud.environment.images
    reference = source.reference(repository)
    build = cloud.builds.run_trigger(
        IMAGE_TRIGGER,
        commit=commit,
        substitutions={"_TARGET": source.target, "_IMAGE": reference},
        log=log,
    )
    digest = build.images.get(reference)
    if digest is None:
        raise CloudError(f"build {build.id} succeeded without pushing {reference}")
    return f"{repository}/{name}@{digest}"


def find_image(catalog: Catalog, cloud: Cloud, name: str) -> str | None:
    """Return an image of this tree's sources by digest, if there is one; nothing is built.

    On the embedded cloud there always is: it takes the files themselves.
    """
    source = image_source(catalog, name)
    repository = cloud.environment.images
    local = cloud.addresses.local
    if local is not None:
        return record_image(local, f"{repository}/{name}", python_files_archive(catalog, name))
    digest = cloud.images.digest(repository, name, source.tag)
    return f"{repository}/{name}@{digest}" if digest is not None else None
