"""How hits look: a table in a terminal, cards with thumbnails and players in a notebook or on a page."""

from octant.show.hits import Hits
from octant.show.page import Section, page
from octant.show.summary import counted, info_summary, report_summary

__all__ = ["Hits", "Section", "counted", "info_summary", "page", "report_summary"]
