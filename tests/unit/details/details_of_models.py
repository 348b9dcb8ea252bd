"""Details of models, tokens and sampling: 1 to 3, and 7 to 13."""

import copy

import torch
import torch.nn.functional as F
from detail import as_it_is, detail
from torch import nn
from transformers import AutoConfig, GPT2Model

from rlhf_lab.feedback.examples import CompletionExample
from rlhf_lab.models import log_probs, sampling
from rlhf_lab.models.loading import frozen_copy, hidden_states, load_language_model, save_language_model
from rlhf_lab.models.log_probs import completion_log_probs
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.models.sampling import Rollout, sample, truncate_logits
from rlhf_lab.models.tokens import pad_right
from rlhf_lab.models.value_head import ValueHead
from rlhf_lab.objectives.advantages import penalise_missing_eos
from rlhf_lab.objectives.language_model import language_model_loss
from rlhf_lab.training.language_model import held_out_loss
from rlhf_lab.training.policy_gradient import PolicyGradientConfig, train_policy


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# --- Heads -------------------------------------------------------------------------------------------


class DefaultInit(RewardModel):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.head.reset_parameters()  # torch's own: uniform, and a bias


class BiasOfOne(RewardModel):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        nn.init.ones_(self.head.bias)


class NoisyValues(ValueHead):
    def __init__(self, width):
        super().__init__(width)
        nn.init.normal_(self.linear.weight)


@detail(
    1,
    "the reward head starts as N(0, 1/(d+1)) with bias 0, the value head as zeros",
    right=(RewardModel, ValueHead),
    broken={
        "torch's default": (DefaultInit, ValueHead),
        "a bias": (BiasOfOne, ValueHead),
        "values of noise": (RewardModel, NoisyValues),
    },
)
def heads_start_as_they_should(classes, tools):
    head = classes[0](tools.model.base_model, seeded(), outputs=400).head
    standardised = head.weight.detach() * 17**0.5  # 6400 numbers; the model is 16 wide
    assert abs(standardised.std() - 1) < 0.05 and abs(standardised.mean()) < 0.05
    assert 0.03 < (standardised.abs() > 2).float().mean() < 0.06  # as of a normal distribution
    assert not head.bias.any()
    assert not any(p.any() for p in classes[1](16).parameters())


class LastColumn(RewardModel):
    def features(self, ids, mask):
        return hidden_states(self.trunk, ids)[:, -1]


class CompletionOnly(RewardModel):
    def score_texts(self, tokenizer, prompts, completions, micro_batch_tokens=2048):
        return super().score_texts(tokenizer, ["The"] * len(prompts), completions, micro_batch_tokens)


@detail(
    2,
    "the reward model reads prompt and completion, and scores at the last real token",
    right=RewardModel,
    broken={"the last column": LastColumn, "the completion only": CompletionOnly},
)
def the_last_real_token_is_scored(reward_class, tools):
    reward_model = reward_class.from_language_model(tools.model, seeded())
    row = tools.tokenizer("Story: A goat climbed the clock tower.")["input_ids"]
    expected = reward_model.head(hidden_states(reward_model.trunk, torch.tensor([row]))[0, -1])
    ids, mask = pad_right([row, row * 2], tools.tokenizer.pad_token_id)
    torch.testing.assert_close(reward_model(ids, mask)[:1], expected, atol=1e-5, rtol=0)
    scores = reward_model.score_texts(tools.tokenizer, tools.prompts, [" A goat."] * len(tools.prompts))
    assert scores.std() > 1e-3  # one completion, several prompts


def only_scaled(reward_model, scores):
    reward_model.head.weight.data /= scores.std(correction=0)


def only_shifted(reward_model, scores):
    reward_model.head.bias.data -= scores.mean()


def shifted_in_the_wrong_unit(reward_model, scores):
    reward_model.head.weight.data /= scores.std(correction=0)
    reward_model.head.bias.data -= scores.mean()


