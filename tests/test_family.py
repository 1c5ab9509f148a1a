"""Models by their names: what is understood, what is refused, and what a name makes of a collection."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from qdrant_client.http.models import Distance
from typer.testing import CliRunner

import octant
from octant import family
from octant.backends.hashing import BagOfWords, Hashing
from octant.cli import app
from octant.encoding import Encoder, EncoderSpec, Role
from octant.errors import EncoderError, MissingExtra, SchemaMismatch
from octant.family import Family, Known, Options, families, load_encoders
from octant.media import Audio, Modality, Text
from octant.schema import Schema
from octant.space import Space
from octant.vectors import Array, Kind, Sparse, Vector

TEXT, IMAGE = Modality.TEXT, Modality.IMAGE


class HashingOptions(Options):
    dim: int = 64
    side: Literal["left", "right"] = "left"


def load_hashing(model: str, options: HashingOptions) -> Sequence[Encoder[Any]]:
    return [Hashing(TEXT, options.dim), Hashing(IMAGE, options.dim)]


FAMILY = Family(
    name="toy",
    summary="Models of another package",
    modules=("octant",),
    install="pip install toy",
    options=HashingOptions,
    load=load_hashing,
    known=(Known("words", (TEXT, IMAGE), 64, "MIT"),),
)
ABSENT = replace(FAMILY, name="absent", modules=("nowhere.at_all",), install="pip install 'nowhere[else]'")
SERVICE = replace(FAMILY, name="service", key="SERVICE_KEY")
USURPER = replace(FAMILY, name="starter", summary="in the place of another")


@pytest.fixture(autouse=True)
def of_other_packages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two families more than octant's own, as packages bring them: by entry points."""
    own = list(entry_points(group="octant.encoders"))
    values = {"toy": "test_family:FAMILY", "absent": "test_family:ABSENT", "service": "test_family:SERVICE"}
    values |= {"torn": "test_family_that_is_not_there:FAMILY", "starter": "test_family:USURPER"}
    theirs = [EntryPoint(name, value, "octant.encoders") for name, value in values.items()]

    def both(group: str) -> list[EntryPoint]:
        assert group == "octant.encoders"
        return [*own, *theirs]

    monkeypatch.setattr(family, "entry_points", both)
    family._families.cache_clear()  # pyright: ignore[reportPrivateUsage]
    yield
    family._families.cache_clear()  # pyright: ignore[reportPrivateUsage]


def test_families_of_other_packages_are_found() -> None:
    assert families()["toy"] is FAMILY
    assert "starter" in families()
    assert (FAMILY.is_installed, ABSENT.is_installed) == (True, False)
    assert families()["starter"].known[0].model == "meaning", "octant's own is not replaced"


def test_a_broken_package_spoils_no_other() -> None:
    assert "torn" not in families()
    with pytest.raises(EncoderError, match=r"its package is broken: .* ModuleNotFoundError"):
        octant.encoder("torn:words")
    told = CliRunner().invoke(app, ["encoders"])
    assert told.exit_code == 0
    assert "family 'torn' cannot be used" in told.output
    assert octant.encoder("bm25:english").kind is Kind.SPARSE


def test_listing_loads_no_model_library() -> None:
    heavy = ("torch", "transformers", "sentence_transformers", "open_clip", "timm", "gensim", "openai", "google.genai")
    told = f"import sys, octant; octant.families(); print([one for one in {heavy!r} if one in sys.modules])"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_name_with_options_loads_what_it_says() -> None:
    text, image = load_encoders("toy:words?dim=16&side=right")
    assert (text.spec.dim, image.spec.modality) == (16, IMAGE)
    assert octant.encoder("toy:words?dim=16").name == "toy:words?dim=16"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("words", "write FAMILY:MODEL with one of the families"),
        ("nobody:words", "write FAMILY:MODEL with one of the families"),
        ("toy:", "name a model, such as toy:words"),
        ("toy:words?size=3", "no option 'size'; toy has dim, side"),
        ("toy:words?dim=many", "option 'dim'"),
        ("toy:words?dim", "'dim' is not option=value"),
        ("toy:words?dim=1&dim=2", "option 'dim' is given twice"),
        ("toy:words?side=up", "option 'side'"),
        ("starter:nothing", "the starter's spaces are meaning, look, sound"),
    ],
)
def test_a_name_that_is_not_understood_says_what_is(name: str, why: str) -> None:
    with pytest.raises(EncoderError, match="encoder '") as raised:
        octant.encoder(name)
    assert why in str(raised.value)


