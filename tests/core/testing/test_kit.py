"""The conformance kit: right providers pass, gaps are told, and nothing of a run is left behind."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date

import pytest

from cloudllm import (
    Client,
    KnownGap,
    Provider,
    ProviderSettings,
    Request,
    StreamEnded,
    StreamEvent,
    UsageError,
)
from cloudllm.testing import Item, Verdict, check_provider
from cloudllm.testing.conformance import ITEMS
from tests.core.testing import mutants_calls, mutants_text
from tests.core.testing.specimens import (
    ACME,
    HttpBackend,
    Parrot,
    in_process,
    with_backend,
)

pytestmark = pytest.mark.slow


def _by_result(verdicts: list[Verdict]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.result, set()).add(verdict.item)
    return found


async def test_provider_of_ten_lines_passes() -> None:
    found = _by_result(await check_provider(ACME))
    assert found.keys() == {"ok", "not applicable"}
    assert found["not applicable"] == {
        "imports", "registers", "does-not-block", "stream-events", "ends-once", "request-untouched",
    }  # fmt: skip


async def test_backend_that_speaks_http_passes() -> None:
    found = _by_result(await check_provider(with_backend(HttpBackend)))
    assert found.keys() == {"ok", "not applicable"}
    assert found["not applicable"] == {"imports", "registers"}


async def test_backend_in_process_passes() -> None:
    verdicts = await check_provider(in_process(Parrot))
    found = _by_result(verdicts)
    assert found.keys() == {"ok", "not applicable"}
    assert {"stream-events", "ends-once", "cancel", "sessions-at-once", "repeat"} <= found["ok"]
    reasons = {verdict.detail for verdict in verdicts if verdict.item == "unicode"}
    assert reasons == {"it answers in this process and asks no server"}


async def test_known_gap_is_shown_with_its_day_and_reason() -> None:
    gaps = (
        KnownGap(item="usage", reason="the service reports none", since=date(2026, 3, 1)),
        KnownGap(item="reasoning", reason="not yet", since=date(2026, 4, 1)),
        KnownGap(item="live-list", reason="there is none", since=date(2026, 4, 1)),
    )
    provider = replace(with_backend(mutants_text.NoUsage), known_gaps=gaps, model_list=None)
    verdicts = await check_provider(provider, items=["usage", "reasoning", "live-list"])
    reasoning, usage, live_list = verdicts
    assert usage.result == "known gap"
    assert usage.passed
    assert usage.detail == (
        "since 2026-03-01: the service reports none"
        " (the service reported 31 in, 17 out, and no usage came)"
    )
    assert (reasoning.result, reasoning.detail) == (
        "ok",
        "gap closed: remove the KnownGap of 2026-04-01",
    )
    assert live_list.result == "not applicable"


async def test_items_are_chosen_by_name_and_progress_is_told() -> None:
    told: list[Item | Verdict] = []
    verdicts = await check_provider(ACME, items={"usage", "declares-name"}, progress=told.append)
    assert [step if isinstance(step, Verdict) else step.name for step in told] == [
        "declares-name", verdicts[0], "usage", verdicts[1],
    ]  # fmt: skip
    assert [verdict.subject for verdict in verdicts] == ["provider acme"] * 2


async def test_unknown_item_is_named_with_what_may_be_meant() -> None:
    with pytest.raises(UsageError, match=r"no item 'unicde'. Did you mean unicode\?"):
        await check_provider(ACME, items=["unicde"])


async def test_what_depends_on_a_failed_item_says_so() -> None:
    verdicts = await check_provider(
        with_backend(mutants_calls.OwnPlace), items=["honours-api-base", "answers", "unicode"]
    )
    assert [(verdict.result, verdict.detail) for verdict in verdicts[1:]] == [
        ("not applicable", "see honours-api-base"),
        ("not applicable", "see honours-api-base"),
    ]


async def test_provider_that_needs_what_is_not_installed() -> None:
    provider = replace(ACME, requires={"no_such_engine": "cloudllm[engine]"})
    verdict, streaming = await check_provider(provider, items=["client-made", "streaming"])
    assert verdict.detail == "it needs no_such_engine: pip install 'cloudllm[engine]'"
    assert {verdict.result, streaming.result} == {"not applicable"}


async def test_nothing_of_a_run_is_left_behind() -> None:
    def state() -> tuple[object, ...]:
        streams = sys.stdout, sys.stderr, os.fstat(1).st_ino, os.fstat(2).st_ino
        servers = [each for each in threading.enumerate() if each.name == "wire-server"]
        return (dict(os.environ), time.sleep, *streams, *servers)

    before = state()
    await check_provider(ACME, items=["answers", "unicode", "no-output"])
    assert state() == before


async def test_key_of_the_run_is_in_no_verdict() -> None:
    verdicts = await check_provider(
        with_backend(mutants_calls.KeyInError), items=["error-401", "error-404", "key-never-shown"]
    )
    assert [verdict.result for verdict in verdicts] == ["ok", "ok", "failed"]
    assert "sk-kit" not in "".join(verdict.detail for verdict in verdicts)


def test_items_have_names_and_summaries_of_their_own() -> None:
    assert len({item.name for item in ITEMS}) == len(ITEMS) == len({i.summary for i in ITEMS})
    assert all(item.name == item.name.lower() and " " not in item.name for item in ITEMS)
    assert all(item.summary and not item.summary.endswith(".") for item in ITEMS)


async def test_credentials_of_its_own_are_not_looked_for() -> None:
    class Own(Provider):
        def client(self, model: str, settings: ProviderSettings) -> Client:
            made = super().client(model, settings)
            return replace(made, route=None, backend=_NoCredentials(), own_credentials=True)

    provider = Own(name="own", label="Own", api_base="https://own.example", default_model="m")
    verdicts = await check_provider(provider, items=["honours-api-base", "answers", "usage"])
    assert {verdict.result for verdict in verdicts} == {"not applicable"}
    assert "credentials of its own" in verdicts[0].detail


class _NoCredentials:
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        raise RuntimeError("no credentials")
        yield StreamEnded(None)
