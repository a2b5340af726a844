"""The settings model: what may be set, and how the layers become one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

from pydantic import Field, PrivateAttr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from cloudllm import looks, paths
from cloudllm.errors import ConfigurationError
from cloudllm.settings import fields
from cloudllm.settings.aliases import flaw
from cloudllm.settings.keyfile import key_layer
from cloudllm.settings.layers import (
    ALIASES,
    PROVIDERS,
    Entry,
    KnownKeys,
    Layer,
    environment_layer,
    file_layer,
    flattened,
    merged,
    option_layer,
)
from cloudllm.settings.text import Key, dotted, masked, one_line


class Settings(BaseSettings):
    """Everything a user may set.

    `Settings.load()` reads flags, environment and file; `Settings()` reads nothing and holds the
    defaults. Secrets are `SecretStr`.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    model: fields.Model = Field(default="openai/gpt-6-luna", description="The model to talk to.")
    system_prompt: fields.Prompt = Field(
        default="You are a helpful assistant. Answer clearly and concisely.",
        description="What the model is told before the conversation; may be empty.",
    )
    temperature: fields.Temperature = Field(
        default=None,
        description='How freely the model chooses its words; "none" leaves it to the model.',
    )
    max_output_tokens: fields.Tokens = Field(
        default=None, description='The longest reply; "none" leaves it to the model.'
    )
    max_reply_bytes: fields.Bytes = Field(
        default=16 * 2**20, description="Where a reply is cut that does not end."
    )
    context: fields.Context = fields.Context()
    timeout: fields.Timeout = fields.Timeout()
    repl: fields.Repl = fields.Repl()
    plugins: fields.Plugins = fields.Plugins()
    budget: fields.Budget = fields.Budget()
    history: fields.History = fields.History()
    fallback: fields.Fallback = Field(
        default=[],
        description="The models to ask, in this order, when the model fails before its reply began.",
    )
    retry: fields.Retry = fields.Retry()
    aliases: fields.Aliases = Field(
        default={}, description="A name of yours for a model, wherever a model can be named."
    )
    providers: dict[str, fields.RawTable] = Field(default={}, repr=False)

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _notices: tuple[str, ...] = PrivateAttr(default=())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """`load` reads the sources itself: it must know where each value stands."""
        return (init_settings,)

    @classmethod
    def load(
        cls,
        *,
        flags: Mapping[str, object] | None = None,
        environ: Mapping[str, str] = os.environ,
        config_file: Path | None = None,
    ) -> Self:
        """Read all sources: flags by dotted key, `CLOUDLLM_*`, the user's `config.toml`, kept keys.

        The keys that `/setup` keeps are in `keys.toml`, beside `config.toml`.

        Raises:
            ConfigurationError: Something is wrong; the message has one line for each problem.
        """
        known = known_keys()
        path = config_file or paths.config_file(environ)
        file = file_layer(known, path)
        written = [entry.key[1] for entry in file.entries if entry.key[0] == ALIASES]
        environment = environment_layer(known, environ, lambda: _provider_names(file), written)
        kept = key_layer(path.with_name(paths.keys_file(environ).name))
        return cls.from_layers([option_layer(known, flags or {}), environment, file, kept])

    @classmethod
    def from_layers(cls, layers: Iterable[Layer]) -> Self:
        """Make the settings of layers already read, the first one being the highest.

        Raises:
            ConfigurationError: Something is wrong; the message has one line for each problem.
        """
        layers = list(layers)
        problems = [problem for layer in layers for problem in layer.problems]
        values, taken = merged(layers)
        try:
            settings = cls(**values)
        except ValidationError as error:
            problems += _in_words(error, taken)
        else:
            problems += settings._wrong_aliases(taken)
            problems += settings._wrong_looks(taken)
            if not problems:
                settings._origins = {dotted(key): entry.where for key, entry in taken.items()}
                settings._notices = tuple(notice for layer in layers for notice in layer.notices)
                return settings
        # Outside of the handler, so that no traceback leads back to what was typed.
        raise ConfigurationError("\n".join(problems))

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should be told once, one line each."""
        return self._notices

    def origin(self, key: str) -> str:
        """Where the value comes from: `PATH:LINE`, a variable, an option, or "default".

        Of a table, where it begins.

        Raises:
            ConfigurationError: There is no such key.
        """
        known = known_keys()
        if key in known.names or key.startswith((f"{PROVIDERS}.", f"{ALIASES}.")):
            within = (at for name, at in self._origins.items() if name.startswith(f"{key}."))
            return self._origins.get(key) or next(within, "default")
        raise ConfigurationError(f"{one_line(key)}: {known.unknown(key)}")

    def items(self) -> Iterator[tuple[str, object]]:
        """Every dotted key with its value, in a fixed order, fit to be shown.

        Secrets are masked; `None` is the word that `config.toml` has for it.
        """
        for key, field in leaf_fields().items():
            yield dotted(key), in_toml(field, self._value(key))
        for name, model in sorted(self.aliases.items()):
            yield dotted((ALIASES, name)), model
        for name, table in sorted(self.providers.items()):
            for key, value in flattened((PROVIDERS, name), table):
                yield dotted(key), masked(key, value)

    def _value(self, key: Key) -> object:
        value: object = self
        for part in key:
            value = getattr(value, part)
        return value

    def _wrong_aliases(self, taken: Mapping[Key, Entry]) -> Iterator[str]:
        for name in self.aliases:
            if what := flaw(name, self.aliases, self.providers):
                yield taken[ALIASES, name].problem(what)

    def _wrong_looks(self, taken: Mapping[Key, Entry]) -> Iterator[str]:
        if what := looks.flaw(self.repl.colors):
            yield taken["repl", "colors"].problem(what)


@cache
def leaf_fields() -> dict[Key, FieldInfo]:
    """Every setting outside of the tables whose keys the user names, by its key, in order."""
    found: dict[Key, FieldInfo] = {}
    for name, field in Settings.model_fields.items():
        if section := _section(field):
            found |= {(name, inner): each for inner, each in section.model_fields.items()}
        elif name not in (ALIASES, PROVIDERS):
            found[name,] = field
    return found


@cache
def known_keys() -> KnownKeys:
    """The keys the layers are checked against."""
    sections = [(name,) for name, field in Settings.model_fields.items() if _section(field)]
    return KnownKeys(tuple(leaf_fields()), (*sections, (ALIASES,), (PROVIDERS,)))


def expects(field: FieldInfo) -> fields.Expects:
    """What the setting accepts, in words."""
    return next(each for each in field.metadata if isinstance(each, fields.Expects))


def in_toml(field: FieldInfo, value: object) -> object:
    """The value, or the word for none."""
    return expects(field).nothing if value is None else value


def _section(field: FieldInfo) -> type[fields.Section] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, fields.Section) else None


def _provider_names(file: Layer) -> set[str]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - rarely needed

    written = {entry.key[1] for entry in file.entries if entry.key[0] == PROVIDERS}
    return written | entry_points(group="cloudllm.providers").names


def _in_words(error: ValidationError, taken: Mapping[Key, Entry]) -> list[str]:
    """One line for each setting; pydantic names every member of a union and item of a list."""
    places = (_place(each["loc"]) for each in error.errors(include_input=False, include_url=False))
    lines = []
    for key, field in dict(places).items():
        entry = next(entry for at, entry in taken.items() if at[: len(key)] == key)
        lines.append(entry.problem(f"expected {expects(field).text}", key))
    return lines


def _place(loc: tuple[Any, ...]) -> tuple[Key, FieldInfo]:
    if loc[0] == PROVIDERS:
        return (PROVIDERS, loc[1], loc[2]), fields.ProviderTable.model_fields[loc[2]]
    if loc[0] == ALIASES:
        return (ALIASES, loc[1]), Settings.model_fields[ALIASES]
    leaves = leaf_fields()
    key = next(loc[:end] for end in (1, 2) if loc[:end] in leaves)
    return key, leaves[key]
