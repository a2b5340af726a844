"""Foreign text made fit to show: on one line, bounded, and without the secrets it may hold."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

_SHORTEST_SECRET = 4
_SECRET_NAME = re.compile(r"KEY|SECRET|TOKEN|PASSW|CREDENTIAL")
_SHORTEST_IN_VARIABLE = 8  # a variable such as TOKEN_LIMIT=500 is no secret


def one_line(text: str, limit: int = 300) -> str:
    """Collapse blanks and control characters, and cut what is longer than `limit` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def redact(text: str, key: str | None) -> str:
    """Replace the key by `***`, in the forms it takes in URLs and in basic authentication too."""
    if not key or len(key) < _SHORTEST_SECRET or key == "none":
        return text
    raw = key.encode(errors="surrogateescape")
    encoded = (base64.b64encode(raw), base64.urlsafe_b64encode(raw))
    forms = {key, quote(raw, safe=""), quote(raw), quote_plus(raw), repr(key)[1:-1]}
    forms |= {json.dumps(key)[1:-1], *(form.decode().rstrip("=") for form in encoded)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


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
