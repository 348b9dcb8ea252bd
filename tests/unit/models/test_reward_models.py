"""Reward models: what they read, that padding and company do not count, normalising, and files that others can read."""

import copy
import math

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    CodeGenConfig,
    CodeGenForCausalLM,
)

from rlhf_lab.feedback.pairs import PreferencePair
from rlhf_lab.models.loading import hidden_states, new_language_model, tiny_config
from rlhf_lab.models.reward_model import OWN_FILE, RewardModel, cautious
from rlhf_lab.models.sampling import Rollout, sample
from rlhf_lab.models.tokens import pad_left, pad_right
from rlhf_lab.training.reward_head import fit_head

COMPLETIONS = [" A goat.", " The bell rang twice, and twice again.", " Ask at the harbour.", ""]


class Sized:
    """Stands for a tokenizer of a given size."""

    pad_token_id, eos_token_id = 0, 1

    def __len__(self):
        return 300


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def reward_model(model):
    return RewardModel.from_language_model(model, seeded())


@pytest.fixture
def ensemble(model):
    return RewardModel.from_language_model(model, seeded(), outputs=3)


@pytest.fixture
def texts(tokenizer, prompts):
    completions = tokenizer([" A", " B", " C goat", " D"])["input_ids"]
    return [p + c for p, c in zip(tokenizer(prompts)["input_ids"], completions, strict=True)]


def test_the_head_is_initialised_by_width(model):
    wide = new_language_model(tiny_config(Sized(), layers=1, width=400, heads=4))
    weights = torch.cat([RewardModel(wide.base_model, seeded(s)).head.weight.flatten() for s in range(10)])
    assert weights.std().item() == pytest.approx(1 / math.sqrt(401), rel=0.05)
    assert RewardModel.from_language_model(model, outputs=2).head.bias.tolist() == [0.0, 0.0]


def test_reward_reads_the_last_real_token(reward_model, tokenizer):
    row = tokenizer("Story: A goat climbed the clock tower.")["input_ids"]
    hidden = hidden_states(reward_model.trunk, torch.tensor([row]))[0, -1]
    expected = reward_model.head(hidden).item()
    ids, mask = pad_right([row, row * 2], tokenizer.pad_token_id)
    assert reward_model(ids, mask)[0].item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("architecture", ["model", "llama"])
def test_reward_does_not_depend_on_padding_or_company(architecture, request, texts):
    reward_model = RewardModel.from_language_model(request.getfixturevalue(architecture), seeded(), outputs=2)
    with torch.no_grad():
        alone = torch.cat([reward_model(*pad_right([row], 0)) for row in texts])
        right = reward_model(*pad_right(texts, 0))
        left = reward_model(*pad_left(texts, 0))
        longer = reward_model(*(torch.nn.functional.pad(x, (7, 50)) for x in pad_left(texts, 0)))
        other_filler = reward_model(*pad_right(texts, 9))
        doubled = reward_model(*pad_right(texts[::-1] * 3, 0))[:4].flip(0)
    for scores in (right, left, longer, other_filler, doubled):
        assert torch.allclose(scores, alone, atol=1e-5)
    assert (alone.std(0) > 1e-2).all()  # they do differ from each other


def test_scores_of_texts_and_of_rollouts_agree(reward_model, tokenizer, prompts):
    rollout = Rollout.from_texts(tokenizer, prompts, COMPLETIONS)
    by_text = reward_model.score_texts(tokenizer, prompts, COMPLETIONS, micro_batch_tokens=30)
    assert torch.allclose(reward_model.score_rollout(rollout, micro_batch_tokens=50), by_text, atol=1e-5)
    assert not by_text.requires_grad
    cut_short = Rollout.from_texts(tokenizer, prompts[:3], COMPLETIONS[:3], ended=False)
    assert not torch.allclose(reward_model.score_rollout(cut_short), by_text[:3], atol=1e-3)


def test_every_output_is_a_head_of_its_own_on_one_trunk(ensemble, tokenizer, prompts):
    scores = ensemble.score_texts(tokenizer, prompts, COMPLETIONS, micro_batch_tokens=30)
    assert scores.shape == (4, 3) and ensemble.names == ("reward 1", "reward 2", "reward 3")
    alone = RewardModel(ensemble.trunk)
    with torch.no_grad():
        alone.head.weight.copy_(ensemble.head.weight[1:2])
    assert torch.allclose(alone.score_texts(tokenizer, prompts, COMPLETIONS), scores[:, 1], atol=1e-5)


