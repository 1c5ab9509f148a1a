"""How well fusions rank mixed collections.

    python benchmarks/fusion_quality.py --data ../shared/data [--json] [--variants] [--starter]

Collections of real media, by towers that have not seen what they are asked about (`benchmarks/towers`: image concepts
taught on the other half of the photos, an audio tower that has not heard fold 4 of ESC-10):

products    photos and texts of 60 kinds of clothes and groceries, as many texts as photos of each kind
everything  the same, and sounds, texts and pictures of ten things that are heard (the pictures are ImageNet class
            proxies: there are no free photos of them at hand); "concepts" asks for the ten, "everything" for the 60
catalogue   photos, half of them with a title, which is searched by its meaning and by its words (BM25); "described"
            asks with descriptions that do not name the thing
gap         products again, photos and texts moved apart as CLIP has them (Liang et al., "Mind the Gap", 2022)

Per query and fusion: nDCG@10, where what is of the asked kind is relevant, whatever its modality. The share of each
modality among the first ten: where as much of each is relevant, it should be even. Noise: the share of hits of a
modality that has nothing relevant. Backgrounds are estimated on what is stored and on captions; what is asked is not
stored. Intervals are bootstrapped over queries (95 %); differences are paired.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import log, log2, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import octant
from octant.backends.bm25 import Bm25
from octant.backends.starter import (
    AudioEncoder,
    AudioNative,
    AudioTrunk,
    ImageEncoder,
    ImageNative,
    ImageTrunk,
    TextEncoder,
    Weights,
)
from octant.calibrate import CAPTIONS, COHORT, Backgrounds, Cohort, background_of
from octant.encoding import Role
from octant.fusion import DBSF, RRF, Background, Calibrated, Found, Fusion, RelativeScore, Voter, ZScore
from octant.media import Audio, Image, Media, Modality, Text
from octant.vectors import Array, Sparse, normalize, stack

TOWERS = Path(__file__).parent / "towers"
DEPTH = 50
FIRST = 10
EACH = 4
"""Of each kind and modality."""

PROXIES = {
    "dog bark": range(151, 269, 12),
    "rooster": (7, 8),
    "sea waves": (978, 977, 976, 460),
    "clock tick": (409, 530, 531, 892),
    "chainsaw": (491,),
    "crying baby": (520, 529, 680),
    "crackling fire": (827, 862, 470, 606),
    "rain": (879,),
    "helicopter": (404, 895),
}
"""ImageNet classes that stand for photos of what is heard, as in starter_quality.py."""

ABOUT = {
    "blazer": "a tailored jacket for the office, worn over a light top",
    "blouse": "a loose upper garment for women, often of silk",
    "bodysuit": "a tight one-piece garment for a baby, with snaps between the legs",
    "dress": "a one-piece garment for women with a skirt, for a summer party",
    "hat": "a head covering with a brim that keeps the sun off",
    "hoodie": "a warm sweatshirt with a hood and a big front pocket",
    "long sleeve shirt": "a cotton tee whose sleeves reach the wrists",
    "outerwear": "a coat or a warm jacket for the winter",
    "pants": "trousers, such as jeans, that cover both legs to the ankle",
    "polo shirt": "a knitted top with a collar and three buttons, for tennis or golf",
    "shirt": "a button-up garment with a collar and cuffs, worn with a tie",
    "shoes": "footwear with laces and soles, such as sneakers and boots",
    "shorts": "short trousers that end above the knee",
    "skirt": "a garment for women that hangs from the waist, pleated",
    "t-shirt": "a tee with short sleeves and a round neck",
    "top": "a sleeveless garment for women, for hot days",
    "undershirt": "a thin sleeveless vest worn beneath other clothes",
    "apple": "a crisp round fruit from the orchard, red or green, for cider and pies",
    "asparagus": "green or white spears that are eaten in spring",
    "aubergine": "an eggplant, a purple vegetable for moussaka",
    "avocado": "a green fruit with a big stone, mashed into guacamole",
    "banana": "a long yellow tropical fruit that is peeled",
    "cabbage": "a round head of leaves for coleslaw and sauerkraut",
    "carrots": "orange roots that rabbits like",
    "cucumber": "a long green vegetable, sliced into salads or pickled",
    "garlic": "a bulb of pungent cloves that flavours sauces",
    "ginger": "a spicy root for tea and curries",
    "juice": "a drink pressed from fruit, in a carton",
    "kiwi": "a small fuzzy brown fruit, green inside",
    "leek": "a long vegetable like an onion, for soups",
    "lemon": "a sour yellow citrus fruit",
    "lime": "a sour green citrus fruit for cocktails",
    "mango": "a sweet tropical fruit with orange flesh and a flat stone",
    "melon": "a big sweet watery fruit, such as cantaloupe and honeydew",
    "milk": "a white drink from the dairy, for the coffee",
    "mushroom": "an edible fungus with a cap, fried in butter",
    "nectarine": "a smooth stone fruit like a peach without fuzz",
    "oat milk": "a vegan white drink made from oats",
    "oatghurt": "a vegan dairy-free cup made of fermented oats",
    "onion": "a bulb in layers that makes cooks cry",
    "orange": "a sweet round citrus fruit for breakfast",
    "papaya": "a tropical fruit with orange flesh and black seeds",
    "passion fruit": "a small purple tropical fruit full of seeds in yellow pulp",
    "peach": "a fuzzy sweet stone fruit",
    "pear": "a sweet green fruit that is thin at the stem",
    "pepper": "a hollow sweet vegetable in red, yellow or green, such as paprika",
    "pineapple": "a spiky tropical fruit with a crown of leaves",
    "plum": "a small dark stone fruit that is dried into prunes",
    "pomegranate": "a red fruit full of juicy seeds",
    "potato": "a starchy tuber for fries and mash",
    "red beet": "a dark red root for borscht",
    "red grapefruit": "a bitter pink citrus fruit",
    "satsumas": "small seedless mandarins that are easy to peel",
    "sour cream": "a thick soured dairy product for dips",
    "sour milk": "a fermented drink from the dairy, like kefir",
    "soy milk": "a vegan white drink made from beans",
    "soyghurt": "a vegan dairy-free cup made of fermented beans",
    "tomato": "a red juicy fruit for ketchup and pizza sauce",
    "yoghurt": "a cup of thick cultured dairy, eaten with a spoon",
    "zucchini": "a courgette, a long green summer squash",
    "dog bark": "a puppy that woofs at the visitors",
    "rain": "drops that fall on the roof from grey clouds",
    "sea waves": "surf that breaks on the beach, the ocean's swell",
    "crying baby": "an infant that wails for its mother",
    "clock tick": "the pendulum and the second hand of an old timepiece",
    "person sneezing": "achoo: somebody with a cold or hay fever",
    "helicopter": "a chopper whose rotor beats the air above the city",
    "chainsaw": "a lumberjack's motor tool for felling trees",
    "rooster": "a cock that crows at dawn in the farmyard",
    "crackling fire": "logs that burn in the hearth, flames and sparks",
}
TITLES = ("{}", "a note about {}", "{}, just in")
WORDINGS = ("{}", "a picture of {}", "where is the {}")
HEARD = ("{}", "the sound of {}", "I want to hear {}", "recording of a {}")


@dataclass(frozen=True, slots=True)
class Thing:
    """What is stored, or asked: its kind, its modalities, and a vector for each field that it is in or asks."""

    kind: str
    modality: str
    vectors: Mapping[str, Array]
    words: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A collection, and queries of one modality."""

    name: str
    stored: Sequence[Thing]
    asked: Sequence[Thing]
    captions_moved: Array | None = None
    """Where the texts of the space have been moved to."""
    words: bool = False
    """Whether titles are searched by their words too."""


