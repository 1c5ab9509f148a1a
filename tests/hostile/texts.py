"""Hostile texts: encodings that lie, markup that never ends, names that break a line, files that are no files."""

from __future__ import annotations

import gzip
import io
import os
import socket
import zipfile
from functools import partial
from pathlib import Path

from bad_media import encoded_image, encoded_sound, photo, tone

from hostile.kinds import FAILED, PARTLY, SKIPPED, STORED, Table, holds, is_put, sparse

__all__ = ["texts"]

_PROSE = "The harbour wakes before the town does; "


def texts() -> Table:
    """All kinds of texts."""
    return {
        **_encodings(),
        **_long_ones(),
        **_characters(),
        **_names(),
        **_markdown(),
        **_pages(),
        **_documents(),
        **_data(),
        **_lies(),
        **_places(),
    }


def _encodings() -> Table:
    return {
        "empty.txt": holds(b"", FAILED),
        "spaces.txt": holds(b"   \t  \r\n\r\n   ", FAILED),
        "unicode spaces.txt": holds("\u2003\u3000\u00a0\u2028\u2029\u1680", FAILED),
        "form feeds.txt": holds(b"\f\v\f\x1c\x1d\x1e\x1f\x85".replace(b"\x85", b""), FAILED),
        "newlines.md": holds(b"\n" * 5000, FAILED),
        "one nul.txt": holds(b"text and\0more text", FAILED),
        "nuls.txt": holds(bytes(4096), FAILED),
        "nul at the end.md": holds(_PROSE * 500 + "\0", FAILED),
        "utf-16 le without mark.txt": holds("der Hafen wacht vor der Stadt".encode("utf-16-le"), FAILED),
        "utf-16 be without mark.md": holds("the harbour wakes".encode("utf-16-be"), FAILED),
        "utf-16 of odd length.txt": holds("ein halbes Zeichen".encode("utf-16") + b"x", FAILED),
        "utf-16 with half a pair.txt": holds(b"\xff\xfea\0b\0\x00\xd8c\0", FAILED),
        "utf-16 mark alone.txt": holds(b"\xff\xfe", FAILED),
        "utf-16 little endian.txt": holds("\ufeffklein zuerst: größer".encode("utf-16-le"), STORED),
        "utf-16 big endian.txt": holds("\ufeffgroß zuerst: größer".encode("utf-16-be"), STORED),
        "utf-32.txt": holds("vier Bytes für jedes Zeichen".encode("utf-32"), FAILED, STORED),
        "cesu-8.txt": holds(b"a smile \xed\xa0\xbd\xed\xb8\x80 in two halves", FAILED),
        "half a pair in utf-8.txt": holds(b"half \xed\xa0\xbd a pair", FAILED),
        "overlong.txt": holds(b"etc\xc0\xafpasswd", FAILED),
        "overlong nul.txt": holds(b"modified\xc0\x80utf-8", FAILED),
        "five bytes.txt": holds(b"five \xf8\x88\x80\x80\x80 bytes", FAILED),
        "beyond unicode.txt": holds(b"beyond \xf4\x90\x80\x80 the last", FAILED),
        "half a character.txt": holds("Käse und K".encode() + b"\xc3", FAILED),
        "latin-1.txt": holds("Käse, Brötchen und Grüße".encode("latin-1"), FAILED),
        "windows-1251.txt": holds("гавань просыпается".encode("cp1251"), FAILED),
        "shift jis.txt": holds("港は町より早く目覚める".encode("shift_jis"), FAILED),
        "gb18030.md": holds("港口在城镇之前醒来".encode("gb18030"), FAILED),
        "ebcdic.txt": holds("the harbour wakes".encode("cp500"), FAILED),
        "utf-7.txt": holds("größer".encode("utf-7") + b" and the harbour", STORED),
        "mark alone.txt": holds(b"\xef\xbb\xbf", FAILED),
        "two marks.txt": holds(b"\xef\xbb\xbf\xef\xbb\xbfa text with two marks", STORED),
        "mark of utf-8 before utf-16.txt": holds(b"\xef\xbb\xbf" + "the harbour".encode("utf-16-le"), FAILED),
    }


