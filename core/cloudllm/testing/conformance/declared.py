"""What a provider declares: checked without making a client or asking anybody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cloudllm.provider import ModelInfo, Provider
from cloudllm.testing.conformance.bench import Bench
from cloudllm.testing.conformance.engine import check
from cloudllm.testing.conformance.model import Failed
from cloudllm.testing.conformance.watch import is_local

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_HOST = re.compile(r"(?!-)[a-z0-9-]+(?<!-)(\.(?!-)[a-z0-9-]+(?<!-))*")
_SECRET_NAME = re.compile(
    r"(api_?key|secret|token$|password|authorization|x-api-key|credential)", re.IGNORECASE
)
_SECRET_VALUE = re.compile(
    r"\b(sk|pk|gsk|xai|key|AKIA|AIza|hf|ghp)[-_]?[A-Za-z0-9_-]{16,}|Bearer \S+"
)
_LONGEST_NAME = 200
_DECIDED_ELSEWHERE = {
    "model", "messages", "stream", "stream_options", "api_key", "api_base", "base_url", "timeout",
    "max_retries", "num_retries", "fallbacks", "mock_response", "client", "n", "stop", "caching",
}  # fmt: skip


def _fail_at(problems: Iterable[str]) -> None:
    """Raise `Failed` with the first two problems, if there are any."""
    found = list(problems)
    if found:
        raise Failed("; ".join(found[:2]))


def _is_line(text: object) -> bool:
    """Whether it is text that stands well in a line: not blank, printable, nothing around it."""
    return isinstance(text, str) and text.isprintable() and bool(text) and text == text.strip()


@check("declares-name", "name and label are such that a person can type and read them")
async def name(bench: Bench) -> None:
    """Both are shown, and the name is typed before a slash."""

    def problems(provider: Provider) -> Iterator[str]:
        if not _NAME.fullmatch(provider.name):
            yield f"the name {provider.name!r} must be lower-case letters, digits, - and _"
        if not _is_line(provider.label):
            yield f"the label {provider.label!r} must be a line of text"

    _fail_at(problems(bench.provider))


@check("declares-hosts", "addresses are https, or on this machine, and hosts are bare names")
async def hosts(bench: Bench) -> None:
    """A key goes to these."""

    def problems(provider: Provider) -> Iterator[str]:
        if provider.api_base is not None:
            yield from _address("api_base", provider.api_base)
        if provider.model_list and "://" in provider.model_list:
            yield from _address("model_list", provider.model_list)
        for host in provider.hosts:
            if not _HOST.fullmatch(host):
                yield f"hosts: {host!r} must be a bare host name: no scheme, port, path or wildcard"

    _fail_at(problems(bench.provider))


def _address(field: str, url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https") or url != url.strip():
        yield f"{field}: {url!r} is no address"
    elif parts.scheme != "https" and not is_local(host):
        yield f"{field}: {url} must be https; the key would be readable on the way"
    elif parts.username or parts.password:
        yield f"{field} of {host} must hold neither a user nor a password"
    elif field == "api_base" and (parts.query or parts.fragment):
        yield f"{field} of {host} must hold no query; paths are appended to it"


@check("declares-keys", "key variables are well named and its own, and it says where to get a key")
async def keys(bench: Bench) -> None:
    """A variable of another provider would send that one's key here."""
    from cloudllm.keys import withheld  # noqa: PLC0415 - loaded by then

    def problems(provider: Provider) -> Iterator[str]:
        settings = sum(provider.settings_env.values(), ())
        for variable in (*provider.key_env, *provider.base_env, *settings):
            if not _VARIABLE.fullmatch(variable):
                yield f"{variable!r} is no name of an environment variable"
        for variable, owner in withheld(provider.name, provider, bench.registry().plugins).items():
            yield f"{variable} is a variable of {owner}"
        if provider.key_env and not provider.key_optional and provider.key_url is None:
            yield "key_env without a key_url: it must say where to get a key"
        if provider.key_url is not None:
            yield from _address("key_url", provider.key_url)
        if provider.settings_env and provider.settings_model is None:
            yield "settings_env without a settings_model"

    _fail_at(problems(bench.provider))


