"""Every patient of the bug hunt is ill in one way, its check finds it, and the healthy one is PPO as it should be."""

import math
from dataclasses import fields, replace

import pytest
import torch
from lessons.bug_hunt import HEALTHY, LETTERS, Specimen, check_of, confirm, diagnosis, examine, patient, run
from lessons.bug_hunt.checks import ALL

from rlhf_lab.models.loading import frozen_copy, new_language_model, tiny_config
from rlhf_lab.models.sampling import sample
from rlhf_lab.models.value_head import ValueHead
from rlhf_lab.training.algorithms import Algorithm, ClippedRatio, GeneralisedAdvantage
from rlhf_lab.training.policy_gradient import PolicyGradientConfig, train_policy

CONFIG = PolicyGradientConfig(steps=3, batch_size=16, max_new_tokens=10, learning_rate=3e-3, missing_eos_penalty=0.5)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def fresh(tokenizer):
    return lambda: new_language_model(tiny_config(tokenizer, layers=1, width=32, heads=2), seed=3)


@pytest.fixture
def case(model, tokenizer, prompts):
    return Specimen.make(model, tokenizer, prompts * 2, max_new_tokens=10)


def good_tokens(rollout):
    """Reward: the share of tokens with ids 100 to 199."""
    good = (rollout.completion_ids >= 100) & (rollout.completion_ids < 200) & rollout.completion_mask
    return good.sum(1) / rollout.lengths


def train(fresh, tokenizer, prompts, implementation=HEALTHY, config=CONFIG, **others):
    policy = fresh()
    history = run(
        implementation,
        policy,
        frozen_copy(fresh()),
        good_tokens,
        tokenizer,
        prompts,
        config,
        generator=seeded(),
        **others,
    )
    return policy, history


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_the_healthy_one_is_the_ppo_of_the_package(fresh, tokenizer, prompts):
    algorithm = Algorithm(GeneralisedAdvantage(lam=1.0), ClippedRatio(), epochs=2, minibatches=2)
    theirs = fresh()
    result = train_policy(
        theirs, frozen_copy(fresh()), good_tokens, tokenizer, prompts, algorithm, CONFIG, generator=seeded()
    )
    ours, history = train(fresh, tokenizer, prompts)
    moved, apart = weights(ours) - weights(fresh()), weights(ours) - weights(theirs)
    assert apart.norm() < 0.01 * moved.norm()  # Adam makes much of roundings, where a gradient is nearly zero
    for mine, other in zip(history, result.history, strict=True):
        for name in set(mine) & set(other):
            assert mine[name] == pytest.approx(other[name], rel=1e-3, abs=1e-4), name


@pytest.mark.slow
def test_the_loop_learns_and_reports(fresh, tokenizer, prompts):
    heard = []
    config = replace(CONFIG, steps=12, batch_size=32, learning_rate=1e-2, kl_coefficient=0.0, missing_eos_penalty=0.0)
    _, history = train(fresh, tokenizer, prompts, config=config, gold=lambda r: -good_tokens(r), callback=heard.append)
    assert heard == history and [m["step"] for m in history] == list(range(1, 13))
    assert history[0]["reward"] < 0.45 and history[-1]["reward"] > 0.6
    assert all(m["gold"] == pytest.approx(-m["reward"]) for m in history)
    assert all(m["first_ratio_error"] < 1e-3 < m["ratio_error"] for m in history)


def test_a_number_that_is_not_finite_ends_the_run(fresh, tokenizer, prompts):
    broken = replace(HEALTHY, losses=lambda *given: [loss * math.nan for loss in HEALTHY.losses(*given)])
    policy, history = train(fresh, tokenizer, prompts, broken)
    assert history == [] and torch.equal(weights(policy), weights(fresh()))


def test_there_are_eight_patients_with_a_bug_each():
    assert "".join(LETTERS) == "ABCDEFGH"
    assert len({diagnosis(letter) for letter in LETTERS}) == len({check_of(letter) for letter in LETTERS}) == 8
    for letter in LETTERS:
        changed = [f.name for f in fields(HEALTHY) if getattr(patient(letter), f.name) is not getattr(HEALTHY, f.name)]
        assert changed and (len(changed) == 1 or changed == ["states", "old_log_probs"])


