"""TRL takes our exports: `datasets` loads them, TRL's own checks accept them, and each trainer trains a step on them.

    python -m pip install -r requirements.txt -r tests/requirements.txt -r tests/interop/requirements.txt
    python -m pytest tests/interop

in an environment of its own. Skipped where TRL is not installed, unless RLHF_LAB_REQUIRE_INTEROP is set.
"""

import os
import random
from dataclasses import replace

import pytest

if not os.environ.get("RLHF_LAB_REQUIRE_INTEROP"):
    pytest.importorskip("trl", reason="TRL is not installed: see tests/interop/requirements.txt")

import torch
from datasets import Dataset, load_dataset
from trainers import settings
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast
from trl import (
    DPOConfig,
    DPOTrainer,
    KTOConfig,
    KTOTrainer,
    RewardConfig,
    RewardTrainer,
    SFTConfig,
    SFTTrainer,
)
from trl.data_utils import extract_prompt, is_conversational, maybe_apply_chat_template, unpair_preference_dataset

from rlhf_lab.feedback import FeedbackStore, RatingSession, compare_item, question, rate_with
from rlhf_lab.feedback.examples import completion_examples, unpaired_examples
from rlhf_lab.feedback.formats import arena, argilla, hh, trl
from rlhf_lab.feedback.formats.rows import read_rows, write_rows
from rlhf_lab.feedback.pairs import preference_pairs, ratings
from rlhf_lab.models.loading import load_language_model
from rlhf_lab.paths import data_dir
from rlhf_lab.world import TASTES, SimulatedRater, generate_completion, generate_prompt

