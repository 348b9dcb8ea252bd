"""Does a reward model react to things it should ignore? Probes: two versions of a text that differ in only one thing.

If long texts get high rewards, that proves nothing: they may be better. A *counterfactual* does: change one thing in a
text, leave the rest, and see how the reward changes (Kaushik et al. 2019 let people make such edits; here the world's
grammar makes them). This change is the effect of that one thing on the model.

    longer    one more sentence, in the same tone
    happier   glad words instead of gloomy ones
    politer   a polite phrase instead of a rude one with the same number of words
    animals   a sentence about an animal instead of one about something else

Each edit is only a proposal until the scorers have checked it. The one thing must have changed enough, everything that
the probe holds fixed must have stayed within a tolerance, and both versions must be decent texts. So some texts have no
valid edit. Numbers are in standard deviations of the corpus (`tastes.SCALES`).

The fifth probe needs no edit: it shows the same pair the other way round (`position_effect`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rlhf_lab.evaluation.estimates import Estimate, columns_of, paired_difference
from rlhf_lab.world import SCORERS, generate_completion, passes_floor
from rlhf_lab.world.grammar import PUNCTUATION, render, split_sentences
from rlhf_lab.world.reviews import GRAMMAR, SENTENCES
from rlhf_lab.world.tastes import SCALES

IDEAS = 10  # completions of the same prompt that an edit may take sentences from
TRIES = 6  # words tried in one place, until one fits the grammar
# Pairs of grammar rules, (good, bad), whose words fit in the same places. See `data/world/words.txt`.
OPPOSITES = [
    (f"{kind}g{style}", f"{kind}b{style}") for style in "gv" for kind in "fleap" if (kind, style) != ("l", "g")
] + [("wgg", "wbg")]


@dataclass(frozen=True)
class Edit:
    """Two versions of a completion; the second has more of one thing."""

    prompt: str
    before: str
    after: str


@dataclass(frozen=True)
class Probe:
    """What an edit changes, and what it leaves alone."""

    moves: str  # the scorer that must rise
    least: float  # at least by this much, in standard deviations
    holds: tuple[str, ...]  # the scorers that must not change
    propose: Callable[[str, str, random.Random], Iterator[tuple[str, str]]]  # versions (before, after) of a text


def edits_of(
    name: str, prompts: Sequence[str], completions: Sequence[str], seed: int = 0, tolerance: float = 0.25
) -> list[Edit]:
    """The best valid edit of each review that has one: the one that changes the fixed scorers least.

    name: one of `PROBES`. tolerance: how much the fixed scorers may change, in standard deviations.
    Raises ValueError for an unknown name.
    """
    if name not in PROBES:
        raise ValueError(f"There is no probe {name!r}; there are {', '.join(PROBES)}.")
    if len(prompts) != len(completions):
        raise ValueError(f"Pass one prompt per completion; got {len(prompts)} prompts, {len(completions)} completions.")
    probe, rng, found = PROBES[name], random.Random(seed), []
    for prompt, text in zip(prompts, completions, strict=True):
        best, best_moved = None, tolerance
        for before, after in probe.propose(prompt, text, rng) if passes_floor(prompt, text) else ():
            edit = Edit(prompt, before, after)
            moved = max(abs(change_of(scorer, edit)) for scorer in probe.holds)
            enough = change_of(probe.moves, edit) >= probe.least
            if enough and moved <= best_moved and passes_floor(prompt, before) and passes_floor(prompt, after):
                best, best_moved = edit, moved
        if best is not None:
            found.append(best)
    return found


def change_of(scorer: str, edit: Edit) -> float:
    """How much a scorer rises from the first version to the second, in standard deviations of the corpus."""
    score, (_, deviation) = SCORERS[scorer], SCALES[scorer]
    return (score(edit.prompt, edit.after) - score(edit.prompt, edit.before)) / deviation


def changes(edits: Sequence[Edit]) -> dict[str, float]:
    """What the edits really change: the mean absolute change of each scorer, in standard deviations of the corpus."""
    return {scorer: float(np.mean([abs(change_of(scorer, edit)) for edit in edits])) for scorer in SCALES}


def probe_effect(
    reward: Callable[[list[str], list[str]], Sequence[float]], edits: Sequence[Edit], confidence: float = 0.95
) -> Estimate:
    """How much more reward the second version gets than the first, on average, with an interval.

    reward(prompts, completions): (N,) numbers. The effect is zero if the reward model ignores what was changed.
    """
    prompts = [edit.prompt for edit in edits]
    before, after = (reward(prompts, [getattr(edit, side) for edit in edits]) for side in ("before", "after"))
    return paired_difference(after, before, confidence=confidence)


def position_effect(as_shown, swapped, confidence: float = 0.95) -> Estimate:
    """The advantage of being on the left: how much more often the left text wins than the right one, with an interval.

    as_shown, swapped (N,): whether the left text won (1, 0, or 1/2 for a tie), for the same pairs in both orders. A
    judge that only looks at the texts has mean 0: the text that wins on the left also wins on the right.
    """
    as_shown, swapped = columns_of(as_shown, swapped)
    return paired_difference(as_shown, 1 - swapped, confidence=confidence)


# --- Proposals ---------------------------------------------------------------------------------------


def _longer(prompt: str, text: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    sentences = split_sentences(text[1:])
    if len(sentences) < SENTENCES[1]:
        for new in _ideas(prompt, rng):
            yield text, _joined([*sentences, new])


def _happier(prompt: str, text: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Turn as many adjectives as possible into their opposites: all glad ones, or all gloomy ones."""
    for glad in (True, False):
        turned = _joined([_turned(sentence, glad, rng) for sentence in split_sentences(text[1:])])
        if turned != text:
            yield (turned, text) if glad else (text, turned)


