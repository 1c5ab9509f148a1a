"""Rows of a table as items: CSV, JSON lines, Parquet, Hugging Face datasets, and whatever yields mappings.

rows (place, mapping or what is wrong with it) ─▶ id, media, metadata ─▶ Item, or an ItemError that names row and column
"""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from importlib import import_module
from itertools import chain
from math import isfinite
from pathlib import Path, PurePath
from typing import Any, NamedTuple, cast
from uuid import UUID

from octant.adapters.files import uri_of
from octant.adapters.stream import check_text
from octant.errors import ItemError, MediaError, MissingExtra
from octant.item import Item, Origin, Skipped
from octant.media import DEFAULT_LIMITS, Audio, Image, Limits, Media, Text
from octant.media.kinds import is_array, is_pillow
from octant.media.source import open_regular, require_size, why

__all__ = ["SUFFIXES", "Table"]

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_LINES = (".jsonl", ".ndjson")
SUFFIXES = frozenset((*_DELIMITERS, *_LINES, ".parquet"))
"""Files of rows."""
_PEEKED = 32
"""Rows of a source without a header that are looked at before a column counts as missing."""
_BATCH = 64
"""Rows of a Parquet file that are in memory at once."""
_DEEPEST = 32
"""Levels of metadata, as in payloads."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(//|:)|file:", re.IGNORECASE)
_DATA = re.compile("data:", re.IGNORECASE)

Row = Mapping[str, Any]


class _Wrong(Exception):
    """What is wrong with a row or a cell, and what to do."""


class _Read(NamedTuple):
    place: str
    """Where the row stands, as its owner counts: from 1, without the header."""
    row: Row | _Wrong


class _Rows(NamedTuple):
    columns: tuple[str, ...] | None
    """Where the source says."""
    rows: Iterator[_Read]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table of items: one row is one item, with the media and the metadata that its columns hold.

    `source` is the path of a .csv, .tsv, .jsonl, .ndjson or .parquet file (UTF-8; Parquet: pip install
    'octant-search[tables]'), a split of a Hugging Face dataset, or any iterable of mappings. `text`, `image` and
    `audio` name the columns of the media, `metadata` those of the metadata (None: all others; a column that is searched
    and filtered by is named in both). An image or a sound is
    bytes, a data URL, a path below `root`, a Pillow image, an array, a (samples, rate) pair, or a mapping as datasets
    have it. A row without an id, of an id that was there before, or with a cell that cannot be read becomes an
    ItemError; the others go on. An empty cell is no medium and no metadata.
    TypeError or ValueError where the columns are named wrongly.
    """

    source: Any
    _: dataclasses.KW_ONLY
    id: str
    """The column of the ids: texts or whole numbers, each once."""
    text: Sequence[str] = ()
    image: Sequence[str] = ()
    audio: Sequence[str] = ()
    metadata: Sequence[str] | None = None
    numbers: Sequence[str] = ()
    """Columns of metadata whose texts are numbers, as a CSV file has them: "19.90" becomes 19.9."""
    root: Path | None = None
    """The folder of the paths in cells, by default the file's own; nothing outside it is read."""
    name: str | None = None
    """What to call a source that is no file; rows are known by it again."""
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        for kind in ("text", "image", "audio", "metadata", "numbers"):
            named: object = getattr(self, kind)
            if isinstance(named, str) or not (named is None or isinstance(named, Sequence)):
                raise TypeError(f"{kind} takes a tuple of columns, such as {kind}=({named!r},), not {named!r}")
        media = [*self.text, *self.image, *self.audio]
        if not media:
            raise ValueError("a table needs a column to search: write text=('column',), image=... or audio=...")
        twice = sorted({column for column in media if media.count(column) > 1})
        if twice:
            raise ValueError(f"column {twice[0]!r} is named twice; a column holds one medium")
        if self.metadata is not None and (left := [one for one in self.numbers if one not in self.metadata]):
            raise ValueError(f"numbers names {left[0]!r}, which metadata leaves out; name it in both")
        if isinstance(self.source, Path):
            if _kind(self.source) is None:
                known = "a .csv, .tsv, .jsonl, .ndjson or .parquet file"
                raise ValueError(f"{str(self.source)!r} is no table that octant reads; give {known}")
        else:
            _require_rows(self.source)
            if self.name is None:
                raise ValueError("rows that come from no file need a name to be known by again; write name='...'")
        if self.name is not None and (not self.name or "#" in self.name):
            raise ValueError(f"a table's name is a text without '#', not {self.name!r}")

    @property
    def scope(self) -> str:
        """What the sources of its rows begin with: its URI or its name, and `#`."""
        return f"{self._called}#"

    def items(self) -> Iterator[Item | Skipped | MediaError | ItemError]:
        """Read its rows, one at a time.

        An ItemError bears the `Origin.source` of its row, or that of the table where the row has no proper id.
        A MediaError says that (the rest of) the table cannot be read. MissingExtra for a Parquet file without pyarrow.
        """
        seen: set[str] = set()
        try:
            columns, rows = self._rows()
            if columns is None:
                columns, rows = _peeked(rows, self._named)
            self._require(columns)
            for read in rows:
                yield self._item(read, seen)
        except MediaError as error:
            yield error

    @property
    def _called(self) -> str:
        return self.name or uri_of(self.source)

    @property
    def _named(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.id, *self._media, *(self.metadata or ()), *self.numbers)))

    def _rows(self) -> _Rows:
        if not isinstance(self.source, Path):
            is_dataset = hasattr(self.source, "column_names") and hasattr(self.source, "features")
            return _dataset_rows(self.source, self._called) if is_dataset else _Rows(None, _mappings(self.source))
        path = self.source
        match _kind(path):
            case "parquet":
                return _parquet_rows(path, None if self.metadata is None else self._named)
            case "lines":
                return _Rows(None, _json_rows(path, self.limits))
            case _:
                return _csv_rows(path, self.limits)

    def _require(self, columns: Sequence[str]) -> None:
        missing = [column for column in self._named if column not in columns]
        about = self.source if isinstance(self.source, Path) else self._called
        listed = ", ".join(repr(column) for column in columns[:50]) or "none"
        if missing:
            hint = ""
            if len(columns) == 1 and (found := re.search("[;\t|]", columns[0])):
                hint = f"; it seems to be separated by {found[0]!r}: save it with commas, or name it .tsv for tabs"
            raise MediaError(about, f"has no column {missing[0]!r}; its columns are {listed}{hint}")
        if self.metadata is None and isinstance(self.source, Path) and _kind(self.source) != "lines":
            odd = [column for column in columns if (not column or "." in column) and column not in self._media]
            if odd:
                remedy = f"name those to keep with metadata=(...), out of {listed}"
                raise MediaError(about, f"has a column {odd[0]!r}, which no filter could name as metadata; {remedy}")

    @property
    def _media(self) -> tuple[str, ...]:
        return (*self.text, *self.image, *self.audio)

    def _item(self, read: _Read, seen: set[str]) -> Item | Skipped | ItemError:
        place, source = read.place, self._called
        column = self.id
        try:
            if isinstance(read.row, _Wrong):
                return ItemError(source, f"{place} {read.row}")
            row = read.row
            row_id = _row_id(row.get(self.id))
            source = f"{self._called}#{row_id}"
            if row_id in seen:
                raise _Wrong(f"is {row_id!r}, which an earlier row has; the first is kept, give this one its own")
            seen.add(row_id)
            media: dict[str, Media] = {}
            for column in self._media:
                medium = self._medium(column, row.get(column))
                if medium is not None:
                    media[column] = medium
            metadata: dict[str, Any] = {}
            for column in self.metadata if self.metadata is not None else [k for k in row if k not in self._media]:
                value = row.get(column)
                if column in self.numbers and isinstance(value, str):
                    value = _number(value)
                if not _is_missing(value):
                    metadata[column] = _plain(value, self.limits, 0)
            if not media:
                listed = ", ".join(repr(one) for one in self._media)
                return Skipped(source, f"{place} has nothing to search: {listed} {_are(self._media)} empty")
            return Item(row_id, media, metadata, Origin(source))
        except _Wrong as wrong:
            return ItemError(source, f"{place}, column {column!r} {wrong}")
        except MediaError as error:
            return ItemError(source, f"{place}, column {column!r} {error.reason}")

    def _medium(self, column: str, value: object) -> Media | None:
        if (
            _is_missing(value)
            or (isinstance(value, str) and not value.strip())
            or (isinstance(value, bytes) and not value)
        ):
            return None
        if column in self.text:
            return _text(value, self.limits)
        return self._image(value) if column in self.image else self._audio(value)

    def _image(self, value: object) -> Image | None:
        if is_pillow(value) or is_array(value):
            return Image(cast("Any", value), self.limits)
        if isinstance(value, str) and _DATA.match(value):
            return Image.from_data_url(value, limits=self.limits)
        content = self._content(value)
        if content is None and not isinstance(value, Mapping):
            raise _Wrong(f"holds {_a(value)}, not an image; give bytes, a path, a data URL, a Pillow image or an array")
        return None if content is None else Image(content, self.limits)

    def _audio(self, value: Any) -> Audio | None:
        if isinstance(value, str) and _DATA.match(value):
            return Audio.from_data_url(value, limits=self.limits)
        if is_array(value):
            raise _Wrong("holds samples and does not say their rate; give (samples, rate), with the rate in Hz")
        if hasattr(value, "get_all_samples"):
            return self._samples(*_decoded(value))
        if isinstance(value, Mapping) and "array" in value:
            sound = cast("Mapping[str, Any]", value)
            return self._samples(sound["array"], sound.get("sampling_rate"))
        if isinstance(value, tuple):
            return self._samples(*_pair(value))  # pyright: ignore[reportUnknownArgumentType]
        given = cast("object", value)
        content = self._content(given)
        if content is None and not isinstance(given, Mapping):
            raise _Wrong(f"holds {_a(given)}, not a sound; give bytes, a path, a data URL or (samples, rate)")
        return None if content is None else Audio(content, limits=self.limits)

    def _samples(self, samples: Any, rate: Any) -> Audio:
        import numpy as np

        if isinstance(samples, list):  # what a column of lists comes as
            try:
                samples = np.asarray(samples, np.float32)
            except (TypeError, ValueError) as error:
                raise _Wrong(f"holds no samples ({error}); give an array of numbers") from error
        if not is_array(samples):
            raise _Wrong(f"holds {_a(samples)} for samples; give an array of numbers")
        try:
            hertz: Any = (
                int(rate) if type(rate).__module__ == "numpy" or (isinstance(rate, float) and rate > 0) else rate
            )
            return Audio(samples, hertz, self.limits)
        except (TypeError, ValueError) as error:
            raise _Wrong(f"holds samples that octant cannot take ({error})") from error

    def _content(self, value: object) -> Path | bytes | None:
        """The file or its bytes that a cell holds. None for an empty mapping, and for what is neither."""
        if isinstance(value, Mapping):  # how datasets keep what they do not decode
            kept = cast("Mapping[str, Any]", value)
            if not {"bytes", "path"} & set(kept):
                listed = ", ".join(repr(key) for key in list(kept)[:10]) or "nothing"
                raise _Wrong(f"holds a mapping of {listed}; give one of 'bytes' and 'path'")
            content, path = kept.get("bytes"), kept.get("path")
            if content is None or len(content) == 0:
                return None if not path else self._file(str(path), absolute=True)
            value = content
        if isinstance(value, bytearray | memoryview):
            value = bytes(cast("bytearray", value))
        if isinstance(value, bytes):
            require_size(len(value), "the cell", self.limits.bytes)
            return value
        return self._file(str(value), absolute=False) if isinstance(value, str | PurePath) else None

    def _file(self, value: str, *, absolute: bool) -> Path:
        """The file that a cell names, which lies within the table's root whatever links lead to it."""
        shown = value if len(value) <= 80 else value[:79] + "…"
        if _URL.match(value):
            raise _Wrong(f"names {shown!r}, a URL; a table downloads nothing: give a file below its root, or its bytes")
        root = self.root or (self.source.parent if isinstance(self.source, Path) else None)
        if root is None:
            raise _Wrong(f"names the file {shown!r}, and the table has no folder; write root=Path(...)")
        named = Path(value)
        if ".." in named.parts or "\\.." in value or (named.anchor and not absolute):
            raise _Wrong(
                f"names {shown!r}, which is not below the table's root; write a path relative to {str(root)!r}"
            )
        try:
            own = root.resolve(strict=True)
            found = (own / named).resolve(strict=True)
        except (OSError, ValueError, RuntimeError) as error:
            reason = why(error) if isinstance(error, OSError | ValueError) else "is a link that leads back to itself"
            raise _Wrong(f"names {shown!r}, which {reason}") from error
        if not found.is_relative_to(own):
            remedy = "copy it there, or give the folder that holds both as root"
            raise _Wrong(f"names {shown!r}, which lies outside of the table's root {str(root)!r}; {remedy}")
        if not found.is_file():
            raise _Wrong(f"names {shown!r}, which is no file; name a file")
        return found


