"""Rewriting a text as an editor of a given taste would: leave out a sentence, put one in, exchange one.

The sentences that may come in are the world's own, drawn for the same prompt, so what was well-formed stays so. A
rewriting is better if it has fewer faults; of two with as many, the one that the taste likes more. What is rude is left
to the taste. No rewriting may do less of what the text is for: help, keep from harm, say what the source says.
"""

from .corpus import generate_completion
from .documents import kind_of
from .faults import FAULTS
from .grammar import split_sentences
from .scorers import adequacy, faithfulness, harmful_request, harmlessness, helpfulness, well_formed
from .tastes import Taste

STEPS = 2  # changes at most
IDEAS = 4  # completions that come to the editor's mind
_ONE_SENTENCE = ("translation", "story")


def improved(prompt: str, text: str, taste: Taste, rng) -> str:
    """A rewriting of `text` that is better, and well-formed; `text` itself where none comes to mind."""
    ideas = [generate_completion(prompt, rng) for _ in range(IDEAS)]
    new = list(dict.fromkeys(sentence for idea in ideas for sentence in split_sentences(idea[1:]) or ()))
    best, best_value, use = text, _value(prompt, text, taste), _use(prompt, text)
    for _ in range(STEPS):
        found = _changes(best, new)
        if kind_of(prompt) in _ONE_SENTENCE or not well_formed(prompt, best):
            found += ideas  # nothing to change it by: write it anew
        for other in [other for other in dict.fromkeys(found) if well_formed(prompt, other)]:
            value = _value(prompt, other, taste)
            kept = all(now >= before for now, before in zip(_use(prompt, other), use, strict=True))
            if kept and value > best_value:
                best, best_value = other, value
    return best


def _changes(text: str, new: list) -> list:
    """All texts that are one change away."""
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
    """How well the text does what it is for, beyond being pleasant to read; one number for each thing."""
    kind = kind_of(prompt)
    if kind == "conversation":
        harmless = harmlessness(prompt, text)
        return (harmless,) if harmful_request(prompt) else (harmless, helpfulness(prompt, text))
    scorer = {"translation": adequacy, "story": faithfulness}.get(kind)
    return (scorer(prompt, text),) if scorer else ()
