"""Hits as cards in HTML: pictures and sounds are inside it, and it loads nothing."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from octant.item import Hit
from octant.media import Image, Media, Text
from octant.payload import thumbnails_of
from octant.show.face import face_of, figures, modalities_of, noted, shares, tail, whereabouts
from octant.show.player import picture, player

if TYPE_CHECKING:
    from octant.show.hits import Hits

__all__ = ["Section", "fragment", "page"]

_COLOURS = {"red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "grey", "white"}
"""Names of colours that are put into a style: no other word of a payload is."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page: what was looked for, and what was found."""

    title: str
    hits: Hits
    note: str = ""


def page(title: str, sections: Iterable[Section], *, lead: str = "") -> str:
    """Lay out a page of results as one HTML file: pictures and sounds are inside it, it loads nothing.

    Sections in a row that share a title stand under one heading.
    """
    body: list[str] = []
    before = ""
    for section in sections:
        heading = f"<h2>{html.escape(section.title)}</h2>" if section.title != before else ""
        note = f"<p class='note'>{html.escape(section.note)}</p>" if section.note else ""
        body.append(f"<section{'' if heading else ' class=more'}>{heading}{_cards(section.hits)}{note}</section>")
        before = section.title
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{html.escape(title)}</title><style>{_PAGE_STYLE}{_CARD_STYLE}</style></head>"
        f"<body><main><h1>{html.escape(title)}</h1>"
        + (f"<p class='lead'>{html.escape(lead)}</p>" if lead else "")
        + f"{''.join(body)}</main></body></html>"
    )


def fragment(hits: Hits) -> str:
    """Lay hits out as a part of someone else's page: a notebook's cell."""
    return f"<style>{_CARD_STYLE}</style>{_cards(hits)}"


def _cards(hits: Hits) -> str:
    asked = "" if hits.query is None else f"<div class='query'><span class='ask'>query</span>{_asked(hits.query)}</div>"
    drawn = zip(hits, figures(hits), shares(hits, fused=hits.fused), strict=True)
    cards = "".join(_card(rank, hit, figure, share) for rank, (hit, figure, share) in enumerate(drawn, 1))
    return f"<div class='octant'>{asked}<div class='cards'>{cards or '<p class=gone>no hits</p>'}</div></div>"


def _asked(medium: Media) -> str:
    if isinstance(medium, Text):
        return f"<q>{html.escape(medium.content[:500])}</q>"
    said = f"{medium.source.name if isinstance(medium.source, Path) else ''} {whereabouts(medium)}".strip()
    name = f"<b>{html.escape(said)}</b>" if said else ""
    return f"<div class='asked'>{picture(medium) if isinstance(medium, Image) else player(medium)}</div>{name}"


def _card(rank: int, hit: Hit, figure: str, share: float) -> str:
    face = face_of(hit)
    kinds = "".join(f"<span class='kind {html.escape(kind)}'>{html.escape(kind)}</span>" for kind in modalities_of(hit))
    known = [*face.facts, *(f"{key}: {value}" for key, value in face.metadata.items())]
    about = " · ".join(one for one in (*known[:5], tail(face.place, 20)) if one)
    part = f"<div class='part'>{html.escape(face.part)}</div>" if face.part else ""
    name, whole = html.escape(face.name), html.escape(f"{face.name} {face.part}".strip())
    return (
        f"<article>{_media(hit)}"
        f"<div class='name'><span class='rank'>{rank}</span><b title='{whole}'>{name}</b>{kinds}</div>"
        f"{part}"
        f"<div class='about' title='{html.escape(' · '.join([*known, face.place]))}'>{html.escape(about)}</div>"
        f"{_swatches(face.colours)}"
        f"<div class='score'><i><i style='width:{share:.0%}'></i></i>{figure}</div></article>"
    )


def _swatches(colours: Iterable[str]) -> str:
    known = [colour for colour in colours if colour in _COLOURS]
    dots = "".join(f"<i title='{colour}' style='background:{colour}'></i>" for colour in known)
    return f"<div class='colours'>{dots}</div>" if dots else ""


