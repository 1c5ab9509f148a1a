"""What is installed, what can run here, and what to install for the rest."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import octant
from octant.errors import OctantError
from octant.family import families

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Finding", "examine", "table"]

State = Literal["ok", "optional", "broken"]

_EXTRAS = {
    "video": (("av",), "films, and the sound of M4A, AAC, AMR and WMA"),
    "pdf": (("pypdfium2",), "PDF documents"),
    "heif": (("pillow-heif",), "HEIC photos"),
    "audio": (("librosa",), "tempo, pitch and more of a sound, and cutting it at its pauses"),
    "tables": (("pyarrow",), "Parquet files"),
    "remote": (("fsspec", "aiohttp"), "files on the web and in object stores"),
    "ray": (("ray",), "indexing on several machines"),
}
"""Extra -> the packages it brings, and what it is for."""
_IMAGES = {"jpg": "JPEG", "zlib": "PNG", "webp": "WebP", "libtiff": "TIFF", "jpg_2000": "JPEG 2000", "avif": "AVIF"}
"""Pillow's name of a codec -> the format it reads."""
_SOUNDS = ("WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF")
_LITTLE_SPACE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    area: str
    what: str
    state: State
    """ok; optional: absent or unusable, and the default setup runs without it; broken: the default setup cannot run."""
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        return asdict(self)


def examine(path: Path | None = None, *, url: str | None = None, api_key: str | None = None) -> list[Finding]:
    """Look at everything that the default setup needs, and at the server where a url is given."""
    return [*_versions(), *_stores(url, api_key), *_encoders(), *_formats(), *_extras(), *_disk(path), _trial()]