def test_what_is_missing_says_how_to_install_it() -> None:
    with pytest.raises(MissingExtra, match=r"nowhere\.at_all is not installed; pip install 'nowhere\[else\]'"):
        octant.encoder("absent:words")


# -- a space by itself ----------------------------------------------------------------------------------------------


def test_embedding_one_and_many_of_any_modality() -> None:
    space = octant.encoder("toy:words")
    media = ["a dog", octant.Image(np.zeros((4, 4, 3), np.uint8)), Text("a cat")]
    vectors = space.embed_all(media)
    assert [one.shape for one in vectors if not isinstance(one, Sparse)] == [(64,)] * 3
    for medium, vector in zip(media, vectors, strict=True):
        np.testing.assert_array_equal(np.asarray(space.embed(medium)), np.asarray(vector))
    assert space.embed_all([]) == []
    with pytest.raises(TypeError, match=r"embed\('a dog'\) takes one"):
        space.embed_all("a dog")
    with pytest.raises(octant.UnsupportedModality):
        space.embed(Audio(np.zeros(100, np.float32), rate=16_000))


class Given:
    """Gives the vectors that it was given; a query is the negative."""

    def __init__(self, kind: Kind, vectors: dict[str, Vector]) -> None:
        self.vectors = vectors
        self.spec = EncoderSpec("given", TEXT, None if kind is Kind.SPARSE else 2, kind)

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
        return [self.vectors[f"{role}: {one.content}"] for one in batch]


def array(*rows: Any) -> Array:
    return np.array(rows, np.float32)


def test_similarity_is_what_a_search_would_say() -> None:
    dense = Given(Kind.DENSE, {"query: a": array(3, 4), "document: b": array(0, 2)})
    assert Space("x", dense).similarity("a", "b") == pytest.approx(0.8)
    assert Space("x", dense, distance=Distance.DOT).similarity("a", "b") == pytest.approx(8.0)
    with pytest.raises(ValueError, match="no similarity"):
        Space("x", dense, distance=Distance.EUCLID).similarity("a", "b")
    multi = Given(Kind.MULTI, {"query: a": array([1, 0], [0, 1]), "document: b": array([1, 0], [3, 4])})
    assert Space("x", multi).similarity("a", "b") == pytest.approx(1.0 + 0.8)
    sparse = Given(Kind.SPARSE, {"query: a": Sparse((1, 5), (2.0, 1.0)), "document: b": Sparse((5, 7), (3.0, 1.0))})
    assert Space("x", sparse).similarity("a", "b") == pytest.approx(3.0)


def test_a_space_compares_as_its_encoders_were_trained_to() -> None:
    dense = Given(Kind.DENSE, {"query: a": array(3, 4), "document: b": array(0, 2)})
    dense.spec = replace(dense.spec, by_dot=True)
    assert Space("x", dense).distance is Distance.DOT
    assert Space("x", dense).similarity("a", "b") == pytest.approx(8.0)
    assert Space("x", dense, distance=Distance.COSINE).similarity("a", "b") == pytest.approx(0.8)


def test_a_search_agrees_with_similarity(tmp_path: Path) -> None:
    with octant.open("mine", encoder="toy:words", path=tmp_path) as mine:
        mine.add(["a red dog", "a blue cat"])
        space = mine.schema.fields["text"].space
        for hit in mine.search("red cat", into="text"):
            assert hit.score == pytest.approx(space.similarity("red cat", hit.item.media["text"]), abs=1e-5)


# -- a collection by a model's name -----------------------------------------------------------------------------------


def test_a_schema_of_spaces_has_a_field_of_each_modality() -> None:
    toy, words = octant.encoder("toy:words"), Space("words", BagOfWords())
    schema = Schema.of(toy, words)
    assert {name: (f.space.name, f.modality) for name, f in schema.fields.items()} == {
        "image": ("toy:words", IMAGE),
        "text": ("toy:words", TEXT),
        "text_2": ("words", TEXT),
    }


