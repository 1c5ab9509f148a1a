"""The command line as a newcomer meets it: results on stdout, the rest on stderr, exit codes, errors with a remedy."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile  # pyright: ignore[reportMissingTypeStubs]
from PIL import Image as Pillow
from schemas import words_schema
from typer.testing import CliRunner, Result

import octant
from octant.cli import app
from octant.filters import condition_of
from octant.media import Modality
from octant.report import Progress, Report

Run = Callable[..., Result]


@pytest.fixture
def octant_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line with a database of its own, from the folder that holds `media`."""
    monkeypatch.setenv("OCTANT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("OCTANT_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> Result:
        return CliRunner().invoke(app, args)

    return run


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    (folder / "pets").mkdir(parents=True)
    (folder / "kitchen.md").write_text("# Espresso\n\nGrind the coffee beans and drink it hot.")
    (folder / "pets" / "puppy.txt").write_text("A young dog that barks at the door.")
    Pillow.new("RGB", (64, 48), (200, 30, 30)).save(folder / "pets" / "red.png")
    soundfile.write(folder / "pets" / "noise.wav", np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000)
    return folder


def names(result: Result) -> list[str]:
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return [hit["metadata"]["name"] for hit in found]


def told(result: Result, code: int, *words: str) -> None:
    """Check an error: its exit code, its words on stderr, and no traceback."""
    assert result.exit_code == code, result.output
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.output


def test_indexing_says_what_was_stored_and_searching_finds_it(octant_: Run, media: Path) -> None:
    indexed = octant_("index", "media", "-c", "mine")
    assert indexed.exit_code == 0, indexed.output
    assert "4 (2 text, 1 image, 1 audio)" in indexed.stdout.replace("\n", " ")
    found = octant_("search", "making coffee", "-c", "mine", "--into", "text", "--json")
    assert found.exit_code == 0, found.output
    assert names(found)[0] == "kitchen.md"
    table = octant_("search", "a puppy", "-c", "mine", "--into", "text").stdout
    assert table.index("puppy.txt") < table.index("kitchen.md")
    assert media.exists()


def test_a_search_by_image_or_sound_finds_the_same_file_first(octant_: Run, media: Path) -> None:
    octant_("index", "media", "-c", "mine")
    image = octant_("search", "--image", "media/pets/red.png", "-c", "mine", "--into", "image", "--json")
    audio = octant_("search", "--audio", str(media / "pets/noise.wav"), "-c", "mine", "--into", "audio", "--json")
    assert names(image) == ["red.png"]
    assert names(audio) == ["noise.wav"]


def test_where_narrows_and_a_limit_limits(octant_: Run, media: Path) -> None:
    octant_("index", str(media), "-c", "mine")
    search = ("search", "dog", "-c", "mine", "--into", "text", "--json")
    assert set(names(octant_(*search))) == {"puppy.txt", "kitchen.md"}
    assert names(octant_(*search, "--where", "folder=pets")) == ["puppy.txt"]
    either = octant_(*search, "--where", "name=kitchen.md", "--where", "name=puppy.txt")
    assert set(names(either)) == {"puppy.txt", "kitchen.md"}
    assert len(names(octant_(*search, "--limit", "1"))) == 1
    nothing = octant_("search", "dog", "-c", "mine", "--where", "folder=nowhere")
    assert (nothing.exit_code, nothing.stdout.strip()) == (0, "no hits")
    assert "no item in 'mine' matches folder=nowhere" in nothing.stderr


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("2024", ["2024", 2024]),
        ("0.5", ["0.5", 0.5]),
        ("true", ["true", True]),
        ("True", ["True", True]),
        ('"3"', "3"),
        ("plain words", "plain words"),
        ("", ""),
    ],
)
def test_a_where_value_is_all_that_it_may_mean(
    octant_: Run, media: Path, monkeypatch: pytest.MonkeyPatch, value: str, read: object
) -> None:
    octant_("index", str(media), "-c", "mine")
    asked: list[object] = []

    def search(self: object, query: octant.Query) -> octant.Hits:
        del self
        asked.append(query.where)
        return octant.Hits()

    monkeypatch.setattr(octant.Collection, "search", search)
    octant_("search", "dog", "-c", "mine", "--where", f"key={value}")
    assert asked == [condition_of({"key": read})]


