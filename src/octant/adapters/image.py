"""Pictures: what their camera noted, and, where asked for, a look at each tile of a large one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octant.adapters.adapter import File, Piece
from octant.encoding import Budget
from octant.errors import MediaError
from octant.media import Image, Limits, Region
from octant.media.facts import exif_facts
from octant.media.picture import pillow_errors, read_header, upright_size
from octant.media.signature import MISTAKEN
from octant.media.source import open_source, require_size

__all__ = ["SUFFIXES", "ImageAdapter"]

_PHOTOS = ".avif .dib .heic .heif .hif .jfif .jpe .jpeg .jpg .tif .tiff .webp"
_OTHERS = ".bmp .gif .j2k .jp2 .pbm .pgm .png .pnm .ppm"
SUFFIXES = frozenset(f"{_PHOTOS} {_OTHERS}".split())
"""Names that promise an image: a file that does not keep the promise is reported, not left out."""


@dataclass(frozen=True, slots=True)
class ImageAdapter:
    """One piece for each image; with `tiles`, one more for each tile of an image larger than that."""

    exif: bool = True
    """Note when and where a picture was taken, and with which camera."""
    tiles: int | None = None
    """Sides of the tiles in pixels; None = only whole images."""
    overlap: float = 0.1
    """The share of a tile's side that it has in common with the next one, at least."""

    def __post_init__(self) -> None:
        if self.tiles is not None and self.tiles < 1:
            raise ValueError(f"tiles have sides of 1 pixel or more, not {self.tiles}")
        if not 0 <= self.overlap < 1:
            raise ValueError(f"tiles overlap by a share within [0, 1), not {self.overlap}")

    @property
    def identity(self) -> str:
        """Name, version and every option."""
        return f"image@1 exif={self.exif} tiles={self.tiles} overlap={self.overlap}"

    def takes(self, file: File) -> bool:
        """Take what is an image by its bytes, and what promises to be one and is nothing that another adapter reads."""
        if file.mime is not None and file.mime.startswith("image/"):
            return True
        return file.suffix in SUFFIXES and (file.mime is None or file.mime in MISTAKEN)

    def pieces(self, file: File, budget: Budget) -> Iterator[Piece | MediaError]:  # noqa: ARG002
        """Give the whole image, and then its tiles, row by row."""
        require_size(file.size, file.path, file.limits.bytes)
        if file.mime is None or not file.mime.startswith("image/"):
            unknown = (
                "begins like no image that octant knows: it is damaged, or not what its name says; export it again"
            )
            raise MediaError(file.path, MISTAKEN.get(file.mime or "", unknown))
        image = Image(file.path, file.limits)
        metadata: dict[str, Any] = {}
        regions: list[Region] = []
        # what cannot be opened is reported when it is described, with its id and for the same reason
        with suppress(MediaError):
            metadata = exif_facts(image) if self.exif else {}
            regions = self._regions(file.path, file.limits)
        yield Piece({"image": image}, metadata)
        for region in regions:
            yield Piece({"image": Image(file.path, file.limits, region)}, metadata)

    def _regions(self, path: Path, limits: Limits) -> list[Region]:
        """The tiles of an image that is larger than one, row by row; they cover all of it."""
        side = self.tiles
        if side is None:
            return []
        image = Image(path, limits)
        with (
            open_source(path, image, limits.bytes) as (file, _, _),
            pillow_errors(image),
            read_header(image, file) as opened,
        ):
            width, height = upright_size(opened)
        if max(width, height) <= side:
            return []
        across, down = min(side, width), min(side, height)
        return [
            Region(left, top, across, down) for top in self._starts(height, side) for left in self._starts(width, side)
        ]

    def _starts(self, length: int, side: int) -> list[int]:
        """Where the tiles of one row begin: evenly, so that the last ends with the image and none is a sliver."""
        beyond = length - side
        if beyond <= 0:
            return [0]
        steps = math.ceil(beyond / max(1, math.floor(side * (1 - self.overlap))))
        return [round(n * beyond / steps) for n in range(steps + 1)]
