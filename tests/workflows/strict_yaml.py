"""YAML read strictly: one document, and no key twice.

Run as `python -m tests.workflows.strict_yaml FILE…` it checks files and says what is wrong.
"""

import sys
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

import yaml


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a mapping with a key twice, which YAML's own silently merges."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set[Hashable]()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key `{key}` stands there twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def load(text: str) -> Any:
    """Return the one document of a YAML text.

    Raises:
        yaml.YAMLError: it is not YAML, holds several documents, or a key twice.
    """
    return yaml.load(text, Loader=_StrictLoader)


def problems(files: Iterable[Path]) -> list[str]:
    """Return one line for each file that does not load, with the line where it goes wrong."""
    found = list[str]()
    for file in files:
        try:
            load(file.read_text(encoding="utf-8"))
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            found.append(f"{file}:{line}: {error.problem}")
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            found.append(f"{file}: {error}")
    return found


if __name__ == "__main__":
    answer = problems(Path(argument) for argument in sys.argv[1:])
    sys.stderr.writelines(f"{line}\n" for line in answer)
    sys.exit(1 if answer else 0)
