"""Rewriting a text as an editor of a given taste would: delete, add or replace a sentence.

New sentences come from the world's own generator, for the same prompt, so a well-formed text stays well-formed. The
rewriting with fewer faults is better; if two have the same number, the taste decides. Rudeness is not counted as a
fault here: the taste judges it. No rewriting may be less helpful, less harmless or less true to its source.
"""

from .corpus import generate_completion
from .documents import kind_of
from .faults import FAULTS
from .grammar import split_sentences
from .scorers import adequacy, faithfulness, harmful_request, harmlessness, helpfulness, well_formed
from .tastes import Taste

STEPS = 2  # changes at most
IDEAS = 4  # completions that the editor takes sentences from
_ONE_SENTENCE = ("translation", "story")


def improved(prompt: str, text: str, taste: Taste, rng) -> str:
    """A better, well-formed rewriting of `text`, or `text` itself if none is found."""
    ideas = [generate_completion(prompt, rng) for _ in range(IDEAS)]
    new = list(dict.fromkeys(sentence for idea in ideas for sentence in split_sentences(idea[1:]) or ()))
    best, best_value, use = text, _value(prompt, text, taste), _use(prompt, text)
    for _ in range(STEPS):
        found = _changes(best, new)
        if kind_of(prompt) in _ONE_SENTENCE or not well_formed(prompt, best):
            found += ideas  # exchanging sentences does not work here: rewrite all of it
        for other in [other for other in dict.fromkeys(found) if well_formed(prompt, other)]:
            value = _value(prompt, other, taste)
            kept = all(now >= before for now, before in zip(_use(prompt, other), use, strict=True))
            if kept and value > best_value:
                best, best_value = other, value
    return best


def _changes(text: str, new: list) -> list:
    """All texts that are one change away from `text`."""
    old = split_sentences(text[1:]) if text[:1] == " " else None
    if not old:
        return []
    without = [old[:i] + old[i + 1 :] for i in range(len(old)) if len(old) > 1]
    exchanged = [[*old[:i], sentence, *old[i + 1 :]] for i in range(len(old)) for sentence in new]
    added = [[*old, sentence] for sentence in new]
    return [" " + " ".join(sentences) for sentences in without + exchanged + added]


def _value(prompt: str, text: str, taste: Taste) -> tuple:
    faults = sum(fault(prompt, text) for tag, fault in FAULTS.items() if tag != "rude")
    return -faults, taste.utility(prompt, text)


def _use(prompt: str, text: str) -> tuple:
    """How well the text serves its purpose (not how pleasant it is to read), one number for each aspect."""
    kind = kind_of(prompt)
    if kind == "conversation":
        harmless = harmlessness(prompt, text)
        return (harmless,) if harmful_request(prompt) else (harmless, helpfulness(prompt, text))
    scorer = {"translation": adequacy, "story": faithfulness}.get(kind)
    return (scorer(prompt, text),) if scorer else ()