@detail(
    3,
    "gain and bias are set so that rewards of reference samples have mean 0 and variance 1",
    right=RewardModel.normalise,
    broken={"only scaled": only_scaled, "only shifted": only_shifted, "the wrong unit": shifted_in_the_wrong_unit},
)
def rewards_are_normalised(normalise, tools):
    reward_model = RewardModel.from_language_model(tools.model, seeded())
    nn.init.constant_(reward_model.head.bias, 3.0)
    rollout = sample(tools.model, tools.tokenizer, tools.prompts * 4, max_new_tokens=6, generator=seeded())
    normalise(reward_model, reward_model.score_rollout(rollout))
    scores = reward_model.score_rollout(rollout)
    assert abs(scores.mean()) < 1e-3 and abs(scores.var(correction=0) - 1) < 1e-3


# --- Log-probabilities -------------------------------------------------------------------------------


def temperature_forgotten(tools):
    tools.replace("rlhf_lab.models.log_probs.token_log_probs", no_temperature)


TOKEN_LOG_PROBS, CHOOSE, COMPLETION_HIDDEN = log_probs.token_log_probs, sampling._choose, log_probs.completion_hidden


def no_temperature(head, hidden, tokens, temperature=1.0, entropy=False):
    return TOKEN_LOG_PROBS(head, hidden, tokens, 1.0, entropy)


def truncated_stored(tools):
    def choose(logits, uniform, temperature, top_k, top_p):
        return CHOOSE(truncate_logits(logits, top_k, top_p), uniform, temperature, 0, 1.0)

    tools.replace("rlhf_lab.models.sampling._choose", choose)


@detail(
    7,
    "log-probabilities are those at the temperature of sampling, of the whole distribution",
    right=as_it_is,
    broken={"temperature forgotten": temperature_forgotten, "of the truncated distribution": truncated_stored},
)
def log_probs_belong_to_the_temperature(prepare, tools):
    prepare(tools)
    settings = {"max_new_tokens": 6, "temperature": 0.7, "top_k": 3}
    rollout = sample(tools.model, tools.tokenizer, tools.prompts, generator=seeded(), **settings)
    torch.testing.assert_close(completion_log_probs(tools.model, rollout), rollout.log_probs, atol=1e-4, rtol=0)


def first_step(tools, temperature=0.7):
    """The rollout of a first step of training, and the step's record."""
    seen, reference = [], frozen_copy(tools.model)

    def reward(rollout):
        seen.append(rollout)
        return rollout.lengths.float()

    config = PolicyGradientConfig(steps=1, batch_size=8, max_new_tokens=6, temperature=temperature, learning_rate=1e-3)
    result = train_policy(
        tools.model, reference, reward, tools.tokenizer, tools.prompts, config=config, generator=seeded()
    )
    return reference, seen[0], result.last


def states_of_the_next_token(tools):
    def shifted(model, rollout):
        hidden = COMPLETION_HIDDEN(model, rollout)
        return torch.cat([hidden[1:], hidden[-1:]])

    tools.replace("rlhf_lab.training.policy_gradient.completion_hidden", shifted)


def a_mistake_that_both_share(tools):
    """Sampler and learner both take twice the temperature: their ratio is 1, and both are wrong."""

    def choose(logits, uniform, temperature, top_k, top_p):
        return CHOOSE(logits, uniform, 2 * temperature, top_k, top_p)

    def doubled(head, hidden, tokens, temperature=1.0, entropy=False):
        return TOKEN_LOG_PROBS(head, hidden, tokens, 2 * temperature, entropy)

    tools.replace("rlhf_lab.models.sampling._choose", choose)
    tools.replace("rlhf_lab.models.log_probs.token_log_probs", doubled)
    tools.replace("rlhf_lab.training.policy_gradient.token_log_probs", doubled)