def _number(text: str) -> int | float | None:
    """The number that a cell spells; None where it is empty."""
    for read in (int, float):
        try:
            return read(text.replace("_", " "))
        except ValueError:
            continue
    if not text.strip():
        return None
    shown = text if len(text) <= 40 else text[:39] + "…"
    raise _Wrong(f"holds {shown!r}, not a number such as 19.9; correct it, or leave the column out of the numbers")


def _kind(path: Path) -> str | None:
    suffix = path.suffix.lower()
    if suffix in _DELIMITERS:
        return "csv"
    return "lines" if suffix in _LINES else "parquet" if suffix == ".parquet" else None


def _require_rows(source: object) -> None:
    if hasattr(source, "to_dict") and hasattr(source, "iterrows"):
        raise TypeError("a table of pandas gives its columns, not its rows; write Table(frame.to_dict('records'), ...)")
    if isinstance(source, Mapping):
        splits = ", ".join(repr(key) for key in list(cast("Mapping[object, object]", source))[:10])
        raise TypeError(f"a table is one sequence of rows, not a mapping; choose one of {splits}")
    if isinstance(source, str | bytes) or not isinstance(source, Iterable):
        raise TypeError(f"a table is read from a Path, a dataset or an iterable of mappings, not {source!r}")


def _peeked(rows: Iterator[_Read], named: Sequence[str]) -> tuple[tuple[str, ...], Iterator[_Read]]:
    """Look at the first rows for their columns, no further than until all that are named were there."""
    first: list[_Read] = []
    columns: dict[str, None] = {}
    for read in rows:
        first.append(read)
        if not isinstance(read.row, _Wrong):
            columns.update(dict.fromkeys(read.row))
        if len(first) == _PEEKED or all(column in columns for column in named):
            break
    readable = any(not isinstance(read.row, _Wrong) for read in first)
    return tuple(columns) if readable else tuple(named), chain(first, rows)