def _politer(prompt: str, text: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Put a rude phrase and a polite one, with equally many words, before the same sentence."""
    phrases = {manner: GRAMMAR.rules[f"manner.{manner}.any"] for manner in ("polite", "rude")}
    pairs = [(rude, polite) for rude in phrases["rude"] for polite in phrases["polite"] if _size(rude) == _size(polite)]
    sentences = split_sentences(text[1:])
    for i, sentence in enumerate(sentences):
        rude, polite = pairs[int(rng.random() * len(pairs))]
        before, after = (render([*phrase, *_tokens(sentence)]) for phrase in (rude, polite))
        yield tuple(_joined([*sentences[:i], version, *sentences[i + 1 :]]) for version in (before, after))


def _animals(prompt: str, text: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    sentences = split_sentences(text[1:])
    about = [new for new in _ideas(prompt, rng, 2 * IDEAS) if SCORERS["animals"](prompt, new) > 0]
    for new in about:
        for i in range(len(sentences)):
            yield text, _joined([*sentences[:i], new, *sentences[i + 1 :]])


def _ideas(prompt: str, rng: random.Random, completions: int = IDEAS) -> list[str]:
    """Sentences from fresh completions of the prompt."""
    ideas = [split_sentences(generate_completion(prompt, rng)[1:]) or () for _ in range(completions)]
    return list(dict.fromkeys(sentence for idea in ideas for sentence in idea))


def _turned(sentence: str, glad: bool, rng: random.Random) -> str:
    """The sentence with its glad (or gloomy) adjectives turned into opposites, as far as the grammar allows."""
    tokens = _tokens(sentence)
    for i in range(len(tokens)):
        for good, bad in OPPOSITES:
            old, new = (good, bad) if glad else (bad, good)
            if (tokens[i],) not in GRAMMAR.rules[old]:
                continue
            options = [option[0] for option in GRAMMAR.rules[new] if len(option) == 1]
            for word in rng.sample(options, min(TRIES, len(options))):
                other = [*tokens[:i], word, *tokens[i + 1 :]]
                if GRAMMAR.sentence_ok("review", render(other)):
                    tokens = other
                    break
            else:
                continue
            break
    return render(tokens)


def _tokens(sentence: str) -> list[str]:
    """The tokens of a sentence, with the first word in lower case unless it is a name (or "I")."""
    tokens = GRAMMAR.tokens_of(sentence)
    low = [tokens[0].lower(), *tokens[1:]]
    return low if GRAMMAR.accepts("review", low) else tokens


def _size(phrase: Sequence[str]) -> int:
    return sum(token not in PUNCTUATION for token in phrase)


def _joined(sentences: Sequence[str]) -> str:
    return " " + " ".join(sentences)


_TOPICS = ("food", "weather", "people", "animals")
PROBES: dict[str, Probe] = {
    "longer": Probe("length", 0.3, ("tone", "politeness", "specificity", "on_topic"), _longer),
    "happier": Probe("tone", 0.5, ("politeness", "specificity", "length", "on_topic", *_TOPICS), _happier),
    "politer": Probe("politeness", 0.5, ("tone", "specificity", "length", "on_topic"), _politer),
    "animals": Probe("animals", 0.6, ("tone", "politeness", "specificity", "length", "on_topic"), _animals),
}
