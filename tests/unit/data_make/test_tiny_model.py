"""The command that makes the tiny model: reproducible, reported, and blind to held-out prompts."""

import json

import pytest
from documents import generate_documents
from quality import measure_quality
from tiny_model import PretrainConfig, command_for, main, pretrain

from rlhf_lab.models.loading import load_language_model
from rlhf_lab.world import TEXT_KINDS, split_of

TINY = PretrainConfig(
    vocab_size=1000,
    layers=1,
    width=16,
    heads=1,
    tokenizer_documents=300,
    batch_size=4,
    held_out_documents=2,
    quality_prompts=3,
)


def test_documents_are_fresh_mixed_reproducible_and_of_their_split():
    documents = generate_documents(5, 200)
    assert documents == generate_documents(5, 200) and documents[:50] == generate_documents(5, 50)
    assert documents != generate_documents(6, 200)
    assert {document.kind for document in documents} == set(TEXT_KINDS)
    assert all(split_of(document.prompt) == "train" for document in documents)
    assert all(split_of(d.prompt) == "heldout" for d in generate_documents(5, 20, "heldout"))
    only = generate_documents(5, 20, mixture=(("story", 1.0),))
    assert {document.kind for document in only} == {"story"}
    with pytest.raises(ValueError, match="at least one"):
        generate_documents(5, 0)
    with pytest.raises(ValueError, match="does not have"):
        generate_documents(5, 1, mixture=(("poem", 1.0),))


def test_pretraining_writes_a_model_with_its_report(tmp_path):
    lines = []
    summary = pretrain(tmp_path / "a", seed=3, steps=3, config=TINY, report=lines.append)
    assert json.loads((tmp_path / "a" / "training.json").read_text()) == json.loads(json.dumps(summary))
    assert summary["steps"] == summary["finished_steps"] == 3 and summary["documents"] == 12
    command = summary["command"]
    assert "--seed 3 --steps 3 --vocabulary 1000 --layers 1 --width 16 --heads 1 --batch-size 4" in command
    assert "--adamw" in command_for(PretrainConfig(muon=False), seed=0, steps=1) and "--adamw" not in command
    assert set(summary["quality"]) == set(TEXT_KINDS) and lines
    needed = {"well_formed", "well_formed_interval", "ended", "copied", "distinct", "tokens", "prompts"}
    assert all(needed <= set(q) and q["prompts"] == 3 for q in summary["quality"].values())
    model, tokenizer = load_language_model(tmp_path / "a")
    assert len(tokenizer) == 1000 and model.config.n_layer == 1
    assert not any(file.suffix in (".bin", ".pt", ".pkl") for file in (tmp_path / "a").iterdir())
    pretrain(tmp_path / "b", seed=3, steps=3, config=TINY, report=lines.append)
    for name in ("model.safetensors", "tokenizer.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_pretraining_for_a_time_measures_its_steps(tmp_path):
    summary = pretrain(tmp_path, minutes=1e-6, config=TINY, report=lambda line: None)
    assert summary["steps"] == 20  # at least so many
    with pytest.raises(ValueError, match="either steps or minutes"):
        pretrain(tmp_path)


def test_quality_counts_copies_and_well_formed_texts(monkeypatch, model, tokenizer):
    from rlhf_lab.models.sampling import Rollout

    def fake(model, tokenizer, prompts, **settings):
        return Rollout.from_texts(tokenizer, prompts, [" Good text.", " Copied text.", " bad", " Good text."])

    monkeypatch.setattr("quality.sample", fake)
    monkeypatch.setattr("quality.well_formed", lambda prompt, text: "text" in text)
    report = measure_quality(model, tokenizer, {"review": ["a", "b", "c", "d"]}, {" Copied text."})["review"]
    assert (report["well_formed"], report["copied"], report["distinct"]) == (0.75, 0.25, 0.75)
    low, high = report["well_formed_interval"]
    assert low == pytest.approx(0.3006, abs=1e-3) and high == pytest.approx(0.9544, abs=1e-3)


def test_the_command_explains_itself(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "--minutes" in capsys.readouterr().out