def _mappings(source: Iterable[Any]) -> Iterator[_Read]:
    for number, row in enumerate(source, start=1):
        yield _Read(f"row {number:,}", _as_row(row))


def _as_row(row: object) -> Row | _Wrong:
    return cast("Row", row) if isinstance(row, Mapping) else _Wrong(f"is {_a(row)}, not a mapping of columns to values")


def _dataset_rows(source: Any, called: str) -> _Rows:
    """The rows of a Hugging Face dataset, with its images and sounds as they are stored, not decoded."""
    features: Mapping[str, Any] = source.features or {}
    for column, feature in features.items():
        if getattr(feature, "decode", None) is True:  # octant decodes what it embeds, within its limits
            source = source.cast_column(column, dataclasses.replace(feature, decode=False))
    columns: list[str] | None = source.column_names
    return _Rows(None if columns is None else tuple(columns), _numbered(source, called))


def _numbered(source: Any, called: str) -> Iterator[_Read]:
    rows, number = iter(source), 0
    while True:
        number += 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except Exception as error:  # its files, its network and its decoders fail in ways of their own
            reason = f"stops before row {number:,} ({type(error).__name__}: {error}); the rows before it are kept"
            raise MediaError(called, f"{reason}, load it again for the others") from error
        yield _Read(f"row {number:,}", _as_row(row))


