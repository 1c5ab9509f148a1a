"""The command line: octant index | sync | search | info | list | delete | encoders | doctor | demo.

Results go to stdout, everything else to stderr. Nothing heavy is imported before the arguments are understood.
Exit codes: 0 all went well; 1 some of it failed; 2 wrong usage; 3 nothing could be done; 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

import octant
from octant.errors import EncoderError, FilterError, OctantError, StoreError, TooManyDeletions
from octant.media import DEFAULT_LIMITS, Audio, Image, Limits, Modality, Text

if TYPE_CHECKING:
    from rich.console import Console

    from octant.adapters.sources import Reading, Source
    from octant.filters import Condition
    from octant.fusion import Fusion
    from octant.query import Asked
    from octant.report import Progress, Report
    from octant.stores import Client

__all__ = ["app", "main"]

_SOME_FAILED, _USAGE, _NOTHING, _STOPPED = 1, 2, 3, 130

app = typer.Typer(
    name="octant",
    help="Search your texts, images and sounds with a text, an image or a sound. Works offline.",
    epilog="Begin with `octant demo`, or: octant index ~/Pictures -c mine && octant search 'a cat' -c mine",
    rich_markup_mode=None,  # plain help: drawing boxes would take longer than all the rest of --help
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

CollectionName = Annotated[str, typer.Option("--collection", "-c", help="Name of the collection.")]
Database = Annotated[
    Path | None,
    typer.Option("--path", help="Database directory; else $OCTANT_HOME, else the user's data directory."),
]
Server = Annotated[str | None, typer.Option("--url", help="A Qdrant server instead, such as http://localhost:6333.")]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key", help="The server's key; better given by environment.", envvar=["OCTANT_API_KEY", "QDRANT_API_KEY"]
    ),
]
Model = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder",
        metavar="NAME",
        help="Model of a new collection, such as open_clip:ViT-B-32/laion2b_s34b_b79k; `octant encoders` lists them. "
        "A server's collections want it whenever they are opened.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


class FusionName(StrEnum):
    """How several fields become one ranking."""

    RRF = "rrf"
    DBSF = "dbsf"
    ZSCORE = "zscore"
    RELATIVE = "relative"
    CALIBRATED = "calibrated"


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may hold what a terminal cannot show
    app()


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"octant {octant.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that stand before the command."""


Paths = Annotated[
    list[Path] | None, typer.Argument(metavar="PATH...", help="Files, folders and tables.", show_default=False)
]
Thumbnails = Annotated[
    int | None, typer.Option(metavar="PX", min=16, max=1024, help="Keep thumbnails of this many pixels.")
]
Include = Annotated[
    list[str] | None, typer.Option(metavar="PATTERN", help="Only files that match, as in .gitignore: '*.jpg'.")
]
Exclude = Annotated[
    list[str] | None, typer.Option(metavar="PATTERN", help="Not what matches, as in .gitignore: 'drafts/'.")
]
MaxBytes = Annotated[int, typer.Option(min=1, help="Refuse files of more bytes.")]
MaxPixels = Annotated[int, typer.Option(min=1, help="Refuse images of more pixels.")]
MaxSeconds = Annotated[float, typer.Option(min=0, help="Refuse longer sounds.")]
MaxCharacters = Annotated[int, typer.Option(min=1, help="Refuse longer texts.")]
IdColumn = Annotated[
    str | None,
    typer.Option("--id", metavar="COLUMN", help="Read CSV, JSONL and Parquet files as tables with these ids."),
]
TextColumn = Annotated[list[str] | None, typer.Option("--text", metavar="COLUMN", help="Column of texts.")]
ImageColumn = Annotated[list[str] | None, typer.Option("--image", metavar="COLUMN", help="Column of photos' paths.")]
NumberColumn = Annotated[
    list[str] | None, typer.Option("--number", metavar="COLUMN", help="Column of numbers that a CSV file has as text.")
]
AudioColumn = Annotated[list[str] | None, typer.Option("--audio", metavar="COLUMN", help="Column of sounds' paths.")]
Cache = Annotated[
    Path | None,
    typer.Option(envvar="OCTANT_CACHE", help="Remember vectors in this file, so that nothing is encoded twice."),
]
Failed = Annotated[
    Path | None, typer.Option("--failed", metavar="FILE", help="Write the sources that failed to this file.")
]


