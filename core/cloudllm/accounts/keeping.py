"""What calls may cost and did: set aside in the ledger before, settled after each of them."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from cloudllm.accounts.budgets import (
    Budget,
    Budgets,
    Call,
    Standing,
    allowance,
    refuse_unknown,
    stand,
)
from cloudllm.errors import BudgetExceeded, StoreDamaged, StoreError
from cloudllm.messages import Cost, Usage
from cloudllm.pricing import believed
from cloudllm.store import ledger
from cloudllm.store.database import Store
from cloudllm.store.ledger import Entry
from cloudllm.store.worker import Worker
from cloudllm.threads import in_thread

_MOST_WAIT = 1.0  # seconds that the end of a turn waits for its row; the thread goes on
_NO_BUDGETS = Budgets()


class Accounts:
    """Keeps the ledger at `path`, and to the budgets, which may be changed between calls.

    Nothing is opened before the first call. Without budgets no call waits for the ledger, and none
    fails because of it: what is wrong is told to the listeners, once. `patience` is how many seconds
    another process may hold the file; `clock` gives the time in seconds since 1970.
    """

    def __init__(
        self,
        path: Path,
        budgets: Budgets = _NO_BUDGETS,
        *,
        patience: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.budgets = budgets
        self._clock = clock
        self._notices: list[str] = []
        self._told: set[str] = set()
        self._listeners: list[Callable[[str], None]] = []
        self._store = Store(path, patience=patience)
        self._worker = Worker(self._store.close)

    def listen(self, listener: Callable[[str], None]) -> None:
        """Have `listener` called, in the event loop, with a line for the user."""
        self._listeners.append(listener)

    async def reserve(self, call: Call) -> Reservation:
        """Set aside the most that the call can cost; settle or void it afterwards.

        Raises:
            BudgetExceeded: a budget does not allow the call, or cannot be checked.
        """
        row = self._row(call)
        budgets = self.budgets
        if not budgets:
            self._worker.put(partial(self._noted, row))
            return Reservation(self, call, row, max_output_tokens=call.max_output_tokens)
        try:
            given = await in_thread(
                partial(self._checked, budgets, call, row), start=self._worker.put
            )
        except asyncio.CancelledError:
            self._worker.put(partial(self._noted, replace(row, state="void", charged=0)))
            raise
        finally:
            self._tell()
        return given

    def close(self, seconds: float) -> None:
        """Write what is still to be written and close the file, for so many seconds at most.

        It is opened again where it is used again.
        """
        done = threading.Event()

        def close() -> None:
            self._store.close()
            done.set()

        self._worker.put(close)
        done.wait(seconds)

    async def standings(self, session: str) -> tuple[Standing, ...]:
        """How it stands with each budget that is set; none where nobody can tell."""
        budgets = self.budgets
        if not budgets:
            return ()
        return await in_thread(partial(self._standings, budgets, session), start=self._worker.put)

    async def put(self, row: Entry) -> None:
        """Write a row of a call that is over, without waiting long for a file that is held."""
        try:
            async with asyncio.timeout(_MOST_WAIT):
                await in_thread(partial(self._noted, row), start=self._worker.put)
        except TimeoutError:  # the thread goes on with it
            pass
        self._tell()

    def _row(self, call: Call) -> Entry:
        provider, _, model = call.model.partition("/")
        projected = call.price.projected(call.input_tokens, call.longest)
        return Entry(
            key=os.urandom(12).hex(),
            time=round(self._clock() * 1000),
            session=call.session,
            purpose=call.purpose,
            provider=provider,
            model=model,
            state="reserved",
            projected=projected,
            charged=projected or 0,
        )

    def _noted(self, row: Entry) -> None:
        """Write a row, and if that can't be done, have it told; in the thread."""
        try:
            try:
                self._write(row)
            except StoreDamaged as error:
                self._notices.append(str(error))
                self._write(row)
        except StoreError as error:
            self._notices.append(f"What calls cost is not recorded: {error}")
        except Exception as error:  # noqa: BLE001 - a chat never stops because of its ledger
            self._notices.append(f"What calls cost is not recorded: {error!r}")

    def _write(self, row: Entry) -> None:
        with self._store.write() as connection:
            ledger.put(connection, row)

    def _standings(self, budgets: Budgets, session: str) -> tuple[Standing, ...]:
        """In the thread; a ledger that is not there yet is not made for it."""
        if not self.path.exists():
            return ()
        try:
            with self._store.read() as connection:
                return stand(connection, budgets, session, round(self._clock() * 1000))
        except StoreError:
            return ()

    def _checked(self, budgets: Budgets, call: Call, row: Entry) -> Reservation:
        """Check and reserve in one transaction; in the thread."""
        refuse_unknown(budgets, call)
        try:
            with self._store.write() as connection:
                standings = stand(connection, budgets, call.session, row.time)
                tokens, tight = allowance(standings, call)
                projected = call.price.projected(call.input_tokens, tokens)
                row = replace(row, projected=projected, charged=projected or 0)
                ledger.put(connection, row)
        except StoreError as error:
            raise BudgetExceeded(
                f"the budget cannot be checked, so nothing was sent: {error.message}",
                advice=error.advice,
                model=call.model,
                projected_nano=row.projected,
            ) from error
        unbounded = not (call.max_output_tokens or call.output_limit)
        counted = call.price.known and not call.price.free
        limit = tokens if counted and (tight or unbounded) else call.max_output_tokens
        return Reservation(self, call, row, max_output_tokens=limit, budget=tight)

    def _tell(self) -> None:
        while self._notices:
            line = self._notices.pop(0)
            if line not in self._told:
                self._told.add(line)
                for listener in self._listeners:
                    listener(line)


class Reservation:
    """What is set aside for one call.

    `max_output_tokens` is what the answer must be limited to so that it can't cost more; `None` is
    no limit beside the model's own. `budget` names the budget because of which it is shorter than
    it could be.
    """

    def __init__(
        self,
        accounts: Accounts,
        call: Call,
        row: Entry,
        *,
        max_output_tokens: int | None,
        budget: Budget | None = None,
    ) -> None:
        self.max_output_tokens = max_output_tokens
        self.budget = budget
        self._accounts = accounts
        self._price = call.price
        self._row = row

    @property
    def projected_nano(self) -> int | None:
        """The most that it can cost, in billionths of a dollar; `None` if nobody knows its price."""
        return self._row.projected

    async def settle(self, usage: Usage, cost: Cost) -> None:
        """Write what the call used and cost; the rest of what was set aside is free again."""
        rates = self._price.rates_for(believed(usage.input_tokens))
        known = not cost.unknown
        row = replace(
            self._row,
            state="settled",
            charged=cost.nano,
            input=believed(usage.input_tokens),
            output=believed(usage.output_tokens),
            cached=_or_none(usage.cached_tokens),
            stored=_or_none(usage.stored_tokens),
            reasoning=_or_none(usage.reasoning_tokens),
            source="estimate" if usage.estimated else "provider",
            cost=cost.nano if known else None,
            input_price=rates.input if rates else None,
            output_price=rates.output if rates else None,
            cached_price=rates.cached if rates else None,
            stored_price=rates.stored if rates else None,
            price_source=self._price.source if rates else None,
        )
        await self._accounts.put(row)

    async def void(self) -> None:
        """Nothing was sent, or it was refused: it cost nothing."""
        await self._accounts.put(replace(self._row, state="void", charged=0))


def _or_none(tokens: int | None) -> int | None:
    return None if tokens is None else believed(tokens)
