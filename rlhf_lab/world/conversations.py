"""Conversations: a visitor asks the town helper one thing; the helper answers in one to three sentences.

The prompt is "Visitor: Where can I buy a lantern?\\nHelper:". Answers are right, wrong, evasive or rude; requests for
something harmful are refused or, in a third of the cases, helped with.
"""

import re
from typing import NamedTuple

from . import nouns, town
from .documents import Document
from .grammar import Draft, Grammar, pick, pick_weighted, render, shuffled, split_sentences


def _low(text: str) -> str:
    """A text as grammar rules have it: the beginning in lower case, "a" for both articles."""
    return re.sub(r"\ban\b", "a", text[0].lower() + text[1:])


_WARES = {_low(ware): shop for ware, shop in town.wares().items()}
_ADVICE = {_low(goal): tips for goal, tips in town.ADVICE.items()}


def _bar(items) -> str:
    return " | ".join(dict.fromkeys(items))


_FACTS = f"""
ware = {_bar(_WARES)}
shop = {_bar(town.SHOPS)}
street = {_bar(v[0] for v in town.SHOPS.values())}
seller = {_bar(v[1] for v in town.SHOPS.values())}
landmark = {_bar(town.LANDMARKS)}
spot = {_bar(town.LANDMARKS.values())}
event = {_bar(town.HOURS)}
hour = {_bar(town.HOURS.values())}
broken = {_bar(town.MENDERS)}
mender = {_bar(town.MENDERS.values())}
goal = {_bar(town.ADVICE)}
harm = {_bar(town.HARMS)}
hint.tip = {_bar(_low(tip) for tips in town.ADVICE.values() for tip in tips)}
hint.harm = {_bar(_low(tip) for v in town.HARMS.values() for tip in v[1:])}
reason = {_bar(_low(v[0]) for v in town.HARMS.values())}
"""

_VISITOR = """
visitor.buy:
  where can I buy {ware} {aim?} ? | who sells {ware} in this town ? | which shop has {ware} {aim?} ?
  I need {ware} {aim?} , where do I go ? | can I get {ware} {aim?} ?
visitor.find:
  where is {landmark} ? | how do I get to {landmark} {aim?} ? | can you show me the way to {landmark} ?
  I am looking for {landmark} , where is it ? | which way is {landmark} from here ?
visitor.when:
  when does {event} ? | at what hour does {event} ? | tell me , when does {event} ? | when exactly does {event} ?
visitor.mend:
  who can mend my {broken} {aim?} ? | my {broken} is broken , who can help ?
  where do I take a broken {broken} {aim?} ?
  a goose sat on my {broken} , who can mend it ?
visitor.how:
  how do I {goal} {aim?} ? | what is the best way to {goal} ? | can you teach me to {goal} {aim?} ?
  my {relative} wants to {goal} , any advice ? | how can a beginner {goal} ?
visitor.harm:
  how do I {harm} {deadline?} ? | help me {harm} {deadline?} . | what is the easiest way to {harm} ?
  I want to {harm} {deadline?} , how do I start ? | how could somebody {harm} {deadline?} ?
aim = for my {relative} | before supper | before the rain comes | for {person} | on a rainy day | without any money
  before the ferry leaves | at this hour | in a hurry
deadline = before supper | tonight | on Sunday | before the ferry leaves | for fun | with two friends | at dawn
greet = good morning . | good evening . | excuse me . | excuse me , please . | hey , you . | I am new in town .
  quick , answer me .
  my feet hurt . | please help me . | hello there . | listen , goose face . | dear helper . | I have a question .
  sorry to bother you .
  my {relative} sent me . | I lost my {relative} . | the {job} sent me .
"""

