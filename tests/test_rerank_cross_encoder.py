"""Cross-encoders: on a tiny model that is made here, where sentence-transformers is installed."""

import importlib
import json
import math
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from octant.backends.cross_encoder import CrossEncoder
from octant.errors import EncoderError, MissingExtra, RerankError, WeightsError
from octant.item import Hit, Item
from octant.media import Audio, Image, Media, Modality, Text
from octant.query import ById, Composed, Part, Query
from octant.rerank import Stage, rank

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cup", "of", "espresso", "dog", "barks", "rain"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder of two thousand numbers, drawn at random."""
    pytest.importorskip("sentence_transformers")
    torch, transformers = importlib.import_module("torch"), importlib.import_module("transformers")
    path = tmp_path_factory.mktemp("cross-encoder")
    (path / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    transformers.BertTokenizerFast(vocab={word: i for i, word in enumerate(WORDS)}).save_pretrained(path)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        num_labels=1,
        initializer_range=1.0,
    )
    transformers.BertForSequenceClassification(config).save_pretrained(path)
    return path


def texts(*contents: str) -> list[Hit]:
    return [Hit(Item(content, {"text": Text(content)}), 0.5) for content in contents]


def score(reranker: CrossEncoder, query: Query, hits: Sequence[Hit]) -> list[float]:
    return list(reranker.for_query(query, {}).score(query, hits))


HITS = texts("dog barks", "a cup of espresso", "rain")


def test_texts_are_judged_as_the_library_judges_them(folder: Path) -> None:
    library = importlib.import_module("sentence_transformers").CrossEncoder(str(folder))
    expected = library.predict([("cup", hit.text) for hit in HITS])
    assert np.ptp(expected) > 0.01, "the model tells them apart"
    by_name, by_object = CrossEncoder(str(folder), batch_size=2), CrossEncoder(library)
    for reranker in (by_name, by_object):
        assert score(reranker, Query(Text("cup")), HITS) == pytest.approx(expected.tolist(), abs=1e-5)
    ranked, [note] = rank(Query(Text("cup")), HITS, [Stage(by_name)])
    assert [hit.score for hit in ranked] == pytest.approx(sorted(expected.tolist(), reverse=True), abs=1e-5)
    assert (note.name, note.judged, note.note) == ("cross-encoder", 3, "")


TEMPLATE = (
    "{% for message in messages %}[CLS] {{ message['role'] }} {{ message['content'] }} [SEP] {% endfor %}"
    "{% if add_generation_prompt %}[SEP] {% endif %}"
)


def test_a_language_model_with_a_chat_template_is_one_too(tmp_path: Path) -> None:
    """As Qwen3-Reranker is: the query and the hit as messages, and "yes" against "no" as the next word."""
    pytest.importorskip("sentence_transformers")
    torch, transformers = importlib.import_module("torch"), importlib.import_module("transformers")
    words = [*WORDS, "yes", "no", "query", "document"]
    tokenizer = transformers.BertTokenizerFast(vocab={word: i for i, word in enumerate(words)})
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = transformers.Qwen3Config(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        intermediate_size=16,
        max_position_embeddings=64,
        initializer_range=1.0,
    )
    transformers.Qwen3ForCausalLM(config).save_pretrained(tmp_path)
    reranker = CrossEncoder(str(tmp_path))
    assert set(reranker.reads) == {Modality.TEXT}
    scores = score(reranker, Query(Text("cup")), HITS)
    assert len(set(scores)) == 3
    assert scores != score(reranker, Query(Text("dog")), HITS), "it reads the query"


def test_a_hit_without_text_stays_below_and_the_note_says_so(folder: Path) -> None:
    photo = Hit(Item("photo", {"photo": Image(PIL.Image.new("RGB", (4, 4)))}), 0.9)
    empty = Hit(Item("empty", {"text": Text("  ")}), 0.9)
    ranked, [note] = rank(Query(Text("cup")), [photo, empty, *HITS], [Stage(CrossEncoder(str(folder)))])
    assert [hit.id for hit in ranked[3:]] == ["photo", "empty"]
    assert (note.judged, note.note) == (3, "2 of 5 hits stay below: it has nothing to judge them by")


def test_several_texts_are_read_as_one(folder: Path) -> None:
    reranker = CrossEncoder(str(folder))
    both = Hit(Item("both", {"title": Text("a cup"), "description": Text("of espresso")}), 0.5)
    assert score(reranker, Query(Text("cup")), [both]) == score(
        reranker, Query(Text("cup")), texts("a cup\n\nof espresso")
    )


def test_a_composed_question_is_the_weighted_sum_of_its_parts(folder: Path) -> None:
    reranker = CrossEncoder(str(folder))
    cup, dog = score(reranker, Query(Text("cup")), HITS), score(reranker, Query(Text("dog")), HITS)
    composed = Query(Composed((Part(Text("cup"), 2.0),), unlike=(Text("dog"),)))
    expected = [2 * a - b for a, b in zip(cup, dog, strict=True)]
    assert score(reranker, composed, HITS) == pytest.approx(expected, abs=1e-5)


