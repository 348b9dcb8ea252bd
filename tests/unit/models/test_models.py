"""Tokenizers, loading and saving, and the reward and value heads."""

import math

import pytest
import torch

from rlhf_lab.models import (
    RewardModel,
    ValueHead,
    _ensure_pad_token,
    clone,
    hidden_states,
    load_language_model,
    save_language_model,
    train_tokenizer,
    trunk_and_head,
)
from rlhf_lab.sampling import Rollout, sample
from rlhf_lab.tokens import pad_left, pad_right

COMPLETIONS = [" A goat.", " The bell rang twice, and twice again.", " Ask at the harbour.", ""]


def test_tokenizer_is_reproducible_and_keeps_any_text(tokenizer):
    texts = ["Where can I buy a lantern? Ask at the harbour."] * 4
    assert train_tokenizer(texts, 300).get_vocab() == train_tokenizer(texts, 300).get_vocab()
    for text in ("plain words", " two  spaces\n", "naïve 🦊 \u202eright to left", "a\tb"):
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


def test_prompt_and_completion_tokenise_apart(tokenizer):
    for prompt, completion in [("Review of the Copper Kettle:", " The plum bread."), ("Helper:", ' "Ask!"')]:
        together = tokenizer(prompt + completion)["input_ids"]
        assert tokenizer(prompt)["input_ids"] + tokenizer(completion)["input_ids"] == together


def test_a_word_takes_the_space_before_it(tokenizer):
    pieces = tokenizer.convert_ids_to_tokens(tokenizer(" goat climbed the clock")["input_ids"])
    assert "Ġthe" in pieces


def test_pad_is_not_the_end_token(tokenizer):
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 1)


def test_saved_model_loads_as_it_was(model, tokenizer, prompts, tmp_path):
    save_language_model(model, tokenizer, tmp_path / "saved")
    names = {path.name for path in (tmp_path / "saved").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= names
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in names)
    loaded, loaded_tokenizer = load_language_model(tmp_path / "saved")
    for a, b in zip(model.parameters(), loaded.parameters(), strict=True):
        assert torch.equal(a, b)
    assert loaded_tokenizer(prompts)["input_ids"] == tokenizer(prompts)["input_ids"]
    assert (loaded_tokenizer.pad_token_id, loaded_tokenizer.eos_token_id) == (0, 1)
    assert not loaded.training


def test_dropout_is_off_whatever_the_saved_configuration_says(model, tokenizer, tmp_path):
    model.config.resid_pdrop = model.config.attn_pdrop = model.config.embd_pdrop = 0.1
    loaded, _ = load_language_model(save_language_model(model, tokenizer, tmp_path / "saved"))
    loaded.train()
    ids = torch.arange(2, 30)[None]
    assert torch.equal(loaded(input_ids=ids).logits, loaded(input_ids=ids).logits)


def test_missing_model_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no model in .*Check the path"):
        load_language_model(tmp_path / "nothing")


def test_hub_model_offline_says_what_to_do():
    with pytest.raises(FileNotFoundError, match="hf download"):
        load_language_model("rlhf-lab-tests/does-not-exist")


def test_pad_token_is_added_where_pad_and_end_are_one(model, tokenizer, tmp_path):
    save_language_model(model, tokenizer, tmp_path)
    from transformers import PreTrainedTokenizerFast

    bad = PreTrainedTokenizerFast.from_pretrained(tmp_path, pad_token="<|end|>", eos_token="<|end|>")
    bad.pad_token = bad.eos_token = "<|end|>"
    bad.unk_token = None
    before = model(input_ids=torch.arange(2, 30)[None]).logits.softmax(-1)
    size = before.shape[-1]
    _ensure_pad_token(model, bad)
    assert bad.pad_token_id != bad.eos_token_id
    after = model(input_ids=torch.arange(2, 30)[None]).logits.softmax(-1)
    assert model.config.pad_token_id == bad.pad_token_id < after.shape[-1]
    assert (after[..., :size] - before).abs().max() < 0.05 or after.shape[-1] == size


def test_trunk_and_head_together_are_the_model(model, llama):
    ids = torch.arange(2, 42).view(2, 20)
    for whole in (model, llama):
        trunk, head = trunk_and_head(whole)
        assert torch.allclose(head(hidden_states(trunk, ids)), whole(input_ids=ids).logits, atol=1e-5)


def test_clone_is_frozen_and_apart(model):
    frozen = clone(model)
    with torch.no_grad():
        next(model.parameters()).add_(1.0)
    assert not any(p.requires_grad for p in frozen.parameters())
    assert not torch.equal(next(model.parameters()), next(frozen.parameters()))


def test_value_head_starts_at_zero():
    assert (ValueHead(8)(torch.randn(3, 5, 8)) == 0).all()


