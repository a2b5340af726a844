"""Estimates how many tokens a text costs, offline, with no tokenizer and no download.

Tokenizers split a text into pieces first (a word with the blank before it, up to three digits, a
run of signs, a line end) and never join across them. Counting such pieces is cheap; what a piece
costs is a rate measured on prose and code in some forty languages against the o200k encoding. A
profile keeps these costs apart by kind of text, so that a calibration can correct each of them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from operator import add, sub

from cloudllm.messages import Message, Role

# Tokenizers differ in what these kinds of text cost.
KINDS = (
    "words",  # Latin words after a blank
    "joined",  # Latin words after anything else: parts of identifiers, starts of lines
    "long",  # what long words and rare languages cost beyond a token for each word
    "signs",
    "digits",
    "blanks",
    "han",
    "kana",
    "hangul",
    "script",  # any other script
    "emoji",
    "borders",  # around each message and tool call
    "frame",  # around the whole request, told by its system message
)
_WORDS, _JOINED, _LONG, _SIGNS, _DIGITS, _BLANKS, _HAN, _KANA, _HANGUL, _SCRIPT, _EMOJI = range(11)
_BORDERS, _FRAME = 11, 12

_MESSAGE_OVERHEAD = 4_000
_CALL_OVERHEAD = 8_000

_LATIN = "A-Za-z\u00c0-\u024f\u1e00-\u1eff"
_PIECE = re.compile(
    r"[\t -/:-@\[-`{-~]?[A-Z\u00c0-\u00de]*[a-z\u00df-\u024f\u1e00-\u1eff]+"
    r"|[\t -/:-@\[-`{-~]?[A-Z\u00c0-\u00de]+"
    r"|[0-9]{1,3}"
    r"| ?[!-/:-@\[-`{-~]+[\r\n]*"
    rf"| ?[^\s\x00-\x7f{_LATIN}]+"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+|."
)
_ACCENTED = re.compile(r"[\u00c0-\u024f\u1e00-\u1eff]")

# Thousandths of a token per character from this code point on: what words of the script cost,
# blanks included.
_SCRIPTS = (
    (0x0000, 1000, _SIGNS),
    (0x0250, 1900, _SCRIPT),  # phonetic signs
    (0x0300, 1000, _SCRIPT),  # combining marks
    (0x0370, 400, _SCRIPT),  # Greek
    (0x0400, 310, _SCRIPT),  # Cyrillic
    (0x0530, 380, _SCRIPT),  # Armenian
    (0x0590, 470, _SCRIPT),  # Hebrew
    (0x0600, 370, _SCRIPT),  # Arabic
    (0x0700, 1500, _SCRIPT),
    (0x0900, 420, _SCRIPT),  # the scripts of India
    (0x0E00, 420, _SCRIPT),  # Thai, Lao
    (0x0F00, 1000, _SCRIPT),  # Tibetan
    (0x1000, 580, _SCRIPT),  # Burmese
    (0x10A0, 370, _SCRIPT),  # Georgian
    (0x1100, 1500, _HANGUL),
    (0x1780, 560, _SCRIPT),  # Khmer
    (0x1800, 2000, _SCRIPT),
    (0x2000, 1000, _SIGNS),  # dashes, quotation marks
    (0x2070, 1400, _EMOJI),  # arrows, signs, frames
    (0x2C00, 2000, _SCRIPT),
    (0x3000, 850, _HAN),  # punctuation of East Asia
    (0x3040, 640, _KANA),  # kana
    (0x3100, 1500, _HAN),
    (0x3400, 3000, _HAN),  # rare Han characters
    (0x4E00, 780, _HAN),  # Han characters
    (0xA000, 2000, _SCRIPT),
    (0xAC00, 680, _HANGUL),  # Hangul
    (0xD800, 3000, _SCRIPT),
    (0xFB00, 1500, _SCRIPT),
    (0xFE00, 300, _EMOJI),  # variation selectors
    (0xFE10, 1000, _HAN),  # full-width forms
    (0x10000, 3500, _SCRIPT),
    (0x1F000, 1900, _EMOJI),  # emoji
    (0x1F3FB, 1000, _EMOJI),  # skin tones
    (0x1F400, 1900, _EMOJI),
    (0x1FB00, 3500, _EMOJI),
)
_STARTS = tuple(start for start, _, _ in _SCRIPTS)


class Profile(tuple[int, ...]):
    """What a text consists of: for each of `KINDS`, its cost at the default rates.

    In thousandths of a token, so that sums are exact in whatever order they are made.
    """

    __slots__ = ()

    def __add__(self, other: Profile) -> Profile:  # type: ignore[override]
        return Profile(map(add, self, other))

    def __sub__(self, other: Profile) -> Profile:
        return Profile(map(sub, self, other))

    @property
    def tokens(self) -> int:
        """The tokens at the default rates."""
        return round(sum(self) / 1000)


ZERO = Profile((0,) * len(KINDS))


def profile_text(text: str) -> Profile:
    """What `text` consists of."""
    return Profile(_amounts(text))


def profile_message(message: Message) -> Profile:
    """What a message adds to a request: its text, its tool calls, its role and borders."""
    profile = _amounts(message.content)
    profile[_FRAME if message.role is Role.SYSTEM else _BORDERS] += _MESSAGE_OVERHEAD
    for call in message.tool_calls:
        profile[_BORDERS] += _CALL_OVERHEAD
        for text in (call.name, call.arguments):
            profile = list(map(add, profile, _amounts(text)))
    return Profile(profile)


def count_text(text: str) -> int:
    """The tokens of `text`, estimated: within some 15 % for prose, code, CJK and emoji."""
    return profile_text(text).tokens


def count_message(message: Message) -> int:
    """The tokens a message adds to a request: its text, its tool calls, its role and borders."""
    return profile_message(message).tokens


def _amounts(text: str) -> list[int]:
    """The cost of each kind of text in `text`."""
    amounts = [0] * len(KINDS)
    rarity = 35
    if not text.isascii():
        chars = Counter(text)
        rarity = _rarity(chars)
        _add_scripts(amounts, chars)
    for piece, count in Counter(_PIECE.findall(text)).items():
        last = piece[-1]
        if "0" <= last <= "9":
            amounts[_DIGITS] += 1000 * count
        elif _is_latin(last):
            amounts[_WORDS if piece[0] == " " else _JOINED] += 1000 * count
            amounts[_LONG] += _excess(piece, rarity) * count
        elif piece.isascii():
            kind = _BLANKS if piece.isspace() else _SIGNS
            amounts[kind] += min(1000 + 250 * max(0, len(piece.strip()) - 2), 3000) * count
    return amounts


def _add_scripts(amounts: list[int], chars: Counter[str]) -> None:
    """Add what is written in neither Latin letters nor ASCII."""
    for char, count in chars.items():
        if char > "\x7f" and not _is_latin(char):
            _, rate, kind = _SCRIPTS[bisect_right(_STARTS, ord(char)) - 1]
            amounts[kind] += rate * count


def _is_latin(char: str) -> bool:
    return char.isalpha() and (char <= "\u024f" or "\u1e00" <= char <= "\u1eff")


def _rarity(chars: Counter[str]) -> int:
    """What a letter beyond the fourth of a word costs: more, the less the text is English."""
    letters = sum(count for char, count in chars.items() if char.isalpha())
    accented = sum(count for char, count in chars.items() if _ACCENTED.match(char))
    return round(min(300, 35 + 4500 * accented / (letters + 50)))


def _excess(word: str, rarity: int) -> int:
    """What a Latin word costs beyond its first token."""
    size = len(word)
    if word.isupper():
        return round(300 * max(0, size - 2.5))
    return max(0, size - 4) * (rarity if word[0] == " " else rarity + 80)
