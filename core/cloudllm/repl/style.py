"""The few styles of what is written to the scrollback."""

from __future__ import annotations

import os

BOLD = "1"
DIM = "2"
RED = "31"


def styled(text: str, style: str) -> str:
    """`text`, which must be safe already, in a style; `NO_COLOR` leaves bold and dim alone."""
    if not style or (style == RED and os.environ.get("NO_COLOR")):
        return text
    return f"\x1b[{style}m{text}\x1b[0m"
