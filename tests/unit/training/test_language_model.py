"""Language-model training: the right tokens are learned, and a run can be stopped and resumed to the bit."""

import math
import os
import signal
import threading
from dataclasses import dataclass

import pytest
import torch

from rlhf_lab.models.loading import new_language_model, tiny_config
from rlhf_lab.models.sampling import sample
from rlhf_lab.models.tokens import encode_completions, encode_prompts, pad_right
from rlhf_lab.objectives.language_model import language_model_loss
from rlhf_lab.training.language_model import (
    LanguageModelConfig,
    _tokenise,
    backward_language_model_loss,
    held_out_loss,
    train_language_model,
)


@dataclass(frozen=True)
class Text:
    prompt: str
    completion: str


ANIMALS, VERBS = ("goat", "fox", "owl", "cow"), ("sleeps", "rang", "climbed")
DOCUMENTS = [Text(f"Story {i % 7}:", f" The {a} {v}.") for i, (a, v) in enumerate((a, v) for a in ANIMALS for v in VERBS)]  # fmt: skip  # noqa: E501


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def fresh(tokenizer):
    return lambda: new_language_model(tiny_config(tokenizer, layers=1, width=32, heads=2), seed=3)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_a_model_learns_its_documents_and_when_to_stop(fresh, tokenizer):
    model, records = fresh(), []
    config = LanguageModelConfig(steps=120, batch_size=12, micro_batch_tokens=80, learning_rate=1e-2)
    before = held_out_loss(model, tokenizer, DOCUMENTS)
    result = train_language_model(model, tokenizer, DOCUMENTS, config, callback=records.append, generator=seeded())
    assert result.history == records and len(records) == 120 and not result.interrupted and not result.stopped
    assert held_out_loss(model, tokenizer, DOCUMENTS) < 0.6 < 4 < before
    assert records[0]["step"] == 1 and result.last["step"] == result.last["total"] == 120
    needed = {"loss", "learning_rate", "gradient_norm", "tokens", "seconds", "step_seconds"}
    assert needed <= set(records[0])
    rollout = sample(model, tokenizer, ["Story 1:"] * 20, max_new_tokens=30, generator=seeded())
    assert rollout.ended.float().mean() > 0.9  # the end token was learned: it is not masked as padding
    known = {d.completion for d in DOCUMENTS}
    assert sum(text in known for text in rollout.texts) >= 16


@pytest.mark.parametrize("completion_only_loss", [False, True])
def test_loss_of_the_loop_is_the_loss_of_the_formula(model, tokenizer, completion_only_loss):
    rows = [
        p + c
        for p, c in zip(
            encode_prompts(tokenizer, [d.prompt for d in DOCUMENTS]),
            encode_completions(tokenizer, [d.completion for d in DOCUMENTS]),
            strict=True,
        )
    ]
    ids, mask = pad_right(rows, tokenizer.pad_token_id)
    if completion_only_loss:
        prompt_lengths = [len(row) for row in encode_prompts(tokenizer, [d.prompt for d in DOCUMENTS])]
        mask &= torch.arange(ids.shape[1]) >= torch.tensor(prompt_lengths)[:, None]
    expected = language_model_loss(model(input_ids=ids).logits, ids, mask)
    expected.backward()
    gradient = model.get_input_embeddings().weight.grad.clone()
    model.zero_grad()
    batch = _tokenise(model, tokenizer, DOCUMENTS, completion_only_loss)
    for micro_batch_tokens in (1000, 40):
        loss = backward_language_model_loss(model, batch, tokenizer.pad_token_id, micro_batch_tokens)
        assert loss == pytest.approx(expected.item(), rel=1e-5)
        assert torch.allclose(model.get_input_embeddings().weight.grad, gradient, rtol=1e-3, atol=1e-5)
        model.zero_grad()
    assert held_out_loss(model, tokenizer, DOCUMENTS, completion_only_loss) == pytest.approx(expected.item(), rel=1e-5)
    assert model.get_input_embeddings().weight.grad is None


