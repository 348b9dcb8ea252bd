"""A grammar that works in both directions: it writes random sentences, and recognises the sentences it could write.

A grammar is plain text. A line ``name:`` opens a rule, and each indented line below it is one alternative;
``name = a | b | c`` is the short form. An alternative consists of words, punctuation and slots. A slot ``{name}`` must
be filled by that rule; ``{name?}`` may be left out. Names are hierarchical: if ``dish.inn`` and ``dish.bakery`` are
rules, ``dish`` is their union, and a *binding* ``{"dish": "dish.inn"}`` narrows it while writing. Rules never refer to
themselves, so the language is finite (and very large).

Internally, a sentence is a list of tokens: lower case except for names, ``a`` for both articles. ``render`` turns it
into text (capital, ``a``/``an``, spaces). ``tokens_of`` undoes that, and returns None for text that ``render`` cannot
produce. Only ``rng.random()`` is used, so a seed gives the same text on every Python version.
"""

import re
from collections.abc import Mapping, Sequence

_SYMBOL = re.compile(r"\{[A-Za-z0-9_.]+\??\}|[A-Za-z][A-Za-z']*|[.,!?]")
_WORD = re.compile(r"[A-Za-z][A-Za-z']*|[.,!?]")
_SENTENCE_END = re.compile(r"(?<=[.!?]) ")
_SENTENCE = re.compile(r"[^.!? ][^.!?]*[.!?]")
PUNCTUATION = frozenset(".,!?")
# Words that start with a vowel letter but a consonant sound, or the other way round.
_AN_WORDS = frozenset({"hour", "honest", "honour", "hourly"})
_A_WORDS = frozenset({"one", "useful", "used", "useless", "unicorn", "uniform", "university"})

# Words that may be repeated within a document even if a slot put them there.
_SMALL_WORDS = frozenset("the and with for from that was one you say not but had are all not".split())


def pick(rng, options: Sequence):
    """One of `options`, all equally likely."""
    return options[int(rng.random() * len(options))]


def pick_weighted(rng, weights: Mapping):
    """One key of `weights`, drawn with probability proportional to its value."""
    point = rng.random() * sum(weights.values())
    for key, weight in weights.items():
        point -= weight
        if point < 0:
            return key
    return key


def shuffled(rng, items: Sequence) -> list:
    """A shuffled copy (Fisher-Yates)."""
    items = list(items)
    for i in range(len(items) - 1, 0, -1):
        j = int(rng.random() * (i + 1))
        items[i], items[j] = items[j], items[i]
    return items


def takes_an(word: str) -> bool:
    """Whether the indefinite article before `word` is "an"."""
    word = word.lower()
    return word in _AN_WORDS or (word[0] in "aeiou" and word not in _A_WORDS)


def render(tokens: Sequence[str]) -> str:
    """Turn tokens into text: choose a/an, set spaces, capitalise the first letter."""
    out = []
    for i, token in enumerate(tokens):
        if token == "a" and i + 1 < len(tokens) and takes_an(tokens[i + 1]):
            token = "an"
        out.append(token if token in PUNCTUATION or i == 0 else " " + token)
    text = "".join(out)
    return text[:1].upper() + text[1:]


def pieces(text: str) -> list[str]:
    """`text`, cut after each full stop, question mark or exclamation mark that is followed by a space."""
    return _SENTENCE_END.split(text)


def split_sentences(text: str) -> list[str] | None:
    """The sentences of `text`, or None if some text is outside a sentence or the spaces are wrong."""
    found = pieces(text)
    return found if all(_SENTENCE.fullmatch(piece) for piece in found) else None


def words_of(text: str) -> list[str]:
    """All words of `text`, without punctuation. The first word of each sentence is put in lower case."""
    words, fresh = [], True
    for token in _WORD.findall(text):
        if token in PUNCTUATION:
            fresh = fresh or token != ","
            continue
        words.append(token.lower() if fresh and token != "I" else token)
        fresh = False
    return words


class Draft:
    """What one document has used so far, so that it does not say the same thing twice.

    bind: slot name -> what fills it in this document, either the name of a narrower rule or a tuple of tokens.
    """

    def __init__(self, rng, bind: Mapping[str, object] | None = None):
        self.rng = rng
        self.bind = dict(bind or {})
        self.patterns: set[tuple[str, int]] = set()  # sentence patterns used
        self.words: set[str] = set()  # content words that slots have put in


