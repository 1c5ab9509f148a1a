"""Images decoded: upright, RGB, 8 bits, and never larger than their limits allow."""

from __future__ import annotations

import importlib
import io
import math
import struct
import threading
import warnings
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from octant.errors import MediaError
from octant.media.kinds import Image
from octant.media.parts import Frame, Page, Region
from octant.media.signature import HEAD, MISTAKEN, mime_of
from octant.media.source import read_bytes

if TYPE_CHECKING:
    import PIL.Image
    import PIL.ImageFile
    from numpy.typing import NDArray

__all__ = [
    "check_array",
    "decode_image",
    "orientation",
    "pillow_errors",
    "read_header",
    "require_pixels",
    "require_within",
    "thumbnail",
    "upright_size",
]

_FORMATS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    "image/jp2": "JPEG2000",
    "image/x-portable-anymap": "PPM",
    "image/avif": "AVIF",
    "image/heif": "HEIF",
}
_PLUGINS = {
    "HEIF": "pip install 'octant-search[heif]' (it brings pillow_heif), or convert it to JPEG",
    "AVIF": "pip install 'pillow>=11.3', or pillow-avif-plugin for an older one, or convert it to JPEG",
}
_EXIF_ORIENTATION = 0x0112

# What Pillow's decoders are known to let out for damaged files (its UnidentifiedImageError is an OSError).
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)


def decode_image(image: Image, *, shortest: int | None = None) -> PIL.Image.Image:
    """Decode an image to upright 8-bit RGB.

    EXIF orientation is applied; transparency lies on white; of an animation the first frame is taken (of a Pillow
    image the current one); 16-bit, 32-bit and float pixels are scaled, not clipped. With `shortest`, a JPEG may be
    decoded at 1/2, 1/4 or 1/8 of its size as long as its shorter side keeps that many pixels, several times
    faster. A Pillow image that needs no change is returned as it is.

    Of a part, no more than the part: a region is cut out of the upright image (and is the one that keeps `shortest`
    pixels); a page is rendered so that its shorter side has `shortest` pixels, or at 150 dpi, and as large as the
    limits allow if that is less; a frame has the size of its film.
    MediaError when the image cannot be read, is damaged, is something else, or exceeds its limits.
    """
    import PIL.Image

    source, part = image.source, image.part
    if isinstance(part, Page | Frame):
        return _from_document(image, part, shortest)
    with pillow_errors(image):
        if isinstance(source, PIL.Image.Image):
            require_pixels(image, source.width, source.height)
            return _upright_rgb(image, source, part)
        if not isinstance(source, (bytes, Path)):
            rgb = _from_array(image, source)
            return rgb if part is None else rgb.crop(_box(require_within(image, rgb.size)))
        with read_header(image, io.BytesIO(read_bytes(source, image, image.limits.bytes))) as opened:
            return _upright_rgb(image, opened, part, shortest)


def thumbnail(image: Image, size: int = 256) -> bytes:
    """Encode a small WebP of an image: neither side longer than `size` (at most 2048) pixels."""
    import PIL.Image

    if not 1 <= size <= 2048:
        raise ValueError(f"a thumbnail of {size} pixels is out of range; ask for 1 to 2048")
    small = decode_image(image, shortest=size).copy()
    small.thumbnail((size, size), PIL.Image.Resampling.LANCZOS, reducing_gap=2.0)
    encoded = io.BytesIO()
    small.save(encoded, "WEBP", quality=80)
    return encoded.getvalue()


def read_header(image: Image, file: BinaryIO) -> PIL.ImageFile.ImageFile:
    """Open an encoded image and check its size, decoding nothing. Run inside `pillow_errors`."""
    import PIL.Image

    file.seek(0)
    mime = mime_of(file.read(HEAD))
    file.seek(0)
    name = _FORMATS.get(mime or "")
    if name is None:
        raise MediaError(image, _not_an_image(mime))
    if not _readable(name):
        plugin = _PLUGINS.get(name, "install a Pillow built with it, or convert it to JPEG")
        raise MediaError(image, f"is {name}, which this Pillow cannot decode; {plugin}")
    # Not PIL.Image.open: that judges sizes by one limit for the whole process, and tries every format it knows
    opened = PIL.Image.OPEN[name][0](file, "")
    require_pixels(image, opened.width, opened.height)
    return opened