CHAT_TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
FORMS = [False, True]


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Feedback of all kinds as a session records it, ties, skips and an answer taken back included."""
    rng = random.Random(4)
    store = FeedbackStore(tmp_path_factory.mktemp("interop") / "feedback.sqlite")
    prompts = [generate_prompt("review", rng) for _ in range(8)]
    texts = {p: [generate_completion(p, rng) for _ in range(3)] for p in prompts}
    rater = SimulatedRater(TASTES["cheerful"], strengths=(0.5, 1.5), tie_threshold=0.3)
    for kind in ("compare", "score", "label", "rank", "edit"):
        count = {"compare": 2, "rank": 3}.get(kind, 1)
        session = RatingSession(
            store, kind, [question(p, t[:count]) for p, t in texts.items()], "sim", "simulated", kind=kind
        )
        rate_with(session, rater, limit=6)
        session.skip(session.view().turn)
        session.undo(session.view().turn)
        session.undo(session.view().turn)
    return store.events()


@pytest.fixture(scope="module")
def tokenizer():
    _, tokenizer = load_language_model("tiny")
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


@pytest.fixture
def model():
    return load_language_model("tiny")[0].requires_grad_(True)


def loaded(rows, folder):
    """The rows as `datasets` reads them from a file, and as it takes them directly; both the same."""
    write_rows(folder / "rows.jsonl.gz", rows)
    write_rows(folder / "rows.jsonl", rows)
    assert read_rows(folder / "rows.jsonl.gz") == rows
    dataset = load_dataset("json", data_files=str(folder / "rows.jsonl"), split="train", cache_dir=str(folder / "c"))
    assert dataset.to_list() == Dataset.from_list(rows).to_list() == rows
    return dataset


def trained(trainer):
    """One step; the loss is a number."""
    result = trainer.train()
    assert result.global_step == 1 and torch.isfinite(torch.tensor(result.training_loss))
    return trainer


@pytest.mark.parametrize("conversational", FORMS)
def test_preference(records, tokenizer, model, tmp_path, conversational):
    pairs = preference_pairs(records)
    assert len(pairs) > 15
    dataset = loaded(trl.to_preference(pairs, conversational), tmp_path)
    assert all(is_conversational(row) == conversational for row in dataset)
    if conversational:
        texts = [maybe_apply_chat_template(dict(row), tokenizer) for row in dataset]
        assert all(set(row) == {"prompt", "chosen", "rejected"} for row in texts)
        assert texts[0]["prompt"] == f"<user>{pairs[0].prompt}<assistant>" and texts[0]["chosen"] == pairs[0].chosen
    trained(DPOTrainer(model, args=settings(DPOConfig, tmp_path), train_dataset=dataset, processing_class=tokenizer))
    assert trl.from_preference(dataset) == [replace(pair, strength=None, weight=1.0) for pair in pairs]


@pytest.mark.parametrize("conversational", FORMS)
def test_reward_model_with_margins(records, tokenizer, tmp_path, conversational):
    pairs = preference_pairs(records)
    assert {pair.strength for pair in pairs} > {None, 3}
    dataset = loaded(trl.to_preference(pairs, conversational, margins=True), tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(str(data_dir() / "tiny"), num_labels=1)
    arguments = settings(RewardConfig, tmp_path)
    trainer = RewardTrainer(model, args=arguments, train_dataset=dataset, processing_class=tokenizer)
    assert "margin" in trainer.train_dataset.column_names
    batch = next(iter(trainer.get_train_dataloader()))
    assert "margin" in batch
    trained(trainer)


@pytest.mark.parametrize("conversational", FORMS)
def test_unpaired(records, tokenizer, model, tmp_path, conversational):
    examples = unpaired_examples(records)
    assert {example.label for example in examples} == {True, False}
    dataset = loaded(trl.to_unpaired(examples, conversational), tmp_path)
    assert all(is_conversational(row) == conversational for row in dataset)
    trained(KTOTrainer(model, args=settings(KTOConfig, tmp_path), train_dataset=dataset, processing_class=tokenizer))
    assert trl.from_unpaired(dataset) == examples


@pytest.mark.parametrize("conversational", FORMS)
def test_prompt_completion(records, tokenizer, model, tmp_path, conversational):
    examples = completion_examples(records)
    dataset = loaded(trl.to_prompt_completion(examples, conversational), tmp_path)
    assert all(is_conversational(row) == conversational for row in dataset)
    arguments = settings(SFTConfig, tmp_path, max_length=128)
    trained(SFTTrainer(model, args=arguments, train_dataset=dataset, processing_class=tokenizer))
    assert trl.from_prompt_completion(dataset) == examples


def test_our_unpaired_labels_of_comparisons_are_trls(tmp_path):
    """TRL unpairs preferences in the same way as we do."""
    store = FeedbackStore(tmp_path / "f.sqlite")
    items = [compare_item(f"p{i}", f" a{i}", f" b{i}") for i in range(5)]
    session = RatingSession(store, "t", items, "sim", "simulated")
    while (view := session.view()).state == "rate":
        session.answer({"winner": view.options[0].id}, view.turn)
    theirs = unpair_preference_dataset(Dataset.from_list(trl.to_preference(preference_pairs(store.records()))))
    ours = trl.to_unpaired(unpaired_examples(store.records()))
    as_set = [{(row["prompt"], row["completion"], row["label"]) for row in rows} for rows in (theirs.to_list(), ours)]
    assert as_set[0] == as_set[1]


def test_records_come_back_from_tables(records, tmp_path):
    """Battles and Argilla's records through `datasets`, which fills the keys that a row lacks with None."""
    battles = loaded(arena.to_battles(records), tmp_path)
    compared = [record for record in ratings(records) if record.kind == "compare"]
    assert [record.item_id for record in arena.from_battles(battles)] == [record.item_id for record in compared]
    assert arena.to_battles(arena.from_battles(battles)) == arena.to_battles(records)
    table = Dataset.from_list(argilla.to_argilla(records))
    back = argilla.from_argilla(table, raters=["sim"])
    assert [(r.kind, r.rater_id, r.value) for r in back] == [(r.kind, r.rater_id, r.value) for r in ratings(records)]


def test_transcripts_split_where_trl_splits_chats(tmp_path):
    """A pair of hh-rlhf as a chat: TRL finds the same prompt in the two chats as we find in the two transcripts."""
    start = "\n\nHuman: Who mends boots?\n\nAssistant: What is wrong?\n\nHuman: A hole.\n\nAssistant:"
    path = tmp_path / "hh.jsonl.gz"
    hh.write_hh(path, hh.from_hh([{"chosen": f"{start} The cobbler.", "rejected": f"{start} Nobody."}]))
    dataset = load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    (pair,) = hh.from_hh(dataset)
    (row,) = trl.to_preference([pair], conversational=True)
    whole = {key: row["prompt"] + row[key] for key in ("chosen", "rejected")}
    assert extract_prompt(whole) == row
    assert trl.from_preference([whole]) == [pair]