def _long_ones() -> Table:
    return {
        "one line.txt": holds(_PROSE * (900_000 // len(_PROSE)), STORED),
        "one word.txt": holds("a" * 300_000, STORED, FAILED),
        "one word of chinese.txt": holds("港" * 100_000, STORED, FAILED),
        "old mac lines.txt": holds(b"\r".join([b"lines that end in a carriage return"] * 3000), STORED),
        "empty lines.txt": holds("a line\n" + "\n" * 300_000 + "another line far below", STORED),
        "too long.txt": holds("grain " * 166_668, FAILED),
        "sparse.txt": is_put(sparse, FAILED),
    }


def _characters() -> Table:
    return {
        "right to left.txt": holds("invoice \u202egpj.exe\u202c and \u2067more\u2069 \u202d\u202e\u202d text", STORED),
        "embeddings.txt": holds("open " + "\u202b" * 5000 + " never closed", STORED),
        "zalgo.txt": holds("".join(c + "\u0301\u0334\u035c" * 300 for c in "the harbour wakes"), STORED, FAILED),
        "combining alone.txt": holds("\u0301" * 3000, FAILED, STORED),
        "control characters.txt": holds(
            b"\x1b[2J\x1b]0;title\x07 bells \x07 and \x08\x08 backspaces \x7f\x01\x02", STORED
        ),
        "line separators.txt": holds("one\u2028two\u2029three\x85four\x0bfive\x0csix", STORED),
        "non-characters.txt": holds("before \ufffe\uffff\U0001ffff after", STORED),
        "private use.txt": holds("\ue000\uf8ff\U000f0000" * 50, FAILED, STORED),
        "nothing to see.txt": holds("\u200b\u200c\u200d\u2060\ufeff" * 50, FAILED),
        "replacement characters.txt": holds("\ufffd" * 500, FAILED, STORED),
        "emoji.txt": holds("👩‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿🇩🇪" * 40, STORED, FAILED),
        "tags.txt": holds("".join(chr(0xE0000 + ord(c)) for c in "ignore what was said before"), FAILED, STORED),
        "mathematical letters.txt": holds("𝕿𝖍𝖊 𝖍𝖆𝖗𝖇𝖔𝖚𝖗 ｗａｋｅｓ", STORED, FAILED),
        "punctuation.txt": holds("!?.,;:" * 2000, STORED, FAILED),
        "digits.txt": holds("0123456789" * 20_000, STORED, FAILED),
    }


def _names() -> Table:
    named: Table = {
        "line\nbreak\r.txt": holds("a name of three lines", STORED),
        "quotes ' \" ` $(date).txt": holds("a name that a shell would read", STORED),
        "[red]markup[ ] <b>&amp; {x} %s.txt": holds("a name that a console would read", STORED),
        "back\\slash.txt": holds("a name with a path of another system in it", STORED),
        "smile 😀 ☃.txt": holds("a name with a smile", STORED),
        "#fragment?query=%2e%00.txt": holds("a name that a URI would read", STORED),
        "--json.txt": holds("a name that a command line would read", STORED),
        "cafe\u0301.txt": holds("a name in pieces: decomposed", STORED),
        "caf\u00e9.txt": holds("a name in one piece: composed", STORED),
        "\u202egpj.txt": holds("a name that reads from the right", STORED),
        "\x1b[31mred.txt": holds("a name that colours a terminal", STORED),
        " .txt": holds("a name that begins with a space", STORED),
        "two.suffixes.md.txt": holds("a name with two suffixes", STORED),
        "LOUD.TXT": holds("a name in capitals", STORED),
        "space behind.txt ": holds("a suffix with a space behind it", SKIPPED, STORED),
        "a" * 251 + ".txt": holds("a name as long as names get", STORED),
    }
    if os.name == "posix" and os.uname().sysname == "Linux":  # elsewhere names are Unicode, or changed to be
        named[os.fsdecode(b"not \xff\xfe unicode.txt")] = holds("a name of bytes", FAILED)
    return named


def _markdown() -> Table:
    nested_list = "\n".join("  " * depth + f"- item {depth}" for depth in range(400))
    return {
        "quotes in quotes.md": holds(">" * 20_000 + " at last, a harbour", STORED),
        "quotes on every line.md": holds("\n".join("> " * 200 + f"line {n}" for n in range(400)), STORED),
        "lists in lists.md": holds(nested_list, STORED),
        "five thousand headings.md": holds("# h\n" * 5000, STORED),
        "headings without text.md": holds("#\n##\n###\n####\n" * 200, STORED, FAILED),
        "heading of 100 kB.md": holds("# " + "harbour " * 12_500 + "\n\nand a text", STORED),
        "six levels and back.md": holds(
            "".join(f"{'#' * (n % 7 + 1)} part {n}\n\ntext {n}\n\n" for n in range(300)), STORED
        ),
        "fence that never closes.md": holds("# code\n\n```python\n" + "print('harbour')\n" * 3000, STORED),
        "fences in fences.md": holds("\n".join("`" * n + "\n# no heading" for n in range(3, 200)), STORED),
        "stars.md": holds("*a **b _c __d " * 10_000, STORED),
        "brackets.md": holds("[" * 50_000 + "harbour" + "]" * 50_000, STORED, FAILED),
        "links in links.md": holds("[a](" * 20_000 + "harbour", STORED),
        "table of 5000 columns.md": holds("| harbour " * 5000 + "|\n" + "|---" * 5000 + "|\n", STORED),
        "references.md": holds("\n".join(f"[r{n}]: #r{n + 1} 'harbour'" for n in range(10_000)), STORED),
        "front matter.md": holds("---\na: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n---\n# The harbour\n\nwakes", STORED),
        "front matter that never closes.md": holds("---\ntitle: [unclosed\n\nthe harbour wakes", STORED),
        "windows lines.md": holds(b"# A title\r\n\r\nand\r\n\r\n## more\r\n\r\nlines\r\n", STORED),
    }


def _pages() -> Table:
    """Web pages; whether octant reads them at all is for it to say."""
    any_page = (STORED, SKIPPED, FAILED)
    head = "<!doctype html><html><head><title>The harbour</title></head>"
    billion = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return {
        "unclosed.html": holds(f"{head}<body><p>the <b>harbour <i>wakes <table><tr><td>before", STORED, SKIPPED),
        "nested.html": holds(f"{head}<body>" + "<div>" * 20_000 + "a harbour deep inside", *any_page),
        "lists.html": holds(f"{head}<body>" + "<ul><li>harbour" * 5000, *any_page),
        "script.html": holds(
            f"{head}<script>while(true){{}}</script><style>p{{}}</style><p>a quiet harbour", STORED, SKIPPED
        ),
        "script that never closes.html": holds(f"{head}<p>a harbour</p><script>let a = '", *any_page),
        "attribute of 500 kB.html": holds(f'{head}<p title="{"x" * 500_000}">a harbour</p>', STORED, SKIPPED),
        "ten thousand attributes.html": holds(
            f"{head}<p {' '.join(f'a{n}=1' for n in range(10_000))}>harbour", STORED, SKIPPED
        ),
        "charset that lies.html": holds(b"<!doctype html><meta charset=utf-16><p>the harbour in UTF-8", *any_page),
        "charset unknown.html": holds(b"<!doctype html><meta charset=klingon><p>the harbour", *any_page),
        "charset latin-1.html": holds("<!doctype html><meta charset=latin-1><p>größer".encode("latin-1"), *any_page),
        "charset missing.html": holds("<!doctype html><p>Häfen erwachen".encode("latin-1"), *any_page),
        "utf-16.html": holds("<!doctype html><p>the harbour, wide".encode("utf-16"), *any_page),
        "entities.html": holds(
            f"{head}<p>&#0;&#xD800;&#x110000;&#99999999999;&amp;amp;&bogus; harbour", STORED, SKIPPED
        ),
        "billion laughs.html": holds(f'<!DOCTYPE html [<!ENTITY l0 "ha">{billion}]><html><p>&l9; harbour', *any_page),
        "comment that never closes.html": holds("<!doctype html><!-- the harbour", *any_page),
        "no text.html": holds("<!doctype html><html><head></head><body></body></html>", FAILED, SKIPPED),
        "nuls.html": holds(b"<!doctype html><p>the \0 harbour", *any_page),
        "empty.html": holds(b"", FAILED, SKIPPED),
    }


def _pdf(*objects: str, xref: bool = True, root: int = 1, trailer: str = "") -> bytes:
    """Write a PDF of these objects, numbered from 1."""
    body = b"%PDF-1.7\n"
    places: list[int] = []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "".join(f"{place if xref else 9_999_999:010d} 00000 n \n" for place in places)
    start = len(body) if xref else 123_456_789
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    end += f"trailer\n<</Size {len(objects) + 1}/Root {root} 0 R{trailer}>>\nstartxref\n{start}\n%%EOF\n"
    return body + end.encode()


_CATALOG = "<</Type/Catalog/Pages 2 0 R>>"
_PAGES = "<</Type/Pages/Kids[3 0 R]/Count 1>>"
_FONT = "<</Font<</F 5 0 R>>>>"
_PAGE = f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources{_FONT}>>"
_HELVETICA = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"


def _stream(content: str) -> str:
    return f"<</Length {len(content)}>>\nstream\n{content}\nendstream"


def _written(text: str = "the harbour wakes") -> bytes:
    return _pdf(_CATALOG, _PAGES, _PAGE, _stream(f"BT /F 12 Tf 20 100 Td ({text}) Tj ET"), _HELVETICA)


def _documents() -> Table:
    """PDF documents; without the package that reads them they are skipped."""
    any_one = (STORED, SKIPPED, FAILED)
    broken = (SKIPPED, FAILED)
    huge = _PAGE.replace("0 0 200 200", "0 0 2000000 2000000")
    encrypted = "/Encrypt<</Filter/Standard/V 1/R 2/O(" + "o" * 32 + ")/U(" + "u" * 32 + ")/P -44>>/ID[(a)(b)]"
    text = _stream("BT /F 12 Tf (locked away) Tj ET")
    many = f"<</Type/Pages/Kids[{'3 0 R ' * 3000}]/Count 3000>>"
    return {
        "good.pdf": holds(_written(), STORED, SKIPPED),
        "signature alone.pdf": holds(b"%PDF-1.7\n", *broken),
        "truncated.pdf": holds(lambda: _written("cut off in the middle")[:300], *any_one),
        "without its end.pdf": holds(lambda: _written("cut off at the end")[:-60], *any_one),
        "xref of garbage.pdf": holds(_pdf(_CATALOG, _PAGES, _PAGE, _stream("BT ET"), _HELVETICA, xref=False), *any_one),
        "pages that contain themselves.pdf": holds(
            _pdf(_CATALOG, "<</Type/Pages/Kids[2 0 R 2 0 R]/Count 200000>>"), *any_one
        ),
        "no pages.pdf": holds(_pdf(_CATALOG, "<</Type/Pages/Kids[]/Count 0>>"), *broken),
        "no root.pdf": holds(_pdf(_CATALOG, _PAGES, root=77), *broken),
        "no text.pdf": holds(_pdf(_CATALOG, _PAGES, _PAGE, _stream("0 0 50 50 re f"), _HELVETICA), *any_one),
        "encrypted.pdf": holds(_pdf(_CATALOG, _PAGES, _PAGE, text, _HELVETICA, trailer=encrypted), *broken),
        "page of 28 km.pdf": holds(_pdf(_CATALOG, _PAGES, huge, _stream("BT ET "), _HELVETICA), *any_one, PARTLY),
        "one page 3000 times.pdf": holds(_pdf(_CATALOG, many, _PAGE, _stream("BT ET  "), _HELVETICA), *any_one, PARTLY),
        "stream that lies.pdf": holds(
            _pdf(_CATALOG, _PAGES, _PAGE, "<</Length 99999999/Filter/FlateDecode>>\nstream\nxx\nendstream", _HELVETICA),
            *any_one,
        ),
        "pdf.txt": holds(_written("a document by another name"), *any_one),
    }


def _data() -> Table:
    """Tables and trees, by their own names and as texts."""
    any_one = (STORED, SKIPPED, FAILED)
    deep = "[" * 100_000 + "]" * 100_000
    return {
        "one cell of 500 kB.csv": holds('name,note\nharbour,"' + "x y " * 125_000 + '"\n', *any_one, PARTLY),
        "quote that never closes.csv": holds('name,note\n"harbour,wakes\n' + "a,b\n" * 500, *any_one, PARTLY),
        "ragged.csv": holds("a,b,c\n1\n1,2,3,4,5,6\n\n,,,\n", *any_one, PARTLY),
        "ten thousand columns.csv": holds(
            ",".join(f"c{n}" for n in range(10_000)) + "\n" + "," * 9999 + "\n", *any_one, PARTLY
        ),
        "formula.csv": holds('name\n=HYPERLINK("http://x")\n', *any_one, PARTLY),
        "header alone.csv": holds("text,image\n", *any_one),
        "deep.json": holds(deep, *any_one),
        "truncated.json": holds('{"harbour": ["wakes", "bef', *any_one),
        "huge number.json": holds('{"harbour": 1' + "0" * 20_000 + "}", *any_one),
        "not a number.json": holds('{"harbour": NaN, "wakes": Infinity, "a": 1e999}', *any_one),
        "surrogate.json": holds('{"harbour": "\\ud800"}', *any_one),
        "bad lines.jsonl": holds('{"text": "a"}\nnot json\n{"text": 3}\n[]\nnull\n{"text": "b"}\n', *any_one, PARTLY),
        "table.txt": holds("a,b\n" + '"' * 50_001 + "\n harbour", STORED),
        "deep.txt": holds("[" * 90_000 + "harbour", STORED, FAILED),
        "laughs.txt": holds('<!DOCTYPE l [<!ENTITY l "ha"><!ENTITY m "&l;&l;&l;">]><l>&m;</l>', STORED),
        "laughs.xml": holds('<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l "ha">]><l>&l;</l>', STORED, SKIPPED, FAILED),
        "include.rst": holds(".. include:: /etc/passwd\n\nThe harbour wakes.", STORED),
        "bomb.tex": holds("\\def\\a{\\a\\a}\\a The harbour wakes.", STORED),
        "table.org": holds('#+INCLUDE: "/etc/passwd"\n* The harbour\n| a | b\n', STORED),
        "times that run backwards.srt": holds(
            "1\n00:00:09,000 --> 00:00:01,000\nthe harbour\n\n2\n99:99:99,999 --> x\nwakes\n", *any_one, PARTLY
        ),
        "letter.rtf": holds("{\\rtf1 the harbour" + "{" * 5000, *any_one),
    }


def _zip(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def _lies() -> Table:
    return {
        "photo.txt": holds(lambda: encoded_image(photo(90, 60), "JPEG"), STORED),
        "sound.md": holds(lambda: encoded_sound(tone(0.3)), STORED),
        "archive.txt": holds(lambda: _zip("../../escape.txt", bytes(1 << 20)), FAILED),
        "packed.txt": holds(lambda: gzip.compress(bytes(4 << 20), mtime=0), FAILED),
        "letter.docx": holds(lambda: _zip("word/document.xml", b"<w:document/>"), SKIPPED, FAILED),
        "page.txt": holds("<!doctype html><html><title>x</title><p>the harbour, named text", STORED, FAILED),
        "pointer.md": holds(
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n", FAILED, STORED
        ),
        "program.txt": holds(b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 8, FAILED),
        "program.py": holds("print('the harbour')\n", STORED, SKIPPED),
        "class.txt": holds(b"\xca\xfe\xba\xbe\x00\x00\x00\x34" + bytes(200), FAILED),
        "text without suffix": holds("a harbour whose name says nothing", STORED, SKIPPED),
        "text.unknown": holds("a harbour of a kind that nobody knows", STORED, SKIPPED),
    }


def _places() -> Table:
    if os.name != "posix":
        return {}
    placed: Table = {
        "leads nowhere.txt": is_put(lambda path: path.symlink_to("nowhere"), FAILED),
        "leads to itself.txt": is_put(lambda path: path.symlink_to(path.name), FAILED),
        "leads to its parent": is_put(lambda path: path.symlink_to(".."), SKIPPED),
        "leads to a device.txt": is_put(lambda path: path.symlink_to("/dev/zero"), FAILED),
        "leads to a text.txt": is_put(lambda path: path.symlink_to("LOUD.TXT"), SKIPPED),
        "pipe.txt": is_put(os.mkfifo, FAILED),
        "socket.txt": is_put(_socket, FAILED),
        "folder.txt": is_put(_folder, STORED),
        "from the far future.txt": is_put(partial(_dated, seconds=1 << 40), STORED),
        "before all time.txt": is_put(partial(_dated, seconds=-(1 << 40)), STORED),
    }
    if os.geteuid() != 0:  # root may read everything
        placed["unreadable.txt"] = is_put(_unreadable, FAILED)
        placed["folder that none may read"] = is_put(_closed, FAILED)
    if Path("/proc/self/status").exists():  # it says that it has no bytes, and has some
        placed["leads to the system.txt"] = is_put(lambda path: path.symlink_to("/proc/version"), FAILED)
    return placed


def _socket(path: Path) -> None:
    """Bind by a short way: a socket's name may have about a hundred characters."""
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(here)


def _folder(path: Path) -> None:
    """A folder named like a text, deeper than most: what is in it is the text."""
    deep = path.joinpath(*(f"level {n}" for n in range(60)))
    deep.mkdir(parents=True)
    (deep / "deep.txt").write_text("a text sixty folders down")


def _dated(path: Path, seconds: int) -> None:
    path.write_text(f"a text of the year {seconds // 31_556_952 + 1970}")
    try:
        os.utime(path, (seconds, seconds))
    except (OSError, OverflowError):
        os.utime(path, (0, 0))


def _unreadable(path: Path) -> None:
    path.write_text("nobody may read me")
    path.chmod(0)


def _closed(path: Path) -> None:
    path.mkdir()
    (path / "inside.txt").write_text("nobody may reach me")
    path.chmod(0)
