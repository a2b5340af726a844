"""The estimate is near the real count for every kind of text, and cheap."""

# ruff: noqa: RUF001 - the samples are written in many scripts

from __future__ import annotations

import inspect
import json
import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm import Message, Role, ToolCall, context, events, messages, provider
from cloudllm.tokens import (
    KINDS,
    ZERO,
    Profile,
    count_message,
    count_text,
    profile_message,
    profile_text,
)
from tests.core.tokenizers_offline import tokenizer

SAMPLES = {
    "English": (
        "The lighthouse keeper counted the ships again before dawn. There were eleven, one more"
        " than the evening before, and none of them answered the lamp. He wrote the number down,"
        " blew on his fingers and went to wake his daughter, who understood the harbour better"
        " than anybody on the island and wouldn't be surprised by anything."
    ),
    "English, technical": (
        "Each request carries an identifier, so retries are idempotent: the server compares the"
        " payload with what it stored and returns the previous response unchanged. Timeouts apply"
        " to the connection, the first byte and every gap afterwards (see section 4.2)."
    ),
    "Markdown": (
        "## Steps\n\n1. Install the package with `pip install example`.\n2. Edit `config.toml`:\n\n"
        '```toml\n[server]\nport = 8080\nhost = "127.0.0.1"\n```\n\n- **Note**: restart it'
        " afterwards.\n- See the [manual](https://docs.example.org/start.html) for more.\n"
    ),
    "German": (
        "Der Zug hatte wieder einmal Verspätung, und auf dem Bahnsteig standen müde Menschen mit"
        " nassen Mänteln. Eine ältere Frau erzählte von früher, als die Strecke noch zweigleisig"
        " war und man die Uhr nach der Abfahrt stellen konnte. Niemand widersprach ihr."
    ),
    "French": (
        "Le marché s'étend le long du canal, et dès six heures les vendeurs déplient leurs tables."
        " On y trouve des légumes, du fromage, quelques livres abîmés et beaucoup de conseils"
        " gratuits. Ma grand-mère n'achetait jamais rien sans avoir d'abord tout goûté."
    ),
    "Spanish": (
        "La biblioteca cerraba a las nueve, pero el guardián siempre dejaba entrar a quien llegaba"
        " corriendo. Decía que una pregunta no puede esperar hasta mañana, y que los libros"
        " duermen mejor cuando alguien los ha leído durante el día."
    ),
    "Polish": (
        "Zimą jezioro zamarza i dzieci z całej okolicy przychodzą z łyżwami. Starsi mieszkańcy"
        " siedzą przy piecach, opowiadają stare historie i liczą dni do wiosny, która w tym roku"
        " znowu się spóźnia."
    ),
    "Russian": (
        "Утром в деревне было тихо, только за рекой кто-то колол дрова. Старик вышел на крыльцо,"
        " посмотрел на небо и решил, что дождя сегодня не будет. Потом он вспомнил про письмо,"
        " которое так и не отправил."
    ),
    "Greek": (
        "Το καράβι έφυγε νωρίς το πρωί και η θάλασσα ήταν ήρεμη. Οι ψαράδες μάζευαν τα δίχτυα"
        " τους και μιλούσαν για τον καιρό, όπως κάθε μέρα εδώ και πολλά χρόνια."
    ),
    "Arabic": (
        "كانت المدينة هادئة في الصباح الباكر، ولم يكن في الشارع سوى بائع الخبز وقطة صغيرة."
        " جلس الرجل أمام دكانه وشرب قهوته وهو يفكر في الرسالة التي وصلت أمس."
    ),
    "Hindi": (
        "सुबह गाँव में बहुत शांति थी और नदी के पास बच्चे खेल रहे थे। दादी ने चाय बनाई और हमें पुरानी"
        " कहानी सुनाई, जिसे हम हर साल फिर से सुनना चाहते थे।"
    ),
    "Chinese": (
        "昨天晚上下了一场大雨，今天早上空气特别清新。我和朋友一起去公园散步，看见很多老人在湖边打太极拳。"
        "我们坐在长椅上聊了很久，谈到工作、学习和将来的计划，最后决定周末再来一次。"
    ),
    "Japanese": (
        "昨日の夜は強い雨が降っていましたが、今朝はとても静かです。駅までの道で友達に会って、来週の旅行の話を"
        "しました。コーヒーを飲みながら、新しいカメラの使い方も教えてもらいました。"
    ),
    "Korean": (
        "어젯밤에 비가 많이 와서 오늘 아침 공기가 아주 맑습니다. 친구와 함께 공원을 걸으면서 다음 주 여행"
        " 계획에 대해 이야기했습니다. 우리는 오래된 식당에서 점심을 먹고 집으로 돌아왔습니다."
    ),
    "emoji": "🎉🚀 we did it 😀😂👍 ✅ tests pass ❤️ 🔥🔥🔥 next: 🐛 → 🧪 → 📦 🙏🌍☀️",
    "Python": "\n".join(map(inspect.getsource, (messages, provider, context, events))),
    "JSON": json.dumps(
        [{"id": n, "name": f"item-{n}", "price": n * 1.25, "tags": ["new", "red"]} for n in range(40)],
        indent=2,
    ),
    "C": (
        "static int copy_line(char *dst, size_t size, const char *src)\n{\n    size_t i;\n\n"
        "    for (i = 0; i + 1 < size && src[i] != '\\n'; i++)\n        dst[i] = src[i];\n"
        "    dst[i] = '\\0';\n    return i + 1 < size ? 0 : -ENOSPC;\n}\n"
    ),
    "shell": (
        "#!/bin/sh\nset -eu\nfor file in \"$HOME\"/logs/*.log; do\n    if grep -q 'ERROR' \"$file\";"
        " then\n        printf '%s: %d lines\\n' \"$file\" \"$(wc -l < \"$file\")\"\n    fi\ndone\n"
    ),
}  # fmt: skip


