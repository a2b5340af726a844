"""Texts of many kinds, written anew from a seed: what conversations in the tests consist of."""

# ruff: noqa: RUF001 - the texts are written in many scripts

from __future__ import annotations

import argparse
import csv
import heapq
import inspect
import json
import shlex
import textwrap
from collections.abc import Callable
from random import Random

_WHO = (
    "the lighthouse keeper", "my sister", "an old ferryman", "nobody in the committee",
    "the second violinist", "whoever repaired the clock", "our neighbour's accountant",
    "a student from Porto", "the night-shift nurse", "every reasonable investor",
    "Dr. Okonkwo", "the museum's youngest restorer", "a cautious engineer", "Margaret",
)  # fmt: skip
_DID = (
    "had always believed that", "couldn't quite explain why", "wrote in a long letter that",
    "discovered, much to everyone's surprise, that", "argued for twenty minutes that",
    "remembered the winter when", "will probably deny that", "refused to accept that",
    "noticed during breakfast that", "has published evidence that", "merely suspected that",
)  # fmt: skip
_WHAT = (
    "the harbour froze before the herring arrived", "prices follow expectations, not costs",
    "a melody can be heavier than an argument", "the bridge was two centimetres too short",
    "translation is a form of very slow reading", "most earthquakes go entirely unnoticed",
    "the kitchen smelled of cardamom and wet wool", "mitochondria were once independent cells",
    "the constitution says nothing about umbrellas", "trust takes years and breaks in seconds",
    "the second draft is where thinking begins", "glaciers keep a diary of the atmosphere",
    "a good hammer outlives three carpenters", "the orchestra tuned to the wrong note",
    "photosynthesis is astonishingly inefficient", "the train to Ghent leaves from platform 9",
)  # fmt: skip
_TURN = (
    "", "However, ", "In 1987, ", "To be fair, ", "Curiously, ", "As far as I know, ",
    "For the same reason, ", "Three days later, ", "\n\nStill, ", "Strictly speaking, ",
)  # fmt: skip
_END = (".", ".", ".", "!", "; nothing else mattered.", " - or so it seemed.", ", didn't they?")

_CHINESE = (
    "昨天晚上下了一场大雨", "我们在湖边散步聊天", "经济增长的速度正在放缓", "这本小说的结尾出人意料",
    "工程师重新设计了整座桥梁", "孩子们在院子里放风筝", "人工智能改变了很多行业", "他把钥匙忘在办公室里了",
    "历史学家对此有不同的看法", "請把文件寄到台北的辦公室", "春天的茶叶味道最清香", "数据库的查询变得非常缓慢",
    "医生建议她多休息几天", "火车站附近新开了一家面馆", "宇宙中的暗物质仍然是个谜", "老师耐心地回答了每个问题",
)  # fmt: skip
_JAPANESE = (
    "昨日の夜は強い雨が降っていました", "駅までの道で友達に会いました", "新しいカメラの使い方を教えてもらった",
    "コンピュータの処理速度が問題になっている", "祖母は毎朝庭の花に水をやります", "会議の資料をメールで送ってください",
    "この映画の音楽はとても美しい", "プログラムにはまだ誤りが残っている", "京都の紅葉は十一月が見頃です",
    "電車が遅れたので遅刻してしまった", "レストランを予約しておきました", "研究者たちは結果に驚いたそうだ",
)  # fmt: skip
_KOREAN = (
    "어젯밤에 비가 많이 와서 공기가 맑습니다", "친구와 함께 공원을 걸었습니다", "새로운 정책은 내년부터 시행된다",
    "할머니께서 김치를 담그셨어요", "데이터베이스 서버를 다시 시작해야 합니다", "그 책은 생각보다 훨씬 어려웠다",
    "기차가 십 분 늦게 출발했다", "연구 결과가 학술지에 발표되었습니다", "오래된 식당에서 점심을 먹었습니다",
    "바닷가 마을에는 고양이가 많이 산다", "회의 시간을 오후로 바꿀 수 있을까요", "선생님은 질문을 기다리고 계셨다",
)  # fmt: skip
_EMOJI = (
    "😀😂🤣😊😍🤔😴😭😡🥳🤖👻💀👍👎👏🙏💪🧠👀❤️🔥✨🎉🎈🎁🚀✈️🚲🏠🌍🌈☀️🌧️⛄🍎🍕🍜☕🍺🐛🐱🐶🦊🐢🦄🌵🌻"
    "✅❌⚠️📦📈📚🔒🔑🧪🎵⚽🏆"
)
_EMOJI_JOINED = ("👩‍💻", "👨‍👩‍👧", "🏳️‍🌈", "👍🏽", "🙋🏾‍♀️", "🇫🇷", "🇯🇵", "❤️‍🔥")
_ASIDE = ("we did it", "tests pass", "next:", "see you at 8", "oh no", "so proud of you", "why?")

