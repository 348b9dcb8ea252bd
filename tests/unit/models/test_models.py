"""Tokenizers, loading and saving, and the value head."""

import json

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import GPT2Config, PreTrainedTokenizerFast

from rlhf_lab.models.loading import (
    _ensure_pad_token,
    frozen_copy,
    hidden_states,
    load_language_model,
    new_language_model,
    save_language_model,
    train_tokenizer,
    trunk_and_head,
)
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.models.value_head import ValueHead


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
        load_language_model(hub="rlhf-lab-tests/does-not-exist")


@pytest.mark.parametrize("name", ["my_lab/01_langauge_model", "my_lab/nothing", "owner/name", "gpt-2", "Tiny"])
def test_a_mistyped_path_does_not_go_to_the_network(name, monkeypatch):
    def asked(*arguments, **options):
        raise AssertionError("asked the hub")

    monkeypatch.setattr("rlhf_lab.models.loading.load_config", asked)
    with pytest.raises(FileNotFoundError, match=r'no model in .*hub="owner/name"'):
        load_language_model(name)


@pytest.mark.parametrize("other", ["pytorch_model.bin", "weights.pt"])
def test_an_index_that_names_a_pickle_is_refused(model, tokenizer, tmp_path, other):
    save_language_model(model, tokenizer, tmp_path)
    index = {"metadata": {}, "weight_map": {"transformer.wte.weight": other, "b": "model.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / other).write_bytes(b"not to be read")
    with pytest.raises(ValueError, match=f"names {other}, which is no safetensors file"):
        load_language_model(tmp_path)
    with pytest.raises(ValueError, match=f"names {other}, which is no safetensors file"):
        RewardModel.load(tmp_path)


def test_pad_token_is_added_where_pad_and_end_are_one(model, tokenizer, tmp_path):
    save_language_model(model, tokenizer, tmp_path)
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


@pytest.mark.parametrize("tied", [True, False])
def test_a_new_pad_token_takes_no_probability_where_all_logits_are_far_below_zero(tied):
    """As GPT-2's are. A new row of zeros would have logit 0, and with it nearly all the probability."""
    words = {word: i for i, word in enumerate(["<|end|>", *(f"word{i}" for i in range(39))])}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(words)), eos_token="<|end|>")
    size = len(tokenizer)
    model = new_language_model(
        GPT2Config(
            vocab_size=size,
            n_positions=32,
            n_embd=16,
            n_layer=1,
            n_head=2,
            tie_word_embeddings=tied,
            bos_token_id=None,
            eos_token_id=0,
        )
    )
    trunk, head = trunk_and_head(model)
    with torch.no_grad():
        head.weight.mul_(20.0)
        head.weight[:, 0] = 1.0
        trunk.ln_f.weight[0], trunk.ln_f.bias[0] = 0.0, -100.0  # every logit is lower by 100
    ids = torch.arange(30)[None]
    with torch.no_grad():
        before = model(input_ids=ids).logits
        assert before.max() < -50 and before.softmax(-1).max() > 0.05
        _ensure_pad_token(model, tokenizer)
        after = model(input_ids=ids).logits
    assert tokenizer.pad_token_id == size and after.shape[-1] == size + 1
    # The new logit is the mean of the others, so its probability is at most a word's fair share.
    assert after.softmax(-1)[..., size].max() <= 1 / size
    assert torch.allclose(after[..., :size], before, atol=1e-4)
    for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
        assert torch.allclose(layer.weight[size], layer.weight[:size].mean(0), atol=1e-6)


def test_trunk_and_head_together_are_the_model(model, llama):
    ids = torch.arange(2, 42).view(2, 20)
    for whole in (model, llama):
        trunk, head = trunk_and_head(whole)
        assert torch.allclose(head(hidden_states(trunk, ids)), whole(input_ids=ids).logits, atol=1e-5)


def test_clone_is_frozen_and_apart(model):
    frozen = frozen_copy(model)
    with torch.no_grad():
        next(model.parameters()).add_(1.0)
    assert not any(p.requires_grad for p in frozen.parameters())
    assert not torch.equal(next(model.parameters()), next(frozen.parameters()))


def test_value_head_starts_at_zero():
    assert (ValueHead(8)(torch.randn(3, 5, 8)) == 0).all()