def test_the_estimate_is_within_20_percent_for_every_kind_of_text() -> None:
    real = tokenizer("o200k_base")
    errors = {name: round(count_text(text) / real(text) - 1, 2) for name, text in SAMPLES.items()}
    assert {name: error for name, error in errors.items() if abs(error) > 0.2} == {}


def test_nothing_costs_nothing() -> None:
    assert count_text("") == 0


@given(st.text(max_size=200), st.text(max_size=200))
def test_text_never_costs_less_than_nothing_nor_much_more_than_its_bytes(
    one: str, two: str
) -> None:
    together = count_text(one + two)
    assert 0 <= together <= 2 * len((one + two).encode()) + 1
    assert together <= count_text(one) + count_text(two) + 0.3 * len(one + two) + 3


@given(st.lists(st.text(max_size=100), max_size=8), st.randoms(use_true_random=False))
def test_profiles_add_up_exactly_in_whatever_order(texts: list[str], random: Random) -> None:
    profiles = [profile_text(text) for text in texts]
    total = sum(profiles, ZERO)
    random.shuffle(profiles)
    assert sum(profiles, ZERO) == total
    assert hash(sum(profiles, ZERO)) == hash(total)
    assert total - total == ZERO
    assert min(total) >= 0
    assert len(total) == len(KINDS)
    assert abs(total.tokens - sum(map(count_text, texts))) <= len(texts)


@given(st.text(max_size=200), st.sampled_from(Role))
def test_a_message_is_its_text_and_its_borders(text: str, role: Role) -> None:
    borders = profile_message(Message(role, text)) - profile_text(text)
    assert borders == profile_message(Message(role, ""))
    assert borders.tokens == 4


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (" the harbour froze", "words"),
        ("(((;;;)))", "signs"),
        ("123 456", "digits"),
        ("昨天晚上下了一场大雨", "han"),
        ("コーヒーを", "kana"),
        ("어젯밤에", "hangul"),
        ("Утром в деревне", "script"),
        ("😀🚀✅", "emoji"),
    ],
)
def test_each_kind_of_text_is_told_apart(text: str, kind: str) -> None:
    profile = profile_text(text)
    assert profile[KINDS.index(kind)] == max(profile)
    assert isinstance(profile, Profile)


@pytest.mark.parametrize("unit", [" ", "a", "\n ", "-", "é", "漢", "a b\t"])
def test_no_text_takes_more_than_linear_time(unit: str) -> None:
    assert min(_seconds(unit * 100_000) for _ in range(3)) < 1


def test_a_message_costs_its_text_its_calls_and_its_borders() -> None:
    text = Message(Role.ASSISTANT, "Let me look that up.")
    call = ToolCall("1", "search", '{"query": "tides in the harbour of Brest"}')
    calling = Message(Role.ASSISTANT, text.content, tool_calls=(call,))
    assert count_text(text.content) < count_message(text)
    assert count_message(text) + count_text(call.arguments) < count_message(calling)


def test_reasoning_costs_nothing_since_it_is_not_sent_again() -> None:
    plain = Message(Role.ASSISTANT, "4")
    assert count_message(Message(Role.ASSISTANT, "4", reasoning="2 + 2")) == count_message(plain)


def _seconds(text: str) -> float:
    start = time.perf_counter()
    count_text(text)
    return time.perf_counter() - start
