"""What the name of a model may look like, wherever it comes from."""

from __future__ import annotations

import re
from urllib.parse import unquote

_BLANK = re.compile(r"\s")
_LEAVING = frozenset({".", ".."})
_LONGEST = 300
_IN_ADDRESSES = frozenset("?#\\")


def flaw(name: str) -> str | None:
    """Why this cannot be the name of a model at a service, or `None`.

    Some routes make it a part of the address they call, where `..`, `?` or `#` would lead to
    another one. It may hold `/` and `:`, as in `meta-llama/llama-4:free`.
    """
    if not name:
        return "it is empty"
    if len(name) > _LONGEST:
        return "it is too long"
    if not name.isprintable():
        return "it holds a control character"
    if _BLANK.search(name):
        return "it holds a blank"
    decoded = unquote(name)
    if not _LEAVING.isdisjoint(decoded.split("/")) or not _IN_ADDRESSES.isdisjoint(decoded):
        return "it would change the address that is called"
    return None