def _lines(path: Path, limits: Limits) -> Iterator[tuple[int, str | _Wrong]]:
    """The lines of a text file with their ends, numbered from 1."""
    longest = 2 * (limits.bytes + limits.characters)  # what a row with media as base64 may take
    with open_regular(path, path) as (file, _status):
        number = 0
        while line := file.readline(longest):
            number += 1
            if len(line) == longest and not line.endswith(b"\n"):
                while (rest := file.readline(1 << 16)) and not rest.endswith(b"\n"):
                    pass
                yield number, _Wrong(f"is longer than {longest:,} bytes; give its media as files")
                continue
            if number == 1 and line.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise MediaError(path, "is UTF-16; save it as UTF-8")
            try:
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                wrong = f"is not UTF-8 (byte 0x{line[error.start]:02X} at its byte {error.start + 1:,})"
                yield number, _Wrong(f"{wrong}; save the file as UTF-8")


def _json_rows(path: Path, limits: Limits) -> Iterator[_Read]:
    row = 0
    for number, line in _lines(path, limits):
        if isinstance(line, str) and not line.strip():
            continue
        row += 1
        place = f"row {row:,} (line {number:,})"
        if isinstance(line, _Wrong):
            yield _Read(place, line)
            continue
        try:
            yield _Read(place, _as_row(json.loads(line)))
        except json.JSONDecodeError as error:
            yield _Read(place, _Wrong(f"is not JSON ({error.msg} at column {error.colno:,}); write one object a line"))
        except (RecursionError, ValueError):
            yield _Read(place, _Wrong("is JSON that nests too deeply or has too long a number; flatten or shorten it"))


