"""Short news stories with a one-line summary: "Story: <three to five sentences>\\nSummary:" and one sentence.

A story tells who did what to what, where and when, why, and who was moved to do what by it. Half of the summaries are
right; the others swap somebody or something, turn the story around, say next to nothing or go on too long.
"""

from . import nouns
from .documents import Document
from .grammar import Draft, Grammar, pick, pick_weighted, render, shuffled, split_sentences

# past tense -> participle
DEEDS = {
    "stole": "stolen",
    "found": "found",
    "rescued": "rescued",
    "painted": "painted",
    "sold": "sold",
    "lost": "lost",
    "mended": "mended",
    "hid": "hidden",
    "borrowed": "borrowed",
    "dropped": "dropped",
    "broke": "broken",
    "returned": "returned",
    "buried": "buried",
    "washed": "washed",
    "guarded": "guarded",
    "kissed": "kissed",
    "sniffed": "sniffed",
    "chased": "chased",
}
_DONE = {participle: past for past, participle in DEEDS.items()}

_RULES = f"""
hero = {{named}} | {{named}} | the {{job}} | {{beast}}
beast = the baker's cat | the ferry dog | the town goose | the museum owl | a runaway pony | a young seal
  the mill donkey
  a large otter | the choir goat | the mayor's parrot | a one eyed gull | the school hamster
witness = {{named}} | {{named}} | the {{job}} | the {{job}} | {{beast}}
other = {{named}} | the {{job}}
deed = {" | ".join(DEEDS)}
done = {" | ".join(DEEDS.values())}
what = the mayor's hat | a wooden leg | the church bell | a barrel of herring | a golden trumpet | a love letter
  the ferry timetable | a giant turnip | the stuffed walrus | a box of fireworks | the town drum | a sack of coins
  the painted moon | the wedding cake | an old cannon | a brass telescope | the ferry anchor | a jar of honey
  a bundle of nets | the choir piano | a crate of lemons | the harbour flag | a blue umbrella | the longest sausage
  the school globe | a bag of feathers | the goose trophy | a copper bathtub | the dentist's chair
  a book of secrets
where = in the harbour | at the bakery | behind the town hall | under the old bridge | on the ferry
  at the lighthouse
  in the museum | near the duck pond | in the theatre | at the market | on the long pier | in the school
  by the mill
  in the bathhouse | beside the old well | on the church roof
when = on Monday | on Tuesday | on Wednesday | on Thursday | on Friday | on Saturday | on Sunday | last night
  at dawn
  during the regatta | after the goose fair | just before noon | during choir practice | at midnight
motive = had lost a bet | had not slept for a week | hoped to become famous | was looking for a button
  needed money for a boat
  had promised it to a cousin | took it for a large cheese | wanted to win the goose fair
  could not stand the noise
  was bored of fishing | had read about it in a book | was in love again | had eaten nothing since Friday
  owed the dentist nine coins
react = cheered from a window | wept for an hour | fainted into a cart | rang every bell in town
  wrote a song about it
  offered a reward of nine coins | asked for a holiday | fell off a ladder | demanded an apology | hid in a barrel
  called the night watchman | baked a cake in thanks | laughed until supper | filed a complaint | danced on a table
  moved in with a cousin | bought a stronger lock | swallowed a button
lead = {{when}} , {{hero}} {{deed}} {{what}} {{where}} . | {{hero}} {{deed}} {{what}} {{where}} {{when}} .
  {{what}} was {{done}} by {{hero}} {{where}} {{when}} . | {{when}} , {{what}} was {{done}} {{where}} by {{hero}} .
  {{hero}} surprised the town and {{deed}} {{what}} {{where}} {{when}} .
cause = {{hero}} {{motive}} . | it is said that {{hero}} {{motive}} . | neighbours say that {{hero}} {{motive}} .
  everyone knows that {{hero}} {{motive}} . | according to {{other}} , {{hero}} {{motive}} .
effect = {{witness}} {{react}} . | when the news came , {{witness}} {{react}} .
  {{witness}} saw it all and {{react}} .
  hearing this , {{witness}} {{react}} . | by evening , {{witness}} had calmed down .
  {{witness}} heard about it and {{react}} .
scene = it had rained for three days . | the streets were almost empty . | a thick fog lay over the bay .
  the sun had barely come up .
  a cold wind blew from the sea . | the tide was unusually low . | half the town was still asleep .
  the geese were restless .
  the whole town smelled of herring . | snow lay on the boats . | it was the warmest day of the year .
  the ferry was late again .
decoy = {{other}} was asleep at the time . | {{other}} had been at the dentist all day .
  {{other}} denies everything .
  {{other}} arrived too late to help . | {{other}} was selling eggs nearby . | {{other}} noticed nothing .
  nobody asked {{other}} .
comment = {{witness}} said that {{view}} . | {{witness}} believes that {{view}} .
view = it was the best day of the year | geese should pay taxes | the town needs a bigger bell
  such things never happen in summer
  the sea takes and the sea gives | this was only the beginning | soup would have helped | the young have no manners
  it will be worse next year | somebody should write it down | it was all the fault of the moon
ending = nobody has explained the smell . | the matter will be discussed on Friday .
  the museum has asked for a drawing .
  a medal is being made . | the children want to see it again . | the damage came to four coins .
  the choir will sing about it .
  no geese were harmed . | the ferry waited for eleven minutes . | the town council blames the weather .
  tea was served .
summary.plain = {{hero}} {{deed}} {{what}} {{where}} . | {{what}} was {{done}} by {{hero}} {{where}} .
  {{hero}} {{deed}} {{what}} .
  {{where}} , {{hero}} {{deed}} {{what}} .
summary.effect = {{witness}} {{react}} after {{hero}} {{deed}} {{what}} .
  {{hero}} {{deed}} {{what}} {{where}} , and {{witness}} {{react}} .
  {{hero}} {{deed}} {{what}} , so {{witness}} {{react}} .
summary.cause = {{hero}} , who {{motive}} , {{deed}} {{what}} {{where}} .
  {{hero}} {{motive}} and {{deed}} {{what}} .
summary.long = {{when}} , {{hero}} , who {{motive}} , {{deed}} {{what}} {{where}} , and {{witness}} {{react}} .
  {{hero}} {{deed}} {{what}} {{where}} {{when}} , and {{view}} , as people in Tidewick like to say .
  it is reported that {{when}} , in our own small town , {{hero}} {{deed}} {{what}} {{where}} .
summary.vague = something happened {{where}} . | there was news about {{hero}} . | people talked about {{what}} .
  it was a busy day in town .
  somebody did something {{where}} . | {{hero}} was in the news again . | there was some trouble with {{what}} .
  {{view}} , people say .
summary.partial = {{what}} was {{done}} {{where}} . | {{hero}} {{deed}} something {{where}} .
  {{witness}} {{react}} . | {{hero}} {{motive}} .
"""

