"""Exported towers by OpenVINO: the same vectors as in torch, whatever the batch."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from sounds import TOLERANCE, of, singly
from sounds import encode as at_once
from tiny_media import photos, with_broken
from tiny_onnx import OPTIONS, Towers, towers
from tiny_text import LONG, RAGGED, encoded, texts

from octant.backends.hf_clip import HfClip
from octant.backends.hf_text import HfText
from octant.backends.onnx import OnnxText
from octant.encoding import Role
from octant.errors import EncoderError, MediaError
from octant.media import Image, Modality, Text

pytest.importorskip("openvino")

from octant.backends.openvino import FAMILY, OpenvinoImage, OpenvinoOptions, OpenvinoText

PARITY = 1e-4
PIXELS = 5e-3
"""Pillow scales pictures a little differently from torchvision, by which the model in torch prepares them."""
ALL = [*RAGGED, LONG]
PICTURES = [Image(one) for one in photos()[:5]]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Towers:
    return towers(tmp_path_factory.mktemp("openvino"))


@pytest.mark.parametrize("role", Role)
def test_texts_as_in_torch(made: Towers, role: Role) -> None:
    torch, text = HfText(made.bert, OPTIONS), OpenvinoText(made.text)
    np.testing.assert_allclose(encoded(text, ALL, role), encoded(torch, ALL, role), atol=PARITY)
    assert (text.spec.dim, text.spec.tokens) == (torch.spec.dim, torch.spec.tokens)


def test_a_space_of_texts_and_images_as_in_torch(made: Towers) -> None:
    clip, encoders = HfClip(str(made.clip)), FAMILY.load(str(made.space), FAMILY.options())
    said = texts("a cat", "a dog and a cat, ", "", "cat " * 30)
    np.testing.assert_allclose(at_once(of(Modality.TEXT, encoders), *said), at_once(clip.text, *said), atol=PARITY)
    pictures = of(Modality.IMAGE, encoders)
    np.testing.assert_allclose(at_once(pictures, *PICTURES), at_once(clip.image, *PICTURES), atol=PIXELS)


def test_a_batch_is_its_media_one_by_one(made: Towers) -> None:
    said, pictures = OpenvinoText(made.text), OpenvinoImage(made.space / "image")
    np.testing.assert_allclose(at_once(said, *texts(*ALL)), singly(said, *texts(*ALL)), atol=TOLERANCE)
    np.testing.assert_allclose(at_once(pictures, *PICTURES), singly(pictures, *PICTURES), atol=TOLERANCE)
    first = at_once(said, *texts(*ALL))
    assert all(np.array_equal(at_once(said, *texts(*ALL)), first) for _ in range(8))


def test_vectors_stay_when_others_are_made(made: Towers) -> None:
    encoder = OpenvinoText(made.text, OpenvinoOptions(batch=1, threads=1))
    first = encoder.encode([Text("red bird")], Role.QUERY)[0]
    before = np.array(first)
    encoder.encode([Text("the river")], Role.QUERY)
    np.testing.assert_array_equal(first, before)


def test_another_runtime_is_another_identity(made: Towers) -> None:
    mine, other = OpenvinoText(made.text).spec, OnnxText(made.text).spec
    assert mine.identity.startswith("openvino:bert@")
    assert mine.identity != other.identity
    assert (mine.dim, mine.tokens) == (other.dim, other.tokens)


def test_several_threads(made: Towers) -> None:
    encoder = OpenvinoText(made.text)
    expected = at_once(encoder, *texts(*ALL))
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(partial(at_once, encoder), texts(*ALL)))
    np.testing.assert_allclose(np.concatenate(found), expected, atol=TOLERANCE)


def test_broken_images_do_not_take_good_ones_along(made: Towers) -> None:
    batch, places = with_broken()
    with pytest.raises(ExceptionGroup) as group:
        OpenvinoImage(made.image).encode(batch, Role.DOCUMENT)
    errors = [error for error in group.value.exceptions if isinstance(error, MediaError)]
    assert [error.media for error in errors] == [batch[place] for place in places]


def test_what_is_no_export_is_refused(made: Towers) -> None:
    with pytest.raises(EncoderError, match=r"there is no octant\.json in it"):
        FAMILY.load(str(made.bert), FAMILY.options())


def test_importing_it_loads_no_library() -> None:
    code = "import sys, octant.backends.openvino; print({'torch', 'transformers', 'openvino'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
