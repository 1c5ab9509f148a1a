"""Items as documents and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_octant import document_of, document_of_hit, item_of
from parts import picture, sound

import octant
from octant import Audio, Explanation, Frame, Hit, Image, Item, LegScore, Media, Page, Region, Span, Text

HERE = Path("/pictures").absolute()


def test_a_text_is_its_content_and_nothing_is_added() -> None:
    metadata = {"page": 3, "tags": ["a", {"deep": None}], "score": 0.5}
    document = document_of(Item("1", {"text": Text("some words")}, metadata))
    assert document == Document(id="1", page_content="some words", metadata=metadata)
    assert item_of(document, "1") == Item("1", {"text": Text("some words")}, metadata)


def test_several_texts_are_joined() -> None:
    item = Item("1", {"title": Text("A title"), "body": Text("a body")}, {"n": 1})
    assert document_of(item) == Document(id="1", page_content="A title\n\na body", metadata={"n": 1})


@pytest.mark.parametrize(
    ("medium", "noted", "words"),
    [
        (Image(HERE / "a b.jpg"), {"mime_type": "image/jpeg"}, "image a b.jpg"),
        (
            Image(HERE / "a b.jpg", part=Region(1, 2, 3, 4)),
            {"region": {"left": 1, "top": 2, "width": 3, "height": 4}},
            "",
        ),
        (Image(HERE / "x.pdf", part=Page(7)), {"page": 7, "mime_type": "application/pdf"}, "image x.pdf page 7"),
        (Image(HERE / "x.mp4", part=Frame(2.5)), {"second": 2.5, "mime_type": "video/mp4"}, "image x.mp4 at 2.5 s"),
        (Audio(HERE / "x.wav", span=Span(1, 3.5)), {"start": 1, "end": 3.5}, "audio x.wav from 1 s to 3.5 s"),
        (Audio(HERE / "x.nonesuch"), {}, "audio x.nonesuch"),
    ],
    ids=lambda given: repr(given)[:30],
)
def test_media_are_named_by_uri_and_come_back(medium: Image | Audio, noted: dict[str, Any], words: str) -> None:
    item = Item("1", {"m": medium}, {"n": 1})
    document = document_of(item)
    [entry] = document.metadata["octant"]["media"]
    assert isinstance(medium.source, Path)
    assert (entry["name"], entry["modality"], entry["uri"]) == ("m", medium.modality.value, medium.source.as_uri())
    assert noted.items() <= entry.items()
    assert words in document.page_content
    assert json.loads(json.dumps(document.metadata)) == document.metadata
    assert item_of(document, "1") == item


def test_a_caption_stands_for_what_has_no_text() -> None:
    photo: dict[str, Media] = {"photo": Image(HERE / "x.png")}
    for metadata in ({"title": " ", "caption": "A cat"}, {"title": "A cat", "caption": "no"}, {"description": "A cat"}):
        item = Item("1", photo, metadata)
        assert document_of(item).page_content == "A cat"
        assert item_of(document_of(item), "1") == item  # it is the metadata's, and no text of the item
    captioned = document_of(Item("1", photo))
    captioned.page_content = "what a model said of it"
    assert item_of(captioned, "1").media == {**photo, "text": Text("what a model said of it")}


def test_texts_beside_media_come_back() -> None:
    for media in (
        {"title": Text("A cat"), "photo": Image(HERE / "x.png")},
        {"photo": Image(HERE / "x.png"), "a": Text("A cat"), "b": Text("grey"), "sound": Audio(HERE / "x.wav")},
    ):
        item = Item("1", media)
        again = item_of(document_of(item), "1")
        assert again == item
        assert list(again.media) == list(item.media)  # octant hashes them in their order
    edited = document_of(Item("1", {"title": Text("A cat"), "photo": Image(HERE / "x.png")}))
    edited.page_content = "A dog"
    assert item_of(edited, "1").media == {"title": Text("A dog"), "photo": Image(HERE / "x.png")}


def test_an_item_with_nothing_left_is_named_by_its_id() -> None:
    assert document_of(Item("the id", {})).page_content == "the id"


def test_what_is_not_a_file_here_is_refused() -> None:
    for uri in ("https://example.org/x.png", "file://elsewhere/x.png", "data:image/png;base64,AAAA", "/x.png"):
        metadata = {"octant": {"media": [{"name": "m", "modality": "image", "uri": uri}]}}
        with pytest.raises(ValueError, match="not the URI of a file"):
            item_of(Document(page_content="", metadata=metadata), "1")


def test_a_key_of_the_users_own_is_left_to_octant() -> None:
    for own in ("mine", {"other": 1}, [1]):
        document = Document(page_content="x", metadata={"octant": own})
        assert item_of(document, "1").metadata == {"octant": own}  # which add refuses, and says why


def test_hits_have_scores_and_explanations(collection: octant.Collection, tmp_path: Path) -> None:
    collection.add(
        [
            Item("cat", {"title": Text("grey cat"), "photo": Image(picture(tmp_path, "grey_cat.png"))}, {"n": 1}),
            Item("bark", {"sound": Audio(sound(tmp_path, "dog_bark.wav"))}),
        ]
    )
    hits = collection.search("grey cat", explain=True)
    document = document_of_hit(hits[0], explain=True)
    assert document.metadata["score"] == hits[0].score
    explained = document.metadata["octant"]["explanation"]
    assert hits[0].explanation is not None
    assert [leg["field"] for leg in explained["legs"]] == [leg.field for leg in hits[0].explanation.legs]
    assert sum(leg["contribution"] for leg in explained["legs"]) == pytest.approx(hits[0].score)
    assert json.loads(json.dumps(document.metadata)) == document.metadata
    assert "explanation" not in document_of_hit(hits[0]).metadata["octant"]
    assert item_of(document, "cat").media == collection.get(["cat"])[0].media


def test_a_score_of_the_items_own_stays(collection: octant.Collection) -> None:
    collection.add(
        [Item("own", {"t": Text("grey cat")}, {"score": 7}), Item("none", {"t": Text("grey cat")}, {"n": 1})]
    )
    hits = {hit.id: hit for hit in collection.search("grey cat", into="text")}
    own, none = (document_of_hit(hits[name]) for name in ("own", "none"))
    assert own.metadata["score"] == 7
    assert none.metadata["score"] == hits["none"].score
    for document in (own, none):
        assert document.metadata["octant"]["score"] == hits[str(document.id)].score
    assert item_of(own, "own").metadata == {"score": 7}
    assert item_of(none, "none").metadata == {"n": 1}  # what an answer said is not the item's
    none.metadata["score"] = 3
    assert item_of(none, "none").metadata == {"n": 1, "score": 3}  # this one the user set


def test_an_explanation_is_plain_data() -> None:
    legs = (LegScore("text", None, None, 0.0, 1.0, 0.0),)
    hit = Hit(Item("1", {"text": Text("x")}), 0.5, {}, Explanation(0.5, legs))
    document = document_of_hit(hit, explain=True)
    assert document.metadata["octant"] == {
        "score": 0.5,
        "explanation": {
            "fused": 0.5,
            "legs": [
                {"field": "text", "raw": None, "rank": None, "normalised": 0.0, "weight": 1.0, "contribution": 0.0}
            ],
            "stages": [],
        },
    }
