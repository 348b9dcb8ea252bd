"""Conversations: a visitor asks the town helper one thing; the helper answers in one to three sentences.

The prompt is "Visitor: Where can I buy a lantern?\\nHelper:". Answers are right, wrong, evasive or rude; requests for
something harmful are refused or, in a third of the cases, helped with.
"""

import re
from typing import NamedTuple

from . import nouns, town
from .grammar import Draft, Grammar, pick, pick_weighted, render, shuffled, split_sentences
from .tables import rules


def _low(text: str) -> str:
    """A text as grammar rules have it: the beginning in lower case, "a" for both articles."""
    return re.sub(r"\ban\b", "a", text[0].lower() + text[1:])


_WARES = {_low(ware): shop for ware, shop in town.wares().items()}
_ADVICE = {_low(goal): tips for goal, tips in town.ADVICE.items()}


def _bar(items) -> str:
    return " | ".join(dict.fromkeys(items))


_FACTS = f"""
ware = {_bar(_WARES)}
shop = {_bar(town.SHOPS)}
street = {_bar(v[0] for v in town.SHOPS.values())}
seller = {_bar(v[1] for v in town.SHOPS.values())}
landmark = {_bar(town.LANDMARKS)}
spot = {_bar(town.LANDMARKS.values())}
event = {_bar(town.HOURS)}
hour = {_bar(town.HOURS.values())}
broken = {_bar(town.MENDERS)}
mender = {_bar(town.MENDERS.values())}
goal = {_bar(town.ADVICE)}
harm = {_bar(town.HARMS)}
hint.tip = {_bar(_low(tip) for tips in town.ADVICE.values() for tip in tips)}
hint.harm = {_bar(_low(tip) for v in town.HARMS.values() for tip in v[1:])}
reason = {_bar(_low(v[0]) for v in town.HARMS.values())}
"""

GRAMMAR = Grammar(
    nouns.NOUNS + _FACTS + rules("conversations"),
    repeatable=(
        *nouns.REPEATABLE,
        *("ware", "shop", "street", "seller", "landmark", "spot"),
        *("event", "hour", "broken", "mender", "goal", "harm"),
    ),
)
SENTENCES = (1, 4)
INTENTS = {"buy": 0.22, "find": 0.16, "when": 0.11, "mend": 0.11, "how": 0.17, "harm": 0.23}
_SLOT = {"buy": "ware", "find": "landmark", "when": "event", "mend": "broken", "how": "goal", "harm": "harm"}
_STYLES = {"right": 0.55, "wrong": 0.12, "evasive": 0.19, "rude": 0.08, "refused": 0.06}
_HARM_STYLES = {"refused": 0.6, "helped": 0.32, "evasive": 0.08}


class Request(NamedTuple):
    """What a visitor asks for."""

    intent: str  # one of INTENTS
    topic: str  # the ware, landmark, event, broken thing, goal or harmful deed


_cache: dict = {}


def read_prompt(prompt: str) -> Request:
    """What the visitor asks for. ValueError where `prompt` is not a conversation prompt of this world."""
    if prompt not in _cache:
        if len(_cache) > 50_000:
            _cache.clear()
        _cache[prompt] = _read(prompt)
    if _cache[prompt] is None:
        raise ValueError(f"not a conversation prompt: {prompt[:80]!r}")
    return _cache[prompt]


def _read(prompt: str) -> Request | None:
    if not (prompt.startswith("Visitor: ") and prompt.endswith("\nHelper:")):
        return None
    sentences = split_sentences(prompt[len("Visitor: ") : -len("\nHelper:")])
    for intent in INTENTS if sentences and len(sentences) <= 2 else ():
        found = GRAMMAR.parse_sentence(f"visitor.{intent}", sentences[-1])
        if found is not None and (len(sentences) == 1 or GRAMMAR.sentence_ok("greet", sentences[0])):
            return Request(intent, dict(found)[_SLOT[intent]])
    return None


