"""Context strategies at run time: found, guarded, and held to G4 whatever they do."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudllm import (
    BudgetExceeded,
    CloudLLMError,
    ConfigurationError,
    ContextChoice,
    ContextStrategy,
    ContextTooLong,
    ContextView,
    Message,
    PluginError,
    Plugins,
    Role,
    Strategies,
    Summary,
)
from cloudllm.context import Ask, Plan, PlanError
from tests.chatplugins import write_plugin
from tests.core.contexts import Case, broken_clauses, ids

Write = Callable[[str, str], None]

HISTORY = [
    message
    for number in range(1, 7)
    for message in (
        Message(Role.USER, f"ask {number} " * 20, pinned=number == 2),
        Message(Role.ASSISTANT, f"answer {number} " * 20),
    )
]
CASE = Case("Be brief.", HISTORY, limit=400, reserve=20)
NEWEST = "newest = ContextChoice(keep=[view.turns[-1].number])\n    "


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Installs a plugin of the chat: its name, then its source."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))
    return lambda name, source: write_plugin(site, name, source)


def installed(deadline: float = 20) -> tuple[Strategies, list[str]]:
    """The strategies of all plugins there are, and what is told of them."""
    plugins, notices = Plugins(deadline=deadline), list[str]()
    plugins.listen(notices.append)
    return Strategies(plugins), notices


def strategy(name: str, body: str) -> str:
    """A plugin's source: one strategy, whose `choose` has this body."""
    return (
        f"def choose(view):\n    {body}\n\n@hookimpl\ndef cloudllm_context_strategies():\n"
        f"    return [ContextStrategy(name={name!r}, description='odd', choose=choose)]\n"
    )


async def planned(
    strategies: Strategies,
    name: str | ContextStrategy = "odd",
    *,
    case: Case = CASE,
    previous: Summary | None = None,
    ask: Ask | None = None,
) -> Plan:
    return await strategies.plan(name, case.outline(), model="acme/one", previous=previous, ask=ask)


def answer(prompt: str, *, max_output_tokens: int) -> str:
    return f"{prompt} in {max_output_tokens}"


async def test_a_plugin_s_strategy_is_found_by_its_name_and_makes_the_plan(write: Write) -> None:
    write("odd", strategy("odd", f"{NEWEST}return newest"))
    strategies, notices = installed()
    plan = await planned(strategies)
    assert broken_clauses(plan, CASE) == []
    assert ids(plan.messages[1:]) == ids([*HISTORY[2:4], *HISTORY[10:], *CASE.newest])
    assert strategies.names()["odd"] == "odd"
    assert notices == []


async def test_a_strategy_sees_turns_room_model_and_summary_and_may_ask(write: Write) -> None:
    body = (
        "assert [turn.number for turn in view.turns] == [1, 2, 3, 4, 5, 6]\n"
        "    assert view.turns[1].pinned and view.turns[0].messages[0].content.startswith('ask 1')\n"
        "    assert 0 < view.room < 400 and view.count('hello') > 0\n"
        "    assert view.model == 'acme/one'\n"
        "    before = view.previous.text + ' ' if view.previous else ''\n"
        "    text = before + view.ask('sum up', max_output_tokens=9)\n"
        "    return ContextChoice(keep=[6], summary=text)"
    )
    write("odd", strategy("odd", body))
    strategies, _ = installed()
    plan = await planned(strategies, ask=answer)
    assert plan.summary is not None
    assert plan.summary.text == "sum up in 9"
    again = await planned(strategies, previous=plan.summary, ask=answer)
    assert again.summary is not None
    assert again.summary.text == "sum up in 9 sum up in 9"


async def test_a_plan_to_be_shown_asks_no_model_and_says_so() -> None:
    def choose(view: ContextView) -> ContextChoice:
        return ContextChoice(keep=[6], summary=view.ask("sum up", max_output_tokens=9))

    own = ContextStrategy(name="own", description="mine", choose=choose)
    plan = await planned(Strategies(), own)
    assert plan.summary is not None
    assert plan.summary.text.startswith("(The model is asked for this summary")