def table(findings: Sequence[Finding]) -> Table:
    """Lay the findings out for a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    signs = {"ok": ("✓", "green"), "optional": ("–", "dim"), "broken": ("✗", "bold red")}
    laid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_header=False, show_edge=False)
    laid.add_column(style="bold", no_wrap=True)
    laid.add_column(no_wrap=True)
    laid.add_column(no_wrap=True)
    laid.add_column(overflow="fold")
    area = ""
    for finding in findings:
        if area and finding.area != area:
            laid.add_section()
        style = "dim" if finding.state == "optional" else ""
        laid.add_row(
            "" if finding.area == area else finding.area,
            Text(*signs[finding.state]),
            Text(finding.what, style),
            Text(finding.detail, signs["broken"][1] if finding.state == "broken" else style),
        )
        area = finding.area
    return laid


def _versions() -> Iterator[Finding]:
    enough = sys.version_info >= (3, 11)
    yield Finding("versions", "octant", "ok", octant.__version__)
    need = "" if enough else "; octant needs Python 3.11 or newer"
    yield Finding("versions", "Python", "ok" if enough else "broken", platform.python_version() + need)
    yield Finding("versions", "platform", "ok", f"{platform.system()} {platform.machine()}, {_processors()} processors")


def _stores(url: str | None, api_key: str | None) -> Iterator[Finding]:
    edge = _installed("qdrant-edge-py")
    if edge is None:
        detail = "not installed, local mode is used instead; pip install qdrant-edge-py (where there is a wheel for it)"
        yield Finding("stores", "Qdrant Edge", "optional", detail)
    else:
        yield _imported("stores", "Qdrant Edge", "qdrant_edge", f"{edge}: embedded, the default")
    client = _installed("qdrant-client")
    yield _imported("stores", "local mode", "qdrant_client", f"qdrant-client {client}: embedded, for small collections")
    yield _server(url, api_key)


def _server(url: str | None, api_key: str | None) -> Finding:
    if url is None:
        return Finding("stores", "Qdrant server", "optional", "not asked; try one with --url http://localhost:6333")
    from octant.stores import open_store

    try:
        client = open_store(url=url, api_key=api_key)
        try:
            count = len(client.get_collections().collections)
        finally:
            client.close()
    except (OctantError, OSError, RuntimeError, ValueError) as error:
        return Finding("stores", "Qdrant server", "broken", str(error))
    return Finding("stores", "Qdrant server", "ok", f"{url}, {count} collections")


def _encoders() -> Iterator[Finding]:
    yield _imported("encoders", "onnxruntime", "onnxruntime", str(_installed("onnxruntime")))
    yield _weights()
    for name, family in families().items():
        if name != "starter":  # looked at more closely above
            there = f"{family.example} and others" if family.is_installed else f"not installed: {family.install}"
            yield Finding("encoders", name, "ok" if family.is_installed else "optional", there)


def _weights() -> Finding:
    try:
        from octant.backends.starter.weights import MANIFEST, Weights
    except (ImportError, OSError) as error:
        return Finding("encoders", "starter weights", "broken", f"the starter does not load: {error}")
    weights = Weights()
    try:
        names = list(json.loads((weights.folder / MANIFEST).read_text("utf-8"))["sha256"])
        size = sum(len(weights.read(name)) for name in names)
    except OctantError as error:
        return Finding("encoders", "starter weights", "broken", str(error))
    except (OSError, ValueError, KeyError):
        detail = f"missing or unreadable in {weights.folder}; pip install --force-reinstall octant-search"
        return Finding("encoders", "starter weights", "broken", detail)
    detail = f"{len(names)} files, {size / 1e6:.1f} MB, checksums right: text, image and audio, offline, on the CPU"
    return Finding("encoders", "starter weights", "ok", detail)


def _formats() -> Iterator[Finding]:
    loaded = _imported("formats", "images", "PIL", "")
    if loaded.state == "ok":
        from PIL import features

        reads = [name for codec, name in _IMAGES.items() if features.check(codec)]
        loaded = Finding(
            "formats", "images", "ok", f"{', '.join([*reads, 'GIF', 'BMP'])} (Pillow {_installed('pillow')})"
        )
    yield loaded
    loaded = _imported("formats", "sounds", "soundfile", "")
    if loaded.state == "ok":
        import soundfile

        available = soundfile.available_formats()
        reads = [name for name in _SOUNDS if name in available]
        loaded = Finding("formats", "sounds", "ok", f"{', '.join(reads)} (soundfile {_installed('soundfile')})")
    yield loaded
    yield Finding("formats", "texts", "ok", "plain text, Markdown and HTML, UTF-8 or UTF-16")


def _extras() -> Iterator[Finding]:
    for extra, (packages, use) in _EXTRAS.items():
        install = f"pip install 'octant-search[{extra}]' for {use}"
        versions = {package: _installed(package) for package in packages}
        absent = [package for package, version in versions.items() if version is None]
        if absent:
            which = f"{', '.join(absent)} " if len(absent) < len(packages) else ""
            yield Finding("extras", extra, "optional", f"{which}not installed: {install}")
            continue
        try:
            for package in packages:
                import_module(package.replace("-", "_"))
        except Exception as error:  # native libraries fail in their own ways, and the default setup runs without
            again = f"pip install --force-reinstall {' '.join(packages)}"
            yield Finding("extras", extra, "optional", f"does not load: {error}; {again}, for {use}")
            continue
        named = ", ".join(f"{package} {version}" for package, version in versions.items())
        yield Finding("extras", extra, "ok", f"{named}: {use}")


def _disk(path: Path | None) -> Iterator[Finding]:
    from octant.config import default_path

    home = (path or default_path()).expanduser().absolute()
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    detail = f"{home}, {free / 1e9:.1f} GB free"
    if not os.access(there, os.W_OK):
        yield Finding(
            "disk", "database", "broken", f"{detail}, not writable; choose another with --path or OCTANT_HOME"
        )
    else:
        low = ", which is little" if free < _LITTLE_SPACE else ""
        yield Finding("disk", "database", "ok", detail + low)


def _trial() -> Finding:
    """Store and find a text, from end to end, in a folder that is thrown away."""
    start = time.perf_counter()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="octant-doctor-") as folder,
            octant.open("trial", path=folder) as collection,
        ):
            collection.add(["a dog", "a piece of cake"])
            found = collection.search("puppy", limit=1)
            engine = collection.place.engine
    except Exception as error:  # whatever it is, it is the finding
        return Finding("trial", "store and search", "broken", f"{type(error).__name__}: {error}")
    right = bool(found) and found[0].text == "a dog"
    took = f"{time.perf_counter() - start:.1f} s with {engine}"
    return Finding("trial", "store and search", "ok" if right else "broken", took if right else f"wrong hit, {took}")


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _imported(area: str, what: str, module: str, detail: str) -> Finding:
    """Find out whether a module loads: a package may be installed and its shared libraries missing."""
    try:
        __import__(module)
    except (ImportError, OSError) as error:
        return Finding(area, what, "broken", f"does not load: {error}; pip install --force-reinstall octant-search")
    return Finding(area, what, "ok", detail)
