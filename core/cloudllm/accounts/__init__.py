"""The accounts of a chat: budgets that hold before a call, and the ledger of what it cost."""

from __future__ import annotations

from cloudllm.accounts.budgets import Budget, Budgets, Call, Standing, day_start, stand
from cloudllm.accounts.keeping import Accounts, Reservation

__all__ = (
    "Accounts",
    "Budget",
    "Budgets",
    "Call",
    "Reservation",
    "Standing",
    "day_start",
    "stand",
)