def test_a_folder_that_is_named_like_a_number_is_found(octant_: Run, tmp_path: Path) -> None:
    (tmp_path / "pics" / "2024").mkdir(parents=True)
    (tmp_path / "pics" / "2024" / "a.txt").write_text("an apple")
    octant_("index", "pics", "-c", "mine")
    assert names(octant_("search", "apple", "-c", "mine", "--where", "folder=2024", "--json")) == ["a.txt"]


def test_what_is_near_nothing_finds_nothing_and_says_how_to_see_the_nearest(octant_: Run, media: Path) -> None:
    octant_("index", str(media), "-c", "mine")
    nothing = octant_("search", "asdfghjkl", "-c", "mine")
    assert nothing.stdout.strip() == "no hits"
    assert "--into" in nothing.stderr
    assert names(octant_("search", "asdfghjkl", "-c", "mine", "--into", "image", "--json")) == ["red.png"]


def test_limits_can_be_set_and_a_file_beyond_them_says_how(octant_: Run, media: Path) -> None:
    small = octant_("index", str(media), "-c", "mine", "--max-pixels", "100")
    assert small.exit_code == 1
    assert "more than the limit of 100" in " ".join(small.stdout.split())
    assert "--max-pixels" in small.stderr
    assert octant_("index", str(media), "-c", "mine", "--max-pixels", "10000").exit_code == 0


def test_reading_makes_no_database(octant_: Run, tmp_path: Path) -> None:
    for command in (["search", "x"], ["info"], ["list"], ["delete", "-c", "x", "-y"]):
        told(octant_(*command, "--path", str(tmp_path / "typo")), 3, "no database in")
    assert not (tmp_path / "typo").exists()


def test_a_page_is_written_next_to_the_table(octant_: Run, media: Path, tmp_path: Path) -> None:
    octant_("index", str(media), "-c", "mine", "--thumbnails", "32")
    shown = octant_("search", "<b>dog</b>", "-c", "mine", "--html", "out.html")
    assert "puppy.txt" in shown.stdout
    assert "page written to out.html" in shown.stderr
    page = (tmp_path / "out.html").read_text("utf-8")
    assert "&lt;b&gt;dog" in page
    assert "<b>dog</b>" not in page


def test_info_and_list_count_what_is_there(octant_: Run, media: Path, tmp_path: Path) -> None:
    octant_("index", str(media), "-c", "mine")
    info = json.loads(octant_("info", "-c", "mine", "--json").stdout)
    assert info["points"] == 4
    assert info["modalities"] == {"text": 2, "image": 1, "audio": 1}
    assert info["bytes_on_disk"] > 0
    assert "size on disk" in octant_("info", "-c", "mine").stdout
    listed = json.loads(octant_("list", "--json").stdout)
    assert listed == {"location": str(tmp_path / "home"), "collections": {"mine": 4}}
    assert octant_("list").stdout.split() == ["mine", "4"]


def test_a_collection_of_other_encoders_can_still_be_deleted(octant_: Run) -> None:
    octant.open("other", schema=words_schema()).close()
    assert octant_("info", "-c", "other").exit_code == 3
    assert octant_("delete", "-c", "other", "--yes").exit_code == 0
    missing = octant_("delete", "-c", "other", "--yes")
    assert missing.exit_code == 3
    assert "no collection 'other'" in missing.stderr


def test_delete_asks_first(octant_: Run, media: Path) -> None:
    octant_("index", str(media), "-c", "mine")
    assert octant_("delete", "-c", "mine").exit_code != 0
    assert octant_("list").stdout.split() == ["mine", "4"]
    assert octant_("delete", "-c", "mine", "--yes").exit_code == 0
    emptied = octant_("list")
    assert (emptied.exit_code, emptied.stdout) == (0, "")
    assert "octant index" in emptied.stderr
    assert media.exists()


def test_what_fails_is_listed_with_a_reason_and_the_rest_stored(octant_: Run, media: Path) -> None:
    (media / "empty.jpg").touch()
    (media / "program").write_bytes(b"\x7fELF" + bytes(100))
    partly = octant_("index", "media", "nowhere", "-c", "mine")
    assert partly.exit_code == 1
    assert "empty.jpg: is empty" in partly.stdout
    assert "nowhere: does not exist" in partly.stdout
    assert "program: is no text, image or sound" in partly.stdout
    report = json.loads(octant_("index", "media", "nowhere", "-c", "mine", "--json").stdout)
    assert (report["unchanged"], len(report["failed"]), len(report["skipped"])) == (4, 2, 1)