def _media(hit: Hit) -> str:
    small = thumbnails_of(hit.payload)
    shown: list[str] = []
    for name, entry in noted(hit).items():
        medium = hit.item.media.get(name)
        if name in small:
            shown.append(f"<img alt='' src='{html.escape(small[name])}'>")
        elif isinstance(medium, Text):
            shown.append(f"<blockquote>{html.escape(medium.content[:400])}</blockquote>")
        elif medium is None:
            shown.append(f"<p class='gone'>this {html.escape(str(entry['modality']))} was given in memory</p>")
        else:
            shown.append(picture(medium) if isinstance(medium, Image) else player(medium))
    return "".join(shown)


_PAGE_STYLE = """
:root{color-scheme:light dark}
body{margin:0;background:#fbfaf8;color:#1d2129;font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1180px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:28px;line-height:1.2;margin:0 0 8px;letter-spacing:-.01em}
h2{font-size:18px}
.lead{margin:0 0 12px;max-width:76ch;opacity:.75}
.note{margin:10px 0 0;max-width:76ch;opacity:.75}
section{border-top:1px solid #8883;margin-top:32px}section h2{margin:20px 0 4px}
section.more{border:0;margin-top:28px}
@media(prefers-color-scheme:dark){body{background:#15171c;color:#e6e6e3}}
"""

_CARD_STYLE = """
.octant{font-size:14px}
.octant .query{display:flex;align-items:center;gap:12px;margin:8px 0 14px}
.octant .ask{font-size:11px;text-transform:uppercase;letter-spacing:.08em;opacity:.6}
.octant q{font-size:17px;font-weight:600}
.octant .asked{width:200px;flex:none}
.octant .cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:14px}
.octant article{display:flex;flex-direction:column;border:1px solid #8884;border-radius:10px;overflow:hidden;
background:#8881;min-width:0}
.octant img{display:block;width:100%;aspect-ratio:4/3;object-fit:cover;background:#8882}
.octant .asked img{border-radius:8px}
.octant svg{display:block;width:100%;height:84px;background:#8881}
.octant article svg{height:108px}
.octant path{stroke:#c2571a;stroke-width:2.2;fill:none}
.octant audio{display:block;width:100%;height:40px}
.octant small{padding:2px 12px;opacity:.65}
.octant blockquote{margin:0;padding:14px 14px 4px;font:15px/1.45 Georgia,"Times New Roman",serif;
display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:8;overflow:hidden;white-space:pre-line;
overflow-wrap:anywhere}
.octant .gone{margin:0;padding:28px 14px;text-align:center;opacity:.6;font-style:italic}
.octant .name{display:flex;align-items:baseline;gap:7px;padding:10px 12px 0;margin-top:auto;min-width:0}
.octant .name b{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;flex:1}
.octant .part{padding:0 12px;font-weight:600;opacity:.8;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.octant .colours{display:flex;gap:4px;padding:5px 12px 0}
.octant .colours i{width:11px;height:11px;border-radius:50%;border:1px solid #8886}
.octant .rank{opacity:.55;font-variant-numeric:tabular-nums}
.octant .kind{font-size:11px;padding:1px 7px;border-radius:9px;border:1px solid currentColor}
.octant .text{color:#0b7285}.octant .image{color:#9c36b5}.octant .audio{color:#c2571a}
.octant .about{padding:0 12px;font-size:12px;opacity:.65;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.octant .score{display:flex;align-items:center;gap:8px;padding:8px 12px 10px;font-size:12px;
font-variant-numeric:tabular-nums}
.octant .score>i{flex:1;height:5px;border-radius:3px;background:#8883;overflow:hidden}
.octant .score i i{display:block;height:100%;background:#3b6fd4;border-radius:3px}
@media(prefers-color-scheme:dark){.octant .text{color:#66d9e8}.octant .image{color:#da9bea}.octant .audio{color:#ffa45c}
.octant path{stroke:#ffa45c}.octant .score i i{background:#7aa5ff}}
"""
