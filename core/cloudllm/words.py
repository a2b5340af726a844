"""Foreign text made fit to show: on one line, bounded, and without the secrets it may hold."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from types import CoroutineType
from urllib.parse import quote, quote_plus

from cloudllm.codepoints import code_point, visible

_SHORTEST_SECRET = 4
_SECRET_NAME = re.compile(r"KEY|SECRET|TOKEN|PASSW|CREDENTIAL")
_SHORTEST_IN_VARIABLE = 8  # a variable such as TOKEN_LIMIT=500 is no secret


def one_line(text: str, limit: int = 300) -> str:
    """Collapse blanks, make visible what is none, cut what is longer than `limit` characters."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c.isspace() else _shown(c) for c in text)
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def quoted(text: str, limit: int = 60) -> str:
    """What a person named or typed, in quotation marks, as `one_line` gives it."""
    return f"“{one_line(text, limit)}”"


def counted(number: int, noun: str) -> str:
    """So many of these, such as "1 turn" and "2,000 turns"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _shown(character: str) -> str:
    shown = "\ufffd" if "\ud800" <= character <= "\udfff" else visible(character)
    return shown if shown.isprintable() else code_point(character)


def kind_of(value: object) -> str:
    """What a plugin gave where something else was expected; a coroutine is closed, unawaited."""
    if isinstance(value, CoroutineType):
        value.close()
    return "None" if value is None else type(value).__name__


def redact(text: str, key: str | None) -> str:
    """Replace the key by `***`, in the forms it takes in URLs and in basic authentication too."""
    if not key or len(key) < _SHORTEST_SECRET or key == "none":
        return text
    raw = key.encode(errors="surrogateescape")
    forms = {key, quote(raw, safe=""), quote(raw), quote_plus(raw), repr(key)[1:-1]}
    forms |= {json.dumps(key)[1:-1], raw.hex(), raw.hex().upper(), *_in_base_64(raw)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def _in_base_64(raw: bytes) -> Iterator[str]:
    """What it is in base 64 by itself and, but for its ends, wherever it begins in something else."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(raw).decode().rstrip("=")
        for before in range(3):
            bits = 8 * before, 8 * (before + len(raw))
            yield encode(bytes(before) + raw).decode()[(bits[0] + 5) // 6 : bits[1] // 6]


def redact_all(text: str, keys: Iterable[str]) -> str:
    """Replace each of the keys; the longest first, since one may be a part of another."""
    for key in sorted(keys, key=len, reverse=True):
        text = redact(text, key)
    return text


def secrets_in(environ: Mapping[str, str] = os.environ) -> set[str]:
    """The values of the variables whose names say that they hold a secret."""
    return {
        value
        for name, value in environ.items()
        if len(value) >= _SHORTEST_IN_VARIABLE and _SECRET_NAME.search(name.upper())
    }
