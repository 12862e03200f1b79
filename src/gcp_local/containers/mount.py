"""A folder that stands in for `/gcs`, Vertex AI's view of Cloud Storage as files.

On Vertex AI a container sees every bucket under `/gcs/` through Cloud Storage FUSE. Here each task
has a folder of its own in that place: its input artifacts are laid in it before the task, and what
the task wrote into it is uploaded when it has succeeded. So a component that opens `/gcs/…` by a
path of its own making, instead of an artifact's, finds nothing; and what it deletes stays.
"""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from gcp_local.errors import ApiError, NotFound

if TYPE_CHECKING:
    from gcp_local.storage.objects import ObjectStore

_Stamp = tuple[int, int, int]


class UnmountableError(ValueError):
    """An object's name that no file can have."""


class UnwritableError(ValueError):
    """A file that cannot become an object."""


class Mount:
    """One task's stand-in for `/gcs`."""

    def __init__(self, folder: Path, objects: ObjectStore) -> None:
        self.folder = folder
        self._objects = objects
        self._laid: dict[Path, _Stamp] = {}
        folder.mkdir(parents=True)

    def path_of(self, uri: str) -> Path:
        """Find where a `gs://` URI stands in this folder.

        Raises:
            UnmountableError: a part of it is `.`, `..` or empty, or too long for a file.

        """
        name = uri.removeprefix("gs://").rstrip("/")
        parts = name.split("/")
        wrong = any(part in {"", ".", ".."} or len(part.encode()) > 255 for part in parts)
        if wrong or "\0" in name:
            raise UnmountableError(f"{uri!r} cannot be shown as a file to a component")
        return self.folder.joinpath(*parts)

    def lay(self, uri: str) -> None:
        """Lay the object of that URI, or all objects under it, here as files.

        An artifact without a payload (metrics, say) lays nothing, which is no error.

        Raises:
            UnmountableError: an object's name cannot be a file's, or would have to be a folder's
                at the same time.

        """
        if not uri.startswith("gs://"):
            return
        self.path_of(uri)
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        if name and not name.endswith("/"):
            try:
                self._place(bucket, name)
            except NotFound:
                pass
            else:
                return
        prefix = f"{name.rstrip('/')}/" if name else ""
        try:
            listed = self._objects.list(bucket, prefix)
        except NotFound:
            return  # no such bucket: the component's own open() says so
        for item in listed:
            self._place(bucket, item.name)

    def _place(self, bucket: str, name: str) -> None:
        """Lay one object in its place; one whose name ends with a slash is a folder."""
        path = self.path_of(f"gs://{bucket}/{name}")
        try:
            if name.endswith("/"):
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._copy(bucket, name, path)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise UnmountableError(
                f"'gs://{bucket}/{name}' cannot be shown as a file to a component: of this name and"
                " another object's, one is a folder of the other"
            ) from error

    def _copy(self, bucket: str, name: str, target: Path) -> None:
        while target not in self._laid:
            try:
                shutil.copyfile(self._objects.open_path(bucket, name), target)
            except FileNotFoundError:
                continue  # replaced just now: the newer generation, or NotFound, is next
            self._laid[target] = _stamp(target)

    def upload(self) -> list[str]:
        """Move every file that is new or changed into its bucket; tell the URIs.

        A link to a file becomes an object with that file's bytes.

        Raises:
            UnwritableError: as `write`; or something is neither a file nor a folder, nor a link to
                a file.

        """
        found = sorted(self.folder.rglob("*"))
        for path in found:
            if not path.is_file() and (path.is_symlink() or not path.is_dir()):
                raise UnwritableError(
                    f"gs://{path.relative_to(self.folder)} cannot be kept: it is neither a file nor"
                    " a folder, nor a link to a file"
                )
        uploaded = []
        # Links first, as long as what they lead to is still there.
        for path in sorted(found, key=lambda path: not path.is_symlink()):
            if not path.is_file() or self._laid.get(path) == _stamp(path):
                continue
            bucket, *parts = path.relative_to(self.folder).parts
            if not parts:
                continue
            name = str(PurePosixPath(*parts))
            write(self._objects, f"gs://{bucket}/{name}", path, move=not path.is_symlink())
            uploaded.append(f"gs://{bucket}/{name}")
        return uploaded


def write(
    objects: ObjectStore,
    uri: str,
    path: Path,
    *,
    content_type: str | None = None,
    move: bool = True,
) -> None:
    """Write a file into its bucket; moved, it is not there afterwards.

    Raises:
        UnwritableError: no such bucket, or a name that no object can have.

    """
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    try:
        objects.write(bucket, name, path, content_type=content_type, move=move)
    except ApiError as error:
        raise UnwritableError(f"{uri} cannot be written: {error}") from error


def _stamp(path: Path) -> _Stamp:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