@detail(
    8,
    "before the first update every ratio is 1, and the stored log-probabilities are right, not only the same",
    right=as_it_is,
    broken={"one token late": states_of_the_next_token, "a mistake that both share": a_mistake_that_both_share},
)
def the_first_ratio_is_one(prepare, tools):
    prepare(tools)
    model, rollout, record = first_step(tools)
    assert record["first_ratio_error"] < 1e-3
    for i in range(2):  # by an independent route: one row, no padding, the model's own logits
        prompt, n = rollout.prompt_ids[i][rollout.prompt_mask[i]], int(rollout.lengths[i])
        ids = torch.cat([prompt, rollout.completion_ids[i, :n]])
        log_p = (model(input_ids=ids[None]).logits[0, len(prompt) - 1 : -1] / 0.7).log_softmax(-1)
        expected = log_p.gather(1, ids[len(prompt) :, None])[:, 0]
        torch.testing.assert_close(rollout.log_probs[i, :n], expected, atol=1e-4, rtol=0)


def never_in_eval_mode(tools):
    tools.replace("transformers.PreTrainedModel.eval", lambda self: self)


def configuration_as_saved(tools):
    tools.replace("rlhf_lab.models.loading.load_config", AutoConfig.from_pretrained)


@detail(
    9,
    "dropout is off everywhere, in training too",
    right=as_it_is,
    broken={"never in eval mode": never_in_eval_mode, "as the configuration was saved": configuration_as_saved},
)
def dropout_is_off(prepare, tools):
    prepare(tools)
    saved = copy.deepcopy(tools.model)
    saved.config.resid_pdrop = saved.config.embd_pdrop = 0.3
    loaded, _ = load_language_model(save_language_model(saved, tools.tokenizer, tools.folder))
    ids = torch.arange(2, 30)[None]
    assert torch.equal(loaded.train()(input_ids=ids).logits, loaded(input_ids=ids).logits)
    for module in tools.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.5
    tools.model.train()
    assert first_step(tools)[2]["first_ratio_error"] < 1e-3


# --- Tokens ------------------------------------------------------------------------------------------


def not_shifted(logits, ids, mask):
    return F.cross_entropy(logits[mask], ids[mask])


def shifted_backwards(logits, ids, mask):
    return F.cross_entropy(logits[:, 1:][mask[:, 1:]], ids[:, :-1][mask[:, 1:]])


@detail(
    10,
    "the logits of position t predict token t + 1",
    right=language_model_loss,
    broken={"not shifted": not_shifted, "shifted backwards": shifted_backwards},
)
def no_position_sees_its_answer(loss, tools):
    ids, mask = torch.tensor([[3, 1, 4, 1, 5]]), torch.ones(1, 5, dtype=torch.bool)
    following = torch.cat([ids[:, 1:], ids[:, :1]], 1)
    assert loss(20.0 * F.one_hot(following, 6), ids, mask) < 1e-3
    assert loss(20.0 * F.one_hot(ids, 6), ids, mask) > 10  # who only repeats what it reads knows nothing


def padded_on_the_right(tools):
    tools.replace("rlhf_lab.models.sampling.pad_left", pad_right)


def sampler_with(change):
    """Has the model get other positions and another attention mask than the sampler gives it."""

    def prepare(tools):
        forward = GPT2Model.forward

        def changed(trunk, *, attention_mask=None, position_ids=None, **given):
            if attention_mask is not None:
                position_ids, attention_mask = change(position_ids, attention_mask)
            return forward(trunk, attention_mask=attention_mask, position_ids=position_ids, **given)

        tools.replace("transformers.GPT2Model.forward", changed)

    return prepare


def positions_of_columns(positions, bias):
    last = bias.shape[-1]
    return torch.arange(last - positions.shape[1], last).expand(len(bias), -1), bias


def only_causal(positions, bias):
    lowest = torch.finfo(bias.dtype).min
    return positions, torch.full_like(bias, lowest).triu(1 + bias.shape[-1] - positions.shape[1])


