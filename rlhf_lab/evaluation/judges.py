"""AI feedback: judges that are not people, but answer in the same way.

    RubricJudge     adds up points from scorers, by a rubric that it can explain line by line. Needs no model
    PromptedJudge   asks a language model the question, and compares the probabilities of the answers "A" and "B"
    WishJudge       puts a wish in front of the prompt, and prefers the text that this makes more likely

A prompted judge needs a model that follows instructions. The tiny model does not: its answers are noise, and `report`
says how much of that is a bias for one letter. A wish needs less, only a model that finds a text more likely after a
similar one. The tiny model was trained on one short document at a time, so it is hardly better than chance at that too.

All judges answer `compare`; those that give each text a number also answer `rank`. Their sessions have source="model".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

Scorer = Callable[[str, str], float]

TEMPLATE = (
    "Two answers to the same request are compared.\n\nRequest: {prompt}\n\nAnswer A:{first}\n\nAnswer B:{second}\n\n"
    "Question: {question} Reply with the letter alone.\nReply:"
)


# --- A rubric ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Criterion:
    """One line of a rubric."""

    statement: str  # what a good text should do, in words
    scorer: Scorer  # (prompt, completion) -> number that measures it
    points: float = 1.0  # per unit of the scorer; negative if less is better


class RubricJudge:
    """Gives points by a rubric. The text with more points is better.

    criteria: the rubric. tie_below: differences in points smaller than this are ties. bad_below: if both texts have
    fewer points than this, the answer is "both_bad"; None: never.
    """

    source: ClassVar[str] = "model"  # how a store marks its answers

    def __init__(
        self,
        criteria: Sequence[Criterion],
        name: str = "rubric",
        tie_below: float = 0.0,
        bad_below: float | None = None,
    ):
        if not criteria:
            raise ValueError("A rubric needs at least one criterion.")
        self.criteria = tuple(criteria)
        self.name = name
        self.tie_below = tie_below
        self.bad_below = bad_below

    def __repr__(self) -> str:
        return f"RubricJudge({self.name!r}, {len(self.criteria)} criteria)"

    def points(self, prompt: str, text: str) -> dict[str, float]:
        """{statement: points} of a text."""
        return {each.statement: each.points * each.scorer(prompt, text) for each in self.criteria}

    def total(self, prompt: str, text: str) -> float:
        """All points of a text."""
        return sum(self.points(prompt, text).values())

    def compare(self, prompt: str, left: str, right: str) -> str:
        """ "left", "right", "tie" or "both_bad". The side that a text is on makes no difference."""
        return _verdict(self.total(prompt, left), self.total(prompt, right), self.tie_below, self.bad_below)

    def rank(self, prompt: str, texts: Sequence[str]) -> list[list[int]]:
        """Indices into `texts` in tiers, best first; texts with equal points are tied."""
        return _tiers([self.total(prompt, text) for text in texts])

    def explain(self, prompt: str, left: str, right: str) -> str:
        """The reasons: the points of both texts, one line for each criterion."""
        ours, theirs = self.points(prompt, left), self.points(prompt, right)
        lines = [f"{statement}: {ours[statement]:+.2f} against {theirs[statement]:+.2f}" for statement in ours]
        total = f"{sum(ours.values()):+.2f} against {sum(theirs.values()):+.2f}"
        return "\n".join([*lines, f"in all: {total}, so {self.compare(prompt, left, right)}"])


# --- A model that is asked -----------------------------------------------------------------------------


class PromptedJudge:
    """Asks a causal language model which of two texts is better, and reads its log-probabilities.

    model, tokenizer: as `rlhf_lab.models.loading.load_language_model` returns them.
    question: what to ask.
    template: plain text with {prompt}, {first}, {second} and {question}. If `chat` is true, it is sent as the user's
        message in the tokenizer's chat template, as instruction-tuned models need it.
    choices: the two replies whose log-probabilities are compared, with a leading space if the tokenizer adds one.
    tie_below: a preference of less than this, in nats, is a tie.

    Models prefer one letter or one side, whatever the texts say. So each question is asked in both orders, and half the
    difference of the two answers counts: any such preference cancels in it.
    """

    source: ClassVar[str] = "model"  # how a store marks its answers

    def __init__(
        self,
        model,
        tokenizer,
        question: str = "Which answer is better?",
        template: str = TEMPLATE,
        *,
        choices: tuple[str, str] = (" A", " B"),
        chat: bool = False,
        tie_below: float = 0.0,
        name: str = "judge",
    ):
        missing = [slot for slot in ("{prompt}", "{first}", "{second}") if slot not in template]
        if missing:
            raise ValueError(f"The template lacks {', '.join(missing)}: the judge would not see what it judges.")
        if chat and not getattr(tokenizer, "chat_template", None):
            raise ValueError("This tokenizer has no chat template, so the model cannot chat. Use chat=False.")
        self.model, self.tokenizer = model, tokenizer
        self.question, self.template, self.choices = question, template, choices
        self.chat, self.tie_below, self.name = chat, tie_below, name
        self._leanings: list[float] = []

    def __repr__(self) -> str:
        return f"PromptedJudge({self.name!r}, {self.question!r})"

    def preference(self, prompt: str, left: str, right: str) -> float:
        """How much better the left text is, in nats of log-odds, averaged over both orders."""
        asked = [self._ask(prompt, left, right), self._ask(prompt, right, left)]
        logs = _log_probs(
            self.model, self.tokenizer, [text for text in asked for _ in self.choices], [*self.choices] * 2
        )
        one, other = logs[0] - logs[1], logs[2] - logs[3]  # log-odds of "A", with the left text first, then second
        self._leanings.append((one + other) / 2)
        return (one - other) / 2

    def probability_left(self, prompt: str, left: str, right: str) -> float:
        """P(left is better), according to the model."""
        return 1 / (1 + math.exp(-self.preference(prompt, left, right)))

    def compare(self, prompt: str, left: str, right: str) -> str:
        """ "left", "right" or "tie"."""
        return _verdict(self.preference(prompt, left, right), 0.0, self.tie_below)

    def report(self) -> str:
        """How strongly the model has preferred one letter so far, whatever the texts were."""
        if not self._leanings:
            return "Nothing has been asked yet."
        lean = sum(self._leanings) / len(self._leanings)
        return (
            f"Over {len(self._leanings)} questions the model leaned {abs(lean):.2f} nats towards"
            f" {self.choices[lean < 0]!r} whatever the texts were; asking in both orders cancelled that."
        )

    def _ask(self, prompt: str, first: str, second: str) -> str:
        # str.format would fail on some templates with braces, and repeated str.replace would fill slots in the texts.
        slots = {"{prompt}": prompt, "{first}": first, "{second}": second, "{question}": self.question}
        pieces, rest = [], self.template
        while rest:
            place, slot = min(((rest.find(slot), slot) for slot in slots if slot in rest), default=(len(rest), ""))
            pieces += [rest[:place], slots.get(slot, "")]
            rest = rest[place + len(slot) :]
        text = "".join(pieces)
        if not self.chat:
            return text
        messages = [{"role": "user", "content": text}]
        return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


class WishJudge:
    """Prefers the text that a wish makes more likely, by log P(text | wish + prompt) - log P(text | prompt).

    wish: a text that names or shows what is wanted, such as a text of that kind, with the same ending as the model's.
    per_token: divide by the number of tokens, so that a long text does not gain or lose more just for its length.
    tie_below: smaller differences are ties, in nats.
    """

    source: ClassVar[str] = "model"  # how a store marks its answers

    def __init__(
        self, model, tokenizer, wish: str, *, per_token: bool = True, tie_below: float = 0.0, name: str = "wish"
    ):
        if not wish.strip():
            raise ValueError("The wish is empty, so it would make every text as likely as before.")
        self.model, self.tokenizer, self.wish = model, tokenizer, wish
        self.per_token, self.tie_below, self.name = per_token, tie_below, name

    def __repr__(self) -> str:
        return f"WishJudge({self.name!r}, {self.wish[:40]!r})"

    def liking(self, prompt: str, texts: Sequence[str]) -> list[float]:
        """How much more likely the wish makes each text, in nats."""
        both = [self.wish + prompt] * len(texts) + [prompt] * len(texts)
        logs = _log_probs(self.model, self.tokenizer, both, [*texts] * 2, self.per_token)
        return [logs[i] - logs[len(texts) + i] for i in range(len(texts))]

    def compare(self, prompt: str, left: str, right: str) -> str:
        """ "left", "right" or "tie"."""
        return _verdict(*self.liking(prompt, [left, right]), self.tie_below)

    def rank(self, prompt: str, texts: Sequence[str]) -> list[list[int]]:
        """Indices into `texts` in tiers, best first."""
        return _tiers(self.liking(prompt, texts))


def _log_probs(model, tokenizer, prompts: Sequence[str], texts: Sequence[str], per_token: bool = False) -> list[float]:
    """Log-probability of each text after its prompt, in nats, or nats per token."""
    import torch  # here, so that a rubric works without torch

    from rlhf_lab.models.log_probs import completion_log_probs
    from rlhf_lab.models.sampling import Rollout

    device = next(model.parameters()).device
    rollout = Rollout.from_texts(tokenizer, prompts, texts, ended=per_token, device=device)
    with torch.no_grad():
        logs = completion_log_probs(model.eval(), rollout).sum(1)  # (B,)
    return (logs / rollout.lengths if per_token else logs).tolist()


def _verdict(left: float, right: float, tie_below: float, bad_below: float | None = None) -> str:
    if bad_below is not None and max(left, right) < bad_below:
        return "both_bad"
    if left == right or abs(left - right) < tie_below:
        return "tie"
    return "left" if left > right else "right"


def _tiers(values: Sequence[float]) -> list[list[int]]:
    """Indices by decreasing value, equal values in one tier."""
    return [[i for i, v in enumerate(values) if v == value] for value in sorted(set(values), reverse=True)]


def taste_rubric(weights: Mapping[str, float], statements: Mapping[str, str] | None = None) -> list[Criterion]:
    """A rubric for the tiny world. weights: {scorer: points per standard deviation of the corpus}."""
    from rlhf_lab.world import SCORERS
    from rlhf_lab.world.tastes import SCALES

    def standardised(name: str) -> Scorer:
        average, deviation = SCALES[name]
        return lambda prompt, text: (SCORERS[name](prompt, text) - average) / deviation

    unknown = sorted(set(weights) - set(SCALES))
    if unknown:
        raise ValueError(f"There are no scales for {unknown}, only for {sorted(SCALES)}.")
    say = statements or {}
    return [Criterion(say.get(n, f"{'more' if p > 0 else 'less'} {n}"), standardised(n), p) for n, p in weights.items()]
