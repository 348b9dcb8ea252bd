"""A language model of a few thousand parameters, randomly initialised, for tests of everything built on one."""

import pytest
from kit import Tools

TEXTS = [
    "Review of the Copper Kettle bakery: The plum bread was still warm.",
    "Visitor: Where can I buy a lantern?\nHelper: Ask at the harbour, by the red door.",
    "English: The fox sleeps under the bridge.\nWickish: Ulo pim faro.",
    "Story: A goat climbed the clock tower. The bell rang twice.\nSummary: A goat rang the bell.",
]
PROMPTS = ["Review of", "Visitor: Where can I buy a lantern?\nHelper:", "Story: A goat climbed.\nSummary:", "The"]


@pytest.fixture(scope="session")
def tokenizer():
    from rlhf_lab.models.loading import train_tokenizer

    return train_tokenizer(TEXTS * 3, vocab_size=320)


@pytest.fixture
def prompts():
    return list(PROMPTS)


@pytest.fixture
def model(tokenizer):
    """GPT-2 architecture with weights large enough that its predictions are far from uniform."""
    import torch

    from rlhf_lab.models.loading import new_language_model, tiny_config

    model = new_language_model(tiny_config(tokenizer, layers=2, width=16, heads=2), seed=1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(12.0)
    return model


@pytest.fixture
def llama(tokenizer):
    """Llama architecture with grouped queries, as SmolLM2 has."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=192,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        model = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(12.0)
    return model.eval()


@pytest.fixture
def tools(model, tokenizer, prompts, tmp_path, monkeypatch):
    return Tools(model, tokenizer, prompts, tmp_path, monkeypatch.setattr)