def test_a_long_list_of_failures_is_cut_and_json_has_all(octant_: Run, tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for number in range(25):
        (tmp_path / "many" / f"{number:02}.jpg").touch()
    failed = octant_("index", "many", "-c", "mine")
    assert failed.exit_code == 3
    assert "and 5 more; --json for all" in failed.stdout
    assert failed.stdout.count("is empty") == 20
    assert len(json.loads(octant_("index", "many", "-c", "mine", "--json").stdout)["failed"]) == 25


def test_an_empty_folder_is_no_success(octant_: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    told(octant_("index", "empty"), 3, "no text, image or sound to index in empty")


def test_a_collection_that_does_not_exist_names_those_that_do(octant_: Run, media: Path) -> None:
    octant_("index", str(media), "-c", "mine")
    told(octant_("search", "dog", "-c", "yours"), 3, "no collection 'yours'", "mine", "octant index")
    told(octant_("info", "-c", "yours"), 3, "mine")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["search"], ["give one thing to look for"]),
        (["search", " "], ["empty"]),
        (["search", "--without", "dog", "--unlike", "cat"], ["give one thing"]),
        (["search", "--image", "nowhere.png"], ["nowhere.png"]),
        (["search", "dog", "--where", "folder"], ["KEY=VALUE"]),
        (["search", "dog", "--limit", "0"], ["limit"]),
        (["search", "dog", "--into", "video"], ["video", "text"]),
        (["search", "dog", "--path", "here", "--url", "http://localhost:1"], ["not both"]),
        (["index"], ["PATH"]),
        (["index", "media", "--thumbnails", "1"], ["thumbnails"]),
        (["nothing"], ["nothing"]),
    ],
)
def test_wrong_usage_is_told(octant_: Run, media: Path, args: Sequence[str], words: Sequence[str]) -> None:
    assert media.exists()
    told(octant_(*args), 2, *words)


def test_a_damaged_query_image_is_told(octant_: Run, media: Path) -> None:
    octant_("index", str(media), "-c", "mine")
    (media / "cut.png").write_bytes((media / "pets" / "red.png").read_bytes()[:60])
    told(octant_("search", "--image", "media/cut.png", "-c", "mine"), 3, "cut.png")