@check("declares-models", "models, aliases and successors have sound names and numbers")
async def models(bench: Bench) -> None:
    """They are listed, completed and asked for as they stand."""

    def problems(provider: Provider) -> Iterator[str]:
        names = [info.name for info in provider.models]
        default = () if provider.default_model is None else (provider.default_model,)
        for model in (*names, *default, *provider.aliases.values(), *provider.successors.values()):
            if not _is_line(model) or " " in model or len(model) > _LONGEST_NAME:
                yield f"{model!r} is no name of a model"
        for model in sorted({model for model in names if names.count(model) > 1}):
            yield f"{model} is there twice"
        for info in provider.models:
            yield from _numbers(info)
        for alias, model in provider.aliases.items():
            if alias in names or alias == model:
                yield f"the alias {alias} hides a model of that name"
        for old, new in provider.successors.items():
            if old == new or new in provider.successors:
                yield f"the successor of {old}, {new}, is retired itself"

    _fail_at(problems(bench.provider))


def _numbers(info: ModelInfo) -> Iterator[str]:
    for field in ("context_limit", "output_limit"):
        limit = getattr(info, field)
        if limit is not None and (not isinstance(limit, int) or limit <= 0):
            yield f"{info.name}: {field} {limit!r} must be a positive number of tokens"
    for field in ("input_price", "output_price", "cached_price", "stored_price"):
        price = getattr(info, field)
        if price is not None and not price >= 0:
            yield f"{info.name}: {field} {price!r} must be dollars per million tokens"


@check(
    "declares-settings",
    "the settings model is plain, complete without values, and collides with nothing",
)
async def settings(bench: Bench) -> None:
    """It is made of the table `[providers.NAME]`, which most people never write."""
    from pydantic import BaseModel, ValidationError  # noqa: PLC0415 - loaded with litellm
    from pydantic_settings import BaseSettings  # noqa: PLC0415 - likewise

    from cloudllm.settings.fields import ProviderTable  # noqa: PLC0415 - it imports pydantic

    model = bench.provider.settings_model
    if model is None:
        return
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise Failed(f"settings_model is {model!r}, no pydantic model")
    if issubclass(model, BaseSettings):
        raise Failed("settings_model is a BaseSettings, which reads the environment by itself")
    common = sorted(set(model.model_fields) & set(ProviderTable.model_fields))
    if common:
        raise Failed(f"the settings {', '.join(common)} are common to all providers already")
    unknown = sorted(set(bench.provider.settings_env) - set(model.model_fields))
    if unknown:
        raise Failed(f"settings_env names {', '.join(unknown)}, which settings_model does not have")
    try:
        model.model_validate({})
    except ValidationError as error:
        missing = ".".join(map(str, error.errors()[0]["loc"]))
        raise Failed(f"the setting {missing} has no default, so nobody can do without it") from None


@check("declares-no-secrets", "no parameter, header or default carries a key")
async def no_secrets(bench: Bench) -> None:
    """What is declared is in a package that anyone can read, and is shown."""

    def problems(provider: Provider) -> Iterator[str]:
        places = {"params": provider.params, "list_headers": provider.list_headers}
        for place, values in places.items():
            for path, value in _leaves(values):
                if _SECRET_NAME.search(path) and value:
                    yield f"{place}: {path} looks like a secret; keys come from the settings"
                elif isinstance(value, str) and _SECRET_VALUE.search(value):
                    yield f"{place}: the value of {path} looks like a secret"

    _fail_at(problems(bench.provider))


@check(
    "declares-params",
    "params hold what the service wants to know, and nothing that is decided elsewhere",
)
async def params(bench: Bench) -> None:
    """The question, the key, the address, retries and the stream are not a declaration's to say."""
    taken = sorted(_DECIDED_ELSEWHERE & set(bench.provider.params))
    if taken:
        raise Failed(f"params: {', '.join(taken)} is not for a provider to set")


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


@check("declares-gaps", "each known gap names an item, a reason and a day that has come")
async def gaps(bench: Bench) -> None:
    """They are shown to whoever asks why an item is not met."""
    from cloudllm.testing.conformance import ITEMS  # noqa: PLC0415 - the list that this is in

    names = {item.name for item in ITEMS}
    today = datetime.now(tz=UTC).date()

    def problems(provider: Provider) -> Iterator[str]:
        for gap in provider.known_gaps:
            if gap.item not in names:
                yield f"the known gap {gap.item!r} names no item"
            if not _is_line(gap.reason):
                yield f"the known gap {gap.item} must say why, in one line"
            if gap.since > today:
                yield f"the known gap {gap.item} begins in the future: {gap.since}"

    _fail_at(problems(bench.provider))


CHECKS = (name, hosts, keys, models, settings, params, no_secrets, gaps)
