"""The canonical text: the bytes that digests were taken of, for ever."""

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ecluse.canonical import digest_of
from ecluse.release.canonical_yaml import canonical_yaml, quoted
from ecluse.release.template import Template

SPEC: dict[str, Any] = {
    "pipelineInfo": {"name": "alpha"},
    "schemaVersion": "2.1.0",
    "numbers": [0, -3, 2.0, 1e17, 1e-7, 0.1],
    "words": ["1e3", "no", "", "a: b", "- c", "é → 😀", 'say "yes"\\'],
    "nothing": {"null": None, "map": {}, "list": [], "true": True, "false": False},
    "deep": [[1, [2]], {"a": [{"b": 1, "c": "x"}]}],
    "deploymentSpec": {
        "executors": {
            "exec-a": {"container": {"image": "runtime", "args": ['"image": "runtime"\n']}},
            "exec-b": {"container": {"image": "runtime", "command": ["runtime"]}},
            "exec-c": {"container": {"image": "other"}},
        }
    },
    "source": "def f(n: int) -> int:\n\treturn n  # \x07 \x85 \u2028\n",
    "k" * 130: {"long": [1]},
}


class Reference(yaml.SafeDumper):
    """PyYAML, told to write as we do: what the first digests were taken of."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


Reference.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def reference(spec: dict[str, Any]) -> bytes:
    text: str = yaml.dump(
        spec, Dumper=Reference, sort_keys=True, width=2**31, allow_unicode=True, indent=2
    )
    return text.encode()


def test_the_canonical_text_never_changes() -> None:
    assert digest_of(canonical_yaml(SPEC)) == (
        "sha256:7b18cb2d565df86d4fba19f52fc9abb57b86ba10ac904660ef1bf2e56c6d7314"
    )


texts = st.text(max_size=8) | st.text("\n\t\x85\u2028 :#-?'\"\\\ufeff\ufffe😀é\x7f\xa0", max_size=5)
keys = texts | st.integers(120, 130).map(lambda length: "k" * length)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(keys, values, max_size=3))
def test_the_canonical_text_is_what_pyyaml_writes(spec: dict[str, Any]) -> None:
    assert canonical_yaml(spec) == reference(spec)


def test_every_character_is_written_as_pyyaml_does() -> None:
    every = [chr(n) for n in (*range(0x3000), *range(0xD7F0, 0xD800), *range(0xE000, 0x10010))]
    assert canonical_yaml({"all": "".join(every)}) == reference({"all": "".join(every)})


@pytest.mark.parametrize("value", [b"bytes", object(), {1: "a key that is no text"}])
def test_what_json_has_not_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical_yaml({"value": value})


def test_the_runtime_image_goes_where_a_component_names_it_and_nowhere_else() -> None:
    image = "europe-west1-docker.pkg.dev/p/images/runtime@sha256:" + "0" * 64
    template = Template.of(SPEC)
    assert template.names_runtime_image
    assert template.content("runtime") == canonical_yaml(SPEC)
    found = yaml.safe_load(template.content(image))["deploymentSpec"]["executors"]
    assert found["exec-a"]["container"] == {"image": image, "args": ['"image": "runtime"\n']}
    assert found["exec-b"]["container"] == {"image": image, "command": ["runtime"]}
    assert found["exec-c"]["container"] == {"image": "other"}
    assert template.content(image).count(quoted(image).encode()) == 2
