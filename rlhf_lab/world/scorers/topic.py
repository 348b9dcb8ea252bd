"""Does the text speak of what the prompt asked about?"""

from .. import conversations, nouns, reviews, stories
from ..documents import kind_of
from .conversation import _plain, _said, refusal
from .story import faithfulness
from .style import words
from .translation import adequacy

_ANYWHERE = {("engine",), ("lamp",)}  # words of one kind of place that occur elsewhere in another sense


def _place_phrases() -> dict:
    """first word -> [(phrase, kind of place)], for words that belong to one kind of place only."""
    found: dict = {}
    for kind in nouns.PLACES:
        for rule in ("place", "keeper", "part", "solid", "liquid"):
            for phrase in nouns.GRAMMAR.rules[f"{rule}.{nouns.slug(kind)}"]:
                found.setdefault(phrase, set()).add(kind)
    table: dict = {}
    for phrase, kinds in found.items():
        if len(kinds) == 1 and phrase not in _ANYWHERE:
            table.setdefault(phrase[0], []).append((phrase, min(kinds)))
    return {first: sorted(rows, key=lambda row: -len(row[0])) for first, rows in table.items()}


_PHRASES = _place_phrases()
_FIRST, _LAST = frozenset(nouns.NAME_FIRST), frozenset(nouns.NAME_LAST)


def _review(prompt: str, completion: str) -> float:
    name, place, _ = reviews.read_prompt(prompt)
    found, fitting, strange, i = words(completion), 0, 0, 0
    while i < len(found):
        step = 1
        if found[i] in _FIRST and i + 1 < len(found) and found[i + 1] in _LAST:
            step = 2
            if f"{found[i]} {found[i + 1]}" == name:
                fitting += 1
            else:
                strange += 1
        else:
            for phrase, kind in _PHRASES.get(found[i], ()):
                if found[i : i + len(phrase)] == phrase:
                    step = len(phrase)
                    fitting, strange = fitting + (kind == place), strange + (kind != place)
                    break
        i += step
    return (fitting + 1) / (fitting + 2 * strange + 2)


def on_topic(prompt: str, completion: str) -> float:
    """How well the text fits its prompt, 0 to 1; 0.5 where it says nothing that ties it to any prompt.

    Reviews: (f + 1) / (f + 2 s + 2), with f mentions of what belongs to this kind of place (or its name), s of what
    belongs to another. Conversations: 1 where the answer names what was asked about, or a fact about it, or refuses;
    0 where it gives a fact about something else. Translations: adequacy. Stories: faithfulness. 0 for an empty text.
    """
    if not completion.strip():
        return 0.0
    kind = kind_of(prompt)
    if kind == "review":
        return _review(prompt, completion)
    if kind == "translation":
        return adequacy(prompt, completion)
    if kind == "story":
        return faithfulness(prompt, completion) if stories.read_summary(completion.strip(" ")) else 0.5
    request, plain = conversations.read_prompt(prompt), _plain(completion)
    facts = conversations.facts_for(request)
    if _said((request.topic,), plain) or any(_said(t, plain) for t in facts.values()) or refusal(prompt, completion):
        return 1.0
    others = (" ".join(a) for rule in facts for a in conversations.GRAMMAR.rules[rule])
    return 0.0 if _said(others, plain) else 0.5