_SOURCES = (argparse, csv, heapq, json.decoder, json.encoder, shlex, textwrap)
_C = (
    (
        "static int {a}_{b}(struct {a} *{c}, size_t {b})\n{{\n\tif (!{c} || {b} > {n})\n\t\treturn"
        " -EINVAL;\n\t{c}->{b} = {b} & 0x{n:x};\n\treturn 0;\n}}\n\n"
    ),
    "for (size_t {c} = 0; {c} < {n}; {c}++) {{\n    {a}[{c}] ^= {b}[{c} % {m}] << 3;\n}}\n",
    (
        "export const {a}{b} = async ({c}: {b}): Promise<{a}[]> => {{\n  const res = await fetch(`/api/"
        "{a}/${{{c}.id}}?limit={n}`);\n  return res.ok ? (await res.json()).{b} : [];\n}};\n\n"
    ),
    (
        "SELECT {a}.id, COUNT({b}.id) AS {c}\n  FROM {a} LEFT JOIN {b} ON {b}.{a}_id = {a}.id\n WHERE"
        " {a}.created_at > '20{m}-01-0{d}'\n GROUP BY 1 HAVING COUNT(*) > {n};\n\n"
    ),
    '{{"{a}": {{"{b}": {n}, "{c}": [{m}, {d}.5, null], "ok": true}}, "id": "{a}-{n:04x}"}}\n',
)
_NAMES = (
    "buffer", "node", "userId", "cache", "Parser", "index", "payload", "lock", "Session",
    "queue", "offset", "handler", "tmp", "Account", "tree", "stride", "matrix", "orders",
)  # fmt: skip


def english(random: Random) -> str:
    """A paragraph of prose."""
    return _sentence(random) if random.random() < 0.2 else _joined(random, _sentence, " ", 2, 12)


def code(random: Random) -> str:
    """Lines of Python, C, TypeScript, SQL or JSON."""
    if random.random() < 0.5:
        return _joined(random, _snippet, "", 1, 6)
    lines = inspect.getsource(random.choice(_SOURCES)).splitlines()
    start = random.randrange(len(lines))
    return "\n".join(lines[start : start + random.randint(5, 40)]) + "\n"


def chinese(random: Random) -> str:
    """Clauses of Chinese."""
    return _joined(
        random, lambda one: one.choice(_CHINESE) + one.choice("，。，。！？；"), "", 3, 20
    )


def japanese(random: Random) -> str:
    """Sentences of Japanese."""
    return _joined(random, lambda one: one.choice(_JAPANESE) + one.choice("。。、！"), "", 2, 14)


def korean(random: Random) -> str:
    """Sentences of Korean."""
    return _joined(random, lambda one: one.choice(_KOREAN) + one.choice("..,?!"), " ", 2, 14)


def emoji(random: Random) -> str:
    """Emoji with a few words between them."""
    return _joined(random, _picture, "", 10, 90)


def cjk(random: Random) -> str:
    """One of the three East Asian languages."""
    return random.choice((chinese, japanese, korean))(random)


def mixed(random: Random) -> str:
    """A paragraph of any kind."""
    return random.choice((english, code, cjk, emoji))(random)


def _sentence(random: Random) -> str:
    words = f"{random.choice(_WHO)} {random.choice(_DID)} {random.choice(_WHAT)}"
    turn = random.choice(_TURN)
    return turn + (words if turn else words[0].upper() + words[1:]) + random.choice(_END)


def _snippet(random: Random) -> str:
    a, b, c = random.sample(_NAMES, 3)
    n, m, d = random.randrange(2, 5000), random.randrange(10, 30), random.randrange(1, 10)
    return random.choice(_C).format(a=a, b=b, c=c, n=n, m=m, d=d)


def _picture(random: Random) -> str:
    chance = random.random()
    if chance < 0.08:
        return f" {random.choice(_ASIDE)} "
    return random.choice(_EMOJI_JOINED) if chance < 0.15 else random.choice(_EMOJI)


def _joined(
    random: Random, part: Callable[[Random], str], between: str, least: int, most: int
) -> str:
    return between.join(part(random) for _ in range(random.randint(least, most)))