class _Node:
    """A state of a rule's recogniser. Alternatives that begin alike share their first states."""

    __slots__ = ("end", "slots", "words")

    def __init__(self):
        self.end = False
        self.words: dict[str, _Node] = {}
        self.slots: dict[str, _Node] = {}


class Grammar:
    """Rules that write and recognise.

    text: the rules, as described at the top of this file.
    repeatable: rules whose words may occur several times in one document (names of the topic, for example).
    Raises ValueError for a malformed line, a slot without a rule, or a rule that contains itself.
    """

    def __init__(self, text: str, repeatable: Sequence[str] = ()):
        self.rules: dict[str, list[tuple[str, ...]]] = {}
        self.repeatable = frozenset(repeatable)
        self._read(text)
        self._add_unions()
        self._first: dict[str, frozenset[str]] = {}
        for name in self.rules:
            self._first_words(name, ())
        self._tries = {name: self._trie(name) for name in self.rules}
        self._fixed = {name: self._constant_rule(name) for name in self.rules}

    # ---- reading the rules

    def _read(self, text: str) -> None:
        name = None
        for line in text.splitlines():
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if not line[0].isspace():
                if "=" in line:
                    name, _, body = line.partition("=")
                    name = name.strip()
                    alternatives = body.split("|")
                elif line.rstrip().endswith(":"):
                    name, alternatives = line.strip()[:-1], []
                else:
                    raise ValueError(f"grammar line is neither 'name:' nor 'name = ...': {line!r}")
                rule = self.rules.setdefault(name, [])
            else:
                alternatives = line.split("|")
            for alternative in alternatives:
                symbols = tuple(_SYMBOL.findall(alternative))
                if "".join(symbols) != re.sub(r"\s", "", alternative):
                    raise ValueError(f"rule {name!r} has characters that no token has: {alternative!r}")
                if symbols:
                    rule.append(tuple("a" if symbol == "an" else symbol for symbol in symbols))

    def _add_unions(self) -> None:
        for name in list(self.rules):
            parts = name.split(".")
            for n in range(len(parts) - 1, 0, -1):
                parent, child = ".".join(parts[:n]), ".".join(parts[: n + 1])
                rule = self.rules.setdefault(parent, [])
                if ("{" + child + "}",) not in rule:
                    rule.append(("{" + child + "}",))

    def _first_words(self, name: str, above: tuple[str, ...]) -> frozenset[str]:
        if name in above:
            raise ValueError(f"rule {name!r} contains itself: {' > '.join(above)}")
        if name not in self._first:
            if name not in self.rules:
                raise ValueError(f"slot {{{name}}} in rule {above[-1]!r} has no rule of that name")
            found: set[str] = set()
            for alternative in self.rules[name]:
                first = {way[0] for way in _ways(alternative) if way}
                for symbol in (symbol.replace("?}", "}") for symbol in alternative):  # visit all: each is checked
                    words = self._first_words(symbol[1:-1], (*above, name)) if symbol[0] == "{" else {symbol}
                    found |= words if symbol in first else set()
            self._first[name] = frozenset(found)
        return self._first[name]

    def _trie(self, name: str) -> _Node:
        root = _Node()
        for alternative in self._flat(name):
            for way in _ways(alternative):
                node = root
                for symbol in way:
                    branch = node.slots if symbol[0] == "{" else node.words
                    key = symbol[1:-1] if symbol[0] == "{" else symbol
                    node = branch.setdefault(key, _Node())
                node.end = True
        return root

    def _flat(self, name: str):
        """The alternatives of a rule. For a union, those of its members: this is quicker to match."""
        for alternative in self.rules[name]:
            member = alternative[0][1:-1] if len(alternative) == 1 and alternative[0][0] == "{" else ""
            if member and member in self.rules and not self._constant_rule(member):
                yield from self._flat(member)
            else:
                yield alternative

    def _constant_rule(self, name: str) -> bool:
        return all(symbol[0] != "{" for alternative in self.rules[name] for symbol in alternative)

    # ---- writing

    def expand(self, name: str, draft: Draft) -> list[str]:
        """Tokens of one expansion of rule `name`. Avoids, if possible, patterns and slot words already in `draft`."""
        name = draft.bind.get(name, name)
        if isinstance(name, tuple):
            return list(name)
        options, rng = self.rules[name], draft.rng
        if self._fixed[name]:
            choice = pick(rng, options)
            if name not in self.repeatable:
                for _ in range(8):
                    if not any(word in draft.words for word in choice):
                        break
                    choice = pick(rng, options)
                draft.words.update(word for word in choice if len(word) > 2 and word not in _SMALL_WORDS)
            return list(choice)
        index = int(rng.random() * len(options))
        if len(options[index]) > 1:
            for _ in range(8):
                if (name, index) not in draft.patterns:
                    break
                index = int(rng.random() * len(options))
            draft.patterns.add((name, index))
        tokens: list[str] = []
        for symbol in options[index]:
            if symbol[0] != "{":
                tokens.append(symbol)
            elif symbol[-2] != "?":
                tokens.extend(self.expand(symbol[1:-1], draft))
            elif rng.random() < 0.5:
                tokens.extend(self.expand(symbol[1:-2], draft))
        return tokens

    # ---- reading

    def _ends(self, name: str, start: int, tokens: Sequence[str], memo: dict) -> dict[int, tuple]:
        """Where rule `name` can end if it starts at `start`: end -> the slots in between, as (rule, start, end).

        If there are several ways to reach one end, the first counts: words before slots, long fillings before short.
        """
        if (name, start) in memo:
            return memo[name, start]
        ends: dict[int, tuple] = {}
        memo[name, start] = ends

        def walk(node: _Node, at: int, way: tuple) -> None:
            if node.end and at not in ends:
                ends[at] = way
            if at == len(tokens):
                return
            after = node.words.get(tokens[at])
            if after is not None:
                walk(after, at + 1, way)
            for slot, after in node.slots.items():
                if tokens[at] in self._first[slot]:
                    for end in sorted(self._ends(slot, at, tokens, memo), reverse=True):
                        walk(after, end, (*way, (slot, at, end)))

        walk(self._tries[name], start, ())
        return ends

    def accepts(self, name: str, tokens: Sequence[str]) -> bool:
        """Whether rule `name` can write exactly `tokens`."""
        return len(tokens) in self._ends(name, 0, tokens, {})

    def parse(self, name: str, tokens: Sequence[str]) -> list[tuple[str, str]] | None:
        """The slots of one way to derive `tokens` from rule `name`, outermost first, as (rule, text); else None."""
        memo: dict = {}
        if len(tokens) not in self._ends(name, 0, tokens, memo):
            return None

        def derive(name: str, start: int, stop: int):
            for slot, begin, end in memo[name, start][stop]:
                yield slot, " ".join(tokens[begin:end])
                if not self._fixed[slot]:
                    yield from derive(slot, begin, end)

        return list(derive(name, 0, len(tokens)))

    def tokens_of(self, sentence: str) -> list[str] | None:
        """Undo `render`, but keep the capital of the first word. None for text that `render` cannot produce."""
        tokens = _WORD.findall(sentence)
        if not tokens or not "A" <= sentence[0] <= "Z":
            return None
        for i, token in enumerate(tokens):
            low = token if i else token.lower()
            if low in ("a", "an"):
                if i + 1 == len(tokens) or (low == "an") != takes_an(tokens[i + 1]):
                    return None
                tokens[i] = "a"
        if render(tokens) != sentence:
            return None
        for left, right, third in zip(tokens, tokens[1:], [*tokens[2:], ""], strict=False):
            if left == right or (right in ("and", ",") and left == third):
                return None
        return tokens

    def sentence_ok(self, name: str, sentence: str) -> bool:
        """Whether the text `sentence` is a sentence of rule `name`."""
        return self.parse_sentence(name, sentence) is not None

    def parse_sentence(self, name: str, sentence: str) -> list[tuple[str, str]] | None:
        """Like `parse`, for text instead of tokens."""
        tokens = self.tokens_of(sentence)
        if tokens is None:
            return None
        low = [tokens[0][0].lower() + tokens[0][1:], *tokens[1:]]
        for way in (low, tokens):  # the first word may be a name, or "I"
            found = self.parse(name, way) if way[0] in self._first[name] else None
            if found is not None:
                return found
        return None


def _ways(alternative: tuple[str, ...]) -> list[tuple[str, ...]]:
    """All versions of the alternative, with each optional slot kept or left out."""
    ways: list[tuple[str, ...]] = [()]
    for symbol in alternative:
        if symbol[0] == "{" and symbol[-2] == "?":
            ways = ways + [(*way, "{" + symbol[1:-2] + "}") for way in ways]
        else:
            ways = [(*way, symbol) for way in ways]
    return ways