def orientation(opened: PIL.Image.Image) -> int:
    """Read the EXIF orientation that is still to apply, 1 to 8; 1 where there is none or it is damaged."""
    if opened.format == "TIFF":
        return 1  # Pillow turns these itself, and gives their upright size
    if opened.format == "PNG" and "exif" not in opened.info:
        return 1  # Pillow would decode the whole image to look for it behind the pixels
    try:
        value = opened.getexif().get(_EXIF_ORIENTATION, 1)
    except _DAMAGE:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def require_pixels(image: Image, width: int, height: int) -> None:
    """Refuse an image of no pixels, or of more than its limit."""
    if width * height == 0:
        raise MediaError(image, f"has no pixels ({width} x {height}); export or download it again")
    limit = image.limits.pixels
    if width * height > limit:
        remedy = "shrink it or pass limits=Limits(pixels=...)"
        raise MediaError(image, f"has {width * height:,} pixels, more than the limit of {limit:,}; {remedy}")


def check_array(image: Image, array: NDArray[Any]) -> NDArray[Any]:
    """Refuse an array that is not height x width (x 1, 3 or 4) of uint8, uint16, or floats within [0, 1]."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        shape = " x ".join(str(n) for n in array.shape)
        remedy = "octant reads height x width (x 1, 3 or 4 channels); transpose it, or pass images one by one"
        raise MediaError(image, f"is an array of shape {shape}; {remedy}")
    require_pixels(image, array.shape[1], array.shape[0])
    if array.dtype.kind != "f" and array.dtype.name not in ("uint8", "uint16"):
        raise MediaError(image, f"is an array of {array.dtype}; pass uint8, uint16, or floats within [0, 1]")
    # written so that NaN fails as well
    if array.dtype.kind == "f" and not (array.min() >= 0 and array.max() <= 1):
        remedy = "pass uint8, or floats within [0, 1] (array / 255)"
        raise MediaError(image, f"is an array of floats outside [0, 1]; {remedy}")
    return array


@contextmanager
def pillow_errors(image: Image) -> Generator[None]:
    """Turn what Pillow raises into a MediaError about `image`, and let none of its warnings out."""
    import PIL.Image

    with _WITHOUT_WARNINGS:
        try:
            yield
        except (MemoryError, PIL.Image.DecompressionBombError) as error:
            raise MediaError(image, f"needs too much memory ({error}); shrink it") from error
        except _DAMAGE as error:
            reason = f"is damaged or cut off ({error or type(error).__name__}); export or download it again"
            raise MediaError(image, reason) from error


def _not_an_image(mime: str | None) -> str:
    if mime is None:
        return "begins like no image that octant knows: it is damaged or something else; export it as JPEG or PNG"
    if mime.startswith("audio/"):
        return f"holds sound ({mime}), not an image; use Audio(...)"
    return MISTAKEN.get(mime, f"holds {mime}, not an image; export a picture of it as JPEG or PNG")


def _readable(name: str) -> bool:
    """Say whether Pillow reads a format, and register the plugin that does where one is installed."""
    import PIL.features
    import PIL.Image

    if name not in PIL.Image.OPEN:
        PIL.Image.init()
    # Pillow registers AVIF even where it is built without it
    if name == "AVIF" and not PIL.features.check("avif"):  # pyright: ignore[reportUnknownMemberType]
        return _installed("pillow_avif") is not None  # registers itself
    if name == "HEIF" and name not in PIL.Image.OPEN and (plugin := _installed("pillow_heif")) is not None:
        plugin.register_heif_opener()
    return name in PIL.Image.OPEN


def _installed(plugin: str) -> Any:
    """Import a plugin of Pillow; None where it is not installed, which is for the caller to say."""
    try:
        return importlib.import_module(plugin)
    except ModuleNotFoundError as error:
        if error.name != plugin:  # it is installed, and broken
            raise
        return None


def _from_document(image: Image, part: Page | Frame, shortest: int | None) -> PIL.Image.Image:
    source = image.source
    if not isinstance(source, (bytes, Path)):
        raise MediaError(image, f"is pixels in memory, which have no {part}; leave the part out, or give a Region")
    if isinstance(part, Page):
        from octant.media.document import render_page

        return render_page(source, image, part.page, shortest, image.limits)
    from octant.media.movie import decode_frame

    return decode_frame(source, image, part.second, image.limits)


def _upright_rgb(
    image: Image, opened: PIL.Image.Image, part: Region | None, shortest: int | None = None
) -> PIL.Image.Image:
    import PIL.Image

    turn = PIL.Image.Transpose
    turns = {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_270,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_90,
    }
    way = orientation(opened)
    lying = None if part is None else _as_stored(require_within(image, upright_size(opened)), opened.size, way)
    scale = 1.0 if shortest is None else _draft(opened, lying, shortest)
    opened.load()
    rgb = _rgb(image, opened)  # all of it: deep pixels are scaled by the range of the whole image
    if lying is not None:
        rgb = rgb.crop(_box(lying, scale))
    return rgb if way not in turns else rgb.transpose(turns[way])


def _draft(opened: PIL.Image.Image, region: Region | None, shortest: int) -> float:
    """Let a JPEG be decoded at 1/2, 1/4 or 1/8 where what is asked for keeps `shortest` pixels; return the divisor."""
    width, height = opened.size
    seen = min(opened.size) if region is None else min(region.width, region.height)
    divisor = next((n for n in (8, 4, 2) if seen // n >= shortest), 1)
    drafted = opened.draft(None, (width // divisor, height // divisor))
    return 1.0 if drafted is None else width / drafted[1][2]


def require_within(image: Image, size: tuple[int, int]) -> Region:
    """The region that is asked for; MediaError when it does not lie within an upright image of this size."""
    region, (width, height) = image.part, size
    if not isinstance(region, Region):
        return Region(0, 0, width, height)
    if region.left + region.width > width or region.top + region.height > height:
        remedy = "give a region within it, or index it again if it was exchanged"
        raise MediaError(image, f"is {width} x {height}, and the region reaches beyond it; {remedy}")
    return region


def upright_size(opened: PIL.Image.Image) -> tuple[int, int]:
    """Width and height as they will be once the EXIF orientation is applied; 5 to 8 lie on their side."""
    return opened.size if orientation(opened) < 5 else (opened.height, opened.width)


def _as_stored(region: Region, size: tuple[int, int], way: int) -> Region:
    """Where a region of the upright image lies in the image as it is stored, of this size, before it is turned."""
    width, height = size
    left, top, across, down = region.left, region.top, region.width, region.height
    if way >= 5:  # transposed: rows are columns
        left, top, across, down = top, left, down, across
    if way in (2, 3, 7, 8):
        left = width - left - across
    if way in (3, 4, 6, 7):
        top = height - top - down
    return Region(left, top, across, down)


def _box(region: Region, scale: float = 1.0) -> tuple[int, int, int, int]:
    """The edges of a region in an image that is smaller by `scale`: rounded outwards, so that nothing is lost."""
    right, bottom = region.left + region.width, region.top + region.height
    return (
        math.floor(region.left / scale),
        math.floor(region.top / scale),
        math.ceil(right / scale),
        math.ceil(bottom / scale),
    )


def _rgb(image: Image, opened: PIL.Image.Image) -> PIL.Image.Image:
    import numpy as np
    import PIL.Image

    if opened.mode.startswith("I") or opened.mode == "F":
        return PIL.Image.fromarray(_scaled(image, np.asarray(opened))).convert("RGB")
    if opened.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in opened.info:
        rgba = (opened.convert("LA") if opened.mode == "La" else opened).convert("RGBA")
        on_white = PIL.Image.new("RGB", rgba.size, "white")
        on_white.paste(rgba, mask=rgba.getchannel("A"))
        return on_white
    if opened.mode == "LAB":
        raise MediaError(image, "has the colours of LAB; convert it to RGB")
    return opened if opened.mode == "RGB" else opened.convert("RGB")


def _scaled(image: Image, pixels: NDArray[Any]) -> NDArray[Any]:
    """Scale deep pixels to 8 bits by the smallest usual range that holds them (1, 255, 65535), else by their own."""
    import numpy as np

    floating = pixels.dtype.kind == "f"
    low, high = float(pixels.min()), float(pixels.max())
    if not np.isfinite(low) or not np.isfinite(high):
        raise MediaError(image, "has pixels that are not numbers (NaN or infinite); set them to a value first")
    if pixels.dtype.itemsize == 2 and pixels.dtype.kind == "u":
        floor, ceiling = 0.0, 65535.0
    else:
        usual = (1.0, 255.0, 65535.0) if floating else (255.0, 65535.0)
        ceiling = next((top for top in usual if low >= 0 and high <= top), high)
        floor = 0.0 if ceiling in usual and low >= 0 else low
    span = (ceiling - floor) or 1.0
    scaled: NDArray[np.uint8] = np.rint((pixels.astype(np.float32) - floor) * (255.0 / span)).astype(np.uint8)
    return scaled


def _from_array(image: Image, array: NDArray[Any]) -> PIL.Image.Image:
    import numpy as np
    import PIL.Image

    check_array(image, array)
    if array.dtype != np.uint8:
        array = np.rint(array.astype(np.float32) * (255 if array.dtype.kind == "f" else 1 / 257)).astype(np.uint8)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    return _rgb(image, PIL.Image.fromarray(np.ascontiguousarray(array)))


class _WithoutWarnings:
    """Keep Pillow's warnings in while at least one thread decodes.

    warnings.catch_warnings alone is not for threads: two that overlap can leave their filters behind for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._caught: warnings.catch_warnings[None] | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._caught is not None:
                self._caught.__exit__(None, None, None)
                self._caught = None


_WITHOUT_WARNINGS = _WithoutWarnings()