_csv_limit = threading.Lock()


class _CsvLines:
    """What `csv` reads its lines from: those that cannot be read are kept for the row that they belong to."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._lines = _lines(path, limits)
        self.number = 0
        self.wrong: _Wrong | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        if isinstance(line, _Wrong):
            self.wrong = line
            return "\n"
        return line

    def close(self) -> None:
        self._lines.close()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def _csv_rows(path: Path, limits: Limits) -> _Rows:
    lines = _CsvLines(path, limits)
    reader = csv.reader(lines, delimiter=_DELIMITERS[path.suffix.lower()], strict=True)
    read = _csv_cells(reader, lines, limits)
    header: list[str] | _Wrong = next((cells for _, cells in read), list[str]())
    if isinstance(header, _Wrong):
        raise MediaError(path, f"has a header, line {lines.number:,}, that {header}")
    if not header:
        raise MediaError(path, "is empty; its first line names its columns")
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise MediaError(path, f"has two columns named {twice[0]!r}; rename one")
    return _Rows(tuple(header), _csv_mappings(header, read))


def _csv_mappings(header: list[str], read: Iterator[tuple[int, list[str] | _Wrong]]) -> Iterator[_Read]:
    for row, (line, cells) in enumerate(read, start=1):
        place = f"row {row:,} (line {line:,})"
        if isinstance(cells, _Wrong):
            yield _Read(place, cells)
        elif len(cells) != len(header):
            wrong = f"has {len(cells)} cells where the header has {len(header)}"
            yield _Read(place, _Wrong(f'{wrong}; write cells that hold a separator or a line break in "quotes"'))
        else:
            yield _Read(place, {column: cell or None for column, cell in zip(header, cells, strict=True)})


def _csv_cells(
    reader: Iterator[list[str]], lines: _CsvLines, limits: Limits
) -> Iterator[tuple[int, list[str] | _Wrong]]:
    """The rows that hold something, each with its first line."""
    largest = max(limits.characters, limits.bytes * 4 // 3 + 1024)  # a text, or a data URL
    try:
        while True:
            first = lines.number + 1
            try:
                # the limit belongs to the process: it is set while a row is read, and by one at a time
                with _csv_limit:
                    before = csv.field_size_limit(largest)
                    try:
                        cells: list[str] | _Wrong = next(reader)
                    finally:
                        csv.field_size_limit(before)
            except StopIteration:
                return
            except csv.Error as error:
                remedy = 'write cells that hold a separator, a quote or a line break in "quotes", and quotes as ""'
                cells = _Wrong(f"is malformed up to line {lines.number:,} ({error}); {remedy}")
            if lines.wrong is not None:
                cells, lines.wrong = lines.wrong, None
            if cells:
                yield first, cells
    finally:
        lines.close()


def _parquet_rows(path: Path, named: Sequence[str] | None) -> _Rows:
    parquet = _pyarrow("pyarrow.parquet")
    with open_regular(path, path) as (file, status):
        require_size(status.st_size, path, status.st_size)
        with _arrow_errors(path):
            columns: tuple[str, ...] = tuple(parquet.ParquetFile(file).schema_arrow.names)
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise MediaError(path, f"has two columns named {twice[0]!r}; rename one")
    wanted = None if named is None else [column for column in named if column in columns]
    return _Rows(columns, _parquet_mappings(path, wanted))


def _parquet_mappings(path: Path, wanted: list[str] | None) -> Iterator[_Read]:
    parquet = _pyarrow("pyarrow.parquet")
    number = 0
    with open_regular(path, path) as (file, _status):
        with _arrow_errors(path):
            batches = parquet.ParquetFile(file).iter_batches(batch_size=_BATCH, columns=wanted, use_threads=False)
        while True:
            with _arrow_errors(path):
                batch = next(batches, None)
            if batch is None:
                return
            for i in range(batch.num_rows):
                number += 1
                yield _Read(f"row {number:,}", _arrow_row(batch, i))


def _pyarrow(module: str) -> Any:
    """A module of pyarrow, which has no types."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra("pyarrow", "tables") from error