def test_the_healthy_one_passes_every_check(case):
    assert all(finding.passed for finding in examine(HEALTHY, case).values())


@pytest.mark.parametrize("letter", LETTERS)
def test_every_patient_fails_its_check(case, letter):
    found = examine(patient(letter), case)
    failed = {name for name, finding in found.items() if not finding.passed}
    assert check_of(letter).__name__ in failed
    assert len(failed) <= 2, failed  # a check that fails for everybody tells nothing


def test_every_check_is_the_only_one_to_find_somebody(case):
    """No two checks see the same, so a learner who runs them all can tell the patients apart."""
    rows = {letter: tuple(f.passed for f in examine(patient(letter), case).values()) for letter in LETTERS}
    assert len(set(rows.values())) == len(LETTERS)
    assert {check_of(letter) for letter in LETTERS} <= set(ALL)


@pytest.mark.parametrize("letter", LETTERS)
def test_every_patient_differs_in_its_tensors(model, tokenizer, prompts, letter):
    """On the same rollout, one of: advantages, returns, ratios after an update, or gradients."""
    rollout = sample(model, tokenizer, prompts * 4, max_new_tokens=10, generator=seeded(4))
    assert 0 < rollout.ended.float().mean() < 1, "the rollout should have both kinds"
    value_head, rewards = ValueHead(16), torch.randn(len(rollout), generator=seeded(5))
    torch.nn.init.normal_(value_head.linear.weight, generator=seeded(6))
    reference, found = frozen_copy(model), []
    for parameter in reference.parameters():
        parameter += 0.05 * torch.randn(parameter.shape, generator=seeded(7))
    for implementation in (HEALTHY, patient(letter)):
        torch.manual_seed(0)
        experience = implementation.experience(model, reference, value_head, rollout, rewards, CONFIG)
        moved = replace(experience.rollout, log_probs=experience.rollout.log_probs - 0.1 * experience.mask)
        log_probs, values = implementation.look(model, value_head, rollout)
        ratio = implementation.ratio(log_probs, moved.log_probs)
        policy_loss, value_loss = implementation.losses(ratio, values, experience)
        model.zero_grad(), value_head.zero_grad()
        (policy_loss + value_loss).backward()
        gradient = torch.cat([p.grad.flatten() for m in (model, value_head) for p in m.parameters()])
        found.append((experience.advantages, experience.returns, ratio.detach(), gradient))
    assert any(not torch.allclose(a, b, rtol=1e-2, atol=1e-3) for a, b in zip(*found, strict=True))


@pytest.mark.slow
def test_a_patient_can_be_trained(fresh, tokenizer, prompts):
    for letter in LETTERS:
        _, history = train(fresh, tokenizer, prompts, patient(letter), replace(CONFIG, steps=2, batch_size=8))
        assert len(history) == 2 and all(math.isfinite(value) for record in history for value in record.values())


def test_an_unknown_letter_is_told_which_there_are():
    with pytest.raises(KeyError, match="A, B, C, D, E, F, G, H"):
        patient("Z")


def test_confirm_shows_the_check_both_findings_and_the_part(case, capsys):
    confirm("A", case)
    printed = capsys.readouterr().out
    assert check_of("A").__name__ in printed and "healthy  passes" in printed and "patient A  FAILS" in printed
    assert diagnosis("A") in printed and "def " in printed


def test_an_implementation_with_two_bugs_fails_two_checks(case):
    both = replace(patient("A"), ratio=patient("B").ratio)
    failed = {name for name, finding in examine(both, case).items() if not finding.passed}
    assert failed == {check_of("A").__name__, check_of("B").__name__}


def test_the_check_of_temperature(model, tokenizer, prompts):
    """Not a patient, but the notebook's first example: sampled at 0.7, recomputed at 1, the gate closes."""
    rollout = sample(model, tokenizer, prompts, max_new_tokens=10, temperature=0.7, generator=seeded())
    right = Specimen(model, ValueHead(16), rollout)
    forgotten = replace(right, rollout=replace(rollout, temperature=1.0))
    name = "ratio_is_one_at_first"
    assert examine(HEALTHY, right)[name].passed and not examine(HEALTHY, forgotten)[name].passed
