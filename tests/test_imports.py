"""`import octant` is cheap, and its face is what it says."""

import subprocess
import sys

import pytest

import octant

HEAVY = [
    "torch",
    "transformers",
    "PIL",
    "numpy",
    "onnxruntime",
    "qdrant_client",
    "qdrant_edge",
    "soundfile",
    "pydantic",
]
FACES = ["typer", "click", "rich"]


def loaded_by(code: str) -> set[str]:
    listing = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    return set(
        subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True).stdout.split()
    )


def test_importing_octant_loads_no_library() -> None:
    assert loaded_by("import octant").isdisjoint([*HEAVY, *FACES])


def test_the_command_line_loads_no_library_before_it_has_read_its_arguments() -> None:
    assert loaded_by("import octant.cli").isdisjoint(HEAVY)


def test_every_public_name_can_be_had() -> None:
    for name in octant.__all__:
        assert getattr(octant, name) is not None
    assert set(octant.__all__) <= set(dir(octant))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_like_this"):
        _ = octant.nothing_like_this