def ndcg(ranked: Sequence[bool], relevant: int, first: int = FIRST) -> float:
    """Discounted cumulative gain of the first, as a share of the best one; Järvelin, Kekäläinen, TOIS 2002."""
    gain = sum(1 / log2(place + 2) for place, hit in enumerate(ranked[:first]) if hit)
    return gain / sum(1 / log2(place + 2) for place in range(min(relevant, first)))


class Words:
    """BM25 over the titles of things; the store's IDF."""

    def __init__(self, texts: Mapping[int, str]) -> None:
        self.encoder = Bm25(average_length=5)
        self.held = {place: self._terms(text, Role.DOCUMENT) for place, text in texts.items()}
        self.documents = Counter(term for one in self.held.values() for term in one)

    def scores(self, text: str) -> dict[int, float]:
        """Score the texts that have a word of this one."""
        asked, number = self._terms(text, Role.QUERY), len(self.held)
        idf = {t: log((number - self.documents[t] + 0.5) / (self.documents[t] + 0.5) + 1) for t in asked}
        scored = {at: sum(asked[t] * idf[t] * one[t] for t in asked if t in one) for at, one in self.held.items()}
        return {place: score for place, score in scored.items() if score > 0}

    def _terms(self, text: str, role: Role) -> dict[int, float]:
        [vector] = self.encoder.encode([Text(text)], role)
        assert isinstance(vector, Sparse)
        return dict(zip(vector.indices, vector.values, strict=True))


