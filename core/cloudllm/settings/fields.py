"""The sections of the settings: each key with its type, default, meaning and what it expects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from cloudllm.provider import Deadlines


@dataclass(frozen=True, slots=True)
class Expects:
    """What a setting accepts, in words: completes "expected …" and fills the documentation.

    `nothing` is the word that stands for `None`, which TOML and variables cannot say.
    """

    text: str
    nothing: str = "none"


def _none(value: object) -> object:
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


def _all(value: object) -> object:
    return None if isinstance(value, str) and value.strip().lower() == "all" else value


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a truth value is no number")  # noqa: TRY004 - pydantic's protocol
    return value


def _list(value: object) -> object:
    """A variable or option spells a list as JSON or with commas."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return [item.strip() for item in value.split(",") if item.strip()]


def _table(value: object) -> object:
    """A variable or option spells a table as JSON, or as `name=value` with commas."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    pairs = (item.partition("=") for item in value.split(",") if item.strip())
    return {name.strip(): text.strip() for name, _, text in pairs}


def _nothing(value: object) -> object:
    return [] if isinstance(value, str) and value.strip().lower() == "none" else value


def _one_printable_line(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("blank, or not printable")
    return value


def _encodable(value: str) -> str:
    """Bytes of an argument that are no text arrive as what no provider can be sent."""
    value.encode()
    return value


def _sentinel(value: str) -> str:
    if value != value.strip() or value.startswith("/"):
        raise ValueError("would never be seen alone on its line")
    return value


_AGES = 100_000  # days; what is older than 1970 in milliseconds would be nothing

_Float = Annotated[float, BeforeValidator(_number)]
_Int = Annotated[int, BeforeValidator(_number)]
_Text = Annotated[str, AfterValidator(_one_printable_line)]
_Seconds = Annotated[_Float, Field(gt=0, allow_inf_nan=False)]
_Money = Annotated[_Float, Field(ge=0, allow_inf_nan=False)]
_Names = Annotated[list[_Text], BeforeValidator(_list)]

Model = Annotated[_Text, Expects("a model id such as openai/gpt-6-luna")]
Prompt = Annotated[str, AfterValidator(_encodable), Expects("text")]
Temperature = Annotated[
    Annotated[_Float, Field(ge=0, allow_inf_nan=False)] | None,
    BeforeValidator(_none),
    Expects('a number from 0 up, or "none"'),
]
Tokens = Annotated[
    Annotated[_Int, Field(gt=0)] | None,
    BeforeValidator(_none),
    Expects('a whole number of tokens above 0, or "none"'),
]
Deadline = Annotated[
    _Seconds | None,
    BeforeValidator(_none),
    Expects('a number of seconds above 0, or "none"'),
]
Dollars = Annotated[
    _Money | None,
    BeforeValidator(_none),
    Expects('a number of US dollars from 0 up, or "none"'),
]
Aliases = Annotated[dict[str, _Text], Expects("a model id such as openai/gpt-6-luna")]
Fallback = Annotated[_Names, BeforeValidator(_nothing), Expects('a list of model ids, or "none"')]
StatusPart = Literal["model", "tokens", "cost", "marks", "plugins", "hint"]
Bytes = Annotated[_Int, Field(gt=0), Expects("a whole number of bytes above 0")]


class Section(BaseModel):
    """A table of the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Context(Section):
    """What is sent when the conversation no longer fits the model."""

    strategy: Annotated[_Text, Expects('the name of a strategy, such as "drop-oldest"')] = Field(
        default="drop-oldest",
        description='What is done when not everything fits: "drop-oldest" leaves the oldest turns '
        'out, "summarize" sends a summary of them instead, "none" refuses; plugins may offer others.',
    )
    limit: Tokens = Field(
        default=None, description='The most to send; "none" is the model\'s own limit.'
    )
    reserve: Annotated[
        Annotated[_Int, Field(ge=0)] | None,
        BeforeValidator(_none),
        Expects('a whole number of tokens from 0 up and below context.limit, or "none"'),
    ] = Field(
        default=None,
        description='Kept free for the answer; "none" is an eighth of the limit, up to 4,096.',
    )

    @field_validator("reserve")
    @classmethod
    def _below_the_limit(cls, value: int | None, info: ValidationInfo) -> int | None:
        limit = info.data.get("limit")
        if value is not None and limit is not None and value >= limit:
            raise ValueError("leaves no room for a message")
        return value


class Timeout(Section):
    """How long to wait, in seconds."""

    connect: Deadline = Field(default=5.0, description="For the connection.")
    first_token: Annotated[
        _Seconds | Literal["auto"] | None,
        BeforeValidator(_none),
        Expects('a number of seconds above 0, "auto" or "none"'),
    ] = Field(
        default="auto",
        description='For the first sign of a reply; "auto" is 60, or 300 for a reasoning model.',
    )
    gap: Deadline = Field(default=30.0, description="Between two pieces of a reply.")
    total: Deadline = Field(default=None, description="For the whole reply.")

    def deadlines(self) -> Deadlines:
        """The same, as the gateway takes it; `None` waits for ever."""
        return Deadlines(
            connect=self.connect, first_token=self.first_token, gap=self.gap, total=self.total
        )


