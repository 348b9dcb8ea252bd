"""Reviews: "Review of the Copper Kettle bakery at low tide:" and one to six sentences.

Length, topics, gladness, vividness and politeness are drawn independently for each review. So reviews of one place
differ widely in each of these.
"""

import math
import re

from . import nouns
from .grammar import Draft, Grammar, pick, pick_weighted, render
from .tables import rules

GRAMMAR = Grammar(nouns.NOUNS + rules("reviews"), repeatable=nouns.REPEATABLE)
TOPICS = ("food", "weather", "people", "animals", "place")
SENTENCES = (1, 6)  # fewest and most sentences
MOST_WORDS = 58
_LENGTHS = {1: 0.17, 2: 0.25, 3: 0.25, 4: 0.18, 5: 0.10, 6: 0.05}
_LEAST = {"food": 0.02, "weather": 0.4, "people": 0.02, "animals": 0.4, "place": 0.02}  # so that no topic is rare
_TAILS = {"food": 0.7, "weather": 2.4, "people": 0.7, "animals": 2.4, "place": 0.8}
_KINDS_BY_LENGTH = sorted(nouns.PLACES, key=len, reverse=True)
_PROMPT = re.compile(
    r"Review of the ([A-Z][a-z]+) ([A-Z][a-z]+) (" + "|".join(_KINDS_BY_LENGTH) + r")((?: [A-Za-z]+)+):"
)


def read_prompt(prompt: str):
    """(name, kind of place, occasion) of a review prompt. ValueError if `prompt` is not one."""
    match = _PROMPT.fullmatch(prompt)
    if match is None:
        raise ValueError(f"not a review prompt: {prompt[:60]!r}")
    return f"{match[1]} {match[2]}", match[3], match[4].strip()


def make_prompt(rng) -> str:
    """A new review prompt."""
    place = pick(rng, nouns.PLACES)
    occasion = render(["x", *GRAMMAR.expand("occasion", Draft(rng))])[2:]
    return f"Review of the {pick(rng, nouns.NAME_FIRST)} {pick(rng, nouns.NAME_LAST)} {place} {occasion}:"


def _lean(rng) -> float:
    """A share between 0 and 1 that is more often near an end than in the middle."""
    x = 2 * rng.random() - 1
    return 0.5 + 0.5 * math.copysign(abs(x) ** 0.6, x)


class _Mood:
    """What one review is like."""

    def __init__(self, rng):
        glad, self.vivid = _lean(rng), _lean(rng)
        self.tones = {t: "good" if rng.random() < glad else "bad" for t in TOPICS}  # one opinion on each topic
        self.topics = {topic: math.log(1 - rng.random()) ** 2 + _LEAST[topic] for topic in TOPICS}
        self.tone = self.tones[max(TOPICS, key=self.topics.__getitem__)]  # the overall verdict
        self.tails = 0.2 + 0.8 * rng.random()
        self.courtesy = 0.0 if rng.random() < 0.15 else 2 * rng.random() - 1
        self.length = pick_weighted(rng, _LENGTHS)

    def style(self, rng) -> str:
        return "vivid" if rng.random() < self.vivid else "vague"


def _body(rng, mood: _Mood, draft: Draft) -> list:
    topic = pick_weighted(rng, mood.topics)
    tone = mood.tones[topic]
    clause = GRAMMAR.expand(f"clause.{topic}.{tone}.{mood.style(rng)}", draft)
    if rng.random() < abs(mood.courtesy):
        manner = pick(rng, (tone, "any"))
        return GRAMMAR.expand(f"manner.{'polite' if mood.courtesy > 0 else 'rude'}.{manner}", draft) + clause + ["."]
    if rng.random() < mood.tails:
        others = {t: (w + 0.1) * _TAILS[t] for t, w in mood.topics.items() if t != topic}
        tail = pick_weighted(rng, others)
        rule = "tail.place" if tail == "place" else f"tail.{tail}.{mood.tones[tail]}"
        doubled = tail == "place" and ("beside" in clause or "behind" in clause)
        if len(clause) < 11 and clause[-1] != "usual" and not doubled:
            clause = clause + GRAMMAR.expand(rule, draft)
    return [*clause, "."]


def _say(rng, mood: _Mood, draft: Draft, last: bool):
    """A stock sentence that describes no topic (polite, rude, closing or a question), or None."""
    if rng.random() < 0.3 * abs(mood.courtesy):
        return GRAMMAR.expand(f"say.{'polite' if mood.courtesy > 0 else 'rude'}.{mood.tone}", draft)
    if last and rng.random() < 0.3:
        return GRAMMAR.expand(f"say.close.{mood.tone}.{mood.style(rng)}", draft)
    if rng.random() < 0.05 * mood.vivid:
        return GRAMMAR.expand("say.ask.vivid", draft)
    return None


def write(rng, prompt: str) -> str:
    """A completion for `prompt`, good or bad at random."""
    name, place, _ = read_prompt(prompt)
    kind = nouns.slug(place)
    draft = Draft(
        rng,
        {
            "name": tuple(name.split()),
            **{s: f"{s}.{kind}" for s in ("place", "keeper", "part", "dish", "solid", "liquid")},
        },
    )
    mood = _Mood(rng)
    sentences, words = [], 0
    for i in range(mood.length):
        if i == 0 and mood.length > 2 and rng.random() < 0.15:
            tokens = GRAMMAR.expand("say.open.any", draft)
        else:
            tokens = (_say(rng, mood, draft, i == mood.length - 1) if i else None) or _body(rng, mood, draft)
        words += sum(token not in ".,!?" for token in tokens)
        if words > MOST_WORDS:
            break
        sentence = render(tokens)
        if sentence not in sentences:
            sentences.append(sentence)
    return " " + " ".join(sentences)