@detail(
    11,
    "prompts are padded on the left, padding is not looked at, and positions count real tokens",
    right=as_it_is,
    broken={
        "padded on the right": padded_on_the_right,
        "positions that count padding": sampler_with(positions_of_columns),
        "padding is looked at": sampler_with(only_causal),
    },
)
def a_row_does_not_depend_on_its_padding(prepare, tools):
    alone = [sample(tools.model, tools.tokenizer, [p], max_new_tokens=6, temperature=0) for p in tools.prompts]
    prepare(tools)
    together = sample(tools.model, tools.tokenizer, tools.prompts, max_new_tokens=6, temperature=0)
    for i, single in enumerate(alone):
        n = int(single.lengths[0])
        assert int(together.lengths[i]) == n
        torch.testing.assert_close(together.log_probs[i, :n], single.log_probs[0], atol=1e-4, rtol=0)


def masked_by_id(tools):
    def to_tensors(rows, pad_id):
        ids, _ = pad_right([row.ids for row in rows], pad_id)
        first = torch.tensor([row.first_learned for row in rows])
        return ids, (ids != pad_id) & (torch.arange(ids.shape[1]) >= first[:, None])

    tools.replace("rlhf_lab.training.language_model._to_tensors", to_tensors)


def pad_left_as_it_was(tools):
    tools.replace("rlhf_lab.models.loading._ensure_pad_token", lambda model, tokenizer: None)


@detail(
    12,
    "padding is not the end token, and the end token is learned even where it is",
    right=as_it_is,
    broken={"masked by its id": masked_by_id, "pad == end is left so": pad_left_as_it_was},
)
def the_end_token_is_learned(prepare, tools):
    prepare(tools)
    bad = copy.deepcopy(tools.tokenizer)
    bad.pad_token = bad.eos_token
    document = CompletionExample("The", " goat sleeps.", "The")
    rows = [bad("The")["input_ids"], [*bad(" goat sleeps.")["input_ids"], bad.eos_token_id]]
    ids = torch.tensor([rows[0] + rows[1]])
    log_p = tools.model(input_ids=ids).logits[0].log_softmax(-1)
    expected = -sum(log_p[i - 1, ids[0, i]] for i in range(len(rows[0]), ids.shape[1])) / len(rows[1])
    assert abs(held_out_loss(tools.model, bad, [document], completion_only_loss=True) - expected) < 1e-4
    _, loaded = load_language_model(save_language_model(tools.model, bad, tools.folder))
    assert loaded.pad_token_id != loaded.eos_token_id


def no_penalty(scores, ended, penalty):
    return scores


def everybody_pays(scores, ended, penalty):
    return scores - penalty


def the_ended_pay(scores, ended, penalty):
    return penalise_missing_eos(scores, ~ended, penalty)


def as_if_ended(reward_model, rollout, tokenizer):
    return reward_model.score_texts(tokenizer, rollout.prompts, rollout.texts)


def as_it_stands(reward_model, rollout, tokenizer):
    return reward_model.score_rollout(rollout)


@detail(
    13,
    "a missing end costs a fixed penalty, and the text is scored as it was cut",
    right=(penalise_missing_eos, as_it_stands),
    broken={
        "no penalty": (no_penalty, as_it_stands),
        "everybody pays": (everybody_pays, as_it_stands),
        "those pay who ended": (the_ended_pay, as_it_stands),
        "scored as if it had ended": (penalise_missing_eos, as_if_ended),
    },
)
def a_missing_end_has_its_price(functions, tools):
    penalise, score = functions
    scores, ended = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([True, False, True])
    assert penalise(scores, ended, 1.5).tolist() == [1.0, -3.5, 3.0]
    reward_model = RewardModel.from_language_model(tools.model, seeded())
    rollout = Rollout.from_texts(tools.tokenizer, tools.prompts[:1], [" A goat climbed"], ended=False)
    row = tools.tokenizer(tools.prompts[0] + " A goat climbed")["input_ids"]
    with torch.no_grad():
        expected = reward_model(*pad_right([row], 0))
    torch.testing.assert_close(score(reward_model, rollout, tools.tokenizer), expected, atol=1e-5, rtol=0)
