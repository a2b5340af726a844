"""JSON on one line that people can read in any script, and that acts on no terminal."""

from __future__ import annotations

import json
import re

FORMAT: dict[str, object] = {"format": "cloudllm", "version": 1}
"""What our own JSON begins with."""

_BEYOND_ASCII = re.compile("[^ -~]+")
_BLANKS = "\u00a0\u3000"  # count as not printable


def dumped(value: dict[str, object]) -> str:
    """The object; characters that cannot be seen, or cannot be encoded, are escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else _BEYOND_ASCII.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return "".join(
        each if each.isprintable() or each in _BLANKS else json.dumps(each)[1:-1]
        for each in found[0]
    )