def test_an_unexpected_error_is_no_traceback_unless_asked(
    octant_: Run, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("[oops]")

    octant_("index", str(media), "-c", "mine")
    monkeypatch.setattr(octant.Collection, "search", broken)
    told(octant_("search", "dog", "-c", "mine"), 3, "RuntimeError: [oops]", "OCTANT_DEBUG=1")
    monkeypatch.setenv("OCTANT_DEBUG", "1")
    assert isinstance(octant_("search", "dog", "-c", "mine").exception, RuntimeError)


def test_control_c_says_what_is_stored_and_how_to_go_on(
    octant_: Run, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(self: object, sources: object, reading: object, *, progress: Callable[[Progress], None]) -> Report:
        progress(Progress(7, 0, 0, 7, {Modality.TEXT: 7}, seconds=1.0, current="x"))
        raise KeyboardInterrupt

    monkeypatch.setattr(octant.Collection, "add", add)
    told(octant_("index", str(media), "-c", "mine"), 130, "7 items stand in 'mine'", "same command again")


def test_the_api_key_is_never_printed(octant_: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "top-secret")
    outputs = [octant_(*args).output for args in (["search", "--help"], ["search", "dog"], ["doctor", "--json"])]
    assert all("top-secret" not in output for output in outputs)


def test_doctor_says_that_the_default_setup_runs(octant_: Run) -> None:
    healthy = octant_("doctor", "--json")
    assert healthy.exit_code == 0, healthy.output
    findings = {finding["what"]: finding for finding in json.loads(healthy.stdout)}
    assert findings["octant"]["detail"] == octant.__version__
    assert findings["starter weights"]["state"] == "ok"
    assert findings["store and search"]["state"] == "ok"
    assert "FLAC" in findings["sounds"]["detail"]
    assert "JPEG" in findings["images"]["detail"]
    assert "starter weights" in octant_("doctor").stdout


def test_doctor_names_the_extras_that_are_there_and_how_to_get_the_others(
    octant_: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import metadata

    versions = {"av": "18.0", "librosa": "0.11", "aiohttp": "3.0", "pypdfium2": "5.0"}

    def version(package: str) -> str:
        if package in ("av", "pypdfium2", "pillow-heif", "librosa", "pyarrow", "fsspec", "aiohttp", "ray"):
            if package not in versions:
                raise metadata.PackageNotFoundError(package)
            return versions[package]
        return installed(package)

    installed = metadata.version
    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setitem(sys.modules, "av", ModuleType("av"))
    monkeypatch.setitem(sys.modules, "librosa", ModuleType("librosa"))
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    looked = octant_("doctor", "--json")
    assert looked.exit_code == 0, looked.output
    extras = {one["what"]: one for one in json.loads(looked.stdout) if one["area"] == "extras"}
    states = {what: one["state"] for what, one in extras.items()}
    absent = dict.fromkeys(("pdf", "heif", "tables", "remote", "ray"), "optional")
    assert states == {"video": "ok", "audio": "ok", **absent}
    assert extras["video"]["detail"].startswith("av 18.0: films")
    assert extras["heif"]["detail"].startswith("not installed: pip install 'octant-search[heif]' for ")
    assert extras["remote"]["detail"].startswith("fsspec not installed: pip install 'octant-search[remote]' for ")
    assert "does not load" in extras["pdf"]["detail"]


def test_doctor_fails_where_weights_are_altered(octant_: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from octant.backends.starter.weights import Weights

    folder = tmp_path / "weights"
    folder.mkdir()
    for path in Weights().folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes() + (b"x" if path.suffix == ".onnx" else b""))
    monkeypatch.setattr("octant.backends.starter.weights.Weights", lambda: Weights(folder))
    broken = octant_("doctor", "--json")
    assert broken.exit_code == 1
    [finding] = [one for one in json.loads(broken.stdout) if one["what"] == "starter weights"]
    assert finding["state"] == "broken"
    assert "sha256" in finding["detail"]


def test_help_is_there_for_every_command(octant_: Run) -> None:
    assert octant_().exit_code in (0, 2)
    for command in ("index", "search", "info", "list", "delete", "doctor", "demo"):
        shown = octant_(command, "--help")
        assert shown.exit_code == 0
        assert shown.stdout.startswith("Usage:")
    assert octant_("--version").stdout.strip() == f"octant {octant.__version__}"


def run(*args: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "octant", *args], capture_output=True, check=False, env={**os.environ, **environment}
    )


def test_as_a_program_it_keeps_stdout_for_results(media: Path, tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    assert run("--help").returncode == 0
    indexed = run("index", str(media), "-c", "mine", "--json", OCTANT_HOME=home)
    assert indexed.returncode == 0, indexed.stderr
    assert json.loads(indexed.stdout)["points"] == 4
    found = run("search", "a dog", "-c", "mine", "--into", "text", "--json", OCTANT_HOME=home, PYTHONIOENCODING="ascii")
    assert (found.returncode, found.stderr) == (0, b"")
    assert json.loads(found.stdout)[0]["metadata"]["name"] == "puppy.txt"
    table = run("search", "a dog", "-c", "mine", OCTANT_HOME=home, PYTHONIOENCODING="ascii")
    assert table.returncode == 0, table.stderr


def test_sync_mirrors_and_a_dry_run_only_tells(octant_: Run, media: Path) -> None:
    octant_("index", str(media), "-c", "mine")
    (media / "pets" / "red.png").unlink()
    would = json.loads(octant_("sync", str(media), "-c", "mine", "--dry-run", "--json").stdout)
    assert (would["deleted"], would["dry"]) == (1, True)
    assert json.loads(octant_("info", "-c", "mine", "--json").stdout)["points"] == 4
    done = octant_("sync", str(media), "-c", "mine")
    assert done.exit_code == 0
    assert "deleted" in done.stdout
    assert json.loads(octant_("info", "-c", "mine", "--json").stdout)["points"] == 3


def test_sync_refuses_to_delete_most_of_a_collection(octant_: Run, media: Path) -> None:
    octant_("index", str(media), "-c", "mine")
    for path in media.rglob("*.*"):
        path.unlink()
    told(octant_("sync", str(media), "-c", "mine"), 3, "--max-deleted", "not mounted")
    assert octant_("sync", str(media), "-c", "mine", "--max-deleted", "1").exit_code == 0


def test_what_failed_can_be_tried_again(octant_: Run, media: Path, tmp_path: Path) -> None:
    broken = media / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    listed = tmp_path / "failed.jsonl"
    assert octant_("index", str(media), "-c", "mine", "--failed", str(listed)).exit_code == 1
    assert json.loads(listed.read_text())["source"] == str(broken)
    shutil.copy(media / "pets" / "red.png", broken)
    again = octant_("index", "--retry", str(listed), "-c", "mine", "--failed", str(listed), "--json")
    assert again.exit_code == 0
    assert json.loads(again.stdout)["added"] == 1
    assert listed.read_text() == ""
    listed.write_text("no json\n")
    told(octant_("index", "--retry", str(listed), "-c", "mine"), 2, "line 1")


def test_a_table_is_indexed_by_its_columns(octant_: Run, media: Path, tmp_path: Path) -> None:
    shop = tmp_path / "media" / "shop.csv"
    shop.write_text("sku,title,photo,price\n1,a red thing,pets/red.png,5\n2,another,,7\n")
    columns = ["--id", "sku", "--text", "title", "--image", "photo"]
    report = json.loads(octant_("index", str(shop), "-c", "shop", *columns, "--json").stdout)
    assert (report["added"], report["modalities"]) == (2, {"text": 2, "image": 1})
    found = octant_("search", "red", "-c", "shop", "--into", "image", "--json").stdout
    assert '"id": "1"' in found
    told(octant_("index", str(shop), "--text", "title"), 2, "--id COLUMN")


def test_indexing_again_does_nothing_and_says_so(octant_: Run, media: Path) -> None:
    octant_("index", str(media), "-c", "mine")
    again = octant_("index", str(media), "-c", "mine")
    assert again.exit_code == 0
    assert "unchanged" in again.stdout
    report = json.loads(octant_("index", str(media), "-c", "mine", "--json").stdout)
    assert (report["points"], report["encoded"]) == (0, 0)


def test_conditions_are_read_as_they_are_written(octant_: Run, media: Path) -> None:
    octant_("index", "media", "-c", "mine")
    for where in ("folder=pets", "folder = 'pets' and not name = 'red.png'", "name ~ 'puppy'"):
        found = octant_("search", "a dog", "-c", "mine", "--where", where, "--json")
        assert found.exit_code == 0, found.output
        assert "puppy.txt" in names(found)
        assert "kitchen.md" not in names(found)
    told(octant_("search", "a dog", "-c", "mine", "--where", "folder < "), 2, "folder <")
    told(octant_("search", "a dog", "-c", "mine", "--where", "foldr=pets"), 2, "did you mean 'folder'")


def test_a_search_may_be_composed_counted_grouped_and_explained(octant_: Run, media: Path) -> None:
    octant_("index", "media", "-c", "mine")
    puppy = json.loads(octant_("search", "a puppy", "-c", "mine", "--into", "text", "--json").stdout)[0]["id"]
    like = names(octant_("search", "--like", puppy, "-c", "mine", "--json"))
    assert "puppy.txt" not in like
    both = octant_("search", "a dog", "--image", "media/pets/red.png", "--without", "coffee", "-c", "mine", "--json")
    assert both.exit_code == 0, both.output
    assert set(names(both)[:2]) == {"puppy.txt", "red.png"}
    explained = octant_("search", "a dog", "-c", "mine", "--explain", "--group-by", "folder")
    assert explained.exit_code == 0, explained.output
    assert "search" in explained.stdout
    answer = json.loads(octant_("search", "a dog", "-c", "mine", "--explain", "--json").stdout)
    assert answer["hits"][0]["explanation"]["legs"]
    assert answer["plan"]["legs"]


def test_how_fields_are_fused_can_be_chosen(octant_: Run, media: Path) -> None:
    octant_("index", "media", "-c", "mine")
    for fusion in ("rrf", "dbsf", "zscore", "relative"):
        found = octant_("search", "a dog", "-c", "mine", "--fusion", fusion, "--offset", "0", "--json")
        assert found.exit_code == 0, found.output
        assert names(found)[0] == "puppy.txt"
    told(octant_("search", "a dog", "-c", "mine", "--fusion", "rrf", "--threshold", "0.5"), 2, "threshold")
    told(octant_("search", "a dog", "-c", "mine", "--field", "nose"), 3, "no field 'nose'")