def test_sft_learns_the_completion_and_its_end_and_nothing_else(fresh, tokenizer):
    rows = _tokenise(fresh(), tokenizer, DOCUMENTS[:1], completion_only_loss=True)
    learned = rows[0].ids[rows[0].first_learned :]
    assert list(learned) == [*tokenizer(DOCUMENTS[0].completion)["input_ids"], tokenizer.eos_token_id]
    # The prompt stays as unlikely as it was, or nearly, while the completion is learned.
    document, model = [Text("Story 1:", " The goat sleeps.")], fresh()
    config = LanguageModelConfig(steps=60, batch_size=1, completion_only_loss=True, learning_rate=1e-2)
    before = held_out_loss(model, tokenizer, document)
    train_language_model(model, tokenizer, document, config, generator=seeded())
    completion_only = held_out_loss(model, tokenizer, document, completion_only_loss=True)
    assert completion_only < 0.2 < held_out_loss(model, tokenizer, document) < before + 3


@pytest.mark.parametrize("muon", [False, True])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(fresh, tokenizer, tmp_path, muon):
    config = LanguageModelConfig(steps=9, batch_size=5, checkpoint_every=2, muon=muon)
    whole = fresh()
    full = train_language_model(whole, tokenizer, DOCUMENTS, config, generator=seeded(1))

    def interrupt(metrics):
        if metrics["step"] == 4:
            raise KeyboardInterrupt

    first = fresh()
    half = train_language_model(
        first, tokenizer, DOCUMENTS, config, generator=seeded(1), checkpoint=tmp_path, callback=interrupt
    )
    assert half.interrupted and len(half.history) == 4
    second = fresh()
    rest = train_language_model(
        second, tokenizer, DOCUMENTS, config, generator=seeded(99), checkpoint=tmp_path, resume=True
    )
    assert not rest.interrupted and rest.history[0]["step"] == 5
    assert torch.equal(weights(second), weights(whole))
    assert [m["loss"] for m in half.history + rest.history] == [m["loss"] for m in full.history]
    assert rest.last["tokens"] == full.last["tokens"]