def test_a_cautious_reward_pays_less_where_members_disagree():
    scores = torch.tensor([[1.0, 1.0, 1.0], [0.0, 1.0, 2.0]])
    assert cautious(scores, 0.5).tolist() == pytest.approx([1.0, 0.5])
    assert cautious(scores, 0.0).tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="two members or more"):
        cautious(torch.zeros(3))


@pytest.mark.parametrize("outputs", [0, [], ["a", "a"]])
def test_outputs_need_names_of_their_own(model, outputs):
    with pytest.raises(ValueError, match="at least one output, each with a name of its own"):
        RewardModel(model.base_model, outputs=outputs)


def test_one_string_is_no_list_of_names(model):
    with pytest.raises(TypeError, match="got one string"):
        RewardModel(model.base_model, outputs="helpful")


def test_a_text_without_tokens_or_with_a_gap_cannot_be_scored(reward_model):
    ids = torch.zeros(2, 3, dtype=torch.long)
    with pytest.raises(ValueError, match="without any token"):
        reward_model(ids, torch.tensor([[1, 1, 0], [0, 0, 0]]))
    with pytest.raises(ValueError, match="gap"):
        reward_model(ids, torch.tensor([[1, 1, 0], [1, 0, 1]]))


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


# --- Normalising -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("which", ["reward_model", "ensemble"])
def test_normalised_rewards_have_mean_0_and_variance_1(which, request, model, tokenizer, prompts):
    judge = request.getfixturevalue(which)
    rollout = sample(model, tokenizer, prompts * 8, max_new_tokens=8, generator=seeded())
    before = judge.score_rollout(rollout)
    for _ in range(2):  # normalising again changes nothing
        judge.normalise(judge.score_rollout(rollout))
        scores = judge.score_rollout(rollout)
        assert torch.allclose(scores.mean(0), torch.zeros_like(scores[0]), atol=1e-4)
        assert torch.allclose(scores.var(0, correction=0), torch.ones_like(scores[0]), atol=1e-3)
    assert torch.equal(before.argsort(0), scores.argsort(0))


@pytest.mark.parametrize("scores", [[1.0], [2.0, 2.0, 2.0], [1.0, float("nan")]])
def test_normalising_on_useless_scores_is_refused(reward_model, scores):
    with pytest.raises(ValueError, match="Cannot normalise"):
        reward_model.normalise(torch.tensor(scores))