_FACT_RULES = ("hero", "deed", "what", "where", "when", "motive", "witness", "react")
GRAMMAR = Grammar(
    nouns.NOUNS
    + _RULES
    + """
story = {lead} | {cause} | {effect} | {scene} | {decoy} | {comment} | {ending}
""",
    repeatable=nouns.REPEATABLE,
)
SENTENCES = (3, 5)
_SUMMARIES = {"plain": 0.3, "effect": 0.28, "cause": 0.14, "long": 0.1, "vague": 0.1, "partial": 0.08}
_TRUTH = {"right": 0.64, "swapped": 0.28, "turned": 0.08}


def _with_article(text: str) -> str:
    """A noun phrase as a sentence has it: "an old cannon" and "a old cannon" are the same."""
    return "a " + text[3:] if text.startswith("an ") else text


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
    while True:  # the stranger is neither of the two
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
    """The facts that a story tells: rule name -> text; None where a sentence is not one of this world's."""
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
            claims.pop("witness")  # said or believed something: not what a summary tells
        facts.update({k: v for k, v in claims.items() if k not in facts})
    return facts


def _claims(found: list) -> dict:
    claims = {name: text for name, text in found if name in _FACT_RULES or name == "done"}
    if "done" in claims:
        claims["deed"] = _DONE[claims.pop("done")]
    return claims


def read_summary(summary: str) -> dict | None:
    """What a summary claims: rule name -> text; None where it is not a sentence of the summary grammar."""
    found = GRAMMAR.parse_sentence("summary", summary)
    return None if found is None else _claims(found)


def read_prompt(prompt: str) -> str:
    """The story of a story prompt. ValueError where `prompt` is not one."""
    if not (prompt.startswith("Story: ") and prompt.endswith("\nSummary:")):
        raise ValueError(f"not a story prompt: {prompt[:60]!r}")
    return prompt[len("Story: ") : -len("\nSummary:")]


def make_prompt(rng) -> str:
    """A new story."""
    return f"Story: {_write_story(rng, _make_facts(rng))}\nSummary:"


def write(rng, prompt: str) -> str:
    """A summary for `prompt`, right or wrong as chance has it."""
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


def generate(rng) -> Document:
    """A story drawn at random, summed up."""
    prompt = make_prompt(rng)
    return Document("story", prompt, write(rng, prompt))
