"""Drafts that hold a secret, or are followed by one: it is neither kept nor shown."""

from __future__ import annotations

import re

_COMMAND = re.compile(r"\s*/(?!/)")
_SETUP = re.compile(r"(\s*/(?i:setup?)\s+)(?![a-z-]{1,20}\s*\Z|\d\s*\Z)\S.*", re.DOTALL)
_ASKS = re.compile(r"\s*/setup?\s+(1|key)\s*")
_OF_PROVIDER = re.compile(r"(providers\.[^\s=:\"']+)[\"']?[\s=:]+\S")
_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]+(?=@)")  # a user and a password
_SET = re.compile(
    r"\s*/s(?:e|et\w{0,2})?\s+(?:--save\s+)?[\"']?([^\s=:\"']+)[\"']?[\s=:]+\S", re.IGNORECASE
)
"""Whatever may be meant for /set, with the key that may be meant for a provider's."""


def without_secret(draft: str) -> str:
    """The draft as it may be kept and shown: what may be a secret becomes an ellipsis.

    How the command is spelled does not matter: an unknown one is an error, but it was typed.
    """
    if not _COMMAND.match(draft):
        return draft
    if setup := _SETUP.fullmatch(draft):  # a key, typed where one is asked for next
        return f"{setup[1]}…"
    found = _secret_setting(draft)
    return _IN_ADDRESS.sub("…", draft) if found is None else f"{draft[: found.end(1)]} …"


def holds_secret(draft: str) -> bool:
    """Does one of the lines give a secret to a command? It was one before a draft came back."""
    lines = draft.split("\n/")
    commands = [draft, *(f"/{line.partition(chr(10))[0]}" for line in lines[1:])]
    return any(without_secret(command) != command for command in commands)


def secret_setting(command: str) -> str | None:
    """The setting for which a secret is typed in this command, if there is one."""
    found = _secret_setting(command)
    return None if found is None else found[1]


def asks_secret(command: str) -> bool:
    """Is the next thing that is typed after this command a secret?"""
    return _ASKS.fullmatch(command) is not None


def _secret_setting(command: str) -> re.Match[str] | None:
    for found in _OF_PROVIDER.finditer(command):
        if _is_secret(found[1]):
            return found
    given = _SET.match(command)
    if given is not None and _is_secret(f"providers.NAME.{given[1]}") and not _is_known(given[1]):
        return given
    return None


def _is_secret(key: str) -> bool:
    from cloudllm.settings.text import is_secret  # noqa: PLC0415 - it brings pydantic along

    return is_secret(tuple(key.split(".")))


def _is_known(key: str) -> bool:
    from cloudllm.settings.model import known_keys  # noqa: PLC0415 - see above

    return key in known_keys().names