class WithoutFloat64(torch.Tensor):
    """A tensor as on MPS, Apple's GPU: it cannot be float64 there; on the CPU it can."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        result = super().__torch_function__(function, types, args, kwargs or {})
        if function is torch.Tensor.cpu:
            return result.as_subclass(torch.Tensor)
        if isinstance(result, cls) and result.dtype == torch.float64:
            raise TypeError(
                "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64."
            )
        return result


def test_normalising_and_fitting_work_where_there_is_no_float64(reward_model, tokenizer, prompts, monkeypatch):
    expected = copy.deepcopy(reward_model)
    expected.normalise(expected.score_texts(tokenizer, prompts, COMPLETIONS))
    scores = reward_model.score_texts(tokenizer, prompts, COMPLETIONS).as_subclass(WithoutFloat64)
    for name in ("weight", "bias"):
        there = getattr(reward_model.head, name).detach().clone().as_subclass(WithoutFloat64)
        setattr(reward_model.head, name, torch.nn.Parameter(there))
    reward_model.normalise(scores)
    assert torch.equal(reward_model.head.weight.cpu(), expected.head.weight)
    assert torch.equal(reward_model.head.bias.cpu(), expected.head.bias)

    read = reward_model.features_of
    monkeypatch.setattr(reward_model, "features_of", lambda rows: read(rows).as_subclass(WithoutFloat64))
    pair = PreferencePair(prompts[0], COMPLETIONS[0], COMPLETIONS[1], prompts[0])
    assert fit_head(reward_model, tokenizer, [pair]).loss == fit_head(expected, tokenizer, [pair]).loss


# --- Files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outputs", [1, ["helpful", "harmless"]])
@pytest.mark.parametrize("architecture", ["model", "llama"])
def test_a_saved_model_is_read_back_and_read_by_others(architecture, outputs, request, tokenizer, prompts, tmp_path):
    reward_model = RewardModel.from_language_model(request.getfixturevalue(architecture), seeded(), outputs)
    reward_model.normalise(reward_model.score_texts(tokenizer, prompts, COMPLETIONS) - 3.0)  # a constant far from 0
    expected = reward_model.score_texts(tokenizer, prompts, COMPLETIONS)
    before = {key: value.clone() for key, value in reward_model.state_dict().items()}

    folder = reward_model.save(tmp_path / "saved", tokenizer)
    assert all(torch.equal(value, before[key]) for key, value in reward_model.state_dict().items())
    loaded = RewardModel.load(folder)
    assert loaded.names == reward_model.names
    assert torch.allclose(loaded.score_texts(tokenizer, prompts, COMPLETIONS), expected, atol=1e-5)

    others = AutoModelForSequenceClassification.from_pretrained(folder)
    their_tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = [prompt + text + "<|end|>" for prompt, text in zip(prompts, COMPLETIONS, strict=True)]
    batch = their_tokenizer(texts, return_tensors="pt", padding=True)
    with torch.no_grad():
        found = others(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    found = found if found.shape[1] > 1 else found[:, 0]
    if architecture == "model":
        assert torch.allclose(found, expected, atol=1e-5)
    else:  # Llama's last norm has no bias: what is missing is known
        constant = torch.tensor(others.config.reward_bias)
        assert constant.abs().min() > 0.1 and torch.allclose(found + constant, expected, atol=1e-5)
    assert set(others.config.id2label.values()) == set(reward_model.names)


def test_outputs_that_depend_on_each_other_keep_their_constants(reward_model, ensemble, tokenizer, prompts, tmp_path):
    with torch.no_grad():
        ensemble.head.weight[1] = ensemble.head.weight[0]
        ensemble.head.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
    expected = ensemble.score_texts(tokenizer, prompts, COMPLETIONS)
    loaded = RewardModel.load(ensemble.save(tmp_path))
    assert torch.allclose(loaded.score_texts(tokenizer, prompts, COMPLETIONS), expected, atol=1e-5)


def test_a_reward_model_of_others_is_read(model, tokenizer, prompts, tmp_path):
    config = model.config.__class__(**{**model.config.to_dict(), "num_labels": 1, "resid_pdrop": 0.1})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        theirs = AutoModelForSequenceClassification.from_config(config).eval()
    theirs.save_pretrained(tmp_path)
    ours = RewardModel.load(tmp_path)
    texts = [prompt + text + "<|end|>" for prompt, text in zip(prompts, COMPLETIONS, strict=True)]
    batch = tokenizer(texts, return_tensors="pt", padding=True)
    with torch.no_grad():
        expected = theirs(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, 0]
    assert torch.allclose(ours.score_texts(tokenizer, prompts, COMPLETIONS), expected, atol=1e-5)
    ours.train()
    assert torch.equal(*(ours.score_texts(tokenizer, prompts, COMPLETIONS) for _ in range(2)))  # dropout is off


def test_an_architecture_without_such_a_model_is_saved_all_the_same(tokenizer, prompts, tmp_path):
    config = CodeGenConfig(
        vocab_size=len(tokenizer),
        n_positions=64,
        n_embd=16,
        n_layer=1,
        n_head=4,
        rotary_dim=4,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        reward_model = RewardModel.from_language_model(CodeGenForCausalLM(config), seeded(), ["kind"])
    with torch.no_grad():
        reward_model.head.bias.fill_(0.5)
    folder = reward_model.save(tmp_path)
    assert {path.name for path in folder.iterdir()} == {OWN_FILE, "config.json"}
    loaded = RewardModel.load(folder)
    expected = reward_model.score_texts(tokenizer, prompts, COMPLETIONS)
    assert torch.allclose(loaded.score_texts(tokenizer, prompts, COMPLETIONS), expected, atol=1e-5)
    assert loaded.names == ("kind",)


def test_files_that_are_missing_or_could_not_be_read_by_others_are_refused(reward_model, tokenizer, tmp_path):
    with pytest.raises(FileNotFoundError, match="no reward model"):
        RewardModel.load(tmp_path / "empty")
    reward_model.trunk.config.pad_token_id = None
    with pytest.raises(ValueError, match="names no padding token"):
        reward_model.save(tmp_path)
    names = {path.name for path in reward_model.save(tmp_path / "with", tokenizer).iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= names
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in names)


def test_weights_that_others_would_not_find_are_refused(reward_model, tmp_path):
    reward_model.trunk.adapter = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"do not fit GPT2ForSequenceClassification.*merge them"):
        reward_model.save(tmp_path)


def test_a_model_with_another_sort_of_head_is_refused(tmp_path):
    config = BertConfig(vocab_size=20, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    with torch.random.fork_rng(devices=[]):
        BertForSequenceClassification(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="BertForSequenceClassification has no linear head called `score`"):
        RewardModel.load(tmp_path)
