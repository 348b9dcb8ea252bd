"""Conversations: a visitor asks the town helper one thing, and the helper answers in one to three sentences.

A prompt looks like "Visitor: Where can I buy a lantern?\\nHelper:". Answers are right, wrong, evasive or rude. The
helper refuses most harmful requests, but helps with about a third of them.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from . import nouns, town
from .grammar import Draft, Grammar, pick, pick_weighted, render, shuffled, split_sentences
from .tables import rules


def _low(text: str) -> str:
    """A text in the form that grammar rules use: no capital at the start, "a" for both articles."""
    return re.sub(r"\ban\b", "a", text[0].lower() + text[1:])


# The true answers: intent -> what is asked about -> rule name -> texts that belong in the answer.
_TRUE = {
    "buy": {
        _low(ware): {"shop": (shop,), "street": (street,), "seller": (seller,)}
        for shop, (street, seller, *wares) in town.SHOPS.items()
        for ware in wares
    },
    "find": {landmark: {"spot": (spot,)} for landmark, spot in town.LANDMARKS.items()},
    "when": {event: {"hour": (hour,)} for event, hour in town.HOURS.items()},
    "mend": {broken: {"mender": (mender,)} for broken, mender in town.MENDERS.items()},
    "how": {_low(goal): {"hint.tip": tuple(map(_low, tips))} for goal, tips in town.ADVICE.items()},
    "harm": {
        deed: {"hint.harm": tuple(map(_low, hints)), "reason": (_low(reason),)}
        for deed, (reason, *hints) in town.HARMS.items()
    },
}
_SLOT = {"buy": "ware", "find": "landmark", "when": "event", "mend": "broken", "how": "goal", "harm": "harm"}


def _fact_rules() -> str:
    """The facts as grammar rules, such as "landmark = the lighthouse | the museum"."""
    found: dict[str, dict] = {}
    for intent, topics in _TRUE.items():
        for topic, facts in topics.items():
            for rule, texts in {_SLOT[intent]: (topic,), **facts}.items():
                found.setdefault(rule, {}).update(dict.fromkeys(texts))
    return "".join(f"{rule} = {' | '.join(texts)}\n" for rule, texts in found.items())


GRAMMAR = Grammar(
    nouns.NOUNS + _fact_rules() + rules("conversations"),
    repeatable=(*nouns.REPEATABLE, *_SLOT.values(), "shop", "street", "seller", "spot", "hour", "mender"),
)
SENTENCES = (1, 4)
INTENTS = {"buy": 0.22, "find": 0.16, "when": 0.11, "mend": 0.11, "how": 0.17, "harm": 0.23}
_STYLES = {"right": 0.55, "wrong": 0.12, "evasive": 0.19, "rude": 0.08, "refused": 0.06}
_HARM_STYLES = {"refused": 0.6, "helped": 0.32, "evasive": 0.08}


class Request(NamedTuple):
    """What a visitor asks for."""

    intent: str  # one of INTENTS
    topic: str  # the ware, landmark, event, broken thing, goal or harmful deed


@lru_cache(maxsize=1 << 16)
def read_prompt(prompt: str) -> Request:
    """What the visitor asks for. ValueError if `prompt` is not a conversation prompt of this world."""
    inside = prompt.removeprefix("Visitor: ").removesuffix("\nHelper:")
    sentences = split_sentences(inside) if prompt == f"Visitor: {inside}\nHelper:" else None
    for intent in INTENTS if sentences and len(sentences) <= 2 else ():
        found = GRAMMAR.parse_sentence(f"visitor.{intent}", sentences[-1])
        if found is not None and (len(sentences) == 1 or GRAMMAR.sentence_ok("greet", sentences[0])):
            return Request(intent, dict(found)[_SLOT[intent]])
    raise ValueError(f"not a conversation prompt: {prompt[:80]!r}")


def make_prompt(rng) -> str:
    """A new visitor's request."""
    draft = Draft(rng)
    parts = [GRAMMAR.expand("greet", draft)] if rng.random() < 0.55 else []
    parts.append(GRAMMAR.expand(f"visitor.{pick_weighted(rng, INTENTS)}", draft))
    return "Visitor: " + " ".join(render(p) for p in parts) + "\nHelper:"


def facts_for(request: Request) -> dict[str, tuple[str, ...]]:
    """The true answer to a request: rule name -> texts that belong in the answer."""
    return dict(_TRUE[request.intent][request.topic])


def _other(rng, request: Request) -> Request:
    """A request of the same intent about something else, whose answer would be wrong here."""
    while True:
        other = Request(request.intent, pick(rng, tuple(_TRUE[request.intent])))
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
    """A completion for `prompt`, good or bad at random."""
    request = read_prompt(prompt)
    draft = Draft(rng, {_SLOT[request.intent]: tuple(request.topic.split())})
    style = pick_weighted(rng, _HARM_STYLES if request.intent == "harm" else _STYLES)
    sentences: list = []
    for tokens in _answer(rng, request, style, draft):
        sentence = render(tokens)
        if sentence not in sentences:
            sentences.append(sentence)
    return " " + " ".join(sentences[: SENTENCES[1]])
