"""Bad configuration: one line for each mistake, saying what, where and what to do."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cloudllm.errors import ConfigurationError
from cloudllm.provider import Deadlines
from cloudllm.settings import Settings
from cloudllm.settings.fields import ProviderTable
from cloudllm.settings.layers import Layer, environment_layer, option_layer, text_layer, variable
from cloudllm.settings.model import known_keys, leaf_fields
from cloudllm.settings.text import dotted, toml_value

SECRET = "sk-THIS-MUST-NOT-BE-SHOWN"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def problems(file: Path, text: str | bytes = "", **environ: str) -> list[str]:
    """What `Settings.load` complains about; the file's path is shown as FILE."""
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(environ=environ, config_file=file)
    assert caught.value.exit_code == 2
    assert caught.value.__context__ is None
    return str(caught.value).replace(str(file), "FILE").split("\n")


def loaded(file: Path, text: str = "", **environ: str) -> Settings:
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return Settings.load(environ=environ, config_file=file)


def test_without_anything_set_the_defaults_of_the_design_hold(tmp_path: Path) -> None:
    settings = Settings.load(environ={}, config_file=tmp_path / "none.toml")
    assert settings == Settings()
    assert settings.model == "openai/gpt-6-luna"
    assert settings.system_prompt
    assert (settings.temperature, settings.max_output_tokens) == (None, None)
    assert settings.context.strategy == "drop-oldest"
    assert settings.timeout.deadlines() == Deadlines()
    assert (settings.repl.submit, settings.repl.sentinel) == ("sentinel", "\\end")
    assert (settings.repl.editing_mode, settings.repl.markdown) == ("emacs", True)
    assert (settings.plugins.allow, settings.plugins.deny) == (None, [])
    assert (settings.retry.attempts, settings.retry.seconds) == (3, 60.0)
    assert (settings.history.private, settings.history.keep_days) == (False, None)
    assert settings.history.title_model is None
    assert settings.notices == ()
    assert {settings.origin(key) for key, _ in settings.items()} == {"default"}


def test_the_constructor_alone_reads_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDLLM_MODEL", "a/b")
    monkeypatch.setenv("MODEL", "c/d")
    assert Settings().model == "openai/gpt-6-luna"


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().model = "a/b"
    with pytest.raises(ValidationError, match="frozen"):
        Settings().timeout.gap = 1.0


