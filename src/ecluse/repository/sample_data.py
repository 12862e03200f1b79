"""Data for a run on the embedded cloud, made or checked by the pipeline's own commands."""

import mimetypes
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ecluse.cloud import Cloud
from ecluse.errors import InvalidInput, UnusableData
from ecluse.repository.catalog import Catalog, PipelineFolder
from ecluse.repository.settings import SampleData


def sample_file(catalog: Catalog, folder: PipelineFolder, *, given: Path | None) -> Path:
    """Return a data file that the pipeline can run on: the given one, checked, or a made one.

    Raises:
        InvalidInput: the pipeline declares no sample data.
        UnusableData: the given file fails the pipeline's check, or making one failed.

    """
    sample = _declared(folder)
    if given is not None:
        if not given.is_file():
            raise UnusableData("there is no such file", where=str(given))
        if sample.check is not None:
            _run(catalog, folder, sample.check, given.resolve(), where=str(given))
        return given
    path = catalog.root / ".ecluse" / "samples" / f"{folder.name}.data"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    _run(catalog, folder, sample.generate, partial, where=folder.where("sample_data", "generate"))
    return partial.replace(path)


def sample_address(folder: PipelineFolder, cloud: Cloud) -> str:
    """Return where the pipeline looks for its data in an environment.

    Raises:
        InvalidInput: the parameter holds no gs:// address there.

    """
    parameter = _declared(folder).parameter
    parameters = folder.settings.parameters_in(
        cloud.environment, (parameter,), runtime_image="", commit=""
    )
    address = parameters.get(parameter)
    if not isinstance(address, str) or not address.startswith("gs://"):
        raise InvalidInput(
            f"the parameter `{parameter}` holds no gs:// address to lay sample data at",
            where=folder.where("parameters"),
            fix=f'write it like `{parameter}: "{{bucket}}/data/sample.csv"`',
        )
    return address


def lay_sample(folder: PipelineFolder, cloud: Cloud, file: Path) -> str:
    """Upload a data file to where the pipeline looks for it in an environment.

    Only for the embedded cloud: real data in a real bucket is nobody's to replace.

    Returns:
        The object's address.

    """
    assert cloud.addresses.local is not None, "sample data is for the embedded cloud only"
    address = sample_address(folder, cloud)
    kind, _ = mimetypes.guess_type(address)
    cloud.storage.upload(address, file, content_type=kind or "application/octet-stream")
    return address


def _declared(folder: PipelineFolder) -> SampleData:
    if folder.settings.sample_data is None:
        raise InvalidInput(
            f"pipeline `{folder.name}` does not say how to get sample data",
            where=folder.settings_file,
            fix="add `sample_data` with `parameter` and `generate`",
        )
    return folder.settings.sample_data


def _run(
    catalog: Catalog, folder: PipelineFolder, command: Sequence[str], path: Path, *, where: str
) -> None:
    """Run one of the pipeline's data commands, which says in one line what is wrong."""
    arguments = [str(path) if word == "{path}" else word for word in command]
    if arguments[0] in ("python", "python3"):
        arguments[0] = sys.executable
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(catalog.root / "src"), str(catalog.root)]),
    }
    try:
        done = subprocess.run(
            arguments,
            cwd=catalog.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise UnusableData(f"`{command[0]}` cannot be run: {error.strerror}", where=where) from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        said = lines[-1].removeprefix("error: ").removeprefix(f"{path}: ")
        raise UnusableData(f"pipeline `{folder.name}` cannot use it: {said}", where=where)
