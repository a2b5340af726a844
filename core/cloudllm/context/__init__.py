"""Decides which messages go out when a conversation outgrows the model, and checks the decision.

The history is never changed. What is left out is left out of one request, in whole turns; a turn is
a user message with everything up to the next one.
"""

from cloudllm.context.check import PlanError, check_changed
from cloudllm.context.conversation import Conversation
from cloudllm.context.outline import Outline, outline
from cloudllm.context.parts import default_reserve
from cloudllm.context.plan import Plan
from cloudllm.context.rows import Fate, Row
from cloudllm.context.view import Ask, View

__all__ = (
    "Ask",
    "Conversation",
    "Fate",
    "Outline",
    "Plan",
    "PlanError",
    "Row",
    "View",
    "check_changed",
    "default_reserve",
    "outline",
)
