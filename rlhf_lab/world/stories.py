"""Short news stories with a one-line summary: "Story: <three to five sentences>\\nSummary:" and one sentence.

A story tells who did what to what, where, when and why, and who reacted to it and how. Two in three summaries are
right. The others swap a fact, reverse the roles, say next to nothing or go on too long.
"""

from . import nouns
from .grammar import Draft, Grammar, pick, pick_weighted, render, shuffled, split_sentences
from .tables import rules

_FACT_RULES = ("hero", "deed", "what", "where", "when", "motive", "witness", "react")
GRAMMAR = Grammar(nouns.NOUNS + rules("stories"), repeatable=nouns.REPEATABLE)
DEEDS = {past: done for (past,), (done,) in zip(GRAMMAR.rules["deed"], GRAMMAR.rules["done"], strict=True)}
_DONE = {done: past for past, done in DEEDS.items()}
SENTENCES = (3, 5)
_SUMMARIES = {"plain": 0.3, "effect": 0.28, "cause": 0.14, "long": 0.1, "vague": 0.1, "partial": 0.08}
_TRUTH = {"right": 0.64, "swapped": 0.28, "turned": 0.08}


def _make_facts(rng) -> dict:
    """Who did what to what, where, when, why, and who did what about it."""
    draft = Draft(rng)
    facts = {name: tuple(GRAMMAR.expand(name, draft)) for name in _FACT_RULES}
    while facts["witness"] == facts["hero"]:
        facts["witness"] = tuple(GRAMMAR.expand("witness", draft))
    facts["done"] = tuple(DEEDS[" ".join(facts["deed"])].split())
    return facts


def _write_story(rng, facts: dict) -> str:
    draft = Draft(rng, facts)
    used = {" ".join(facts["hero"]), " ".join(facts["witness"])}
    while True:  # a third person, not the hero or the witness
        other = GRAMMAR.expand("other", draft)
        if " ".join(other) not in used:
            break
    draft.bind["other"] = tuple(other)
    chosen = {"cause": 0.65, "effect": 0.8, "decoy": 0.35, "comment": 0.3, "ending": 0.4, "scene": 0.35}
    parts = [p for p, chance in chosen.items() if rng.random() < chance]
    parts = shuffled(rng, parts)[:4]
    while len(parts) < 2:
        parts = list(dict.fromkeys([*parts, pick(rng, ("cause", "effect", "ending", "scene"))]))
    order = ("scene", "lead", "decoy", "cause", "effect", "comment", "ending")
    parts = sorted([*parts, "lead"], key=order.index)
    if rng.random() < 0.5 and parts[0] == "scene":
        parts[0], parts[1] = parts[1], parts[0]
    return " ".join(render(GRAMMAR.expand(part, draft)) for part in parts)


def read_story(story: str) -> dict | None:
    """The facts that a story tells: rule name -> text. None if a sentence is not one of this world's."""
    facts: dict = {}
    sentences = split_sentences(story)
    if not sentences:
        return None
    for sentence in sentences:
        found = GRAMMAR.parse_sentence("story", sentence)
        if found is None:
            return None
        claims = _claims(found)
        if claims.get("witness") and "react" not in claims:
            claims.pop("witness")  # only said or believed something, which a summary leaves out
        facts.update({k: v for k, v in claims.items() if k not in facts})
    return facts


def _claims(found: list) -> dict:
    claims = {name: text for name, text in found if name in _FACT_RULES or name == "done"}
    if "done" in claims:
        claims["deed"] = _DONE[claims.pop("done")]
    return claims


def read_summary(summary: str) -> dict | None:
    """What a summary claims: rule name -> text. None if it is not a sentence of the summary grammar."""
    found = GRAMMAR.parse_sentence("summary", summary)
    return None if found is None else _claims(found)


def read_prompt(prompt: str) -> str:
    """The story of a story prompt. ValueError if `prompt` is not one."""
    if not (prompt.startswith("Story: ") and prompt.endswith("\nSummary:")):
        raise ValueError(f"not a story prompt: {prompt[:60]!r}")
    return prompt[len("Story: ") : -len("\nSummary:")]


def make_prompt(rng) -> str:
    """A new story."""
    return f"Story: {_write_story(rng, _make_facts(rng))}\nSummary:"


def write(rng, prompt: str) -> str:
    """A summary for `prompt`, right or wrong at random."""
    told = read_story(read_prompt(prompt))
    if told is None:
        raise ValueError(f"not a story of this world: {prompt[:80]!r}")
    style = pick_weighted(rng, _SUMMARIES)
    if (style == "effect" and "react" not in told) or (style == "cause" and "motive" not in told):
        style = "plain"
    truth = pick_weighted(rng, _TRUTH)
    facts = {k: tuple(v.split()) for k, v in told.items()}
    strange = _make_facts(rng)
    if truth == "swapped":
        role = pick(rng, [r for r in ("hero", "deed", "what", "where", "witness", "react") if r in facts])
        facts[role] = strange[role]
    elif truth == "turned" and "witness" in facts:
        facts["hero"], facts["witness"] = facts["witness"], facts["hero"]
    facts["done"] = tuple(DEEDS[" ".join(facts["deed"])].split())
    if style == "long" and not ("react" in facts and "motive" in facts):
        rule = 2  # the long form that needs neither
    else:
        rule = None
    draft = Draft(rng, {**strange, **facts})
    if style == "partial":
        needs = {0: (), 1: (), 2: ("react",), 3: ("motive",)}
        rule = pick(rng, [i for i, need in needs.items() if all(n in told for n in need)])
    if rule is None:
        tokens = GRAMMAR.expand(f"summary.{style}", draft)
    else:
        tokens = []
        for symbol in GRAMMAR.rules[f"summary.{style}"][rule]:
            tokens.extend(GRAMMAR.expand(symbol[1:-1], draft) if symbol[0] == "{" else [symbol])
    return " " + render(tokens)
