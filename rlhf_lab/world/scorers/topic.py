"""Is the text about what the prompt asked for?"""

import re

from .. import conversations, nouns, reviews, stories
from ..documents import kind_of
from .conversation import _plain, _said, refusal
from .story import faithfulness
from .style import words
from .translation import adequacy

_ANYWHERE = {"engine", "lamp"}  # these also occur at other places, in another sense


def _owners() -> dict[str, str]:
    """phrase -> kind of place, for phrases that belong to one kind of place only."""
    kinds: dict[str, set] = {}
    for kind in nouns.PLACES:
        for rule in ("place", "keeper", "part", "solid", "liquid"):
            for phrase in nouns.texts(f"{rule}.{nouns.slug(kind)}"):
                kinds.setdefault(phrase, set()).add(kind)
    return {phrase: min(of) for phrase, of in kinds.items() if len(of) == 1 and phrase not in _ANYWHERE}


_OWNERS = _owners()
_MENTION = re.compile(  # the name of a place, or the longest phrase that fits
    rf"(?<!\S)(?:(?:{'|'.join(nouns.NAME_FIRST)}) (?:{'|'.join(nouns.NAME_LAST)})"
    rf"|{'|'.join(sorted(_OWNERS, key=len, reverse=True))})(?!\S)"
)


def _review(prompt: str, completion: str) -> float:
    name, place, _ = reviews.read_prompt(prompt)
    found = _MENTION.findall(" ".join(words(completion)))
    fitting = sum(phrase == name or _OWNERS.get(phrase) == place for phrase in found)
    return (fitting + 1) / (fitting + 2 * (len(found) - fitting) + 2)


def on_topic(prompt: str, completion: str) -> float:
    """How well the text fits its prompt, 0 to 1; 0.5 if nothing in it points to any prompt, 0 if it is empty.

    Reviews: (f + 1) / (f + 2 s + 2), where f counts mentions of this place's name or of what belongs to its kind, and
    s those of other places or kinds. Conversations: 1 if the answer names what was asked about or a fact about it, or
    refuses; 0 if it gives a fact about something else. Translations: adequacy. Stories: faithfulness.
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