class Repl(Section):
    """The chat in the terminal."""

    reasoning: Annotated[bool, Expects("true or false")] = Field(
        default=True, description="Show what the model thinks before it answers."
    )
    submit: Annotated[Literal["sentinel", "enter"], Expects('"sentinel" or "enter"')] = Field(
        default="sentinel", description="What sends a message: the sentinel's line, or Enter."
    )
    sentinel: Annotated[
        _Text,
        AfterValidator(_sentinel),
        Expects("one line of text without blanks at its ends that does not start with /"),
    ] = Field(default="\\end", description="The line that sends the message above it.")
    editing_mode: Annotated[Literal["emacs", "vi"], Expects('"emacs" or "vi"')] = Field(
        default="emacs", description="The editor's keys."
    )
    markdown: Annotated[bool, Expects("true or false")] = Field(
        default=True, description="Show replies as Markdown; if not, as the text they are."
    )
    theme: Annotated[
        Literal["auto", "dark", "light", "none"], Expects('"auto", "dark", "light" or "none"')
    ] = Field(default="auto", description="The colours; `auto` asks the terminal how dark it is.")
    colors: Annotated[
        dict[str, _Text],
        BeforeValidator(_table),
        Expects('a table of looks, such as heading = "bold bright-blue"'),
    ] = Field(default={}, description="Single looks of your own, in place of the theme's.")
    status: Annotated[
        list[StatusPart],
        BeforeValidator(_list),
        BeforeValidator(_nothing),
        Expects('a list of "model", "tokens", "cost", "marks", "plugins" and "hint", or "none"'),
    ] = Field(
        default=["model", "tokens", "cost", "marks", "plugins", "hint"],
        description="What the row under the editor shows; an empty list takes it away.",
    )
    indicator: Annotated[bool, Expects("true or false")] = Field(
        default=True, description="Show what is waited for, and for how long; it moves."
    )


class Plugins(Section):
    """Which plugins are loaded."""

    allow: Annotated[
        _Names | None,
        BeforeValidator(_all),
        Expects('a list of plugin names, or "all"', nothing="all"),
    ] = Field(
        default=None,
        description="Load these and no others; the name of a distribution stands for all its plugins.",
    )
    deny: Annotated[_Names, Expects("a list of plugin names")] = Field(
        default=[], description="Never load these, whatever `plugins.allow` says."
    )
    deadline: Deadline = Field(
        default=10.0,
        description='The seconds that a plugin may take, to load or in a hook; "none" waits for ever.',
    )


class Budget(Section):
    """The most that may be spent, in US dollars."""

    session: Dollars = Field(default=None, description="In one run.")
    day: Dollars = Field(default=None, description="In one day.")
    month: Dollars = Field(default=None, description="In one month.")
    allow_unknown: Annotated[_Names, Expects("a list of model ids")] = Field(
        default=[],
        description="Models that may be used under a budget although nobody knows their price.",
    )


class History(Section):
    """What is kept of conversations."""

    private: Annotated[bool, Expects("true or false")] = Field(
        default=False, description="Keep nothing of a chat on the disk, as with `--private`."
    )
    keep_days: Annotated[
        Annotated[_Int, Field(gt=0, le=_AGES)] | None,
        BeforeValidator(_none),
        Expects(f'a whole number of days from 1 to {_AGES:,}, or "none"'),
    ] = Field(
        default=None,
        description="Purge conversations that were not in use for so many days; "
        '"none" keeps them all.',
    )
    title_model: Annotated[
        _Text | None,
        BeforeValidator(_none),
        Expects('a model id such as openai/gpt-6-luna, or "none"'),
    ] = Field(
        default=None,
        description="A model that is asked for the titles of conversations, which costs a little; "
        '"none" takes them from the first message.',
    )


class Retry(Section):
    """Repeating a request that failed before anything of the reply was seen."""

    attempts: Annotated[_Int, Field(ge=1), Expects("a whole number from 1 up")] = Field(
        default=3, description="How often a model is asked at most, the first time included."
    )
    seconds: Annotated[_Seconds, Expects("a number of seconds above 0")] = Field(
        default=60.0, description="How long the waits between them may be in all."
    )


class ProviderTable(BaseModel):
    """What every `[providers.NAME]` may hold; the provider's own settings come beside it."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    api_key: Annotated[SecretStr | None, Expects("text")] = Field(
        default=None, description="The key itself; a variable is a safer place."
    )
    # Capitals only, because a key pasted here by mistake would be shown as a variable's name.
    api_key_env: Annotated[
        Annotated[str, StringConstraints(pattern=r"\A[A-Z_][A-Z0-9_]*\z")] | None,
        Expects("the name of a variable, in capitals"),
    ] = Field(default=None, description="The variable that holds the key.")
    api_base: Annotated[_Text | None, Expects("an address")] = Field(
        default=None, description="Where the provider answers, `/v1` included."
    )
    allow_plain_http: Annotated[bool, Expects("true or false")] = Field(
        default=False,
        description="Send the key over plain http to another machine too, unencrypted, where anyone "
        "on the way can read it; to this machine it may always go.",
    )
    extends: Annotated[_Text | None, Expects("the name of a provider")] = Field(
        default=None,
        description="Makes NAME a new endpoint that is like this provider, but for the key and the "
        "address in an installed provider's table; with an `api_base` of its own it inherits "
        "everything but the key.",
    )
    label: Annotated[_Text | None, Expects("text on one line")] = Field(
        default=None, description="The name shown to you."
    )
    default_model: Annotated[_Text | None, Expects("the name of a model")] = Field(
        default=None, description="The model when only the provider is named."
    )


def _only_what_was_set(table: ProviderTable) -> dict[str, Any]:
    return {name: value for name, value in table if name in table.model_fields_set}


RawTable = Annotated[
    dict[str, Any],
    GetPydanticSchema(lambda _source, handler: handler(ProviderTable)),
    AfterValidator(_only_what_was_set),
]