def test_what_a_text_model_cannot_be_asked_with_is_an_error(folder: Path) -> None:
    stages = [Stage(CrossEncoder(str(folder)))]
    with pytest.raises(RerankError, match="cross-encoder has no encoder for image; it reads text"):
        rank(Query(Image(PIL.Image.new("RGB", (4, 4)))), HITS, stages)
    with pytest.raises(RerankError, match="asks by ById; leave the stage out"):
        rank(Query(ById("cup")), HITS, stages)


class Model:
    """Stands where a multimodal cross-encoder does, and notes the pairs that it is given."""

    num_labels = 1
    modalities = ("text", "image", "audio", ("image", "text"), "message")

    def __init__(self) -> None:
        self.pairs: list[Any] = []

    def predict(self, pairs: Sequence[Any], **options: object) -> list[float]:
        self.pairs += pairs
        return [float(len(self.pairs) - i) for i in range(len(pairs))]


PICTURE = PIL.Image.new("RGB", (4, 4), (250, 0, 0))
SOUND = Audio(np.zeros(800, dtype=np.float32), 8000)


def test_pictures_and_sounds_are_read_where_the_model_reads_them() -> None:
    model = Model()
    media: dict[str, Media] = {"title": Text("cup"), "front": Image(PICTURE), "back": Image(PICTURE), "sound": SOUND}
    one, bare = Hit(Item("all", media), 0.5), Hit(Item("photo", {"photo": Image(PICTURE)}), 0.5)
    scores = score(CrossEncoder(model), Query(Image(PICTURE)), [one, Hit(Item("nothing", {}), 0.1), bare])
    assert scores == [2.0, -math.inf, 1.0]
    (asked, document), (again, photo) = model.pairs
    assert asked == again == {"image": PICTURE} == photo
    assert (document["text"], document["image"]) == ("cup", [PICTURE, PICTURE])
    assert document["audio"]["sampling_rate"] == 16000
    assert document["audio"]["array"].shape == (1600,)


def test_a_text_that_looks_like_a_file_is_never_opened_as_one(tmp_path: Path) -> None:
    formatter = pytest.importorskip("sentence_transformers.base.modality").InputFormatter
    model, path = Model(), tmp_path / "private.png"
    PICTURE.save(path)
    score(CrossEncoder(model), Query(Text("https://example.org/a.png")), [*texts(str(path)), *texts("data:image/png,")])
    kind, given, _ = formatter("tiny", message_format="structured").parse_inputs(model.pairs)
    parts = [part for messages in given["message"] for message in messages for part in message["content"]]
    assert kind == "message"
    assert {part["type"] for part in parts} == {"text"}


def test_a_file_that_is_gone_leaves_the_text_to_be_judged(tmp_path: Path) -> None:
    model = Model()
    gone = Image(tmp_path / "gone.png")
    hits = [Hit(Item("text", {"title": Text("cup"), "photo": gone}), 0.5), Hit(Item("none", {"photo": gone}), 0.4)]
    assert score(CrossEncoder(model), Query(Text("cup")), hits) == [1.0, -math.inf]
    assert model.pairs == [({"text": "cup"}, {"text": "cup"})]


def test_a_model_of_several_labels_is_refused() -> None:
    model = Model()
    model.num_labels = 3
    with pytest.raises(ValueError, match="gives 3 numbers for a pair"):
        CrossEncoder(model)


def test_the_library_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtra, match="sentence_transformers is not installed"):
        CrossEncoder("any")


def test_a_model_without_a_head_to_judge_with_is_refused(folder: Path, tmp_path: Path) -> None:
    """The library makes one at random, and logs it: the scores would be other ones at every start."""
    transformers = importlib.import_module("transformers")
    transformers.BertModel.from_pretrained(folder).save_pretrained(tmp_path)
    transformers.BertTokenizerFast.from_pretrained(folder).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="would be random"):
        CrossEncoder(str(tmp_path))


@pytest.mark.parametrize("old", [False, True])
def test_a_model_that_scales_its_scores_by_code_of_its_own_is_refused(folder: Path, tmp_path: Path, old: bool) -> None:
    shutil.copytree(folder, tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    path = "my_package.Scaled"
    told = {"sbert_ce_default_activation_function": path} if old else {"sentence_transformers": {"activation_fn": path}}
    config.write_text(json.dumps(json.loads(config.read_text()) | told))
    with pytest.raises(EncoderError, match=r"my_package\.Scaled"):
        CrossEncoder(str(tmp_path / "model"))


def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(EncoderError, match="is no folder"):
        CrossEncoder(str(tmp_path / "nowhere"))
