"""Images decoded: upright, RGB, 8 bits, and never larger than their limits allow."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octant.errors import MediaError
from octant.media.kinds import Image
from octant.media.signature import HEAD, MISTAKEN, mime_of
from octant.media.source import read_bytes

if TYPE_CHECKING:
    import PIL.Image
    import PIL.ImageFile
    from numpy.typing import NDArray

__all__ = ["check_array", "decode_image", "orientation", "pillow_errors", "read_header", "require_pixels", "thumbnail"]

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
    "HEIF": "pip install pillow-heif and call pillow_heif.register_heif_opener() first, or convert it to JPEG",
    "AVIF": "pip install pillow-avif-plugin and import pillow_avif first, or convert it to JPEG",
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
    MediaError when the image cannot be read, is damaged, is something else, or exceeds its limits.
    """
    import PIL.Image

    source = image.source
    with pillow_errors(image):
        if isinstance(source, PIL.Image.Image):
            require_pixels(image, source.width, source.height)
            return _upright_rgb(image, source)
        if not isinstance(source, (bytes, Path)):
            return _from_array(image, source)
        with read_header(image, read_bytes(source, image, image.limits.bytes)) as opened:
            if shortest is not None:
                opened.draft(None, (shortest, shortest))
            return _upright_rgb(image, opened)


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


def read_header(image: Image, data: bytes) -> PIL.ImageFile.ImageFile:
    """Open encoded bytes and check their size, decoding nothing. Run inside `pillow_errors`."""
    import PIL.Image

    mime = mime_of(data[:HEAD])
    name = _FORMATS.get(mime or "")
    if name is None:
        raise MediaError(image, _not_an_image(mime))
    if name not in PIL.Image.OPEN:
        PIL.Image.init()
    if name not in PIL.Image.OPEN:
        plugin = _PLUGINS.get(name, "install a Pillow built with it, or convert it to JPEG")
        raise MediaError(image, f"is {name}, which this Pillow cannot decode; {plugin}")
    # Not PIL.Image.open: that judges sizes by one limit for the whole process, and tries every format it knows
    opened = PIL.Image.OPEN[name][0](io.BytesIO(data), "")
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


def _upright_rgb(image: Image, opened: PIL.Image.Image) -> PIL.Image.Image:
    import PIL.Image

    opened.load()
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
    turned = turns.get(orientation(opened))
    rgb = _rgb(image, opened)
    return rgb if turned is None else rgb.transpose(turned)


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