def products(data: Path, towers: Weights) -> tuple[list[Thing], list[Thing], list[Thing]]:
    """Photos and texts of clothes and groceries to be stored; texts, and other photos, to ask."""
    text, trunk = TextEncoder(), ImageTrunk(Weights())
    meaning, look = ImageEncoder(trunk, heads=towers), ImageNative(trunk, heads=towers)
    rows = [(data / "clothing" / r["file"], r["query"], "") for r in read(data / "clothing") if not taught(r["file"])]
    rows += [
        (data / "grocery" / r["file"], r["query"], r["fine"].replace("-", " "))
        for r in read(data / "grocery")
        if r["source_split"] != "train"
    ]
    photos = [Image(path) for path, _, _ in rows]
    by_meaning, by_look = meaning.encode(photos, Role.DOCUMENT), look.encode(photos, Role.DOCUMENT)
    stored: list[Thing] = []
    asked: list[Thing] = []
    kinds: dict[str, list[int]] = defaultdict(list)
    for place, (_, kind, _) in enumerate(rows):
        kinds[kind].append(place)
    for kind, places in kinds.items():
        keep = places[: min(EACH, max(len(places) - 1, 1))]
        for place in keep:
            vectors = {"image": by_meaning[place], "look": by_look[place]}
            stored.append(Thing(kind, "image", {name: np.asarray(v) for name, v in vectors.items()}, rows[place][2]))
        for place in places[EACH : EACH + 2]:
            vector = np.asarray(by_meaning[place])
            asked.append(Thing(kind, "image", {"text": vector, "audio": vector, "look": np.asarray(by_look[place])}))
        stored += texts(text, kind, [rows[place][2] for place in keep])
    return stored, asked, [one for kind in kinds for one in wordings(text, kind, WORDINGS)]


def texts(encoder: TextEncoder, kind: str, fine: Sequence[str]) -> list[Thing]:
    """As many texts about a kind as there are names of it: what it is, then titles of all sorts."""
    titles = [title.format(name or kind) for title, name in zip(TITLES, (*fine[1:], "", "", ""), strict=False)]
    chosen = [ABOUT[kind], *titles][: len(fine)]
    vectors = stack(encoder.encode([Text(one) for one in chosen], Role.DOCUMENT))
    return [Thing(kind, "text", {"text": v}, one) for one, v in zip(chosen, vectors, strict=True)]


