"""Scorers for summaries. They parse the facts from the story (who did what to what, where, when and why, and who
reacted how) and the claims from the summary."""

from functools import lru_cache

from .. import stories
from .style import words

# How much each fact matters in a summary.
WEIGHTS = {
    "hero": 3.0,
    "deed": 3.0,
    "what": 3.0,
    "where": 1.5,
    "react": 1.0,
    "witness": 1.0,
    "motive": 1.0,
    "when": 0.5,
}


@lru_cache(maxsize=1 << 14)
def _told(prompt: str) -> tuple:
    facts = stories.read_story(stories.read_prompt(prompt))
    if facts is None:
        raise ValueError(f"the story has a sentence that is not of this world: {prompt[:80]!r}")
    return tuple(facts.items())


@lru_cache(maxsize=1 << 16)
def _claimed(completion: str) -> tuple:
    return tuple((stories.read_summary(completion.strip(" ")) or {}).items())


def faithfulness(prompt: str, completion: str) -> float:
    """Weighted share of the summary's claims that the story supports, 0 to 1; 1 if it claims nothing definite,
    0 if it cannot be parsed."""
    told, claims = dict(_told(prompt)), _claimed(completion)
    if not claims:
        return 1.0 if stories.read_summary(completion.strip(" ")) is not None else 0.0
    return sum(WEIGHTS[k] for k, v in claims if told.get(k) == v) / sum(WEIGHTS[k] for k, _ in claims)


def coverage(prompt: str, completion: str) -> float:
    """Weighted share of the story's facts that the summary mentions, 0 to 1."""
    told, claims = _told(prompt), dict(_claimed(completion))
    return sum(WEIGHTS[k] for k, v in told if claims.get(k) == v) / sum(WEIGHTS[k] for k, _ in told)


def brevity(prompt: str, completion: str) -> float:
    """1 - (words of the summary) / (words of the story), never below 0; 0 for an empty summary."""
    count = len(words(completion))
    return max(0.0, 1 - count / len(words(stories.read_prompt(prompt)))) if count else 0.0