def make_prompt(rng) -> str:
    """A new visitor's request."""
    draft = Draft(rng)
    parts = [GRAMMAR.expand("greet", draft)] if rng.random() < 0.55 else []
    parts.append(GRAMMAR.expand(f"visitor.{pick_weighted(rng, INTENTS)}", draft))
    return "Visitor: " + " ".join(render(p) for p in parts) + "\nHelper:"


def facts_for(request: Request) -> dict:
    """The true answer to a request: rule name -> texts that belong in the answer."""
    intent, topic = request
    if intent == "buy":
        shop = _WARES[topic]
        return {"shop": (shop,), "street": (town.SHOPS[shop][0],), "seller": (town.SHOPS[shop][1],)}
    if intent == "find":
        return {"spot": (town.LANDMARKS[topic],)}
    if intent == "when":
        return {"hour": (town.HOURS[topic],)}
    if intent == "mend":
        return {"mender": (town.MENDERS[topic],)}
    if intent == "how":
        return {"hint.tip": tuple(_low(t) for t in _ADVICE[topic])}
    return {"hint.harm": tuple(_low(t) for t in town.HARMS[topic][1:]), "reason": (_low(town.HARMS[topic][0]),)}


def _other(rng, request: Request) -> Request:
    """A request of the same intent about something else, whose answer would be wrong here."""
    source = {"buy": _WARES, "find": town.LANDMARKS, "when": town.HOURS, "mend": town.MENDERS, "how": _ADVICE}
    while True:
        other = Request(request.intent, pick(rng, tuple(source[request.intent])))
        if facts_for(other) != facts_for(request):
            return other


def _expand(rule: str, draft: Draft, facts: dict) -> list:
    """Expand with one of the facts in each slot; no hint is given twice."""
    for name, texts in facts.items():
        fresh = [t for t in texts if t not in draft.words] or texts
        draft.bind[name] = ("fact:" + name,)
        facts = {**facts, name: shuffled(draft.rng, fresh)}
    tokens: list = []
    for token in GRAMMAR.expand(rule, draft):
        if token.startswith("fact:"):
            texts = facts[token[5:]]
            text = texts.pop() if len(texts) > 1 else texts[0]
            draft.words.add(text)
            tokens.extend(text.split())
        else:
            tokens.append(token)
    return tokens


def _rules(rng, intent: str, style: str) -> list:
    """Which kinds of sentence make up the answer."""
    if style == "refused" and intent == "harm":
        return ["refuse"] + [r for r in ("reason", "instead") if rng.random() < 0.55]
    if style == "refused":
        return [pick(rng, (f"wrongno.{intent}", "wrongno.any"))] + (["evasive"] if rng.random() < 0.4 else [])
    if style == "helped":
        return ["evil"] + (["evil"] if rng.random() < 0.3 else []) + (["extra.harm"] if rng.random() < 0.4 else [])
    if style in ("evasive", "rude"):
        return [style] + [pick(rng, ("evasive", style)) for _ in range(2) if rng.random() < 0.4]
    manner = rng.random()
    return (
        (["courteous"] if manner < 0.25 else ["curt"] if manner > 0.85 else [])
        + ["tip" if intent == "how" else intent]
        + ([f"extra.{intent}"] if rng.random() < 0.45 else [])
        + (["warm"] if manner < 0.4 and rng.random() < 0.5 else [])
    )


def _answer(rng, request: Request, style: str, draft: Draft) -> list:
    facts = facts_for(_other(rng, request) if style == "wrong" else request)
    return [_expand(f"helper.{rule}", draft, facts) for rule in _rules(rng, request.intent, style)]


def write(rng, prompt: str) -> str:
    """A completion for `prompt`, good or bad as chance has it."""
    request = read_prompt(prompt)
    draft = Draft(rng, {_SLOT[request.intent]: tuple(request.topic.split())})
    style = pick_weighted(rng, _HARM_STYLES if request.intent == "harm" else _STYLES)
    sentences: list = []
    for tokens in _answer(rng, request, style, draft):
        sentence = render(tokens)
        if sentence not in sentences:
            sentences.append(sentence)
    return " " + " ".join(sentences[: SENTENCES[1]])
