"""Exercise of notebook 05: which row of a batch is the best sample of each prompt."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size, whole
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def best_index_per_prompt(rewards: Tensor, prompt_ids: Tensor) -> Tensor:
    """Row of the best sample of each prompt; of equal ones the first row.

    rewards: (B,). prompt_ids: (B,) whole numbers from 0 to P - 1, each at least once, in any order: the prompt of each
    sample. Returns (P,) whole numbers, rows of the batch: for prompt 0, for prompt 1, and so on.
    """
    best = []
    for prompt in range(int(prompt_ids.max()) + 1):
        rows = (prompt_ids == prompt).nonzero().squeeze(1)  # rows of this prompt's samples
        best.append(rows[rewards[rows].argmax()])  # argmax counts within `rows`, so it is looked up there
    return torch.stack(best)


def cases():
    yield Case("two prompts, two samples each", (torch.tensor([1.0, 2.0, 4.0, 3.0]), torch.tensor([0, 0, 1, 1])))
    yield Case("all rewards are below zero", (torch.tensor([-2.0, -1.0, -4.0, -3.0]), torch.tensor([0, 0, 1, 1])))
    yield Case("equal ones", (torch.tensor([0.0, 5.0, 5.0, 7.0, 7.0]), torch.tensor([0, 0, 0, 1, 1])))
    yield Case("in turn, and uneven", (torch.tensor([1.0, 0.0, 3.0, 2.0, -1.0]), torch.tensor([1, 0, 1, 0, 1])))
    yield Case("one sample", (torch.tensor([-1.0]), torch.tensor([0])))


def draw(generator):
    prompts = size(generator, 2, 4)
    ids = torch.cat([torch.arange(prompts), whole(generator, 0, prompts - 1, size(generator, 3, 8))])
    ids = ids[torch.randperm(len(ids), generator=generator)]
    return normal(generator, len(ids)).mul(4).round() / 2, ids  # in halves: some are equal


def _rows(prompt_ids):
    return [(prompt_ids == p).nonzero().squeeze(1) for p in range(int(prompt_ids.max()) + 1)]


@mistake(
    "You count within the prompt, not in the batch.",
    "The third sample of a prompt need not be row 2. Taken as a row, the number points at another prompt's text.",
)
def place_in_prompt(rewards, prompt_ids):
    return torch.stack([rewards[rows].argmax() for rows in _rows(prompt_ids)])


@mistake(
    "You found the best of all prompts together.",
    "Some places are easier to be cheerful about. Best-of-n picks among samples of one prompt.",
)
def best_overall(rewards, prompt_ids):
    return torch.stack([rewards.argmax() for _ in _rows(prompt_ids)])


@mistake(
    "You set the other prompts' rewards to zero.",
    "Zero is no small reward. Where all of a prompt's own are negative, another prompt's sample is picked. Use -inf.",
)
def others_are_zero(rewards, prompt_ids):
    return torch.stack([(rewards * (prompt_ids == p)).argmax() for p in range(len(_rows(prompt_ids)))])


@mistake("You picked the worst of each prompt.", "The highest reward is wanted.")
def worst(rewards, prompt_ids):
    return torch.stack([rows[rewards[rows].argmin()] for rows in _rows(prompt_ids)])


@mistake(
    "Of equal samples you took the last.",
    "Any is as good, but which one must be settled, or two runs differ. Here it is the first row.",
)
def last_of_equals(rewards, prompt_ids):
    return torch.stack([rows[(rewards[rows] == rewards[rows].max()).nonzero()[-1, 0]] for rows in _rows(prompt_ids)])


@mistake("You returned the rewards.", "The row is wanted: with it one finds the text.")
def rewards_not_rows(rewards, prompt_ids):
    return torch.stack([rewards[rows].max() for rows in _rows(prompt_ids)])


@mistake("Your order is that in which the prompts come up in the batch.", "Entry 0 belongs to prompt 0.")
def order_of_appearance(rewards, prompt_ids):
    best = {rows[0].item(): rows[rewards[rows].argmax()] for rows in _rows(prompt_ids)}
    return torch.stack([best[first] for first in sorted(best)])


@mistake(
    "You assumed that the samples of a prompt are neighbours, and equally many.",
    "Here they come in any order, and some prompts have more. `prompt_ids` says whose each row is.",
)
def neighbours(rewards, prompt_ids):
    prompts = int(prompt_ids.max()) + 1
    each = len(rewards) // prompts
    return rewards[: prompts * each].reshape(prompts, each).argmax(1) + each * torch.arange(prompts)


EXERCISE = Exercise(
    reference=best_index_per_prompt,
    title="the best of each prompt",
    question="""
        A batch holds several samples of each prompt, in any order, and not always the same number. Find the row of the
        best one of each. It is a small function, and the place where best-of-n most often goes wrong: an index
        that counts within a group is used as a row of the batch, and the text that is kept belongs to another prompt.
        Nothing crashes.
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "Take one prompt. Which rows are its own? Which of *these* has the highest reward, and which row was that?",
        "`rows = (prompt_ids == prompt).nonzero().squeeze(1)`, then `rows[rewards[rows].argmax()]`. Or set the rewards"
        " of all other prompts to `-torch.inf` and take the argmax of the whole batch.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        place_in_prompt,
        best_overall,
        others_are_zero,
        worst,
        last_of_equals,
        rewards_not_rows,
        order_of_appearance,
        neighbours,
    ),
)
