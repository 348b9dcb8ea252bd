"""Judges that are no person: AI feedback, through the same door as everybody's.

    RubricJudge     reads texts by scorers and goes by a rubric that it can state, point by point. No model
    PromptedJudge   shows a language model the question and compares how likely it finds the answers "A" and "B"
    WishJudge       asks a language model which text became likelier once a wish was put in front of the prompt

A prompted judge needs a model that follows instructions. The tiny model knows of no instructions: its answers to such
a question are noise, and its `report` says how much of them is a habit of preferring one letter. A wish asks for no
obedience, only for a model in which one text makes others of its sort likelier; the tiny model, which was trained on
one short document at a time, follows it little better than a coin.

All answer `compare`; those that give every text a number answer `rank` too. Their sessions have source="model".
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

    statement: str  # what is asked of a text, in words
    scorer: Scorer  # (prompt, completion) -> number that reads it
    points: float = 1.0  # for each unit of the scorer; negative where less of it is wanted


class RubricJudge:
    """Gives points by a rubric; of two texts the one with more points is better.

    criteria: the rubric. tie_below: differences in points smaller than this are ties. bad_below: where both texts have
    fewer points than this, both are bad; None never says so.
    """

    source: ClassVar[str] = "model"  # of its answers in a store

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
        """ "left", "right", "tie" or "both_bad". The same whichever text is on the left."""
        return _verdict(self.total(prompt, left), self.total(prompt, right), self.tie_below, self.bad_below)

    def rank(self, prompt: str, texts: Sequence[str]) -> list[list[int]]:
        """Places in `texts` by points, best first; equal points are a tie."""
        return _tiers([self.total(prompt, text) for text in texts])

    def explain(self, prompt: str, left: str, right: str) -> str:
        """Why: the points of both texts, a line for each criterion."""
        ours, theirs = self.points(prompt, left), self.points(prompt, right)
        lines = [f"{statement}: {ours[statement]:+.2f} against {theirs[statement]:+.2f}" for statement in ours]
        total = f"{sum(ours.values()):+.2f} against {sum(theirs.values()):+.2f}"
        return "\n".join([*lines, f"in all: {total}, so {self.compare(prompt, left, right)}"])


# --- A model that is asked -----------------------------------------------------------------------------


class PromptedJudge:
    """Asks a causal language model which of two texts is better, and reads its log-probabilities.

    model, tokenizer: as `rlhf_lab.models.loading.load_language_model` gives them.
    question: what is asked.
    template: with {prompt}, {first}, {second} and {question}, in plain text. Where `chat` is true it is sent as the
        user's message through the tokenizer's chat template; that is how instruction-tuned models are asked.
    choices: the two replies whose log-probabilities are compared, space included where the tokenizer puts one.
    tie_below: a preference of less than this, in nats, is a tie.

    Models prefer a letter or a side whatever the texts are. So each question is asked in both orders, and what is
    counted is half the difference of the two: in that, every such preference cancels.
    """

    source: ClassVar[str] = "model"  # of its answers in a store

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
            raise ValueError("This tokenizer has no chat template, so the model is none to chat with. Use chat=False.")
        self.model, self.tokenizer = model, tokenizer
        self.question, self.template, self.choices = question, template, choices
        self.chat, self.tie_below, self.name = chat, tie_below, name
        self._leanings: list[float] = []

    def __repr__(self) -> str:
        return f"PromptedJudge({self.name!r}, {self.question!r})"

    def preference(self, prompt: str, left: str, right: str) -> float:
        """How much better the left text is, in nats of log-odds, the mean of both orders."""
        asked = [self._ask(prompt, left, right), self._ask(prompt, right, left)]
        logs = _log_probs(
            self.model, self.tokenizer, [text for text in asked for _ in self.choices], [*self.choices] * 2
        )
        one, other = logs[0] - logs[1], logs[2] - logs[3]  # log-odds of "A", the left text first and second
        self._leanings.append((one + other) / 2)
        return (one - other) / 2

    def probability_left(self, prompt: str, left: str, right: str) -> float:
        """P(left is better), as the model sees it."""
        return 1 / (1 + math.exp(-self.preference(prompt, left, right)))

    def compare(self, prompt: str, left: str, right: str) -> str:
        """ "left", "right" or "tie"."""
        return _verdict(self.preference(prompt, left, right), 0.0, self.tie_below)

    def report(self) -> str:
        """How much of what the model said so far was a preference for the first letter, whatever the texts were."""
        if not self._leanings:
            return "Nothing has been asked yet."
        lean = sum(self._leanings) / len(self._leanings)
        return (
            f"Over {len(self._leanings)} questions the model leaned {abs(lean):.2f} nats towards"
            f" {self.choices[lean < 0]!r} whatever stood there; asking in both orders took that out."
        )

    def _ask(self, prompt: str, first: str, second: str) -> str:
        # str.format would trip over braces in the texts, and would replace slots inside them.
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
    """Prefers the text that a wish makes likelier: log P(text | wish + prompt) - log P(text | prompt) is its liking.

    wish: a text that names or shows what is wanted, such as another text of that sort, ending as the model's texts end.
    per_token: divide by the number of tokens, so that a long text is not moved further only for being long.
    tie_below: a smaller difference is a tie, in nats.
    """

    source: ClassVar[str] = "model"  # of its answers in a store

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
        """How much likelier the wish makes each text, in nats."""
        both = [self.wish + prompt] * len(texts) + [prompt] * len(texts)
        logs = _log_probs(self.model, self.tokenizer, both, [*texts] * 2, self.per_token)
        return [logs[i] - logs[len(texts) + i] for i in range(len(texts))]

    def compare(self, prompt: str, left: str, right: str) -> str:
        """ "left", "right" or "tie"."""
        return _verdict(*self.liking(prompt, [left, right]), self.tie_below)

    def rank(self, prompt: str, texts: Sequence[str]) -> list[list[int]]:
        """Places in `texts`, best first."""
        return _tiers(self.liking(prompt, texts))


def _log_probs(model, tokenizer, prompts: Sequence[str], texts: Sequence[str], per_token: bool = False) -> list[float]:
    """Log-probability of each text after its prompt, in nats; per token if asked for."""
    import torch  # here, so that a rubric needs none

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
    """Places by falling value, equal values together."""
    return [[i for i, v in enumerate(values) if v == value] for value in sorted(set(values), reverse=True)]


def taste_rubric(weights: Mapping[str, float], statements: Mapping[str, str] | None = None) -> list[Criterion]:
    """A rubric for the tiny world: {scorer: points for each standard deviation of the corpus}."""
    from rlhf_lab.world import SCORERS
    from rlhf_lab.world.tastes import SCALES

    def standardised(name: str) -> Scorer:
        average, deviation = SCALES[name]
        return lambda prompt, text: (SCORERS[name](prompt, text) - average) / deviation

    unknown = sorted(set(weights) - set(SCALES))
    if unknown:
        raise ValueError(f"{unknown} are none of the scorers with a scale: {sorted(SCALES)}.")
    say = statements or {}
    return [Criterion(say.get(n, f"{'more' if p > 0 else 'less'} {n}"), standardised(n), p) for n, p in weights.items()]
