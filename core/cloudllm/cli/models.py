"""`cloudllm models`: which models there are, known offline or asked for now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

import click

from cloudllm.cli import listing
from cloudllm.cli.compose import Options
from cloudllm.cli.options import shared_options
from cloudllm.errors import UsageError
from cloudllm.gateway import catalogue
from cloudllm.offers import Offer, Offers
from cloudllm.provider import ModelInfo

_THOUSAND = 1_000
_MILLION = 1_000_000
_SOON = timedelta(days=90)
_LEGEND = "IN, OUT: $ per million tokens. CAN: r reason, v see, t call tools. ?: unknown"


@click.command()
@click.argument("text", nargs=-1)
@click.option("-p", "--provider", "name", metavar="NAME", help="Only this provider's.")
@click.option("--live", is_flag=True, help="Ask the services: NAME's, or those you have a key for.")
@click.option("--all", "everything", is_flag=True, help="Retired ones too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@shared_options
def models(
    options: Options,
    text: tuple[str, ...],
    *,
    name: str | None,
    live: bool,
    everything: bool,
    as_json: bool,
) -> None:
    """List the models, or those whose name holds every word of TEXT.

    Without --live nobody is asked: it lists what the providers and litellm's data know.
    """
    offers = Offers(options.compose(options.flags).registry, listing.aside)
    found = offers.live(name) if live else offers.offline(name)
    if problem := catalogue.read().problem:
        listing.aside(problem)
    matching = [offer for offer in found if offer.matches(" ".join(text).lower().split())]
    shown = [offer for offer in matching if everything or not offer.retired]
    hidden = len(matching) - len(shown)
    if as_json:
        listing.say_json([offer.facts() for offer in shown])
        return
    if not shown:
        raise _nothing(found, " ".join(text), name, hidden, live=live)
    listing.say(_table(shown))
    if listing.on_terminal():
        listing.aside(_LEGEND)
        if hidden:
            listing.aside(f"{hidden} retired ones are hidden; --all lists them.")


def _table(offers: Sequence[Offer]) -> Iterator[str]:
    """A line for each model, one for each further name that it has, and the user's names first."""
    rows: list[tuple[str, Offer]] = []
    for offer in offers:
        rows.append((offer.id, offer))
        rows += ((f"{name} = {offer.id}", offer) for name in offer.names if "/" in name)
    own = ((name, offer) for offer in offers for name in offer.names if "/" not in name)
    rows[:0] = sorted(
        ((f"{name} = {offer.id}", offer) for name, offer in own), key=lambda row: row[0]
    )
    header = ["MODEL", "WINDOW", "IN", "OUT", "CAN", "RETIRES"]
    cells = [[shown, *_cells(offer.info), _end(offer)] for shown, offer in rows]
    if all(row[-1] == "-" for row in cells):
        header, cells = header[:-1], [row[:-1] for row in cells]
    return listing.table(header, cells, numbers=" rrr")


def _cells(info: ModelInfo) -> list[str]:
    prices = _price(info.input_price), _price(info.output_price)
    return [_window(info.context_limit), *prices, _can(info)]


def _can(info: ModelInfo) -> str:
    """Its abilities: a letter each where there is little room, else words."""
    abilities = {"reasoning": info.reasoning, "vision": info.vision, "tools": info.tools}
    if listing.on_terminal():
        return "".join(
            "?" if able is None else name[0] if able else "-" for name, able in abilities.items()
        )
    able = ",".join(name for name, able in abilities.items() if able)
    return able or ("?" if None in abilities.values() else "-")


def _window(tokens: int | None) -> str:
    if tokens is None:
        return "?"
    if tokens < _THOUSAND:
        return str(tokens)
    if tokens < _MILLION:
        return f"{tokens / _THOUSAND:.0f}k"
    return f"{tokens / _MILLION:.2f}".rstrip("0").rstrip(".") + "M"


def _price(dollars: float | None) -> str:
    if dollars is None:
        return "?"
    whole, _, fraction = f"{dollars:.4f}".rstrip("0").partition(".")
    return f"{whole}.{fraction:0<2}"


def _end(offer: Offer) -> str:
    """The day on which it retires, if that is near or past."""
    day = offer.info.retires
    if day is None or day > datetime.now(UTC).date() + _SOON:
        return "-"
    return f"retired {day}" if offer.retired else f"{day}"


def _nothing(
    found: Sequence[Offer], text: str, name: str | None, hidden: int, *, live: bool
) -> UsageError:
    """The error for an empty list: what may have been meant, or where else to look."""
    place = f" of {name}" if name else ""
    if hidden:
        noun = "the one that matches is" if hidden == 1 else f"the {hidden} that match are"
        return UsageError(f"no model{place} in service: {noun} retired", advice="--all lists them")
    if not found:
        advice = (
            "Nobody lists one now"
            if live
            else f"Ask for them: cloudllm models{' -p ' + name if name else ''} --live"
        )
        return UsageError(
            f"no model{place} is known offline" if not live else f"no model{place}", advice=advice
        )
    known = {
        part: offer.id for offer in found for part in (offer.id.lower(), offer.info.name.lower())
    }
    close = get_close_matches(text.lower(), known, n=3, cutoff=0.6)
    meant = dict.fromkeys(known[each] for each in close)
    advice = f"Did you mean {' or '.join(meant)}?" if meant else "cloudllm models lists all"
    return UsageError(f"no model{place} matches {text!r}", advice=advice)