def test_reward_head_is_initialised_by_width(model):
    from rlhf_lab.models import new_language_model, tiny_config

    wide = new_language_model(tiny_config(_Sized(300), layers=1, width=400, heads=4))
    weights = torch.cat(
        [RewardModel(wide.base_model, torch.Generator().manual_seed(s)).head.weight.flatten() for s in range(10)]
    )
    assert weights.std().item() == pytest.approx(1 / math.sqrt(401), rel=0.05)
    assert RewardModel.from_language_model(model).head.bias.item() == 0.0


class _Sized:
    """Stands for a tokenizer of a given size."""

    pad_token_id, eos_token_id = 0, 1

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size


@pytest.fixture
def reward_model(model):
    return RewardModel.from_language_model(model, torch.Generator().manual_seed(0))


def test_reward_reads_the_last_real_token(reward_model, tokenizer):
    row = tokenizer("Story: A goat climbed the clock tower.")["input_ids"]
    hidden = hidden_states(reward_model.trunk, torch.tensor([row]))[0, -1]
    expected = reward_model.head(hidden).item()
    ids, mask = pad_right([row, row * 2], tokenizer.pad_token_id)
    assert reward_model(ids, mask)[0].item() == pytest.approx(expected, abs=1e-5)


def test_reward_does_not_depend_on_padding_or_company(reward_model, tokenizer, prompts):
    completions = tokenizer([" A", " B", " C goat", " D"])["input_ids"]
    rows = [p + c for p, c in zip(tokenizer(prompts)["input_ids"], completions, strict=True)]
    alone = torch.cat([reward_model(*pad_right([row], 0)) for row in rows])
    right = reward_model(*pad_right(rows, 0))
    left = reward_model(*pad_left(rows, 0))
    longer = reward_model(*(torch.nn.functional.pad(x, (7, 5)) for x in pad_left(rows, 0)))
    other_filler = reward_model(*pad_right(rows, 9))
    for scores in (right, left, longer, other_filler):
        assert torch.allclose(scores, alone, atol=1e-5)
    assert alone.std() > 1e-2  # they do differ from each other


def test_scores_of_texts_and_of_rollouts_agree(reward_model, tokenizer, prompts):
    rollout = Rollout.from_texts(tokenizer, prompts, COMPLETIONS)
    by_text = reward_model.score_texts(tokenizer, prompts, COMPLETIONS, piece_tokens=30)
    assert torch.allclose(reward_model.score_rollout(rollout, piece_tokens=50), by_text, atol=1e-5)
    assert not by_text.requires_grad
    cut_short = Rollout.from_texts(tokenizer, prompts[:3], COMPLETIONS[:3], ended=False)
    assert not torch.allclose(reward_model.score_rollout(cut_short), by_text[:3], atol=1e-3)


def test_normalised_rewards_have_mean_0_and_variance_1(reward_model, model, tokenizer, prompts):
    rollout = sample(model, tokenizer, prompts * 8, max_new_tokens=8, generator=torch.Generator().manual_seed(0))
    before = reward_model.score_rollout(rollout)
    for _ in range(2):  # normalising again changes nothing
        reward_model.normalise(reward_model.score_rollout(rollout))
        scores = reward_model.score_rollout(rollout)
        assert scores.mean().item() == pytest.approx(0, abs=1e-4)
        assert scores.var(correction=0).item() == pytest.approx(1, abs=1e-3)
    assert torch.equal(before.argsort(), scores.argsort())


@pytest.mark.parametrize("scores", [[1.0], [2.0, 2.0, 2.0], [1.0, float("nan")]])
def test_normalising_on_useless_scores_is_refused(reward_model, scores):
    with pytest.raises(ValueError, match="Cannot normalise"):
        reward_model.normalise(torch.tensor(scores))


def test_reward_model_saves_and_loads(reward_model, tokenizer, prompts, tmp_path):
    reward_model.normalise(torch.tensor([0.0, 3.0, 5.0]))
    loaded = RewardModel.load(reward_model.save(tmp_path / "rm"))
    expected = reward_model.score_texts(tokenizer, prompts, COMPLETIONS)
    assert torch.equal(loaded.score_texts(tokenizer, prompts, COMPLETIONS), expected)
    with pytest.raises(FileNotFoundError, match="no reward model"):
        RewardModel.load(tmp_path / "empty")


def test_a_text_without_tokens_cannot_be_scored(reward_model):
    with pytest.raises(ValueError, match="without any token"):
        reward_model(torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, 3, dtype=torch.bool))


def test_training_a_reward_model_leaves_the_language_model_alone(model):
    before = [p.clone() for p in model.parameters()]
    reward_model = RewardModel.from_language_model(model)
    reward_model(torch.arange(2, 12)[None], torch.ones(1, 10, dtype=torch.bool)).sum().backward()
    with torch.no_grad():
        for p in reward_model.parameters():
            if p.grad is not None:
                p -= p.grad
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(p.grad is None for p in model.parameters())