async def test_the_two_built_in_need_no_plugin() -> None:
    strategies = Strategies()
    assert list(strategies.names()) == ["drop-oldest", "none"]
    plan = await planned(strategies, "drop-oldest")
    assert plan.messages == CASE.outline().drop_oldest().messages
    with pytest.raises(ContextTooLong, match="The conversation needs"):
        await planned(strategies, "none")


async def test_no_strategy_is_asked_while_everything_fits(write: Write) -> None:
    write("odd", strategy("odd", "raise ValueError"))
    strategies, _ = installed()
    short = Case("Be brief.", HISTORY[:2], limit=400)
    assert (await planned(strategies, case=short)).left_out == ()


async def test_G4_what_must_go_out_and_cannot_is_refused_before_a_strategy_is_asked() -> None:
    def choose(view: ContextView) -> ContextChoice:
        raise AssertionError(view)

    own = ContextStrategy(name="own", description="mine", choose=choose)
    with pytest.raises(ContextTooLong, match="system prompt, pinned turns and newest"):
        await planned(Strategies(), own, case=Case("Be brief.", HISTORY, limit=60))


@pytest.mark.parametrize(
    ("name", "hint"),
    [("drop-oldst", "Did you mean drop-oldest?"), ("zzz", "Known: drop-oldest, none")],
)
async def test_an_unknown_name_is_a_configuration_error(name: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=f"no context strategy '{name}'. {hint}") as caught:
        await planned(Strategies(), name)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return ContextChoice(keep=[7])", "keeps turn 7; there are turns 1 to 6"),
        ("return ContextChoice(keep=[1.5])", "no number but float"),
        ("return ContextChoice(keep=(n for n in iter(int, 1)))", "more turns than the 6"),
        ("return ContextChoice(keep=range(1, 7))", "chose what needs about"),
        ("return ContextChoice(keep=[], summary='word ' * 100_000)", "chose what needs about"),
        ("return None", "gave None, not a ContextChoice"),
        ("return [1]", "gave list, not a ContextChoice"),
        ("raise ValueError('oh')", "failed: ValueError: oh"),
        ("raise SystemExit(3)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("view.turns[0].tokens = 0", "FrozenInstanceError"),
        ("view.ask(5, max_output_tokens=1)", "TypeError: a prompt must be text, not int"),
        ("view.ask('x', max_output_tokens=0)", "ValueError: max_output_tokens"),
        ("view.ask('\\ud800', max_output_tokens=1)", "UnicodeEncodeError"),
    ],
)
async def test_G8_a_strategy_that_fails_costs_this_turn_and_is_named(
    write: Write, body: str, words: str
) -> None:
    write("odd", strategy("odd", body))
    strategies, _ = installed()
    with pytest.raises(PluginError, match=re.escape(words)) as caught:
        await planned(strategies, ask=answer)
    assert str(caught.value).startswith("plugin odd (cloudllm-odd 1.2): context strategy odd ")
    assert "\n" not in str(caught.value)


ENDLESS = """return ContextChoice(keep=endless())

def endless():
    while True: time.sleep(0.01)
    yield 1
"""


@pytest.mark.parametrize("body", ["while True: pass", ENDLESS])
async def test_G8_a_strategy_that_hangs_is_given_up_and_named(write: Write, body: str) -> None:
    write("odd", strategy("odd", body))
    strategies, _ = installed(deadline=0.3)
    with pytest.raises(PluginError, match=r"plugin odd .*context strategy odd"):
        await planned(strategies)


async def test_waiting_for_the_model_does_not_count_against_the_deadline(write: Write) -> None:
    body = f"{NEWEST}view.ask('x', max_output_tokens=1)\n    return newest"
    write("odd", strategy("odd", body))
    strategies, _ = installed(deadline=0.4)

    def slow(prompt: str, *, max_output_tokens: int) -> str:
        time.sleep(1)
        return answer(prompt, max_output_tokens=max_output_tokens)

    assert broken_clauses(await planned(strategies, ask=slow), CASE) == []


async def test_a_strategy_that_hangs_after_it_asked_is_given_up(write: Write) -> None:
    body = "view.ask('x', max_output_tokens=1)\n    while True: pass"
    write("odd", strategy("odd", body))
    strategies, _ = installed(deadline=0.3)
    with pytest.raises(PluginError, match="plugin odd"):
        await planned(strategies, ask=answer)


