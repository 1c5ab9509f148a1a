"""A shop for prints: a table of products with photos becomes a collection, and a shopper finds her way in it.

    python examples/product_search.py

She searches by words, by a photo, and by a photo plus words; narrows by price and category, and sees every product
once, whatever it is printed on, and what sells well a little higher up. Everything is made on the spot, in a temporary
folder and offline; put the export of your own shop in the place of `write_catalogue`.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import rich
from qdrant_client.models import PayloadSchemaType
from rich import box
from rich.table import Table

import octant
from octant import Boost, Composed, Part, Stage
from octant.rerank.boost import key, log1p, score
from octant.sample import QUERIES, write

PRINTS = {  # product: title, category, artist, sold last month
    "arches": ("Red rock arches in the desert", "landscapes", "Warner", 41, "canyon.jpg"),
    "petra": ("Temple carved into the rock", "places", "Malan", 63, "temple.jpg"),
    "palace": ("Palace by the lake, Beijing", "places", "Buechele", 12, "palace.jpg"),
    "deepfield": ("Galaxies of the deep sky", "space", "NASA", 95, "galaxies.jpg"),
    "launch": ("Rocket launch at dusk", "space", "SpaceX", 37, "rocket.jpg"),
    "astronaut": ("Portrait of an astronaut", "space", "NASA", 58, "astronaut.jpg"),
    "chelsea": ("Tabby cat looking at you", "animals", "van der Walt", 120, "cat.jpg"),
    "raccoon": ("Raccoon in the woods", "animals", "Fischer", 22, "raccoon.jpg"),
    "dahlia": ("Red dahlia in bloom", "plants", "Vultilion", 77, "flower.jpg"),
    "espresso": ("Cup of espresso, seen from above", "kitchen", "Michetti", 84, "coffee.jpg"),
    "clock": ("Clock on a white wall", "kitchen", "van der Walt", 9, "wall-clock.jpg"),
}
PRINTED_ON = {"postcard": (2.5, 6.0), "poster": (24.0, 1.0), "canvas": (89.0, 0.2)}  # price, and how well it sells


# 1. the catalogue: what your shop exports


def write_catalogue(path: Path) -> None:
    """Write a table with a row for each product on each of the things that it is printed on."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["sku", "product", "title", "category", "artist", "on", "price", "sold", "photo"])
        for product, (title, category, artist, sold, photo) in PRINTS.items():
            for on, (price, share) in PRINTED_ON.items():
                whole = f"{title}, {on}"
                table.writerow(
                    [f"{product}-{on}", product, whole, category, artist, on, price, int(sold * share), photo]
                )


# 2. the collection: which columns are searched, which are counted and compared


def open_shop(folder: Path) -> octant.Collection:
    """Open the collection of the shop; facets and fast filters need an index of their column."""
    indexed = {
        "category": PayloadSchemaType.KEYWORD,
        "on": PayloadSchemaType.KEYWORD,
        "price": PayloadSchemaType.FLOAT,
    }
    return octant.open("shop", schema=octant.Schema(*octant.starter().fields.values(), indexed=indexed), path=folder)


def fill(shop: octant.Collection, catalogue: Path, photos: Path) -> octant.Report:
    """Mirror the catalogue: do it again each night; what has not changed costs next to nothing, what is gone goes."""
    numbers = ("price", "sold")  # a CSV knows only texts, and prices are to be compared as numbers
    return shop.sync(octant.Table(catalogue, id="sku", text=("title",), image=("photo",), numbers=numbers, root=photos))


# 3. the searches


def by_words(shop: octant.Collection, words: str, where: str) -> octant.Hits:
    """Find products by words: each once, and what else there is, counted by category and by what it is printed on."""
    facets = ("category", "on")
    return shop.search(octant.Query(octant.Text(words), where=where, group_by="product", limit=3, facets=facets))


def by_photo(shop: octant.Collection, photo: octant.Image) -> octant.Hits:
    """Find what looks like a photo that the shopper took."""
    return shop.search(octant.Query(photo, into=(octant.Modality.IMAGE,), group_by="product", limit=3))


def by_photo_and_words(shop: octant.Collection, photo: octant.Image, words: str) -> octant.Hits:
    """Find what is like a photo and like words at once.

    The words count double: a photo shows more than is meant.
    """
    asked = Composed((photo, Part(octant.Text(words), 2.0)))
    return shop.search(octant.Query(asked, group_by="product", limit=3))


def popular_first(shop: octant.Collection, words: str, where: str) -> octant.Hits:
    """Find products by words and let rise what sells well: a score counts triple where fifty were sold."""
    boost = Boost(score() * (1 + 0.5 * log1p(key("sold"))))
    return shop.search(
        octant.Query(octant.Text(words), where=where, group_by="product", limit=3, rerank=(Stage(boost),))
    )


def show(title: str, found: octant.Hits) -> None:
    """Print hits as your shop would; `print(found)` shows them as octant does."""
    table = Table("", "price", "sold", "score", title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    for hit in found:
        table.add_row(hit.text, f"{hit.metadata['price']:.2f}", str(hit.metadata["sold"]), f"{hit.score:.3f}")
    rich.print(table)
    for name, counts in found.facets.items():
        rich.print(f" {name}:", ", ".join(f"{value} ({count})" for value, count in counts.items()))
    rich.print()


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write(folder)  # the photos that octant ships
        write_catalogue(folder / "catalogue.csv")
        with open_shop(folder / "db") as shop:
            print(fill(shop, folder / "catalogue.csv", folder / "photos"))
            show("outer space, below 50", by_words(shop, "outer space", "price < 50"))
            show("outer space, on canvas", by_words(shop, "outer space", 'on = "canvas" and category = "space"'))
            holiday = octant.Image(QUERIES / "another-view-of-the-canyon.jpg")
            show("like my photo of the arches", by_photo(shop, holiday))
            show("like my photo of the arches, but a temple", by_photo_and_words(shop, holiday, "a temple"))
            show("spaceship, as a poster", by_words(shop, "spaceship", 'on = "poster"'))
            show("spaceship, as a poster, what sells well first", popular_first(shop, "spaceship", 'on = "poster"'))


if __name__ == "__main__":
    main()
