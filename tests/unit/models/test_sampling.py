"""Sampling: the right tokens, the right log-probabilities, the right distribution."""

import math

import pytest
import torch
from scipy.stats import chisquare

from rlhf_lab.models.log_probs import completion_hidden, completion_log_probs
from rlhf_lab.models.sampling import Rollout, draw, sample, truncate_logits
from rlhf_lab.models.tokens import pad_left


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make_end_likely(model, tokenizer, amount):
    """Raise the end token's logit by `amount` in every context: add a bias to the head."""
    head = model.get_output_embeddings()
    untied = torch.nn.Linear(head.weight.shape[1], head.weight.shape[0])
    with torch.no_grad():
        untied.weight.copy_(head.weight)
        untied.bias.zero_()
        untied.bias[tokenizer.eos_token_id] = amount
    model.set_output_embeddings(untied)


@pytest.mark.parametrize("name", ["model", "llama"])
def test_greedy_tokens_equal_those_of_generate(name, request, tokenizer, prompts):
    model = request.getfixturevalue(name)
    rollout = sample(model, tokenizer, prompts, max_new_tokens=24, temperature=0)
    ids, mask = pad_left(tokenizer(prompts)["input_ids"], tokenizer.pad_token_id)
    expected = model.generate(input_ids=ids, attention_mask=mask.long(), max_new_tokens=24, do_sample=False)
    expected = expected[:, ids.shape[1] :]
    assert len({len(row) for row in tokenizer(prompts)["input_ids"]}) == 4  # the lengths do differ
    for row in range(len(prompts)):
        n = int(rollout.lengths[row])
        assert rollout.completion_ids[row, :n].tolist() == expected[row, :n].tolist()
    assert len(set(rollout.completion_ids.flatten().tolist())) > 5  # and the model says more than one thing


@pytest.mark.parametrize("name", ["model", "llama"])
@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.5])
def test_stored_log_probs_equal_recomputed_ones(name, request, temperature, tokenizer, prompts):
    model = request.getfixturevalue(name)
    make_end_likely(model, tokenizer, 2.0)  # rows end, and leave the batch, at different times
    rollout = sample(model, tokenizer, prompts * 4, max_new_tokens=30, temperature=temperature, generator=seeded())
    assert len(set(rollout.lengths.tolist())) > 3
    again = completion_log_probs(model, rollout)
    assert torch.allclose(again, rollout.log_probs, atol=1e-5)
    assert torch.allclose(completion_log_probs(model, rollout, micro_batch_tokens=70), again, atol=1e-5)
    assert (rollout.log_probs[rollout.completion_mask] < 0).all()


def test_log_probs_at_another_temperature_differ(model, tokenizer, prompts):
    rollout = sample(model, tokenizer, prompts, max_new_tokens=8, temperature=0.7, generator=seeded())
    wrong = completion_log_probs(model, rollout, temperature=1.0)
    assert not torch.allclose(wrong, rollout.log_probs, atol=1e-2)


def test_log_probs_have_gradients_and_entropy(model, tokenizer, prompts):
    rollout = sample(model, tokenizer, prompts, max_new_tokens=8, generator=seeded())
    log_probs, entropy = completion_log_probs(model, rollout, entropy=True)
    assert log_probs.requires_grad and entropy.requires_grad
    ids, prompt_lengths, _ = rollout.sequences()
    row, position = 1, int(prompt_lengths[1])
    p = model(input_ids=ids[row : row + 1]).logits[0, position - 1].softmax(-1)  # predicts the first token
    assert entropy[row, 0].item() == pytest.approx(-(p * p.log()).sum().item(), rel=1e-4)
    assert log_probs[row, 0].item() == pytest.approx(p[ids[row, position]].log().item(), rel=1e-4)


def test_logits_in_pieces_give_the_same_numbers_and_gradients(model, tokenizer, prompts, monkeypatch):
    rollout = sample(model, tokenizer, prompts, max_new_tokens=12, generator=seeded())
    results = []
    for size in (2**25, 7 * len(tokenizer)):
        monkeypatch.setattr("rlhf_lab.models.log_probs.LOGITS_AT_ONCE", size)
        model.zero_grad()
        log_probs, entropy = completion_log_probs(model, rollout, entropy=True)
        (log_probs.sum() + entropy.sum()).backward()
        results.append((log_probs.detach(), entropy.detach(), model.get_input_embeddings().weight.grad.clone()))
    for whole, pieces in zip(*results, strict=True):
        assert torch.allclose(whole, pieces, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.6}, {"top_k": 5}, {"top_p": 0.7}])
