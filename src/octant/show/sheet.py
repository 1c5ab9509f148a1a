"""What rich draws as plain text: what `print` shows of a result."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["as_text"]


def as_text(drawn: RenderableType) -> str:
    """Lay something out as a terminal would, without colours."""
    from rich.console import Console

    written = io.StringIO()
    Console(file=written, color_system=None).print(drawn)
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines())
