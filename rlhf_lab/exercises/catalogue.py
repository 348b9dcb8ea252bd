"""Which exercises there are: by notebook, in order. Each is imported when it is asked for."""

import difflib
import importlib

from rlhf_lab.exercises.framework import Exercise
from rlhf_lab.paths import REPOSITORY

# Number of the notebook -> its exercises, in the order in which it asks them.
BY_NOTEBOOK: dict[str, tuple[str, ...]] = {
    "00": ("bradley_terry_probability", "kl_of_completion"),
    "01": ("shifted_cross_entropy", "prompt_mask", "perplexity", "share_ended", "left_padding_positions"),
    "02": ("canonical_winners", "ranking_to_pairs", "split_by_prompt", "cohens_kappa"),
    "03": (
        "bradley_terry_loss",
        "last_token_index",
        "plackett_luce_loss",
        "rao_kupper_probabilities",
        "normalised_head",
    ),
    "04": (
        "accuracy_ceiling",
        "expected_calibration_error",
        "temperature_scaled_loss",
        "cautious_reward",
        "pair_information",
    ),
    "05": ("best_of_n_estimate", "best_of_n_value", "best_of_n_kl", "best_index_per_prompt"),
    "06": (
        "softmax_policy_gradient",
        "reinforce_estimate",
        "optimal_baseline",
        "reinforce_with_baseline",
        "rloo_advantages",
    ),
    "07": ("exact_kl", "closed_form_policy", "kl_estimators", "adaptive_kl_step"),
    "08": ("per_token_rewards", "gae", "masked_whitening", "clipped_policy_loss", "clipped_value_loss"),
    "09": ("group_relative_advantages", "token_loss_weights", "clip_higher_objective", "sequence_ratio"),
    "10": ("dpo_loss", "ipo_loss"),
    "13": ("win_rate_interval",),
}


class UnknownExerciseError(LookupError):
    """There is no exercise of that name. The message says which come close."""


def names(notebook: str | None = None) -> tuple[str, ...]:
    """Names of all exercises, or of a notebook's ("01"), in order."""
    if notebook is not None:
        return BY_NOTEBOOK.get(notebook, ())
    return tuple(name for row in BY_NOTEBOOK.values() for name in row)


def find(name: str) -> Exercise:
    """The exercise of that name. Raises UnknownExerciseError, with what may have been meant."""
    if name not in names():
        close = difflib.get_close_matches(name, names(), n=2)
        meant = f" Did you mean {' or '.join(close)}?" if close else f" There are: {', '.join(names())}."
        raise UnknownExerciseError(f"No exercise is called {name!r}.{meant}")
    return importlib.import_module(f"rlhf_lab.exercises.collection.{name}").EXERCISE


def notebook_of(name: str) -> str:
    """Number of the notebook that asks the exercise."""
    return next(notebook for notebook, row in BY_NOTEBOOK.items() if name in row)


def notebook_files() -> dict[str, str]:
    """Number -> file name of the notebooks that exist."""
    return {path.name[:2]: path.name for path in sorted((REPOSITORY / "notebooks").glob("[0-9][0-9]_*.ipynb"))}