def test_samples_follow_the_models_distribution(model, tokenizer, settings):
    n = 20_000
    rollout = sample(model, tokenizer, ["The"] * n, max_new_tokens=1, generator=seeded(3), **settings)
    with torch.no_grad():
        ids = torch.tensor([tokenizer("The")["input_ids"]])
        logits = model(input_ids=ids).logits[0, -1].double() / settings.get("temperature", 1.0)
    p = logits.softmax(-1).numpy().copy()
    order = p.argsort()[::-1]
    if "top_k" in settings:
        p[order[settings["top_k"] :]] = 0
    if "top_p" in settings:
        p[order[1:][p[order].cumsum()[:-1] >= settings["top_p"]]] = 0
    p /= p.sum()
    seen = torch.bincount(rollout.completion_ids[:, 0], minlength=len(tokenizer)).numpy()
    assert (seen[p == 0] == 0).all()
    often = p * n >= 8
    observed = [*seen[often], seen[~often].sum()]
    expected = [*(p[often] * n), p[~often].sum() * n]
    if expected[-1] == 0:
        observed, expected = observed[:-1], expected[:-1]
    assert len(observed) > 3
    assert chisquare(observed, expected, sum_check=False).pvalue > 1e-3


def test_second_token_follows_the_conditional_distribution(model, tokenizer):
    n = 20_000
    rollout = sample(model, tokenizer, ["The"] * n, max_new_tokens=2, generator=seeded(4))
    first = rollout.completion_ids[:, 0]
    token = int(torch.mode(first[first != tokenizer.eos_token_id]).values)
    seconds = rollout.completion_ids[first == token, 1]
    with torch.no_grad():
        ids = torch.tensor([[*tokenizer("The")["input_ids"], token]])
        p = model(input_ids=ids).logits[0, -1].double().softmax(-1).numpy()
    seen = torch.bincount(seconds, minlength=len(tokenizer)).numpy()
    often = p * len(seconds) >= 8
    observed, expected = [*seen[often], seen[~often].sum()], [*p[often], p[~often].sum()]
    expected = [len(seconds) * share for share in expected]
    assert chisquare(observed, expected, sum_check=False).pvalue > 1e-3


def test_draw_never_takes_a_token_of_probability_zero():
    probabilities = torch.tensor([[0.0, 0.4, 0.0, 0.6, 0.0]]).repeat(4, 1)
    uniform = torch.tensor([0.0, 0.4, 1.0 - 2**-24, 0.39999])
    assert draw(probabilities, uniform).tolist() == [1, 3, 3, 1]


def test_truncation_keeps_at_least_the_likeliest_token():
    logits = torch.tensor([[0.0, 3.0, 1.0, 2.0]])
    assert torch.isfinite(truncate_logits(logits, top_k=2)).tolist() == [[False, True, False, True]]
    assert torch.isfinite(truncate_logits(logits, top_p=1e-6)).tolist() == [[False, True, False, False]]
    assert torch.equal(truncate_logits(logits, top_k=0, top_p=1.0), logits)
    assert torch.equal(truncate_logits(logits, top_k=9), logits)


def test_same_seed_same_rollout_and_other_seed_another(model, tokenizer, prompts):
    runs = [sample(model, tokenizer, prompts, max_new_tokens=16, generator=seeded(s)) for s in (5, 5, 6)]
    assert runs[0].texts == runs[1].texts
    assert torch.equal(runs[0].log_probs, runs[1].log_probs)
    assert runs[0].texts != runs[2].texts
    state = torch.get_rng_state()
    sample(model, tokenizer, prompts, max_new_tokens=4, generator=seeded())
    assert torch.equal(state, torch.get_rng_state())  # the global generator is left alone


def test_a_row_does_not_depend_on_the_rest_of_the_batch(model, tokenizer, prompts):
    together = sample(model, tokenizer, prompts, max_new_tokens=16, temperature=0)
    for i, prompt in enumerate(prompts):
        alone = sample(model, tokenizer, [prompt], max_new_tokens=16, temperature=0)
        n = int(alone.lengths[0])
        assert int(together.lengths[i]) == n
        assert together.completion_ids[i, :n].tolist() == alone.completion_ids[0].tolist()
        assert torch.allclose(together.log_probs[i, :n], alone.log_probs[0], atol=1e-5)


def test_a_prompt_of_many_completions_is_read_once_and_serves_them_all(model, tokenizer, prompts):
    read = []
    hook = model.get_input_embeddings().register_forward_pre_hook(lambda _, tokens: read.append(tokens[0].shape))
    mixed = [prompts[i] for i in (1, 0, 1, 1, 2, 0)]
    rollout = sample(model, tokenizer, mixed, max_new_tokens=12, generator=seeded())
    hook.remove()
    assert read[0][0] == 3
    again = completion_log_probs(model, rollout)
    assert torch.allclose(rollout.log_probs, again, atol=1e-5)
    assert len({tuple(row) for row in rollout.completion_ids.tolist()}) == 6, "each row has random numbers of its own"