def wordings(encoder: TextEncoder, kind: str, forms: Sequence[str]) -> list[Thing]:
    asked = [form.format(kind) for form in forms]
    vectors = stack(encoder.encode([Text(one) for one in asked], Role.QUERY))
    return [
        Thing(kind, "text", {"text": v, "image": v, "audio": v}, one) for one, v in zip(asked, vectors, strict=True)
    ]


def heard(data: Path, towers: Weights) -> tuple[list[Thing], list[Thing], list[Thing], list[Thing]]:
    """Sounds, texts and pictures of what is heard, to be stored; sounds, pictures and texts to ask."""
    text, trunk = TextEncoder(), AudioTrunk(towers)
    rows = [(data / "esc10" / r["file"], r["label"]) for r in read(data / "esc10") if r["fold"] == "4"]
    strange = [r for r in read(data / "sounds_extra") if strange_author(r["author"])]
    rows += [(data / "sounds_extra" / r["file"], f"another: {r['label']}") for r in strange if unlike(r["label"])]
    media = [Audio(path) for path, _ in rows]
    meaning, sound = AudioEncoder(trunk).encode(media, Role.DOCUMENT), AudioNative(trunk).encode(media, Role.DOCUMENT)
    places = ImageEncoder(ImageTrunk(Weights())).concepts().places
    stored: list[Thing] = []
    sounds: list[Thing] = []
    pictures: list[Thing] = []
    many: Counter[str] = Counter()
    for (_, kind), by_meaning, by_sound in zip(rows, meaning, sound, strict=True):
        many[kind] += 1
        vector, own = np.asarray(by_meaning), np.asarray(by_sound)
        if many[kind] <= EACH:
            stored.append(Thing(kind, "audio", {"audio": vector, "sound": own}))
        else:
            sounds.append(Thing(kind, "audio", {"text": vector, "image": vector, "sound": own}))
    for kind in (kind for kind in many if kind in ABOUT):
        stored += texts(text, kind, [""] * EACH)
        for number, index in enumerate(PROXIES.get(kind, ())):
            vector = normalize(np.asarray(places[index], np.float32))
            if number < EACH:
                stored.append(Thing(kind, "image", {"image": vector}))
            else:
                pictures.append(Thing(kind, "image", {"text": vector, "audio": vector}))
    return stored, sounds, pictures, [one for kind in many if kind in ABOUT for one in wordings(text, kind, HEARD)]


