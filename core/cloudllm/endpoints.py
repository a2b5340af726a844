"""TOML endpoints: providers made of other ones."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

from cloudllm import addresses
from cloudllm.provider import Provider


def endpoint(name: str, table: Mapping[str, Any], base: Provider) -> Provider:
    """`base` under another name.

    With an address of its own it is another service: it inherits neither the key, nor credentials
    that a route finds itself, nor what is known of the models, is free only on this machine, and asks for no list at an address
    that is not its own. The variable that holds its key is also that of what extends it.
    """
    own, key = table.get("api_base"), table.get("api_key_env")
    metadata = base.metadata_name
    made = changed(base, name=name, label=table.get("label") or name, metadata=metadata)
    if key:
        made = changed(made, key_env=(str(key),), key_optional=False)
    if not own:
        return made
    return changed(
        made,
        api_base=own,
        base_env=(),
        settings_env={},
        key_env=made.key_env if key else (),
        own_credentials=False,
        key_url=None,
        hosts=(),
        models=(),
        metadata="",
        free=base.free and addresses.is_loopback(str(own)),
        successors={},
        model_list=None if "://" in (base.model_list or "") else base.model_list,
    )


def changed(provider: Provider, **fields: object) -> Provider:
    """A copy with other values; unlike `replace` it runs no `__init__` of a plugin's subclass."""
    copied = copy(provider)
    for name, value in fields.items():
        object.__setattr__(copied, name, value)
    return copied


def needs_key(provider: Provider, table: Mapping[str, Any], api_base: str | None) -> bool:
    """Must there be a key? Not for a server on this machine at an address the user chose."""
    if table.get("api_key_env"):
        return True
    return bool(provider.key_env and not provider.key_optional) and not (
        api_base != provider.api_base and addresses.is_loopback(api_base or "")
    )