def test_end_token_stops_a_row_and_belongs_to_the_completion(model, tokenizer, prompts):
    make_end_likely(model, tokenizer, 4.0)
    rollout = sample(model, tokenizer, prompts * 8, max_new_tokens=12, generator=seeded(1))
    assert rollout.ended.any() and len(set(rollout.lengths.tolist())) > 2
    for i in range(len(rollout)):
        n = int(rollout.lengths[i])
        ids = rollout.completion_ids[i]
        assert tokenizer.eos_token_id not in ids[: n - 1].tolist()
        assert (ids[n - 1] == tokenizer.eos_token_id) == rollout.ended[i]
        assert rollout.ended[i] or n == 12
        assert (ids[n:] == tokenizer.pad_token_id).all() and (rollout.log_probs[i, n:] == 0).all()
        assert tokenizer.eos_token not in rollout.texts[i]


def test_stops_early_when_all_have_ended(model, tokenizer, prompts):
    make_end_likely(model, tokenizer, 1e4)
    calls = []
    model.get_input_embeddings().register_forward_hook(lambda *_: calls.append(1))
    rollout = sample(model, tokenizer, prompts, max_new_tokens=50, generator=seeded())
    assert len(calls) == 1
    assert rollout.texts == [""] * 4 and rollout.completion_ids.shape == (4, 1) and rollout.ended.all()


def test_given_texts_become_the_same_rollout_as_sampled_ones(model, tokenizer, prompts):
    completions = [" A goat.", " The bell rang twice.", " Ask at the harbour.", " Ulo."]
    rollout = Rollout.from_texts(tokenizer, prompts, completions, ended=[True, True, False, True])
    assert rollout.ended.tolist() == [True, True, False, True]
    together = tokenizer([p + c for p, c in zip(prompts, completions, strict=True)])["input_ids"]
    ids, prompt_lengths, lengths = rollout.sequences()
    for i, expected in enumerate(together):
        end = [tokenizer.eos_token_id] if rollout.ended[i] else []
        assert ids[i, : lengths[i]].tolist() == expected + end
        assert lengths[i] - prompt_lengths[i] == rollout.lengths[i]
    part = rollout.select(torch.tensor([3, 0]))
    assert part.texts == [" Ulo.", " A goat."] and part.completion_mask.all(1).any()
    whole = completion_log_probs(model, rollout)
    picked = completion_log_probs(model, part)
    assert torch.allclose(picked, whole[[3, 0], : picked.shape[1]], atol=1e-5)


def test_hidden_states_kept_are_those_that_predicted_the_tokens(model, tokenizer, prompts):
    make_end_likely(model, tokenizer, 2.0)
    rollout = sample(model, tokenizer, prompts * 4, max_new_tokens=20, generator=seeded(), keep_hidden=True)
    mask = rollout.completion_mask
    assert rollout.hidden.shape == (*mask.shape, 16) and not rollout.hidden.requires_grad
    assert torch.allclose(rollout.hidden[mask], completion_hidden(model, rollout), atol=1e-4)
    assert (rollout.hidden[~mask] == 0).all()
    part = rollout.select(torch.tensor([2, 5]))
    assert torch.equal(part.hidden, rollout.hidden[[2, 5], : part.completion_ids.shape[1]])


def test_top_k_and_top_p_store_log_probs_of_the_whole_distribution(model, tokenizer, prompts):
    rollout = sample(model, tokenizer, prompts, max_new_tokens=8, top_k=3, top_p=0.9, generator=seeded())
    assert torch.allclose(completion_log_probs(model, rollout), rollout.log_probs, atol=1e-5)


@pytest.mark.parametrize(
    ("prompts", "settings", "words"),
    [
        ([], {}, "empty"),
        (["Review", "  "], {}, "Prompt 1 of 2 is empty"),
        (["Review " * 200], {}, "Shorten it to 128 tokens"),
        (["Review"], {"max_new_tokens": 500}, "smaller max_new_tokens"),
        (["Review"], {"max_new_tokens": 0}, "at least 1"),
        (["Review"], {"temperature": -1.0}, "temperature"),
        (["Review"], {"temperature": math.nan}, "temperature"),
        (["Review"], {"top_p": 0.0}, "top_p"),
    ],
)
def test_errors_say_what_to_do(model, tokenizer, prompts, settings, words):
    with pytest.raises(ValueError, match=words):
        sample(model, tokenizer, prompts, **settings)


def test_one_string_is_not_taken_for_a_list_of_prompts(model, tokenizer):
    with pytest.raises(TypeError, match="list of prompts"):
        sample(model, tokenizer, "Review of")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_agrees_with_the_cpu(model, tokenizer, prompts):
    make_end_likely(model, tokenizer, 2.0)
    on_cpu = sample(model, tokenizer, prompts * 4, max_new_tokens=24, generator=seeded())
    on_cuda = sample(model.cuda(), tokenizer, prompts * 4, max_new_tokens=24, generator=seeded())
    assert on_cuda.texts == on_cpu.texts
    assert torch.allclose(on_cuda.log_probs.cpu(), on_cpu.log_probs, atol=1e-4)
    assert torch.allclose(completion_log_probs(model, on_cuda), on_cuda.log_probs, atol=1e-4)