def test_a_collection_is_opened_with_the_models_that_it_was_made_with(tmp_path: Path) -> None:
    with octant.open("mine", encoder=["toy:words?dim=32", "starter:look"], path=tmp_path) as mine:
        mine.add(["a red dog"])
    with octant.open("mine", path=tmp_path) as mine:
        assert mine.schema.fields["text"].space.spec(TEXT).dim == 32
        assert [hit.item.media["text"] for hit in mine.search("red dog", into="text")] == [Text("a red dog")]
    with pytest.raises(SchemaMismatch, match="hashing-32@1"):
        octant.open("mine", encoder=["toy:words", "starter:look"], path=tmp_path)
    with pytest.raises(ValueError, match="either schema or encoder"):
        octant.open("mine", encoder="toy:words", schema=octant.starter(), path=tmp_path)


def test_a_database_says_not_which_service_is_asked(tmp_path: Path) -> None:
    """It may come from somebody else."""
    with octant.open("mine", encoder="service:words", path=tmp_path) as mine:
        mine.add(["a red dog"])
    with pytest.raises(EncoderError, match=r"'service:words': .* it asks a service; .* --encoder"):
        octant.open("mine", path=tmp_path)
    with octant.open("mine", encoder="service:words", path=tmp_path) as mine:
        assert mine.count() == 1


def test_a_folder_is_noted_as_it_is_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models" / "words").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for name in ("./models/words", "models/words", str(tmp_path / "models" / "words")):
        assert octant.encoder(f"toy:{name}?dim=8").name == f"toy:{tmp_path / 'models' / 'words'}?dim=8"
    assert octant.encoder("toy:some/where").name == "toy:some/where", "a name of a hub"


def test_a_model_that_is_gone_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with octant.open("mine", encoder="toy:words", path=tmp_path):
        pass

    def load(model: str, options: HashingOptions) -> Sequence[Encoder[Any]]:
        raise EncoderError(model, "is no folder")

    monkeypatch.setattr(family, "families", lambda: {"toy": replace(FAMILY, load=load)})
    with pytest.raises(EncoderError, match=r"is no folder \(this collection .* if it moved, name it again"):
        octant.open("mine", path=tmp_path)


async def test_awaited_too(tmp_path: Path) -> None:
    async with await octant.open_async("mine", encoder="toy:words?dim=32", path=tmp_path) as mine:
        await mine.add(["a red dog"])
    async with await octant.open_async("mine", path=tmp_path) as mine:
        assert [hit.id for hit in await mine.search("red dog", into="text")]
        assert mine.schema.fields["text"].space.spec(TEXT).dim == 32


def test_the_same_model_under_another_name_is_the_same(tmp_path: Path) -> None:
    """A folder of weights may be moved: what counts is who the encoders are."""
    with octant.open("mine", encoder="toy:words", path=tmp_path) as mine:
        mine.add(["a red dog"])
    with octant.open("mine", encoder="toy:words?side=right", path=tmp_path) as mine:
        assert mine.count() == 1


# -- the command line -------------------------------------------------------------------------------------------------


def test_the_command_line_lists_families_and_models() -> None:
    runner = CliRunner()
    told = runner.invoke(app, ["encoders", "--all"], env={"COLUMNS": "200"})
    assert told.exit_code == 0
    narrow = runner.invoke(app, ["encoders"], env={"COLUMNS": "60"})
    for output in (told.stdout, narrow.stdout):
        assert "pip install 'nowhere[else]'  # absent" in output.splitlines(), "to be copied as it is"
    assert "toy:words" in told.stdout
    listed = json.loads(runner.invoke(app, ["encoders", "--json"]).stdout)
    toy = next(one for one in listed if one["name"] == "toy")
    assert toy["installed"] is True
    assert toy["options"] == {"dim": "64", "side": "left"}
    assert toy["models"][0]["dim"] == 64


def test_the_command_line_indexes_with_a_model_and_finds_with_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a red dog")
    where = ["--path", str(tmp_path / "db"), "-c", "mine"]
    runner = CliRunner()
    made = runner.invoke(app, ["index", str(tmp_path / "a.txt"), "--encoder", "toy:words?dim=16", *where])
    assert made.exit_code == 0, made.output
    found = runner.invoke(app, ["search", "red dog", "--into", "text", "--json", *where])
    [hit] = json.loads(found.stdout)
    wanted = octant.encoder("toy:words?dim=16").similarity("red dog", "a red dog")
    assert hit["score"] == pytest.approx(wanted, abs=1e-5)
    refused = runner.invoke(app, ["index", str(tmp_path / "a.txt"), "--encoder", "toy", *where])
    assert refused.exit_code == 2
    assert "write FAMILY:MODEL" in refused.output
