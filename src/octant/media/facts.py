"""What pictures say of themselves: their colours, their look as one number, and what the camera wrote down."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octant.media.kinds import Image
from octant.media.parts import Region
from octant.media.picture import pillow_errors, read_header
from octant.media.source import open_source

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = ["dominant_colours", "exif_facts", "perceptual_hash"]

_NAMED = {
    "red": ("e50000", "ff474c", "840000", "bb3f3f"),
    "orange": ("f97306", "fdaa48", "c65102", "d8863b"),
    "yellow": ("ffff14", "fffe7a", "d5b60a", "eedc5b"),
    "green": ("15b01a", "96f97b", "033500", "74a662"),
    "blue": ("0343df", "95d0fc", "00035b", "49759c"),
    "purple": ("7e1e9c", "bf77f6", "35063e", "84597e"),
    "pink": ("ff81c0", "ffd1df", "cb416b", "d5869d"),
    "brown": ("653700", "ad8150", "341c02", "876e4b", "964e02"),
}
"""The basic colour terms that have a hue (Berlin & Kay 1969), each plain, light, dark and dull, and warm brown, as some
200,000 people named them in the xkcd colour survey (https://xkcd.com/color/rgb.txt, 2010, CC0)."""

_NAMES = (*_NAMED, "black", "grey", "white")

_COARSE = 2
"""Bits of each channel that do not matter to a name."""

_HUELESS = 0.03
"""OKLab chroma below which a colour is black, grey or white."""

_BLACK, _WHITE = 0.28, 0.93
"""OKLab lightness at which grey begins and ends."""

_NIGHT = 0.15
"""OKLab lightness below which no hue is seen."""

_LEAST = 0.08
"""The share of pixels that makes a colour worth naming; 11 names share them, so there always is one."""

_lock = threading.Lock()

_SIDE = 64
"""Pixels that are enough to judge colours by."""


def dominant_colours(picture: PIL.Image.Image) -> list[str]:
    """Name the colours of an RGB picture that cover 8 % of it or more, the most frequent first.

    Names are the 11 basic colour terms of English. A pixel has the name of the nearest colour of a survey in OKLab
    (Ottosson 2020), or is black, grey or white where it has next to no chroma; pixels are told apart by six bits of
    each channel.
    """
    import numpy as np

    small = picture.copy() if max(picture.size) <= _SIDE else picture.reduce(math.ceil(max(picture.size) / _SIDE))
    seen = np.asarray(small).reshape(-1, 3) >> _COARSE
    with _lock:  # it takes a while, and every thread would make its own
        names = _names()
    counts = np.bincount(names[seen[:, 0], seen[:, 1], seen[:, 2]], minlength=len(_NAMES)).tolist()
    ranked = sorted(zip(counts, _NAMES, strict=True), key=lambda pair: (-pair[0], pair[1]))
    return [name for count, name in ranked if count >= _LEAST * len(seen)]


@cache
def _names() -> NDArray[np.uint8]:
    """The place in `_NAMES` of the name of every colour: [64, 64, 64], by the upper bits of red, green and blue."""
    import numpy as np

    levels = np.arange(0, 256, 1 << _COARSE) + (1 << _COARSE >> 1)
    colours = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    shades = _oklab(np.array([list(bytes.fromhex(shade)) for group in _NAMED.values() for shade in group]))
    named = np.repeat(np.arange(len(_NAMED)), [len(group) for group in _NAMED.values()])
    seen = _oklab(colours)
    # the nearest by |a - b|^2 = |a|^2 - 2ab + |b|^2, of which |a|^2 is the same for all shades
    nearest = named[((shades**2).sum(axis=1) - 2 * seen @ shades.T).argmin(axis=1)]
    black, grey, white = range(len(_NAMED), len(_NAMES))
    light, chroma = seen[:, 0], np.hypot(seen[:, 1], seen[:, 2])
    hueless = np.where(light < _BLACK, black, np.where(light > _WHITE, white, grey))
    names = np.where(light < _NIGHT, black, np.where(chroma < _HUELESS, hueless, nearest))
    return names.astype(np.uint8).reshape(len(levels), len(levels), len(levels))


def perceptual_hash(picture: PIL.Image.Image) -> str:
    """Hash the look of a picture: 64 bits in hex, few of which differ between copies that were scaled or re-encoded.

    This is dHash (Krawetz, "Kind of Like That", hackerfactor.com 2013): whether each of 9 x 8 grey pixels is darker
    than the next one of its row, row by row from the top left.
    """
    import numpy as np
    import PIL.Image

    grey = np.asarray(picture.convert("L").resize((9, 8), PIL.Image.Resampling.LANCZOS))
    return np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes().hex()


def exif_facts(image: Image) -> dict[str, Any]:
    """Read what the camera noted in EXIF: `taken`, `location` and `camera`, each where it is there and makes sense.

    `taken` is ISO local time, with its offset from UTC where that is noted; `location` is {"lon", "lat"} in degrees
    (WGS 84). Pages, frames and arrays have none. MediaError when the image itself cannot be opened.
    """
    source = image.source
    if not (image.part is None or isinstance(image.part, Region)):
        return {}
    if isinstance(source, (bytes, Path)):
        with (
            open_source(source, image, image.limits.bytes) as (file, _, _),
            pillow_errors(image),
            read_header(image, file) as opened,
        ):
            return _facts(opened)
    import PIL.Image

    if isinstance(source, PIL.Image.Image):
        with pillow_errors(image):
            return _facts(source)
    return {}


_EXIF, _GPS = 0x8769, 0x8825
_MAKE, _MODEL = 0x010F, 0x0110
_ORIGINAL, _ORIGINAL_OFFSET = 0x9003, 0x9011
_LAT_REF, _LAT, _LON_REF, _LON, _STATUS = 1, 2, 3, 4, 9
"""Tags of EXIF 2.32 (CIPA DC-008)."""

_TIME = re.compile(r"(\d{4})[:/.-](\d\d)[:/.-](\d\d)(?:[ T]+(\d\d:\d\d(?::\d\d)?)(?:\.\d+)?)?[ :]*")
_OFFSET = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d")
_LONGEST = 100
"""Characters of a camera's name; what is longer is damage."""


def _facts(opened: PIL.Image.Image) -> dict[str, Any]:
    if opened.format == "PNG" and "exif" not in opened.info:
        return {}  # Pillow would decode the whole image to look for it behind the pixels
    facts: dict[str, Any] = {}
    readers: dict[str, Callable[[PIL.Image.Exif], Any]] = {"taken": _taken, "location": _location, "camera": _camera}
    # EXIF is written by anyone and checked by no one: whatever it makes Pillow or us raise, it says nothing then
    with suppress(Exception):
        exif = opened.getexif()
        for name, read in readers.items():
            with suppress(Exception):
                fact = read(exif)
                if fact is not None:
                    facts[name] = fact
    return facts


def _taken(exif: PIL.Image.Exif) -> str | None:
    """When the picture was taken: not when it was scanned (0x9004) or last edited (0x0132)."""
    noted = exif.get_ifd(_EXIF)
    match = _TIME.fullmatch(_text(noted, _ORIGINAL) or "")
    if match is None:
        return None
    year, month, day, clock = match.groups()
    date = f"{year}-{month}-{day}"
    if clock is None:
        datetime.fromisoformat(date)  # refuses days that no calendar has
        return date
    taken = f"{date}T{clock}"
    datetime.fromisoformat(taken)
    offset = _text(noted, _ORIGINAL_OFFSET) or ""
    if offset == "Z":
        offset = "+00:00"
    return taken + offset if _OFFSET.fullmatch(offset) else taken


def _location(exif: PIL.Image.Exif) -> dict[str, float] | None:
    noted = exif.get_ifd(_GPS)
    if _text(noted, _STATUS) == "V":  # the receiver says itself that it did not know
        return None
    lat = _degrees(noted.get(_LAT), _text(noted, _LAT_REF), "NS", 90.0)
    lon = _degrees(noted.get(_LON), _text(noted, _LON_REF), "EW", 180.0)
    if lat is None or lon is None or (lat == 0 and lon == 0):  # at sea, and what receivers write that know nothing
        return None
    return {"lon": lon, "lat": lat}


def _degrees(noted: Any, direction: str | None, directions: str, most: float) -> float | None:
    """Degrees, minutes and seconds as degrees, rounded to a centimetre; None where they are out of range."""
    towards = directions.find(direction.upper()) if direction is not None and len(direction) == 1 else -1
    degrees, minutes, seconds = (float(value) for value in noted)
    total = degrees + minutes / 60 + seconds / 3600
    # written so that NaN, which Pillow makes of a division by 0, fails as well
    if towards < 0 or not (0 <= minutes <= 60 and 0 <= seconds <= 60 and degrees >= 0 and total <= most):
        return None
    return round(-total if towards else total, 7)


def _camera(exif: PIL.Image.Exif) -> str | None:
    make, model = _text(exif, _MAKE), _text(exif, _MODEL)
    if make is None or model is None:
        return make or model
    # "NIKON CORPORATION" makes the "NIKON D850"
    return model if model.lower().startswith(make.lower().split()[0]) else f"{make} {model}"


def _text(noted: Mapping[int, Any], tag: int) -> str | None:
    """A text as far as its NUL; None where there is none, or damage in its place."""
    value: object = noted.get(tag)
    if isinstance(value, bytes):
        value = value.decode("ascii")
    if not isinstance(value, str):
        return None
    text = value.partition("\0")[0].strip()
    return text if text and text.isprintable() and len(text) <= _LONGEST else None


def _oklab(rgb: NDArray[Any]) -> Floats:
    """sRGB of 8 bits in OKLab (Ottosson, "A perceptual color space for image processing", 2020)."""
    import numpy as np

    unit = rgb.astype(np.float32) / 255
    linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    seen: Floats = (np.cbrt(linear @ cones.T) @ lab.T).astype(np.float32)
    return seen
