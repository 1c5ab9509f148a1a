"""Patterns mean what they mean in .gitignore; git itself is asked where it is at hand."""

import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from octant.adapters.patterns import Patterns


def keeps(patterns: Patterns, path: str) -> bool:
    return patterns.keeps(PurePosixPath(path), path.endswith("/"))


@pytest.mark.parametrize(
    ("exclude", "kept", "left"),
    [
        (("*.jpg",), ["a.png", "b/c.png", "a.jpg.txt", "a.JPG"], ["a.jpg", "b/c.jpg"]),
        (("/a.jpg",), ["b/a.jpg"], ["a.jpg"]),
        (("drafts/",), ["drafts", "x/drafts"], ["drafts/", "drafts/a.txt", "x/drafts/", "x/drafts/y/z.txt"]),
        (("photos/raw",), ["x/photos/raw"], ["photos/raw", "photos/raw/a.jpg"]),
        (("**/raw",), ["raws"], ["raw", "a/b/raw", "a/raw/b.jpg"]),
        (("a/**/z.txt",), ["z.txt", "b/z.txt"], ["a/z.txt", "a/b/z.txt", "a/b/c/z.txt"]),
        (("a/**",), ["a", "b/a"], ["a/x", "a/b/c"]),
        (("*.log", "!keep.log"), ["keep.log", "x/keep.log"], ["a.log"]),
        (("!keep.log", "*.log"), [], ["keep.log"]),  # the last that matches decides
        (("build/", "!build/keep.txt"), [], ["build/keep.txt"]),  # nothing brings it back, as in git
        (("build/*", "!build/keep.txt"), ["build/keep.txt", "build/"], ["build/a.txt"]),
        (("a/*.txt",), ["a/b/c.txt"], ["a/c.txt"]),
        (("x?.[tm]*",), ["x.txt", "xy.pdf"], ["xy.txt", "xy.md"]),
        (("\\#x", "\\!y"), ["x", "y"], ["#x", "!y"]),
        (("# a comment", "", "*.md"), ["a.txt", "# a comment"], ["a.md"]),
        ((), ["anything", "a/"], []),
    ],
)
def test_what_is_excluded_is_left_out(exclude: tuple[str, ...], kept: list[str], left: list[str]) -> None:
    patterns = Patterns(exclude=exclude)
    assert [path for path in kept + left if keeps(patterns, path)] == kept


def test_only_what_is_included_is_taken_and_folders_are_entered() -> None:
    patterns = Patterns(include=("*.jpg", "notes/", "!draft*.jpg"))
    assert keeps(patterns, "deep/er/")
    assert keeps(patterns, "deep/er/a.jpg")
    assert keeps(patterns, "notes/x/y.txt")
    assert not keeps(patterns, "deep/er/draft 1.jpg")
    assert not keeps(patterns, "a.png")


def test_exclude_outdoes_include_and_prunes() -> None:
    patterns = Patterns(include=("*.jpg",), exclude=("node_modules/", "thumb.jpg"))
    assert not keeps(patterns, "node_modules/")
    assert not keeps(patterns, "node_modules/a.jpg")
    assert not keeps(patterns, "x/thumb.jpg")
    assert keeps(patterns, "x/a.jpg")


def test_the_root_itself_is_entered() -> None:
    assert Patterns(include=("*.jpg",), exclude=("*",)).keeps(PurePosixPath(), True)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../b"])
def test_a_path_that_is_not_below_the_root_is_a_mistake(path: str) -> None:
    with pytest.raises(ValueError, match="relative to their root"):
        keeps(Patterns(), path)


@pytest.mark.parametrize("pattern", ["!", "[", "[z-a]", "a\\", "/", "x["])
@pytest.mark.parametrize("name", ["include", "exclude"])
def test_a_malformed_pattern_is_named(name: str, pattern: str) -> None:
    with pytest.raises(ValueError, match="malformed") as raised:
        Patterns(**{name: ("*.txt", pattern)})
    assert repr(pattern) in str(raised.value)
    assert name in str(raised.value)


@pytest.mark.parametrize("include", [("",), ("# all",), ("!*.png",)])
def test_an_include_that_lets_nothing_in_is_refused(include: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="lets nothing in"):
        Patterns(include=include)


@pytest.mark.parametrize("wrong", ["*.jpg", b"*.jpg", (1,), {"*.jpg"}, None])
def test_patterns_are_a_tuple_of_texts(wrong: object) -> None:
    with pytest.raises(TypeError, match="include takes"):
        Patterns(include=wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_patterns_are_values() -> None:
    assert Patterns(("a",), ("b",)) == Patterns(("a",), ("b",))
    assert Patterns(("a",)) != Patterns(("b",))
    assert hash(Patterns(("a",))) == hash(Patterns(("a",)))
    assert repr(Patterns(("a",))) == "Patterns(include=('a',), exclude=())"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not here to be asked")
def test_git_says_the_same(tmp_path: Path) -> None:
    rules = ["*.log", "!keep.log", "/top.txt", "cache/", "a/**/z", "docs/*.md", "**/tmp", "x/*", "!x/y", "b[0-9].?xt"]
    paths = ["a.log", "keep.log", "sub/keep.log", "top.txt", "sub/top.txt", "cache/f", "sub/cache/g", "cached"]
    paths += ["a/z", "a/b/z", "a/b/c/z", "b/z", "docs/a.md", "docs/s/a.md", "tmp/q", "s/tmp/q"]
    paths += ["x/y/w", "x/v", "x/y", "b1.txt", "b12.txt", "s/b3.txt"]
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True, env={"PATH": "/usr/bin:/bin:/usr/local/bin"})
    (tmp_path / ".gitignore").write_text("\n".join(rules))
    asked = subprocess.run(
        ["git", "-C", str(tmp_path), "check-ignore", "--no-index", "--stdin"],
        input="\n".join(paths),
        capture_output=True,
        text=True,
        check=True,
    )
    ignored = set(asked.stdout.split())
    patterns = Patterns(exclude=tuple(rules))
    assert {path for path in paths if not keeps(patterns, path)} == ignored
