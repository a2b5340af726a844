"""Drafts that hold a secret: they are neither kept nor shown."""

from __future__ import annotations

import re

_SET = re.compile(r"(\s*/set\s+)([^\s=]+)[\s=]+\S.*", re.DOTALL)


def without_secret(draft: str) -> str:
    """The draft as it may be kept and shown: the value of a secret setting becomes an ellipsis."""
    match = _SET.fullmatch(draft)
    if match is None:
        return draft
    from cloudllm.settings.text import is_secret  # noqa: PLC0415 - it brings pydantic along

    return f"{match[1]}{match[2]} …" if is_secret(tuple(match[2].split("."))) else draft