async def test_an_error_of_asking_reaches_the_person_as_what_it_is(write: Write) -> None:
    write("odd", strategy("odd", "return view.ask('x', max_output_tokens=1)"))
    strategies, _ = installed()

    def refused(prompt: str, *, max_output_tokens: int) -> str:
        raise BudgetExceeded(f"too dear for {len(prompt)} and {max_output_tokens}")

    with pytest.raises(BudgetExceeded, match="too dear for 1 and 1"):
        await planned(strategies, ask=refused)


async def test_a_strategy_that_is_left_alone_can_ask_no_more() -> None:
    begun, over, errors = threading.Event(), threading.Event(), list[BaseException]()
    done = threading.Event()

    def choose(view: ContextView) -> ContextChoice:
        begun.set()
        over.wait(10)
        try:
            view.ask("x", max_output_tokens=1)
        except CloudLLMError as error:
            errors.append(error)
        done.set()
        return ContextChoice(keep=[])

    own = ContextStrategy(name="own", description="mine", choose=choose)
    task = asyncio.create_task(planned(Strategies(), own, ask=answer))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    over.set()
    await asyncio.to_thread(done.wait, 10)
    assert [str(error) for error in errors] == ["the turn is over, so no model is asked any more"]


async def test_an_embedder_s_own_strategy_is_checked_too_and_its_errors_are_its_own() -> None:
    def choose(view: ContextView) -> ContextChoice:
        if view.room:
            raise LookupError("mine")
        return ContextChoice(keep=[])

    own = ContextStrategy(name="own", description="mine", choose=choose)
    with pytest.raises(LookupError, match="mine"):
        await planned(Strategies(), own)
    greedy = ContextStrategy(
        name="greedy", description="all", choose=lambda _: ContextChoice(keep=range(1, 7))
    )
    with pytest.raises(PlanError, match=r"^context strategy 'greedy' chose what needs"):
        await planned(Strategies(), greedy)


OFFER = "ContextStrategy(name={!r}, description='odd', choose=lambda view: ContextChoice(keep=[]))"


def offering(*offers: str) -> str:
    return f"@hookimpl\ndef cloudllm_context_strategies():\n    return [{', '.join(offers)}]\n"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (offering(OFFER.format("none")), "context strategy none ships with cloudllm"),
        (offering(OFFER.format("Odd One")), "the name 'Odd One' is no lower-case word"),
        (offering("5"), "int is no ContextStrategy"),
        (offering(OFFER.format("odd"), OFFER.format("odd")), "offered more than once, by odd"),
        (offering("*([5] * 101)"), "gave more than 100 strategies"),
        (offering("1 / 0"), "failed: ZeroDivisionError"),
        (offering().replace("[]", "None"), "gave None, no list of strategies"),
        (offering(OFFER.format("odd").replace("'odd', c", "5, c")), "description of odd must be"),
        (
            offering("ContextStrategy(name='odd', description='', choose=1)"),
            "choose of odd can't be called",
        ),
    ],
)
async def test_an_offer_that_is_no_strategy_is_left_out_and_said(
    write: Write, source: str, words: str
) -> None:
    write("good", offering(OFFER.format("good")))
    write("odd", source)
    strategies, notices = installed()
    names = await asyncio.to_thread(strategies.names)
    assert {"drop-oldest", "none", "good"} <= names.keys()
    assert not {"odd", "Odd One"} & names.keys()
    (notice,) = notices
    assert notice.startswith("plugin odd (cloudllm-odd 1.2): ")
    assert words in notice


async def test_a_name_that_two_plugins_offer_is_left_out_for_both_and_said(write: Write) -> None:
    for name in ("one", "two"):
        write(name, offering(OFFER.format("odd")))
    strategies, notices = installed()
    with pytest.raises(ConfigurationError, match="no context strategy 'odd'"):
        await planned(strategies)
    (notice,) = notices
    assert "is offered more than once, by one (cloudllm-one 1.2) and two (cloudllm-two" in notice


async def test_plugins_are_loaded_for_a_strategy_that_is_not_built_in_alone(write: Write) -> None:
    write("odd", "raise ValueError('imported')")
    strategies, notices = installed()
    await planned(strategies, "drop-oldest")
    assert notices == []
    with pytest.raises(ConfigurationError):
        await planned(strategies)
    assert "imported" in notices[0]
