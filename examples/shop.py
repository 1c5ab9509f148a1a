"""A small shop: products with a title, a photo and a price, found by words, by a photo, and within a price.

    python examples/shop.py

Everything is made on the spot in a temporary folder, from the sample that octant ships.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from qdrant_client import models

import octant
from octant.sample import write

CATALOGUE = {
    "cup": ("espresso cup, porcelain", "coffee.jpg", 19.9),
    "clock": ("wall clock with a white face", "wall-clock.jpg", 49.0),
    "dahlia": ("dahlia, a garden flower", "flower.jpg", 7.5),
    "rocket": ("model rocket kit", "rocket.jpg", 89.0),
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        photos = Path(folder) / "photos"
        items = [
            octant.Item(
                sku,
                {"title": octant.Text(title), "photo": octant.Image(photos / photo)},
                {"price": price, "name": sku},
            )
            for sku, (title, photo, price) in CATALOGUE.items()
        ]
        with octant.open("shop", path=Path(folder) / "db") as shop:
            print(shop.add(items))
            print("\nby words: something to drink coffee from")
            print(shop.search("something to drink coffee from", limit=2))
            print("\nby a photo of a coffee")
            print(shop.search(octant.Image(photos / "coffee.jpg"), into="image", limit=2))
            print("\na flower or a rocket, below 20")
            below = models.Filter(must=[models.FieldCondition(key="price", range=models.Range(lt=20))])
            print(shop.search("flower", into="text", where=below, limit=2))


if __name__ == "__main__":
    main()