def test_a_run_killed_between_checkpoints_resumes_from_the_last(fresh, tokenizer, tmp_path):
    config = LanguageModelConfig(steps=7, batch_size=5, checkpoint_every=3)

    def fail(metrics):
        if metrics["step"] == 5:
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        train_language_model(
            fresh(), tokenizer, DOCUMENTS, config, generator=seeded(1), checkpoint=tmp_path, callback=fail
        )
    second, whole = fresh(), fresh()
    rest = train_language_model(second, tokenizer, DOCUMENTS, config, checkpoint=tmp_path, resume=True)
    assert rest.history[0]["step"] == 4
    train_language_model(whole, tokenizer, DOCUMENTS, config, generator=seeded(1))
    assert torch.equal(weights(second), weights(whole))
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.safetensors"]


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_an_interrupt_ends_the_run_after_the_step_and_keeps_what_was_learned(fresh, tokenizer):
    model, start = fresh(), fresh()
    seen = []

    def callback(metrics):
        seen.append(metrics["step"])
        if metrics["step"] == 3:
            signal.raise_signal(signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    result = train_language_model(
        model, tokenizer, DOCUMENTS, LanguageModelConfig(steps=50, batch_size=4), callback=callback
    )
    assert result.interrupted and result.last["step"] in (3, 4) and seen[-1] == result.last["step"]
    assert not torch.equal(weights(model), weights(start))
    assert signal.getsignal(signal.SIGINT) is handler


def test_works_outside_the_main_thread(fresh, tokenizer):
    results = []
    config = LanguageModelConfig(steps=2, batch_size=4)
    thread = threading.Thread(
        target=lambda: results.append(train_language_model(fresh(), tokenizer, DOCUMENTS, config))
    )
    thread.start()
    thread.join()
    assert results[0].last["step"] == 2


def test_a_diverging_run_stops_with_a_sentence_and_finite_weights(fresh, tokenizer):
    model = fresh()
    poison = []
    model.get_input_embeddings().register_forward_hook(
        lambda module, inputs, output: output * (math.nan if len(poison) == 3 else 1.0)
    )
    result = train_language_model(
        model,
        tokenizer,
        DOCUMENTS,
        LanguageModelConfig(steps=10, batch_size=4),
        callback=lambda m: poison.append(m["step"]),
    )
    assert "step 4" in result.stopped and "learning rate" in result.stopped
    assert len(result.history) == 3 and torch.isfinite(weights(model)).all()


def test_a_run_that_breaks_down_ends_with_its_best_weights(fresh, tokenizer):
    """At a learning rate of 1e3 the loss is 1e6 after a step, and not a number after a few more."""
    model = fresh()
    before = held_out_loss(model, tokenizer, DOCUMENTS)
    config = LanguageModelConfig(steps=40, batch_size=4, learning_rate=1e3)
    result = train_language_model(model, tokenizer, DOCUMENTS, config, generator=seeded())
    assert result.last["loss"] > 1e5 and "third" in result.stopped and "at the start" in result.stopped
    assert held_out_loss(model, tokenizer, DOCUMENTS) == before


def test_the_best_weights_are_those_of_the_lowest_loss(fresh, tokenizer):
    model, seen, poison = fresh(), [], []
    model.get_input_embeddings().register_forward_hook(
        lambda module, inputs, output: output * (math.nan if len(poison) == 30 else 1.0)
    )

    def after(record):
        poison.append(record["step"])
        seen.append(weights(model))

    config = LanguageModelConfig(steps=40, batch_size=12, learning_rate=1e-2)
    result = train_language_model(model, tokenizer, DOCUMENTS, config, callback=after, generator=seeded())
    losses = [record["loss"] for record in result.history]
    assert losses == sorted(losses, reverse=True)  # all documents in each batch: it only falls
    assert "after step 29, where the loss was lowest" in result.stopped and torch.equal(weights(model), seen[28])


def test_a_model_that_overflows_at_once_is_not_blamed_on_the_learning_rate(fresh, tokenizer):
    model = fresh()
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(1e30)
    before = weights(model)
    result = train_language_model(model, tokenizer, DOCUMENTS, LanguageModelConfig(steps=3))
    assert "before the first update" in result.stopped and "not the learning rate" in result.stopped
    assert torch.equal(weights(model), before)


def test_evaluation_is_reported_when_it_is_due(fresh, tokenizer):
    model = fresh()
    result = train_language_model(
        model,
        tokenizer,
        DOCUMENTS,
        LanguageModelConfig(steps=5, batch_size=4, evaluate_every=2),
        evaluate=lambda: {"held_out_loss": held_out_loss(model, tokenizer, DOCUMENTS)},
    )
    assert ["held_out_loss" in m for m in result.history] == [False, True, False, True, True]


def test_the_global_random_state_is_left_alone_where_a_generator_is_given(fresh, tokenizer):
    state = torch.get_rng_state()
    runs = []
    for _ in range(2):
        model = fresh()
        config = LanguageModelConfig(steps=3, batch_size=4)
        train_language_model(model, tokenizer, DOCUMENTS, config, generator=seeded(7))
        runs.append(weights(model))
    assert torch.equal(*runs) and torch.equal(state, torch.get_rng_state())


def test_errors_say_what_to_do(fresh, tokenizer, tmp_path):
    with pytest.raises(ValueError, match="no documents"):
        train_language_model(fresh(), tokenizer, [])
    with pytest.raises(ValueError, match=r"Document 1 has \d+ tokens .*at most 192"):
        train_language_model(fresh(), tokenizer, [DOCUMENTS[0], Text("Story:", " long" * 300)])
    with pytest.raises(ValueError, match="Prompt 0 of 1 is empty"):
        train_language_model(fresh(), tokenizer, [Text("", " Something.")])
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        train_language_model(fresh(), tokenizer, DOCUMENTS, checkpoint=tmp_path, resume=True)
    with pytest.raises(ValueError, match="from where"):
        train_language_model(fresh(), tokenizer, DOCUMENTS, resume=True)


def test_a_checkpoint_of_another_model_is_refused(fresh, tokenizer, tmp_path):
    config = LanguageModelConfig(steps=1, batch_size=4)
    train_language_model(fresh(), tokenizer, DOCUMENTS, config, checkpoint=tmp_path)
    other = new_language_model(tiny_config(tokenizer, layers=2, width=32, heads=2))
    with pytest.raises(ValueError, match="another shape"):
        train_language_model(other, tokenizer, DOCUMENTS, config, checkpoint=tmp_path, resume=True)
