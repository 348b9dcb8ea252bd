"""The thirty details that decide whether RLHF is right: each is checked, and each check is shown to notice.

The checks are in the files beside this one, with variants of the package's functions in which just this detail is
broken. `ELSEWHERE` says which tests of the package look at the same detail more closely.
"""

import ast
from pathlib import Path

import details_found_later  # noqa: F401  (importing them registers the checks)
import details_of_measuring  # noqa: F401
import details_of_models  # noqa: F401
import details_of_policy_gradients  # noqa: F401
import pytest
from detail import DETAILS

UNIT = Path(__file__).parents[1]
ELSEWHERE = {
    1: ["models/test_reward_models.py::test_the_head_is_initialised_by_width"],
    2: ["models/test_reward_models.py::test_reward_reads_the_last_real_token"],
    3: ["models/test_reward_models.py::test_normalised_rewards_have_mean_0_and_variance_1"],
    4: ["training/test_reward_model_training.py::test_swapped_pairs_converge_just_as_well_to_the_negative"],
    5: ["objectives/test_advantages.py::test_kl_estimators_have_the_right_direction_and_bias"],
    6: ["lessons/test_tabular_policy.py::test_kl_in_the_loss_is_not_kl_in_the_reward"],
    7: ["models/test_sampling.py::test_log_probs_at_another_temperature_differ"],
    8: ["training/test_policy_gradient.py::test_before_the_first_update_every_ratio_is_1_and_the_divergence_0"],
    9: ["training/test_policy_gradient.py::test_dropout_never_enters"],
    10: ["objectives/test_losses.py::test_language_model_loss_does_not_see_its_own_answer"],
    11: ["models/test_sampling.py::test_a_row_does_not_depend_on_the_rest_of_the_batch"],
    12: ["models/test_models.py::test_pad_token_is_added_where_pad_and_end_are_one"],
    13: ["training/test_policy_gradient.py::test_a_missing_end_costs_its_penalty"],
    14: ["objectives/test_advantages.py::test_score_comes_on_the_last_real_token"],
    15: ["training/test_policy_gradient.py::test_credit_against_a_plain_loop"],
    16: ["training/test_policy_gradient.py::test_whitened_rewards_keep_their_mean"],
    17: [
        "objectives/test_losses.py::test_ppo_value_loss_by_hand",
        "objectives/test_advantages.py::test_adaptive_kl_coefficient",
    ],
    18: ["objectives/test_advantages.py::test_leave_one_out_is_the_centred_return_times_k_over_k_minus_1"],
    19: ["evaluation/test_rewards_and_estimates.py::test_the_floor_is_what_a_perfect_model_shows"],
    21: ["objectives/test_advantages.py::test_k3_is_exact_for_tiny_differences"],
    24: ["evaluation/test_over_optimisation.py::test_a_fit_finds_the_curve_and_tells_it_from_the_other"],
}
BROKEN = [(number, what) for number in sorted(DETAILS) for what in DETAILS[number].broken]


def test_every_detail_is_here():
    assert sorted(DETAILS) == list(range(1, 31))


@pytest.mark.parametrize("number", sorted(DETAILS))
def test_the_package_has_the_detail_right(number, tools):
    DETAILS[number].check(DETAILS[number].right, tools)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "what"), BROKEN, ids=[f"{number}: {what}" for number, what in BROKEN])
def test_breaking_the_detail_is_noticed(number, what, tools):
    with pytest.raises(AssertionError):
        DETAILS[number].check(DETAILS[number].broken[what], tools)


@pytest.mark.parametrize("node", [node for nodes in ELSEWHERE.values() for node in nodes])
def test_the_tests_named_here_exist(node):
    file, name = node.split("::")
    tree = ast.parse((UNIT / file).read_text(encoding="utf-8"))
    assert name in {item.name for item in tree.body if isinstance(item, ast.FunctionDef)}
