"""Exercise of notebook 02: a test set that shares no prompt with the training."""

import math

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import size, whole
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def split_by_prompt(prompt_ids: Tensor, shuffled: Tensor, test_share: float) -> Tensor:
    """Which pairs are for the test, so that all pairs of a prompt stay together.

    prompt_ids: (N,) whole numbers from 0 to P - 1, the prompt of each pair. shuffled: (P,) the same numbers, each once,
    in random order. test_share: share of the prompts that go to the test, the first ones of `shuffled`; their number
    is test_share * P, rounded to the nearest whole number. That may be none. Returns (N,) bool, true on their pairs.
    """
    count = round(test_share * len(shuffled))  # of prompts, not of pairs
    test_prompts = shuffled[:count]
    return torch.isin(prompt_ids, test_prompts)


def cases():
    yield Case("three prompts, two pairs each", (torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([1, 2, 0]), 0.3))
    yield Case(
        "one prompt with many pairs", (torch.tensor([3, 0, 3, 1, 4, 2, 3, 0]), torch.tensor([3, 0, 4, 2, 1]), 0.25)
    )
    yield Case("one pair each", (torch.tensor([2, 0, 3, 1]), torch.tensor([2, 3, 1, 0]), 0.5))
    yield Case("a share that rounds to no prompt at all", (torch.tensor([0, 1, 2, 2]), torch.tensor([2, 0, 1]), 0.1))
    yield Case("two prompts", (torch.tensor([1, 0, 1]), torch.tensor([1, 0]), 0.5))
    yield Case("a large test", (torch.tensor([1, 3, 0, 2, 0, 1, 3]), torch.tensor([1, 2, 0, 3]), 0.7))


def draw(generator):
    prompts = size(generator, 3, 8)
    ids = torch.cat([torch.arange(prompts), whole(generator, 0, prompts - 1, size(generator, 1, 8))])
    ids = ids[torch.randperm(len(ids), generator=generator)]
    test_prompts = size(generator, 1, prompts - 1)  # so that neither part is empty
    beside = (-0.3, 0.3)[size(generator, 0, 1)]  # rounded up or down, and never from half way
    return ids, torch.randperm(prompts, generator=generator), round((test_prompts + beside) / prompts, 2)


@mistake(
    "You split the pairs, not the prompts.",
    "Then pairs of one prompt are on both sides. Its texts resemble each other, so the test measures memory.",
)
def pairs_split(prompt_ids, shuffled, test_share):
    return torch.arange(len(prompt_ids)) < round(test_share * len(prompt_ids))


@mistake("You took the share of the pairs as the number of prompts.", "There are P prompts, `len(shuffled)`.")
def share_of_pairs(prompt_ids, shuffled, test_share):
    return torch.isin(prompt_ids, shuffled[: round(test_share * len(prompt_ids))])


@mistake("You took the last prompts of `shuffled`.", "The first ones are wanted.")
def last_ones(prompt_ids, shuffled, test_share):
    return torch.isin(prompt_ids, shuffled.flip(0)[: round(test_share * len(shuffled))])


@mistake("You rounded down.", "`int` cuts off; with few prompts, often to no test at all. Round to the nearest.")
def rounded_down(prompt_ids, shuffled, test_share):
    return torch.isin(prompt_ids, shuffled[: int(test_share * len(shuffled))])


@mistake("You rounded up.", "The number of test prompts is rounded to the nearest whole number.")
def rounded_up(prompt_ids, shuffled, test_share):
    return torch.isin(prompt_ids, shuffled[: math.ceil(test_share * len(shuffled))])


@mistake(
    "You take one prompt at least.",
    "The number is test_share * P, rounded, and that may be 0. A test of one prompt that nobody asked for says little.",
)
def at_least_one(prompt_ids, shuffled, test_share):
    return torch.isin(prompt_ids, shuffled[: max(1, round(test_share * len(shuffled)))])


@mistake("It is exactly the other way round.", "True is for the test. What you have is the training.")
def inverted(prompt_ids, shuffled, test_share):
    return ~split_by_prompt(prompt_ids, shuffled, test_share)


@mistake(
    "You did not use the shuffled order.",
    "Prompts with small numbers were collected first, perhaps from one person or one topic. Take the first ones of"
    " `shuffled`.",
)
def not_shuffled(prompt_ids, shuffled, test_share):
    return prompt_ids < round(test_share * len(shuffled))


@mistake(
    "You read `shuffled` the wrong way round.",
    "`shuffled[k]` is the prompt at place k. `shuffled[prompt_ids]` takes the prompt's number for a place.",
)
def read_backwards(prompt_ids, shuffled, test_share):
    return shuffled[prompt_ids] < round(test_share * len(shuffled))


@mistake(
    "You took numbers of prompts for rows.",
    "`shuffled` holds prompts. Look for their numbers in `prompt_ids`, and mark every pair that has one.",
)
def ids_as_rows(prompt_ids, shuffled, test_share):
    return torch.isin(torch.arange(len(prompt_ids)), shuffled[: round(test_share * len(shuffled))])


@mistake(
    "You took one pair of each test prompt only.",
    "The others stay in the training and give the prompt away. All pairs of a prompt go together.",
)
def one_of_each(prompt_ids, shuffled, test_share):
    earlier = (prompt_ids[:, None] == prompt_ids[None, :]).tril(-1).any(1)
    return split_by_prompt(prompt_ids, shuffled, test_share) & ~earlier


EXERCISE = Exercise(
    reference=split_by_prompt,
    title="a test that shares no prompt",
    question="""
        One prompt often gives many pairs, all about the same few texts. If some of these pairs are learned and others
        tested, a reward model does well by remembering the texts. So draw *prompts* for the test, and let every pair
        go where its prompt goes. (The share of the *pairs* is then only roughly the one you asked for.)
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "Two steps: which prompts are for the test? Then, for each pair, is its prompt one of them? The share counts in"
        " the first step only.",
        "`shuffled[:count]` are the test prompts, with `count` from `round` and `len(shuffled)`."
        " `torch.isin(a, b)` says for each entry of `a` whether it occurs in `b`.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        pairs_split,
        share_of_pairs,
        last_ones,
        rounded_down,
        rounded_up,
        at_least_one,
        inverted,
        not_shuffled,
        read_backwards,
        ids_as_rows,
        one_of_each,
    ),
)