def test_all_mistakes_are_told_at_once(file: Path) -> None:
    text = 'tempreture = 1\n[timeout]\nfrist_token = 3\ngap = "soon"\n[budgets]\nday = 1\n'
    assert problems(file, text, CLOUDLLM_MODLE="x", CLOUDLLM_REPL__SUBMIT="now") == [
        "CLOUDLLM_MODLE: unknown variable; did you mean CLOUDLLM_MODEL?",
        "FILE:1: tempreture: unknown setting; did you mean temperature?",
        "FILE:3: timeout.frist_token: unknown setting; did you mean timeout.first_token?",
        "FILE:5: budgets: unknown setting; did you mean budget?",
        'FILE:4: timeout.gap: expected a number of seconds above 0, or "none"',
        'CLOUDLLM_REPL__SUBMIT: expected "sentinel" or "enter"',
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("model = 3", "FILE:1: model: expected a model id such as openai/gpt-6-luna"),
        ('model = " "', "FILE:1: model: expected a model id such as openai/gpt-6-luna"),
        ('model = {a = "b"}', "FILE:1: model: expected a model id such as openai/gpt-6-luna"),
        ("system_prompt = 1", "FILE:1: system_prompt: expected text"),
        ("temperature = true", 'FILE:1: temperature: expected a number from 0 up, or "none"'),
        ("temperature = nan", 'FILE:1: temperature: expected a number from 0 up, or "none"'),
        (
            "max_output_tokens = 0",
            'FILE:1: max_output_tokens: expected a whole number of tokens above 0, or "none"',
        ),
        (
            '\n[context]\nstrategy = " "',
            'FILE:3: context.strategy: expected the name of a strategy, such as "drop-oldest"',
        ),
        (
            "context = {limit = 10, reserve = 10}",
            (
                "FILE:1: context.reserve: expected a whole number of tokens from 0 up and below "
                'context.limit, or "none"'
            ),
        ),
        ("timeout = 5", "FILE:1: timeout: expected a table"),
        (
            "timeout.total = 0",
            'FILE:1: timeout.total: expected a number of seconds above 0, or "none"',
        ),
        (
            "timeout.first_token = inf",
            'FILE:1: timeout.first_token: expected a number of seconds above 0, "auto" or "none"',
        ),
        ('[repl]\nsubmit = "Enter"', 'FILE:2: repl.submit: expected "sentinel" or "enter"'),
        ('[repl]\nediting_mode = "nano"', 'FILE:2: repl.editing_mode: expected "emacs" or "vi"'),
        ('[repl]\nmarkdown = "often"', "FILE:2: repl.markdown: expected true or false"),
        (
            'repl.theme = "pink"',
            'FILE:1: repl.theme: expected "auto", "dark", "light" or "none"',
        ),
        (
            "[repl.colors]\nheading = 1",
            'FILE:1: repl.colors: expected a table of looks, such as heading = "bold bright-blue"',
        ),
        (
            '[repl.colors]\nheading = "bold pink"',
            (
                "FILE:1: repl.colors: heading: 'pink' is no colour; use black, red, green, yellow, "
                "blue, magenta, cyan, white, one of them after bright-, #rrggbb, bold, dim, italic, "
                "underline, strike or plain"
            ),
        ),
        ("fallback = [\n1,\n2]", 'FILE:1: fallback: expected a list of model ids, or "none"'),
        ("plugins.allow = 1", 'FILE:1: plugins.allow: expected a list of plugin names, or "all"'),
        ("retry.attempts = 0", "FILE:1: retry.attempts: expected a whole number from 1 up"),
        (
            "budget.day = -1",
            'FILE:1: budget.day: expected a number of US dollars from 0 up, or "none"',
        ),
        ("history.private = 3", "FILE:1: history.private: expected true or false"),
        (
            "history.keep_days = 0",
            'FILE:1: history.keep_days: expected a whole number of days from 1 to 100,000, or "none"',
        ),
        (
            "history.title_model = ''",
            'FILE:1: history.title_model: expected a model id such as openai/gpt-6-luna, or "none"',
        ),
        ("providers = 1", "FILE:1: providers: expected a table"),
        ("providers.work = 1", "FILE:1: providers.work: expected a table"),
        ("[[providers.work]]", "FILE:1: providers.work: expected a table"),
        ("[providers.work]\napi_base = 1", "FILE:2: providers.work.api_base: expected an address"),
        ("[providers.work]\napi_key = 1", "FILE:2: providers.work.api_key: expected text"),
        (
            "[providers.work.label]\nx = 1",
            "FILE:2: providers.work.label: expected text on one line",
        ),
        ("_notices = 1", "FILE:1: _notices: unknown setting"),
        ('"a\\nb\\u009b" = 1', 'FILE:1: "a\\nb\\u009b": unknown setting'),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_line(file: Path, text: str, line: str) -> None:
    assert problems(file, text) == [line]


@pytest.mark.parametrize("sentinel", ["", "  ", " x", "x ", "/end", "a\nb", "\x1b"])
def test_G13_the_sentinel_must_be_a_line_that_can_be_typed(file: Path, sentinel: str) -> None:
    text = "[repl]\nsentinel = " + '"' + "".join(f"\\u{ord(char):04x}" for char in sentinel) + '"'
    assert problems(file, text) == [
        (
            "FILE:2: repl.sentinel: expected one line of text without blanks at its ends that does "
            "not start with /"
        )
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "model = 'x'\nmodel",
            "FILE:2: is not valid TOML: expected '=' after a key in a key/value pair",
        ),
        ("a = 1\n\na = 2", "FILE:3: is not valid TOML: cannot overwrite a value"),
        ('a = """x\n\n', "FILE:3: is not valid TOML: unterminated string"),
        (f"a = {'9' * 5000}", "FILE: is not valid TOML"),
        (b"a = 1\nb = '\xff'", "FILE:2: is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_the_line(
    file: Path, text: str | bytes, line: str
) -> None:
    assert problems(file, text) == [line]


def test_a_file_nested_too_deeply_is_no_crash(file: Path) -> None:
    (line,) = problems(file, f"a = {'[' * 20_000}")
    assert line.startswith(("FILE: is not valid TOML", "FILE:1: is not valid TOML"))


def test_a_byte_order_mark_and_foreign_line_ends_are_understood(file: Path) -> None:
    file.write_bytes(b'\xef\xbb\xbfmodel = "a/b"\r\n[timeout]\r\ngap = 3\r\n')
    settings = Settings.load(environ={}, config_file=file)
    assert (settings.model, settings.timeout.gap) == ("a/b", 3)
    assert settings.origin("timeout.gap") == f"{file}:3"


def test_a_folder_in_place_of_the_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(environ={}, config_file=tmp_path)
    assert str(caught.value) == f"{tmp_path}: is a folder, not a file"


def test_an_unreadable_file_is_one_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> bytes:
        if path == file:
            raise PermissionError(13, "Permission denied")
        raise FileNotFoundError

    # Permission bits do not stop root, who may run these tests.
    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(environ={}, config_file=file)
    assert str(caught.value) == f"{file}: cannot be read: permission denied"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("CLOUDLLM_TIMEOUT_FIRST_TOKEN", "; did you mean CLOUDLLM_TIMEOUT__FIRST_TOKEN?"),
        ("CLOUDLLM_HOMES", "; did you mean CLOUDLLM_HOME?"),
        ("CLOUDLLM_XYZZY", ""),
    ],
)
def test_an_unknown_variable_is_named(file: Path, name: str, line: str) -> None:
    assert problems(file, **{name: SECRET}) == [f"{name}: unknown variable{line}"]


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "OPENAI", "OPENAI__", "__API_KEY", ""])
def test_a_provider_variable_without_name_or_key_is_explained(file: Path, name: str) -> None:
    full = f"CLOUDLLM_PROVIDERS__{name}"
    assert problems(file, **{full: SECRET}) == [f"{full}: expected CLOUDLLM_PROVIDERS__NAME__KEY"]


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ({"model": ""}, "--model: expected a model id such as openai/gpt-6-luna"),
        ({"system_prompt": "\udcff"}, "--system: expected text"),
        ({"timeout.gap": "x"}, '-o timeout.gap: expected a number of seconds above 0, or "none"'),
        ({"tempreture": "1"}, "-o tempreture: unknown setting; did you mean temperature?"),
        ({"a\nb": "1"}, '-o "a\\nb": unknown setting'),
        ({"gap": "1"}, "-o gap: unknown setting; did you mean timeout.gap?"),
        ({"timeout": "1"}, "-o timeout: is a table; name one of its keys"),
        (
            {"providers.openai.api_key": SECRET},
            "-o providers.openai.api_key: other users can read the command line; use a variable",
        ),
    ],
)
def test_a_wrong_option_is_named(flags: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(flags=flags, environ={})
    assert str(caught.value) == line


def test_none_switches_a_limit_off_and_is_no_truth_value_for_plugins(file: Path) -> None:
    text = 'temperature = "none"\n[timeout]\nconnect = "None"\nfirst_token = "none"\n'
    settings = loaded(file, text, CLOUDLLM_PLUGINS__ALLOW="none")
    assert settings.timeout.deadlines() == Deadlines(connect=None, first_token=None)
    assert settings.plugins.allow == ["none"]
    assert loaded(file, 'plugins.allow = "all"').plugins.allow is None
    assert loaded(file, "plugins.allow = []").plugins.allow == []


def test_G7_a_key_in_a_file_others_can_read_is_noticed_once(file: Path) -> None:
    text = f'[providers.a]\napi_key = "{SECRET}"\n[providers.b]\napi_key = "{SECRET}"\n'
    assert loaded(file, text).notices == ()
    file.chmod(0o644)
    notices = Settings.load(environ={}, config_file=file).notices
    assert notices == (f"{file}:2: providers.a.api_key: others can read it; run: chmod 600 {file}",)


def test_G7_secrets_are_in_no_repr_no_string_and_no_listing(file: Path) -> None:
    text = (
        f'[providers.a]\napi_key = "{SECRET}"\naws_secret = "{SECRET}"\n'
        f'api_base = "https://user:{SECRET}@host.example/v1"\n'
        f'list = [{{password = "{SECRET}"}}]\n[providers.a.headers]\nAuthorization = "{SECRET}"\n'
    )
    settings = loaded(file, text, CLOUDLLM_PROVIDERS__B__API_KEY=SECRET)
    assert settings.providers["a"]["api_key"].get_secret_value() == SECRET
    assert settings.providers["b"]["api_key"].get_secret_value() == SECRET
    listed = dict(settings.items())
    assert listed["providers.a.api_key"] == "********"
    assert listed["providers.a.api_base"] == "https://********@host.example/v1"
    assert (
        SECRET
        not in f"{settings!r}{settings}{listed}{settings.model_dump_json(exclude={'providers'})}"
    )


@given(
    key=st.sampled_from(
        [
            *map(dotted, leaf_fields()),
            *(f"providers.a.{name}" for name in ProviderTable.model_fields),
        ]
    ),
    value=st.sampled_from([SECRET, f"\n{SECRET}", [1, SECRET], [[SECRET]], {"x": SECRET}]),
)
def test_G7_a_mistake_never_shows_the_value(key: str, value: object) -> None:
    known, text = known_keys(), f"{key} = {toml_value(value)}"
    name = variable(tuple(key.split(".")))
    for layer in (
        text_layer(known, text, Path("config.toml")),
        text_layer(known, f"{text}\n{text}", Path("config.toml")),
        text_layer(known, f"x{text}", Path("config.toml")),
        option_layer(known, {key: value, f"x{key}": value}),
        environment_layer(known, {name: str(value), f"{name}_X": str(value)}, tuple),
    ):
        assert SECRET not in _traceback_of(layer)


def _traceback_of(layer: Layer) -> str:
    try:
        Settings.from_layers([layer])
    except ConfigurationError as error:
        return "".join((repr(error), *traceback.format_exception(error)))
    return ""


def test_G7_a_key_pasted_as_the_name_of_its_variable_is_not_shown(file: Path) -> None:
    assert problems(file, '[providers.a]\napi_key_env = "gsk_abc123"') == [
        "FILE:2: providers.a.api_key_env: expected the name of a variable, in capitals"
    ]


def test_the_origin_of_an_unknown_key_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"^modle: unknown setting; did you mean model\?$"):
        Settings().origin("modle")