def _arrow_row(batch: Any, i: int) -> Row | _Wrong:
    row: dict[str, Any] = {}
    for column, values in zip(batch.schema.names, batch.columns, strict=True):
        try:
            row[column] = values[i].as_py()
        except (ValueError, TypeError, OverflowError, ArithmeticError) as error:  # a date that Python has not
            return _Wrong(f"has a value in column {column!r} that cannot be read ({error}); leave it out or convert it")
    return row


class _arrow_errors:  # noqa: N801
    """Turn what pyarrow says of a damaged file into a MediaError about it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (_pyarrow("pyarrow").ArrowException, OSError, ValueError, NotImplementedError)):
            first = str(error).strip().split("\n")[0]
            raise MediaError(self.path, f"is damaged or no Parquet file ({first}); write it again") from error


def _row_id(value: object) -> str:
    if _is_missing(value) or (isinstance(value, str) and not value.strip()):
        raise _Wrong("is empty; every row needs an id of its own")
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        value = cast("Any", value).item()
    if isinstance(value, bool) or not isinstance(value, str | int | UUID):
        raise _Wrong(f"holds {_a(value)}; ids are texts or whole numbers")
    row_id = str(value)
    if any("\ud800" <= character <= "\udfff" for character in row_id):
        raise _Wrong("has half a character (a lone surrogate); write it again")
    return row_id


def _text(value: object, limits: Limits) -> Text:
    if not isinstance(value, str):
        raise _Wrong(f"holds {_a(value)}, not a text; convert the column, or name it in metadata")
    try:
        return check_text(str(value), limits)
    except ValueError as error:
        raise _Wrong(str(error)) from error


def _pair(value: tuple[Any, ...]) -> tuple[Any, Any]:
    if len(value) != 2:
        raise _Wrong(f"holds {len(value)} values, not a sound; give (samples, rate), with the rate in Hz")
    return value[0], value[1]


def _decoded(decoder: Any) -> tuple[Any, Any]:
    """The samples of a decoder of torchcodec, which gives channels x samples."""
    try:
        samples = decoder.get_all_samples()
        return samples.data.numpy().T, samples.sample_rate
    except Exception as error:  # FFmpeg fails in ways of its own
        raise _Wrong(f"cannot be decoded ({type(error).__name__}: {error}); export it again") from error


def _plain(value: Any, limits: Limits, depth: int) -> Any:
    """A value as plain data."""
    if depth > _DEEPEST:
        raise _Wrong(f"is nested more than {_DEEPEST} levels deep; flatten it")
    if _is_missing(value):
        return None
    if type(value).__module__ == "numpy":
        value = value.tolist()
    match value:
        case str():
            if len(value) > limits.characters:
                remedy = "shorten it or pass limits=Limits(characters=...)"
                raise _Wrong(f"has {len(value):,} characters, more than the limit of {limits.characters:,}; {remedy}")
            with suppress(UnicodeEncodeError):
                value.encode()
                return str(value)
            raise _Wrong("has half a character (a lone surrogate); write it again")
        case bool() | date() | time() | UUID() | PurePath():
            return value
        case int():
            if not -(2**63) <= value < 2**63:
                raise _Wrong("is a number beyond 64 bits; give it as a text")
            return value
        case float() | Decimal():
            if not isfinite(value):
                raise _Wrong(f"is {value}; leave it empty, or give a finite number")
            return float(value)
        case Mapping():
            entries = cast("Mapping[object, object]", value)
            return {str(key): _plain(one, limits, depth + 1) for key, one in entries.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(one, limits, depth + 1) for one in cast("Iterable[object]", value)]
        case _:
            remedy = "convert it, or name the columns to keep with metadata=(...)"
            raise _Wrong(f"holds {_a(value)}, which no metadata can hold; {remedy}")


def _is_missing(value: object) -> bool:
    """None, and how floats, numpy and pandas write it."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return (isinstance(value, float | Decimal) and value != value) or _is_numpy_nan(value)


def _is_numpy_nan(value: object) -> bool:
    return type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0 and bool(value != value)


def _a(value: object) -> str:
    kind = type(value).__name__
    return f"an {kind}" if kind[0].lower() in "aeiou" else f"a {kind}"


def _are(columns: Sequence[str]) -> str:
    return "is" if len(columns) == 1 else "are"
