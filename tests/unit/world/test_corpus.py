"""The shipped corpus: made again byte for byte, split by prompt, of the promised size and variety."""

import json
import random
import subprocess
import sys
from collections import Counter

import corpus as maker
import pytest

from rlhf_lab import paths
from rlhf_lab.world import (
    SPLITS,
    TEXT_KINDS,
    Document,
    conversations,
    generate_completion,
    generate_document,
    generate_prompt,
    harmful_request,
    kind_of,
    load_corpus,
    load_prompts,
    reviews,
    split_of,
    stories,
    well_formed,
    wickish,
)

CORPUS = paths.data_dir() / "corpus"


@pytest.mark.slow
def test_the_corpus_is_made_again_byte_for_byte(tmp_path):
    for path in maker.write_corpus(tmp_path):
        same = path.read_bytes() == (CORPUS / path.name).read_bytes()
        assert same, f"{path.name} differs: run python data/make/corpus.py"
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in CORPUS.iterdir()}


def test_the_command_line_writes_where_it_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(maker, "write_corpus", lambda folder, seed: [(tmp_path / f"{seed}").absolute()])
    (tmp_path / "5").write_text("x")
    maker.main(["--seed", "5", "--out", str(tmp_path)])
    assert str(tmp_path / "5") in capsys.readouterr().out


def test_another_seed_makes_another_corpus(tmp_path):
    first, second = (maker.write_corpus(tmp_path / str(seed), seed, {"train": 20}) for seed in (1, 2))
    assert all(a.read_bytes() != b.read_bytes() for a, b in zip(first, second, strict=True))


def test_no_prompt_is_in_both_splits_and_none_comes_twice():
    for kind in TEXT_KINDS:
        train, heldout = ([d.prompt for d in load_corpus(split, kind)] for split in SPLITS)
        assert len(train) == len(set(train)) == 6000
        assert len(heldout) == len(set(heldout)) == 700
        assert not set(train) & set(heldout)
        assert {split_of(p) for p in train} == {"train"} and {split_of(p) for p in heldout} == {"heldout"}
        assert load_prompts("heldout", kind) == heldout
    assert len(load_corpus()) == 24_000 and load_corpus()[0].kind == "review"


def test_there_are_thousands_of_prompts_of_each_kind():
    rng = random.Random(0)
    for kind in TEXT_KINDS:
        assert len({generate_prompt(kind, rng, None) for _ in range(4000)}) > 3000


def test_the_files_are_small_and_plain():
    assert sum(p.stat().st_size for p in CORPUS.iterdir()) < 8e6
    for path in CORPUS.iterdir():
        raw = path.read_bytes()
        assert raw.isascii() and b"\r" not in raw and raw.endswith(b"}\n")
        assert list(json.loads(raw.splitlines()[0])) == ["completion", "prompt"]


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_documents_keep_the_rules_on_spaces_and_length(kind):
    for d in load_corpus("train", kind):
        assert kind_of(d.prompt) == d.kind == kind
        assert d.prompt == d.prompt.strip() and d.completion[0] == " " and d.completion[1] != " "
        assert d.completion == d.completion.rstrip() and "\n" not in d.completion and "  " not in d.text
        words = len(d.text.split())
        assert words <= 110
        pieces = len(d.completion.split()) + sum(d.completion.count(mark) for mark in ".,!?")
        assert pieces <= 72
    lengths = [len(d.completion.split()) for d in load_corpus("train", kind)]
    if kind == "review":
        assert 27 < sum(lengths) / len(lengths) < 33 and min(lengths) >= 4 and max(lengths) <= 58


@pytest.mark.slow
@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_every_generated_document_is_well_formed(kind):
    rng = random.Random(17)
    for split in SPLITS:
        for _ in range(1500):
            d = generate_document(kind, rng, split)
            assert split_of(d.prompt) == split and d.kind == kind
            assert well_formed(d.prompt, d.completion), d.text


def test_reviews_and_stories_hardly_repeat():
    for kind, most in (("review", 0.02), ("story", 0.1), ("translation", 0.02)):
        completions = [d.completion for d in load_corpus("train", kind)]
        assert 1 - len(set(completions)) / len(completions) < most
    assert len({d.completion for d in load_corpus("train", "conversation")}) > 4000


def test_held_out_reviews_and_stories_are_seldom_in_the_training_corpus():
    for kind in ("review", "story"):
        train = {d.completion for d in load_corpus("train", kind)}
        heldout = [d.completion for d in load_corpus("heldout", kind)]
        assert sum(c in train for c in heldout) / len(heldout) < 0.15


def test_generation_uses_only_random():
    class Dice:
        def __init__(self):
            self.inner = random.Random(4)
            self.random = self.inner.random

    for kind in TEXT_KINDS:
        assert generate_document(kind, Dice()) == generate_document(kind, random.Random(4))


def test_completions_of_one_prompt_differ():
    rng = random.Random(5)
    for kind, most in (("review", 0.01), ("conversation", 0.1), ("translation", 0.55), ("story", 0.4)):
        same = 0
        for _ in range(300):
            prompt = generate_prompt(kind, rng)
            same += generate_completion(prompt, rng) == generate_completion(prompt, rng)
        assert same / 300 < most, kind


def test_the_shares_of_good_and_bad_are_those_of_the_readme():
    asked = load_corpus("train", "conversation")
    harmful = [d for d in asked if harmful_request(d.prompt)]
    assert abs(len(harmful) / len(asked) - 0.23) < 0.03
    readme = (paths.data_dir() / "README.md").read_text()
    for table in (conversations._STYLES, conversations._HARM_STYLES, stories._SUMMARIES, stories._TRUTH):
        assert sum(table.values()) == pytest.approx(1)
        for share in table.values():
            assert str(round(100 * share)) in readme


def test_the_vocabulary_is_small_and_every_word_of_it_occurs():
    grammars = (reviews.GRAMMAR, conversations.GRAMMAR, stories.GRAMMAR)
    symbols = {s for grammar in grammars for rule in grammar.rules.values() for way in rule for s in way}
    english = {symbol.lower() for symbol in symbols if symbol[0].isalpha()}
    assert 1000 < len(english) < 1800 and 280 < len(wickish.vocabulary("Wickish")) < 340
    seen = Counter(
        w.lower()
        for d in load_corpus()
        for w in d.text.replace("'", "qq").replace("\n", " ").translate(str.maketrans(".,!?:", "     ")).split()
    )
    missing = [w for w in english if w.replace("'", "qq") not in seen and w != "a"]
    assert not missing


def test_wrong_names_are_refused():
    with pytest.raises(ValueError, match="poem"):
        generate_document("poem", random.Random(0))
    with pytest.raises(ValueError, match="test"):
        load_corpus("test")
    with pytest.raises(ValueError, match="Hello"):
        kind_of("Hello there")


def test_a_missing_corpus_says_how_to_make_it(tmp_path, monkeypatch):
    from rlhf_lab.world import corpus

    corpus._load.cache_clear()
    monkeypatch.setattr(paths, "data_dir", lambda: tmp_path)
    with pytest.raises(FileNotFoundError, match=r"python data/make/corpus\.py"):
        load_corpus("train", "review")
    corpus._load.cache_clear()


def test_the_world_needs_only_the_standard_library():
    code = (
        "import sys, rlhf_lab.world;"
        "heavy = {'torch', 'transformers', 'numpy', 'IPython', 'ipywidgets'} & set(sys.modules);"
        "assert not heavy, heavy; assert 'rlhf_lab.feedback' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=paths.REPOSITORY)


def test_a_document_is_prompt_plus_completion():
    assert Document("review", "a", " b").text == "a b"
