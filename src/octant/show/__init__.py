"""How hits look: a table in a terminal, cards with thumbnails and players in a notebook or on a page."""

from octant.show.hits import Hits
from octant.show.models import family_table, install_lines, model_table
from octant.show.page import Section, page
from octant.show.summary import counted, info_summary, report_summary

__all__ = [
    "Hits",
    "Section",
    "counted",
    "family_table",
    "info_summary",
    "install_lines",
    "model_table",
    "page",
    "report_summary",
]