@app.command()
def index(
    paths: Paths = None,
    collection: CollectionName = "default",
    encoder: Model = None,
    path: Database = None,
    url: Server = None,
    api_key: ApiKey = None,
    include: Include = None,
    exclude: Exclude = None,
    thumbnails: Thumbnails = None,
    id_column: IdColumn = None,
    text: TextColumn = None,
    image: ImageColumn = None,
    audio: AudioColumn = None,
    number: NumberColumn = None,
    max_bytes: MaxBytes = DEFAULT_LIMITS.bytes,
    max_pixels: MaxPixels = DEFAULT_LIMITS.pixels,
    max_seconds: MaxSeconds = DEFAULT_LIMITS.seconds,
    max_characters: MaxCharacters = DEFAULT_LIMITS.characters,
    cache: Cache = None,
    failed: Failed = None,
    retry: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Index what such a file of --failed names.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add files and folders to a collection.

    What has not changed since is not read again, what has is replaced. What cannot be read is listed with the reason,
    the rest is stored. Stopped, however hard, the same command goes on from there.
    """
    limits = Limits(max_bytes, max_pixels, max_seconds, max_characters)
    with (
        _errors_told(),
        octant.open(
            collection, encoder=encoder or (), path=path, url=url, api_key=api_key if url else None, cache=cache
        ) as opened,
    ):
        sources = _sources([*(paths or []), *_retried(retry)], id_column, text, image, audio, number, limits)
        reading = _reading(include, exclude, limits, thumbnails)
        with _progress(opened, sources) as progress:
            report = opened.add(sources, reading, progress=progress)
        _finish(opened, report, collection, failed, as_json=as_json)
    if not report.points and not report.unchanged:
        if not report.failed:
            _complain(f"no text, image or sound to index in {', '.join(map(str, paths or []))}")
        raise typer.Exit(_NOTHING)
    if report.failed:
        raise typer.Exit(_SOME_FAILED)


@app.command()
def sync(
    paths: Paths = None,
    collection: CollectionName = "default",
    encoder: Model = None,
    path: Database = None,
    url: Server = None,
    api_key: ApiKey = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    max_deleted: Annotated[
        float, typer.Option(min=0, max=1, help="Delete nothing if more than this share of the sources is gone.")
    ] = 0.5,
    include: Include = None,
    exclude: Exclude = None,
    thumbnails: Thumbnails = None,
    id_column: IdColumn = None,
    text: TextColumn = None,
    image: ImageColumn = None,
    audio: AudioColumn = None,
    number: NumberColumn = None,
    max_bytes: MaxBytes = DEFAULT_LIMITS.bytes,
    max_pixels: MaxPixels = DEFAULT_LIMITS.pixels,
    max_seconds: MaxSeconds = DEFAULT_LIMITS.seconds,
    max_characters: MaxCharacters = DEFAULT_LIMITS.characters,
    cache: Cache = None,
    failed: Failed = None,
    as_json: Json = False,
) -> None:
    """Make a collection mirror files and folders: as index, and what vanished there is removed.

    Items from elsewhere stay. What cannot be read now is kept as it was.
    """
    limits = Limits(max_bytes, max_pixels, max_seconds, max_characters)
    with (
        _errors_told(),
        octant.open(
            collection,
            encoder=encoder or (),
            path=path,
            url=url,
            api_key=api_key if url else None,
            cache=cache,
            create=not dry_run,
        ) as opened,
    ):
        sources = _sources(paths or [], id_column, text, image, audio, number, limits)
        reading = _reading(include, exclude, limits, thumbnails)
        try:
            with _progress(opened, sources) as progress:
                report = opened.sync(sources, reading, max_deleted=max_deleted, dry_run=dry_run, progress=progress)
        except TooManyDeletions as refused:
            if isinstance(refused.report, octant.Report):
                _finish(opened, refused.report, collection, failed, as_json=as_json)
            raise
        _finish(opened, report, collection, failed, as_json=as_json)
    if report.failed:
        raise typer.Exit(_SOME_FAILED)


@app.command()
def search(
    text: Annotated[str | None, typer.Argument(help="What to look for, in words.", show_default=False)] = None,
    image: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Look for what is like this image.")
    ] = None,
    audio: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Look for what is like this sound.")
    ] = None,
    collection: CollectionName = "default",
    into: Annotated[
        list[Modality] | None,
        typer.Option(metavar="text|image|audio", help="What to find; may be given more than once."),
    ] = None,
    like: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Look for what is like this item of the collection.")
    ] = None,
    unlike: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="And not like this item of the collection.")
    ] = None,
    without: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="And not like this, in words.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help='Only items of which this is true: folder=pets, or \'price < 20 and brand in ("acme", "b")\'. '
            "All that are given must be; of KEY=VALUE with one key given twice, either value.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many hits.")] = 10,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many of the best.")] = 0,
    field: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Search these fields alone; `octant info` names them.")
    ] = None,
    fusion: Annotated[
        FusionName | None, typer.Option(help="How several fields become one ranking.", show_default=False)
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Leave out what scores less.", show_default=False)] = None,
    group_by: Annotated[
        str | None, typer.Option(metavar="KEY", help="One hit for each value of this metadata key.")
    ] = None,
    facet: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Count the values of this metadata key, too.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Tell where each score comes from.")] = False,
    encoder: Model = None,
    path: Database = None,
    url: Server = None,
    api_key: ApiKey = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write a page with thumbnails and players.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find what is most like a text, an image or a sound."""
    from octant.query import Query

    with _errors_told():
        narrow = _where(where or [])
        query = Query(
            _asked(text, image, audio, like or [], unlike or [], without or []),
            tuple(into or ()),
            narrow,
            limit,
            offset,
            tuple(field or ()),
            threshold=threshold,
            fusion=None if fusion is None else _fusion(fusion),
            group_by=group_by,
            facets=tuple(facet or ()),
            explain=explain,
        )
    with (
        _errors_told(),
        octant.open(
            collection, encoder=encoder or (), path=path, url=url, api_key=api_key if url else None, create=False
        ) as opened,
    ):
        hits = opened.search(query)
        if as_json:
            _print_json(hits.as_dict() if explain or facet or group_by else hits.as_dicts())
        else:
            _stdout().print(hits)
        if html is not None:
            from octant.show import Section, page

            asked = text or str(image or audio or ", ".join(like or []))
            html.write_text(page(f"octant: {asked}", [Section(f"{collection}: {asked}", hits)]), "utf-8")
            _hint(f"page written to {html}")
        matching = opened.count(narrow) if not hits and narrow is not None else None
    if matching == 0:
        _complain(
            f"no item in {collection!r} matches {' and '.join(where or [])}; leave --where out to see what is there"
        )
    elif not hits and len(into or []) != 1:
        _hint("nothing is near enough to be sure of; --into text, image or audio shows the nearest all the same")


@app.command()
def info(
    collection: CollectionName = "default",
    encoder: Model = None,
    path: Database = None,
    url: Server = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Tell what a collection holds and what made it."""
    with (
        _errors_told(),
        octant.open(
            collection, encoder=encoder or (), path=path, url=url, api_key=api_key if url else None, create=False
        ) as opened,
    ):
        found = opened.info()
        if as_json:
            _print_json(found.as_dict())
        else:
            from octant.show import info_summary

            _stdout().print(info_summary(found))


@app.command(name="list")
def list_collections(path: Database = None, url: Server = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """List the collections of a database."""
    with _errors_told(), _store(path, url, api_key) as (client, location):
        names = sorted(one.name for one in client.get_collections().collections)
        counts = {name: _counted(client, name) for name in names}
    if as_json:
        _print_json({"location": location, "collections": counts})
        return
    if not names:
        _complain(f"no collection in {location} yet; make one with `octant index PATH... -c NAME`")
    for name, count in counts.items():
        typer.echo(f"{name}\t{'damaged' if count is None else count}")


@app.command()
def delete(
    collection: Annotated[str, typer.Option("--collection", "-c", help="Name of the collection.", show_default=False)],
    path: Database = None,
    url: Server = None,
    api_key: ApiKey = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a collection. Your files stay where they are."""
    # by the store, not by `octant.open`: a collection that was made with other encoders can be deleted too
    with _errors_told(), _store(path, url, api_key) as (client, location):
        if not client.collection_exists(collection):
            raise StoreError(f"no collection {collection!r} in {location}; `octant list` names those that are there")
        count = _counted(client, collection)
        if not yes:
            typer.confirm(
                f"Delete collection {collection!r} with {'unreadable' if count is None else count} items?",
                abort=True,
                err=True,
            )
        client.delete_collection(collection)
    _hint(f"deleted {collection!r}" + ("" if count is None else f" ({count} items)"))


@app.command()
def encoders(
    all_models: Annotated[bool, typer.Option("--all", help="All models that are known by name, too.")] = False,
    as_json: Json = False,
) -> None:
    """List the families of models, what they read, whether they can run here, and how to install them."""
    from octant.family import broken_families, families

    found = list(families().values())
    for name, why in broken_families().items():
        _complain(f"family {name!r} cannot be used: {why}")
    if as_json:
        _print_json([family.as_dict() for family in found])
        return
    from octant.show import family_table, install_lines, model_table

    _stdout().print(family_table(found))
    for line in install_lines(found):
        typer.echo(line)
    if all_models:
        _stdout().print(model_table(found))
    else:
        _hint("--all names models of each; a model is FAMILY:MODEL?option=value, as in octant index --encoder")


@app.command()
def doctor(path: Database = None, url: Server = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Tell what can run here and what is missing."""
    from octant.doctor import examine, table

    with _errors_told():
        findings = examine(path, url=url, api_key=api_key)
    if as_json:
        _print_json([finding.as_dict() for finding in findings])
    else:
        _stdout().print(table(findings))
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(_SOME_FAILED)


@app.command()
def demo(
    html: Annotated[Path, typer.Option("--html", metavar="FILE", help="Where to write the page.")] = Path("demo.html"),
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the sample and its database in this folder.")
    ] = None,
) -> None:
    """Index a packaged sample and search it, offline."""
    from octant.demo import run

    with _errors_told():
        run(_stdout(), html, keep)


def _counted(client: Client, name: str) -> int | None:
    """Count the items of a collection; None where it is damaged, which must not hide the others."""
    try:
        return client.count(name, exact=True).count
    except StoreError:
        return None


@contextmanager
def _store(path: Path | None, url: str | None, api_key: str | None) -> Generator[tuple[Client, str]]:
    """Open the store alone, with no collection and no encoders; and say where it is."""
    from octant.config import default_path, require_database
    from octant.stores import Place, open_store

    directory = None if url else (path or default_path()).expanduser().absolute()
    require_database(directory)
    client = open_store(path=directory, url=url, api_key=api_key if url else None)
    try:
        yield client, str(Place(directory, url))
    finally:
        client.close()


@contextmanager
def _errors_told() -> Generator[None]:
    """Tell the errors of octant in one line, with the remedy, and end with the right exit code."""
    if os.environ.get("OCTANT_DEBUG"):
        yield
        return
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except (EncoderError, FilterError) as error:
        _end(_USAGE, str(error))
    except OctantError as error:
        _end(_NOTHING, str(error))
    except ExceptionGroup as group:
        if group.split(OctantError)[1] is not None:
            _unexpected(group)
        _end(_NOTHING, "\n".join(str(error) for error in group.exceptions))
    except (ValueError, TypeError) as error:
        _end(_USAGE, str(error))
    except OSError as error:
        _end(_NOTHING, f"{error}; check the path, its permissions and the free space")
    except KeyboardInterrupt:
        _end(_STOPPED, "stopped")
    except Exception as error:
        _unexpected(error)


def _end(code: int, message: str) -> NoReturn:
    _complain(message)
    raise typer.Exit(code)


def _unexpected(error: Exception) -> NoReturn:
    known = f"{type(error).__name__}: {error}"
    _end(_NOTHING, f"unexpected {known}; this is a fault of octant: run it again with OCTANT_DEBUG=1 and report it")


def _complain(message: str) -> None:
    _stderr().print(message, style="red", markup=False, highlight=False, soft_wrap=True)


def _hint(message: str) -> None:
    _stderr().print(message, style="dim", markup=False, highlight=False, soft_wrap=True)


def _stdout() -> Console:
    from rich.console import Console

    return Console()


def _stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _asked(
    text: str | None,
    image: Path | None,
    audio: Path | None,
    like: Sequence[str],
    unlike: Sequence[str],
    without: Sequence[str],
) -> Asked:
    """What is looked for: one thing as it is, several as one composed question."""
    from octant.query import ById, Composed, Example

    if text is not None and not text.strip():
        _end(_USAGE, "the text to look for is empty")
    media: list[Example] = [
        *([] if text is None else [Text(text)]),
        *([] if image is None else [Image(image)]),
        *([] if audio is None else [Audio(audio)]),
    ]
    near: list[Example] = [*media, *map(ById, like)]
    far: list[Example] = [*map(Text, without), *map(ById, unlike)]
    if not near:
        _end(_USAGE, "give one thing to look for, or several: a text, --image FILE, --audio FILE, --like ID")
    return near[0] if len(near) == 1 and not far else Composed(tuple(near), tuple(far))


def _fusion(name: FusionName) -> Fusion:
    from octant import fusion

    made: dict[FusionName, type[Fusion]] = {
        FusionName.RRF: fusion.RRF,
        FusionName.DBSF: fusion.DBSF,
        FusionName.ZSCORE: fusion.ZScore,
        FusionName.RELATIVE: fusion.RelativeScore,
        FusionName.CALIBRATED: fusion.Calibrated,
    }
    return made[name]()


_COMPOSED = re.compile(r"\s(?:and|or|not|in)\s|[<>~]|=.*=")
_PAIR = re.compile(r"(?P<key>[^\s=<>!~()]+)=(?P<value>(?!=).*)", re.DOTALL)


def _where(conditions: Sequence[str]) -> Condition | None:
    """Read conditions, and KEY=VALUE as a shell likes it, without quotes: a JSON scalar is one, any other is a text."""
    from octant.filters import condition_of, parse

    found: list[Condition] = []
    pairs: dict[str, list[Any]] = {}
    for one in conditions:
        pair = _PAIR.fullmatch(one)
        if pair is not None and (" " not in one or not (_reads(one) or _COMPOSED.search(one))):
            pairs.setdefault(pair["key"], []).extend(_readings(pair["value"]))
        else:
            try:
                found.append(parse(one))
            except FilterError as error:
                raise FilterError(f"{error}\n  or write KEY=VALUE, such as --where folder=pets") from None
    if pairs:
        read = condition_of({key: values[0] if len(values) == 1 else values for key, values in pairs.items()})
        found.extend([] if read is None else [read])
    return None if not found else reduce(lambda a, b: a & b, found)


def _reads(condition: str) -> bool:
    from octant.filters import parse

    try:
        parse(condition)
    except FilterError:
        return False
    return True


def _readings(value: str) -> list[str | int | float | bool]:
    """What a value may mean: 2024 is a number, or the name of a folder; "2024" in quotes is a text."""
    try:
        read = json.loads(value.lower() if value in ("True", "False") else value, parse_constant=str)
    except ValueError:
        return [value]
    if isinstance(read, str):
        return [read]
    return [value, read] if isinstance(read, int | float) else [value]


def _retried(failed: Path | None) -> list[Path]:
    if failed is None:
        return []
    from octant.report import failed_sources

    return failed_sources(failed)


def _sources(
    paths: Sequence[Path],
    id_column: str | None,
    text: Sequence[str] | None,
    image: Sequence[str] | None,
    audio: Sequence[str] | None,
    number: Sequence[str] | None,
    limits: Limits,
) -> list[Source]:
    """The paths that were given; files of rows as tables, where their columns are named."""
    if not paths:
        _end(_USAGE, "give the files and folders: PATH...")
    if id_column is None:
        if text or image or audio or number:
            _end(_USAGE, "--text, --image, --audio and --number name columns of a table; name its ids too: --id COLUMN")
        return [one.expanduser() for one in paths]
    from octant.adapters.tables import SUFFIXES, Table

    return [
        Table(
            p,
            id=id_column,
            text=tuple(text or ()),
            image=tuple(image or ()),
            audio=tuple(audio or ()),
            numbers=tuple(number or ()),
            limits=limits,
        )
        if p.suffix.lower() in SUFFIXES
        else p
        for p in (one.expanduser() for one in paths)
    ]


def _reading(
    include: Sequence[str] | None, exclude: Sequence[str] | None, limits: Limits, thumbnails: int | None
) -> Reading:
    from octant.adapters import Reading

    return Reading(include=tuple(include or ()), exclude=tuple(exclude or ()), limits=limits, thumbnails=thumbnails)


def _finish(opened: octant.Collection, report: Report, collection: str, failed: Path | None, *, as_json: bool) -> None:
    """Finish the index, and tell what was done."""
    if report.points and not report.dry:
        _index(opened)
    if failed is not None:
        report.write_failed(failed)
    if as_json:
        _print_json(report.as_dict())
        return
    if not (report.points or report.unchanged or report.deleted or report.skipped or report.failed):
        return
    from octant.show import report_summary

    _stdout().print(report_summary(report, collection, str(opened.place)), soft_wrap=True)
    if any("limits=Limits(" in one.reason for one in report.failed):
        _hint("limits are --max-bytes, --max-pixels, --max-seconds and --max-characters here")
    if failed is not None and report.failed:
        _hint(f"once they are mended: octant index --retry {failed} -c {collection}")
    if report.points and not report.dry:
        _stderr().print(f"\nnow: octant search 'what you look for' -c {collection}", style="dim", highlight=False)


@contextmanager
def _progress(opened: octant.Collection, sources: Sequence[Source]) -> Generator[Callable[[Progress], None]]:
    """Show a progress bar on stderr; Ctrl-C says what is stored and how to go on."""
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    stored = 0
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[left_out]}[dim]{task.fields[current]}[/dim]"),
    )
    console = _stderr()
    paths = [one for one in sources if isinstance(one, Path)]
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        total = _count(paths) if len(paths) == len(sources) and not bar.disable else None
        task = bar.add_task("", total=total, rate="", left_out="", current="")

        def progress(now: Progress) -> None:
            nonlocal stored
            stored = now.done
            gone = now.sources + now.skipped
            rates = [f"{count / max(now.seconds, 1e-9):.0f} {kind}/s" for kind, count in now.modalities.items()]
            bar.update(
                task,
                completed=gone,
                total=None if total is None else max(gone, total),
                rate=", ".join(rates),
                left_out=f"{now.skipped} skipped, {now.failed} failed  " if now.skipped or now.failed else "",
                current=Path(now.current).name.replace("[", "\\[")[-40:],
            )

        try:
            yield progress
        except KeyboardInterrupt:
            bar.stop()
            _end(
                _STOPPED,
                f"stopped: {stored} items stand in {opened.name!r} and can be searched; "
                "run the same command again: it goes on from there",
            )


def _index(opened: octant.Collection) -> None:
    """Finish what indexing is due now: the store does it in the background, and this process is about to end."""
    from octant.stores import wait_for_index

    if opened.place.directory is None:
        return  # a server indexes by itself, and goes on when this process ends
    with _stderr().status("building the index for fast search; Ctrl-C leaves it for later"):
        try:
            wait_for_index(opened.client)
        except KeyboardInterrupt:
            _hint("left the index for later: searches are exact, and slower, until then")


def _count(paths: Sequence[Path]) -> int:
    """Count the files that indexing will meet, for the bar."""
    total = 0
    for path in paths:
        if not path.is_dir():
            total += 1
            continue
        for _, folders, files in os.walk(path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            total += sum(not name.startswith(".") for name in files)
    return total
