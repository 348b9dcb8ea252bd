"""GPT-2's layers by hand give what the model's own forward pass gives, token by token."""

import pytest
import torch
from transformers import GPT2Config

from rlhf_lab.gpt2_decoding import can_decode
from rlhf_lab.models import new_language_model, tiny_config
from rlhf_lab.sampling import sample


@pytest.fixture(autouse=True, params=["weights laid out", "layers as they are"])
def products(request, monkeypatch):
    """Small as the models here are, both kinds of product get their turn."""
    smallest = 0 if request.param == "weights laid out" else float("inf")
    monkeypatch.setattr("rlhf_lab.linear_maps.SMALLEST_PRODUCT", smallest)


def both_ways(monkeypatch, model, tokenizer, prompts, **settings):
    """Rollouts by hand and by the model's own forward pass, from the same random numbers; and forward passes taken."""
    runs, calls = [], []
    hook = model.base_model.register_forward_hook(lambda *_: calls.append(1))
    for by_hand in (True, False):
        if not by_hand:
            monkeypatch.setattr("rlhf_lab.sampling.can_decode", lambda trunk: False)
            monkeypatch.setattr("rlhf_lab.linear_maps._works", lambda: False)
        generator = torch.Generator().manual_seed(0)
        runs.append(sample(model, tokenizer, prompts, generator=generator, keep_hidden=True, **settings))
        runs.append(len(calls))
    hook.remove()
    return runs


def assert_the_same(by_hand, itself):
    assert torch.equal(by_hand.completion_ids, itself.completion_ids) and by_hand.texts == itself.texts
    assert torch.allclose(by_hand.log_probs, itself.log_probs, atol=1e-5)
    assert torch.allclose(by_hand.hidden, itself.hidden, atol=1e-4)


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("temperature", [0.7, 1.0, 0])
def test_the_same_tokens_and_log_probs(monkeypatch, model, tokenizer, prompts, padded, temperature):
    untied = torch.nn.Linear(16, len(tokenizer))  # a head of its own, with a liking for the end token
    with torch.no_grad():
        untied.weight.copy_(model.get_output_embeddings().weight)
        untied.bias.zero_()[tokenizer.eos_token_id] = 3.0 if temperature else 0.0  # rows end, and leave the batch
    model.set_output_embeddings(untied)
    texts = prompts * 4 if padded else prompts[:1] * 16
    settings = {"max_new_tokens": 30, "temperature": temperature}
    by_hand, passes, itself, passes_in_all = both_ways(monkeypatch, model, tokenizer, texts, **settings)
    assert_the_same(by_hand, itself)
    assert passes == 0 and passes_in_all > 1  # one for the prompts and one for every further token
    assert temperature == 0 or len(set(by_hand.lengths.tolist())) > 2


@pytest.mark.parametrize("activation", ["gelu_new", "relu"])
def test_other_activations_and_scales_of_attention(monkeypatch, tokenizer, prompts, activation):
    config = tiny_config(tokenizer, layers=3, width=16, heads=4)
    config.scale_attn_by_inverse_layer_idx, config.scale_attn_weights, config.n_inner = True, False, 24
    config.activation_function = activation
    model = new_language_model(config)
    by_hand, _, itself, _ = both_ways(monkeypatch, model, tokenizer, prompts, max_new_tokens=10)
    assert_the_same(by_hand, itself)


class Adapter(torch.nn.Module):
    """As LoRA does: another linear map stands around the model's own."""

    def __init__(self, inside, width):
        super().__init__()
        self.inside, self.extra = inside, torch.nn.Linear(width, inside.nf)

    def forward(self, x):
        return self.inside(x) + self.extra(x)


def test_adapters_are_not_passed_over(monkeypatch, model, tokenizer, prompts):
    plain = sample(model, tokenizer, prompts, max_new_tokens=10, temperature=0)
    for block in model.transformer.h:
        block.attn.c_attn = Adapter(block.attn.c_attn, 16)
    by_hand, passes, itself, _ = both_ways(monkeypatch, model, tokenizer, prompts, max_new_tokens=10, temperature=0)
    assert_the_same(by_hand, itself)
    assert passes == 0 and not torch.equal(by_hand.completion_ids, plain.completion_ids)


def test_other_architectures_go_their_own_way(llama, model):
    assert can_decode(model.base_model) and not can_decode(llama.base_model)
    reads_another = GPT2Config(vocab_size=9, n_positions=8, n_embd=8, n_layer=1, n_head=1, add_cross_attention=True)
    assert not can_decode(new_language_model(reads_another).base_model)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_on_a_gpu(monkeypatch, model, tokenizer, prompts, dtype):
    settings = {"max_new_tokens": 20, "temperature": 0}
    by_hand, _, itself, _ = both_ways(monkeypatch, model.cuda().to(dtype), tokenizer, prompts, **settings)
    same = (by_hand.completion_ids == itself.completion_ids).float().mean()
    assert same == 1 if dtype == torch.float32 else same > 0.5  # 16 bits: a tie may fall the other way