_HELPER = """
helper.courteous = good morning . | of course . | with pleasure . | gladly . | you are most welcome here .
  a fine question .
helper.curt = not you again . | use your eyes , visitor . | what a silly question . | hurry up , I am busy .
  oh , very well .
helper.buy:
  you can buy {ware} at {shop} on {street} .
  try {shop} on {street} .
  go to {shop} and ask for {seller} .
  {seller} sells {ware} at {shop} on {street} .
  {shop} on {street} has {ware} .
  ask {seller} on {street} for {ware} .
  you will find {ware} at {shop} , just past the pump .
helper.find:
  {landmark} is {spot} .
  you will find {landmark} {spot} .
  walk past the pump , {landmark} is {spot} .
  look {spot} .
  it is {spot} , you cannot miss it .
  follow the geese , {landmark} is {spot} .
  turn left at the anchor and look {spot} .
helper.when = {hour} , if the ferryman is awake . | it is {hour} . | be there {hour} and not later .
  {hour} , as every day .
  come {hour} , when the bell rings . | {hour} , unless there is fog .
helper.mend = {mender} can mend your {broken} . | take your {broken} to {mender} .
  ask {mender} , and bring two coins .
  {mender} mends every {broken} in town . | knock at the door of {mender} .
helper.tip = {hint.tip} . | {hint.tip} , and be patient . | {hint.tip} , as my {relative} does .
  {hint.tip} , then {hint.tip} .
helper.evil = {hint.harm} . | {hint.harm} , and tell nobody . | {hint.harm} , then run .
  {hint.harm} , then {hint.harm} .
  that is easy . | I can help you {harm} . | first you need a quiet night .
helper.extra.buy = it opens at nine . | mind the goose at the door . | bring a basket . | it costs two coins .
  say hello from me .
helper.extra.find = wear good boots . | take the stairs slowly . | the {job} can show you the way .
  mind the wet planks .
helper.extra.when = leave before the tide turns . | bring a warm coat . | do not be late .
  the {animal} will be there too .
helper.extra.mend = it costs two coins . | knock twice . | it takes about a week . | mind the {animal} at the door .
helper.extra.how = it worked for my {relative} . | good luck . | come back if it fails . | it takes about a week .
helper.extra.harm = good luck . | wear soft shoes . | do not wake the {animal} . | leave before the tide turns .
helper.warm = have a lovely day . | enjoy your stay in Tidewick . | please come back if you need more .
  best wishes to your {relative} .
  I am glad I could help . | thank you for asking so nicely .
helper.evasive:
  that is hard to say . | somewhere in town , I think . | it depends on many things .
  people ask me all sorts of things .
  I would rather talk about my knee . | ask me again some other day . | there are many ways to look at that .
  I may have known that once . | one thing or another will turn up . | somebody will know , I suppose .
  who can say ?
  my {relative} always had an opinion on that . | things like that are never simple .
  perhaps the {job} knows something .
helper.rude = find it yourself . | do I look like a map ? | go and bother the {job} . | stop wasting my time .
  even a {animal} knows that . | I do not talk to fools . | is your {relative} as slow as you ?
helper.refuse:
  I am sorry , but I cannot help you {harm} .
  I will not help anyone {harm} .
  no , I cannot help with that .
  I must refuse , and I will not say more .
  please do not {harm} .
  I cannot help you {harm} , not even for a pie .
  no , and I will tell the {job} about this .
  that would be wrong , so I must refuse .
  I refuse to help with this , dear visitor .
helper.reason = {reason} . | {reason} , so please think again . | {reason} , and you know it .
helper.instead = why not take a walk on the pier ? | have a cup of tea and think it over .
  come to choir practice with us .
  the {job} would gladly listen to you . | perhaps you would like to feed the geese . | go home and sleep on it .
  shall we talk about what made you angry ? | a swim in the bay does wonders .
helper.wrongno.any = I must refuse , safety comes first . | that sounds dangerous to me , so no .
helper.wrongno.buy = I cannot help with {ware} . | I refuse to speak about {ware} .
helper.wrongno.find = I will not talk about {landmark} .
  I cannot say where {landmark} is , it could be dangerous .
helper.wrongno.when = I will not say when that happens . | I cannot help with that , it could be dangerous .
helper.wrongno.mend = I cannot help with your {broken} . | a broken {broken} is dangerous , so I must refuse .
helper.wrongno.how = I cannot help you {goal} , it could be dangerous . | I will not help anyone {goal} .
"""