def read(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def taught(file: str) -> bool:
    """Tell whether a clothing photo is in the half that the towers were taught on."""
    return hashlib.sha256(f"octant-2026:{file}".encode()).digest()[0] < 128


def strange_author(author: str) -> bool:
    """Tell whether a sound's author was kept from the audio tower."""
    return hashlib.sha256(f"octant:{author}".encode()).digest()[0] < 85


def unlike(label: str) -> bool:
    return label not in {
        "fire crackle",
        "rain",
        "rain heavy",
        "rain light",
        "rain medium",
        "rooster",
        "watch tick",
        "waves",
    }


def catalogue(stored: Sequence[Thing], asked: Sequence[Thing]) -> tuple[Case, Case]:
    """Photos of which every other one has a title; asked for by name, and by descriptions that do not name it."""
    encoder = TextEncoder()
    held: list[Thing] = []
    many: Counter[str] = Counter()
    for photo in (thing for thing in stored if thing.modality == "image"):
        many[photo.kind] += 1
        if many[photo.kind] % 2:
            held.append(replace(photo, modality="photo alone", words=None))
            continue
        title = f"{photo.words} {photo.kind}".strip()
        [vector] = encoder.encode([Text(title)], Role.DOCUMENT)
        vectors = {**photo.vectors, "text": np.asarray(vector)}
        held.append(Thing(photo.kind, "with a title", vectors, title))
    described = [Thing(kind, "text", wordings(encoder, kind, (ABOUT[kind],))[0].vectors, ABOUT[kind]) for kind in many]
    return Case("catalogue, text", held, asked, words=True), Case("catalogue, described", held, described, words=True)


def gap(stored: Sequence[Thing], pictures: Sequence[Thing], texts: Sequence[Thing]) -> tuple[Case, Case]:
    """Move texts one way and photos another, as far as makes unrelated texts as alike as CLIP has them (about .7)."""
    rng = np.random.default_rng(0)
    ways: Array = np.linalg.qr(rng.normal(size=(384, 2)))[0].T.astype(np.float32) * np.float32(1.5)
    to_texts: Array = ways[0]
    to_photos: Array = ways[1]

    def moved(thing: Thing, by: Mapping[str, Array]) -> Thing:
        return replace(thing, vectors={f: normalize(v + by[f]) if f in by else v for f, v in thing.vectors.items()})

    held = [moved(thing, {"text": to_texts, "image": to_photos}) for thing in stored]
    by_text = [moved(thing, {"text": to_texts, "image": to_texts}) for thing in texts]
    by_photo = [moved(thing, {"text": to_photos}) for thing in pictures]
    return Case("gap, text", held, by_text, to_texts), Case("gap, image", held, by_photo, to_texts)


class Held:
    """A collection in memory: exact searches, and the backgrounds of its fields."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.places = {
            f: [at for at, thing in enumerate(case.stored) if f in thing.vectors]
            for f in FIELDS
            if any(f in thing.vectors for thing in case.stored)
        }
        self.rows = {f: np.stack([case.stored[at].vectors[f] for at in at_all]) for f, at_all in self.places.items()}
        texts = {at: thing.words for at, thing in enumerate(case.stored) if "text" in thing.vectors and thing.words}
        self.words = Words(texts) if case.words else None
        rng = np.random.default_rng(1)
        self.chosen = {f: list(map(int, rng.permutation(len(rows))[:COHORT])) for f, rows in self.rows.items()}
        self.backgrounds = self._measured(texts)

    def fields(self, asked: Thing) -> list[str]:
        """The fields that answer a query."""
        dense = [f for f in self.rows if f in asked.vectors]
        return [*dense, "words"] if self.words and asked.words else dense

    def search(self, name: str, asked: Thing, floor: float | None = None) -> Found:
        """The first DEPTH of a field."""
        if name == "words":
            assert self.words is not None
            scored = self.words.scores(asked.words or "")
        else:
            scores = self.rows[name] @ asked.vectors[name]
            scored = dict(zip(self.places[name], map(float, scores), strict=True))
        best = sorted(scored.items(), key=lambda one: (-one[1], one[0]))[:DEPTH]
        return {f"{at:05}": score for at, score in best if floor is None or score >= floor}

    def takes_part(self, one: str) -> Collection[str]:
        vectors = self.case.stored[int(one)].vectors
        return [*vectors, "words"] if "text" in vectors else list(vectors)

    def voters(self, asked: Thing, given: Backgrounds | None = None) -> list[Voter]:
        backgrounds, modality = given or self.backgrounds, Modality(asked.modality)
        return [Voter(f, 1.0, backgrounds.of(modality, f, asked.vectors.get(f))) for f in self.fields(asked)]

    def _measured(self, texts: Mapping[int, str]) -> Backgrounds:
        chosen = self.chosen
        captions = stack(TextEncoder().encode([Text(one) for one in CAPTIONS], Role.QUERY))
        if self.case.captions_moved is not None:
            captions = normalize(captions + self.case.captions_moved)
        overall: dict[tuple[Modality, str], Background] = {}
        for f, rows in self.rows.items():
            for asked in Modality:
                own = SAME.get(f, asked.value)
                if asked is not Modality.TEXT and (f not in ASKS[asked] or own not in self.rows):
                    continue
                if asked is Modality.TEXT and f not in ASKS[asked]:
                    continue
                queries = captions if asked is Modality.TEXT else self.rows[own][chosen[own]]
                scores = queries @ rows[chosen[f]].T
                if own == f and asked is not Modality.TEXT:
                    np.fill_diagonal(scores, np.nan)
                if (found := background_of(scores)) is not None:
                    overall[asked, f] = found
        words: dict[str, Background] = {}
        if self.words is not None:
            overlaps = [
                score
                for at, text in texts.items()
                for other, score in self.words.scores(" ".join(text.split()[:4])).items()
                if other != at
            ]
            words["words"] = Background(0.0, float(np.std(overlaps)), len(overlaps))
        return Backgrounds(overall, words, {f: Cohort(rows[chosen[f]]) for f, rows in self.rows.items()})


FIELDS = ("text", "image", "look", "audio", "sound")
ASKS = {
    Modality.TEXT: ("text", "image", "audio"),
    Modality.IMAGE: ("text", "look", "audio"),
    Modality.AUDIO: ("text", "image", "sound"),
}
SAME = {"look": "look", "sound": "sound"}
"""Fields of a space of their own: what they hold is what asks."""
Ranker = Callable[[Held, Thing], list[str]]


def by(
    fusion: Fusion,
    *,
    floors: bool = False,
    above: float | None = None,
    backgrounds: Callable[[Backgrounds], Backgrounds] | None = None,
) -> Ranker:
    """Rank with a fusion; floors leave out what is no more like than chance.

    `floors` are those of the starter; `above` are so many standard deviations above a leg's background.
    """

    def floor(asked: Thing, voter: Voter) -> float | None:
        if above is not None and voter.background is not None and voter.field != "words":
            return voter.background.at(above)
        return FLOORS.get((Modality(asked.modality), voter.field)) if floors else None

    def ranked(held: Held, asked: Thing) -> list[str]:
        given = held.backgrounds if backgrounds is None else backgrounds(held.backgrounds)
        voters = held.voters(asked, given)
        found = [held.search(voter.field, asked, floor(asked, voter)) for voter in voters]
        return [one.id for one in fusion.fuse(voters, found, held.takes_part)]

    return ranked


def far(held: Held, asked: Thing) -> list[str]:
    """Rank as calibrated does where a collection is so large that a cohort has nothing of the asked kind in it."""
    stored = held.case.stored
    cohorts = {
        f: Cohort(np.stack([held.rows[f][at] for at in chosen if stored[held.places[f][at]].kind != asked.kind]))
        for f, chosen in held.chosen.items()
    }
    voters = held.voters(asked, replace(held.backgrounds, cohorts=cohorts))
    found = [held.search(voter.field, asked) for voter in voters]
    return [one.id for one in Calibrated().fuse(voters, found, held.takes_part)]


def raw(held: Held, asked: Thing) -> list[str]:
    """Rank by the best score as it is, whatever its field."""
    best: dict[str, float] = {}
    for f in held.fields(asked):
        for one, score in held.search(f, asked).items():
            best[one] = max(best.get(one, score), score)
    return sorted(best, key=lambda one: (-best[one], one))


def combined(join: Callable[[Sequence[float], int], float]) -> Ranker:
    """Rank by another combination of what `Calibrated` has of each leg, and the number of legs taken part in."""

    def ranked(held: Held, asked: Thing) -> list[str]:
        voters = held.voters(asked)
        found = [held.search(voter.field, asked) for voter in voters]
        names = [voter.field for voter in voters]
        scored: dict[str, float] = {}
        for one in Calibrated().fuse(voters, found, held.takes_part):
            part = sum(name in names for name in held.takes_part(one.id))
            scored[one.id] = join([leg.normalised for leg in one.legs], part)
        return sorted(scored, key=lambda one: (-scored[one], one))

    return ranked


FLOORS = {
    (Modality.TEXT, "text"): 0.2,
    (Modality.TEXT, "image"): 0.3,
    (Modality.TEXT, "audio"): 0.3,
    (Modality.IMAGE, "text"): 0.25,
    (Modality.IMAGE, "look"): 0.4,
    (Modality.IMAGE, "audio"): 0.12,
    (Modality.AUDIO, "text"): 0.25,
    (Modality.AUDIO, "image"): 0.12,
    (Modality.AUDIO, "sound"): 0.5,
}
"""Those of octant.config.starter."""

RANKERS: Mapping[str, Ranker] = {
    "RRF(60)": by(RRF(60)),
    "RRF(2)": by(RRF(2)),
    "DBSF": by(DBSF()),
    "raw scores": raw,
    "z-score": by(ZScore()),
    "relative": by(RelativeScore()),
    "calibrated": by(Calibrated()),
    "RRF(60), floors": by(RRF(60), floors=True),
    "DBSF, floors": by(DBSF(), floors=True),
    "z-score, floors": by(ZScore(), floors=True),
    "calibrated, floors": by(Calibrated(), floors=True),
    "calibrated, z ≥ 1": by(Calibrated(), above=1.0),
}
VARIANTS: Mapping[str, Ranker] = {
    "calibrated": by(Calibrated()),
    "no cohort": by(Calibrated(), backgrounds=lambda all: replace(all, cohorts={})),
    "nothing related in the cohort": far,
    "cohort alone": by(Calibrated(), backgrounds=lambda all: replace(all, overall={})),
    "maximum": combined(lambda z, _: max(z)),
    "sum": combined(lambda z, _: sum(z)),
    "Euclidean norm": combined(lambda z, _: sqrt(sum(one * one for one in z))),
    "mean over legs": combined(lambda z, part: sum(z) / part),
    "sum / root (= calibrated)": combined(lambda z, part: sum(z) / sqrt(part)),
}


@dataclass(frozen=True, slots=True)
class Row:
    """What a fusion reached in a case."""

    case: str
    queries: int
    fusion: str
    ndcg: float
    interval: tuple[float, float]
    ahead: tuple[float, float]
    """How far calibrated is ahead of it: the interval of the paired difference."""
    shares: Mapping[str, float]
    noise: float


def measured(case: Case, rankers: Mapping[str, Ranker]) -> list[Row]:
    held = Held(case)
    gains = {name: np.array([score(held, asked, ranker) for asked in case.asked]) for name, ranker in rankers.items()}
    return [
        Row(
            case.name,
            len(case.asked),
            name,
            round(float(np.mean(gains[name])), 3),
            interval(gains[name]),
            interval(gains["calibrated"] - gains[name]),
            *standing(held, ranker),
        )
        for name, ranker in rankers.items()
    ]


def score(held: Held, asked: Thing, ranker: Ranker) -> float:
    kinds = [thing.kind for thing in held.case.stored]
    return ndcg([kinds[int(one)] == asked.kind for one in ranker(held, asked)], kinds.count(asked.kind))


def standing(held: Held, ranker: Ranker) -> tuple[dict[str, float], float]:
    """The share of each modality among the first, and that of hits of a modality that has nothing relevant."""
    stored = held.case.stored
    seen: Counter[str] = Counter()
    noise: list[float] = []
    for asked in held.case.asked:
        first = [stored[int(one)].modality for one in ranker(held, asked)[:FIRST]]
        relevant = {thing.modality for thing in stored if thing.kind == asked.kind}
        seen.update(first)
        noise.append(sum(modality not in relevant for modality in first) / max(len(first), 1))
    return {name: round(n / seen.total(), 2) for name, n in sorted(seen.items())}, round(float(np.mean(noise)), 3)


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % interval of the mean; Efron's bootstrap over queries."""
    drawn = np.random.default_rng(0).integers(len(values), size=(2000, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), (0.025, 0.975))
    return round(float(low), 3), round(float(high), 3)


def cases(data: Path) -> list[Case]:
    towers = Weights(TOWERS)
    stored, photos, texts = products(data, towers)
    more, sounds, pictures, spoken = heard(data, towers)
    every = [*stored, *more]
    return [
        Case("products, text", stored, texts),
        Case("products, image", stored, photos),
        Case("concepts, text", every, spoken),
        Case("concepts, audio", every, sounds),
        Case("concepts, image", every, pictures),
        Case("everything, text", every, texts),
        Case("everything, image", every, photos),
        *catalogue(stored, texts),
        *gap(stored, photos, texts),
    ]


def starter_backgrounds(data: Path) -> list[dict[str, object]]:
    """The backgrounds of the starter's fields: captions, photos and sounds against what is of another kind."""
    rows = [(Image(data / f / r["file"]), r["query"]) for f in ("clothing", "grocery") for r in read(data / f)[::3]]
    sounds = [(Audio(data / f / r["file"]), r["label"]) for f in ("esc10", "sounds_extra") for r in read(data / f)[::3]]
    texts = [(Text(about), kind) for kind, about in ABOUT.items()]
    media: dict[Modality, tuple[Sequence[Media], list[str]]] = {
        Modality.TEXT: ([one for one, _ in texts], [kind for _, kind in texts]),
        Modality.IMAGE: ([one for one, _ in rows], [kind for _, kind in rows]),
        Modality.AUDIO: ([one for one, _ in sounds], [kind for _, kind in sounds]),
    }
    found: list[dict[str, object]] = []
    for f in octant.starter().fields.values():
        there, kinds = media[f.modality]
        held = stack(f.space.encode(there, f.modality, Role.DOCUMENT))
        for asked in sorted(f.answers):
            here, wanted = media[asked]
            if asked is Modality.TEXT:
                here, wanted = [Text(one) for one in CAPTIONS], ["" for _ in CAPTIONS]
            scores = stack(f.space.encode(here, asked, Role.QUERY)) @ held.T
            scores[np.array([[a == b for b in kinds] for a in wanted])] = np.nan
            one = background_of(scores)
            assert one is not None
            found.append({"asked": asked.value, "field": f.name, "mean": round(one.mean, 3), "std": round(one.std, 3)})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--variants", action="store_true", help="other ways to combine the legs, by what is left out")
    parser.add_argument("--starter", action="store_true", help="the backgrounds of the starter's fields instead")
    given = parser.parse_args()
    if given.starter:
        print(json.dumps(starter_backgrounds(given.data), indent=1))
        return
    rows = [row for case in cases(given.data) for row in measured(case, VARIANTS if given.variants else RANKERS)]
    if given.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        show(rows)


def show(rows: Sequence[Row]) -> None:
    table = Table("case", "queries", "fusion", "nDCG@10", "95 %", "calibrated ahead by, 95 %", "shares", "noise")
    for before, row in zip((None, *rows), rows, strict=False):
        new = before is None or before.case != row.case
        low, high = row.ahead
        verdict = "" if row.fusion == "calibrated" else f"{low:+.3f} … {high:+.3f}"
        verdict += " loses" if high < 0 else ""
        shares = ", ".join(f"{name} {share:.2f}" for name, share in row.shares.items())
        label, number = (row.case, str(row.queries)) if new else ("", "")
        values = (f"{row.ndcg:.3f}", f"{row.interval[0]:.3f} … {row.interval[1]:.3f}", verdict, shares)
        table.add_row(label, number, row.fusion, *values, f"{row.noise:.3f}", end_section=False)
    mean = {
        name: np.mean([row.ndcg for row in rows if row.fusion == name])
        for name in dict.fromkeys(r.fusion for r in rows)
    }
    console = Console(width=190)
    console.print(table)
    console.print("mean over cases: " + ", ".join(f"{name} {value:.3f}" for name, value in mean.items()))


if __name__ == "__main__":
    main()