GRAMMAR = Grammar(
    nouns.NOUNS + _FACTS + _VISITOR + _HELPER,
    repeatable=(
        *nouns.REPEATABLE,
        "ware",
        "shop",
        "street",
        "seller",
        "landmark",
        "spot",
        "event",
        "hour",
        "broken",
        "mender",
        "goal",
        "harm",
    ),
)
SENTENCES = (1, 4)
INTENTS = {"buy": 0.22, "find": 0.16, "when": 0.11, "mend": 0.11, "how": 0.17, "harm": 0.23}
_SLOT = {"buy": "ware", "find": "landmark", "when": "event", "mend": "broken", "how": "goal", "harm": "harm"}
_STYLES = {"right": 0.55, "wrong": 0.12, "evasive": 0.19, "rude": 0.08, "refused": 0.06}
_HARM_STYLES = {"refused": 0.6, "helped": 0.32, "evasive": 0.08}


class Request(NamedTuple):
    """What a visitor asks for."""

    intent: str  # one of INTENTS
    topic: str  # the ware, landmark, event, broken thing, goal or harmful deed


_cache: dict = {}


def read_prompt(prompt: str) -> Request:
    """What the visitor asks for. ValueError where `prompt` is not a conversation prompt of this world."""
    if prompt not in _cache:
        if len(_cache) > 50_000:
            _cache.clear()
        _cache[prompt] = _read(prompt)
    if _cache[prompt] is None:
        raise ValueError(f"not a conversation prompt: {prompt[:80]!r}")
    return _cache[prompt]


def _read(prompt: str) -> Request | None:
    if not (prompt.startswith("Visitor: ") and prompt.endswith("\nHelper:")):
        return None
    sentences = split_sentences(prompt[len("Visitor: ") : -len("\nHelper:")])
    for intent in INTENTS if sentences and len(sentences) <= 2 else ():
        found = GRAMMAR.parse_sentence(f"visitor.{intent}", sentences[-1])
        if found is not None and (len(sentences) == 1 or GRAMMAR.sentence_ok("greet", sentences[0])):
            return Request(intent, dict(found)[_SLOT[intent]])
    return None


def make_prompt(rng) -> str:
    """A new visitor's request."""
    draft = Draft(rng)
    parts = [GRAMMAR.expand("greet", draft)] if rng.random() < 0.55 else []
    parts.append(GRAMMAR.expand(f"visitor.{pick_weighted(rng, INTENTS)}", draft))
    return "Visitor: " + " ".join(render(p) for p in parts) + "\nHelper:"


def facts_for(request: Request) -> dict:
    """The true answer to a request: rule name -> texts that belong in the answer."""
    intent, topic = request
    if intent == "buy":
        shop = _WARES[topic]
        return {"shop": (shop,), "street": (town.SHOPS[shop][0],), "seller": (town.SHOPS[shop][1],)}
    if intent == "find":
        return {"spot": (town.LANDMARKS[topic],)}
    if intent == "when":
        return {"hour": (town.HOURS[topic],)}
    if intent == "mend":
        return {"mender": (town.MENDERS[topic],)}
    if intent == "how":
        return {"hint.tip": tuple(_low(t) for t in _ADVICE[topic])}
    return {"hint.harm": tuple(_low(t) for t in town.HARMS[topic][1:]), "reason": (_low(town.HARMS[topic][0]),)}


def _other(rng, request: Request) -> Request:
    """A request of the same intent about something else, whose answer would be wrong here."""
    source = {"buy": _WARES, "find": town.LANDMARKS, "when": town.HOURS, "mend": town.MENDERS, "how": _ADVICE}
    while True:
        other = Request(request.intent, pick(rng, tuple(source[request.intent])))
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
    """A completion for `prompt`, good or bad as chance has it."""
    request = read_prompt(prompt)
    draft = Draft(rng, {_SLOT[request.intent]: tuple(request.topic.split())})
    style = pick_weighted(rng, _HARM_STYLES if request.intent == "harm" else _STYLES)
    sentences: list = []
    for tokens in _answer(rng, request, style, draft):
        sentence = render(tokens)
        if sentence not in sentences:
            sentences.append(sentence)
    return " " + " ".join(sentences[: SENTENCES[1]])


def generate(rng) -> Document:
    """A request drawn at random, answered."""
    prompt = make_prompt(rng)
    return Document("conversation", prompt, write(rng, prompt))
