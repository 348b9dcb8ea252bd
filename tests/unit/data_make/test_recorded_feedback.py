"""The recording: through the session, all kinds, the same again with the same seed, and ready to replay."""

import pytest
import recorded_feedback as recording

from rlhf_lab.feedback import RatingSession, ReplayRater, compare_item, preference_pairs, rate_with, read_records
from rlhf_lab.feedback.agreement import answers_by_rater, gold_accuracy, self_consistency
from rlhf_lab.feedback.store import FeedbackStore
from rlhf_lab.models.loading import load_language_model

pytestmark = pytest.mark.slow

SMALL = recording.RecordingConfig(comparisons=9, shared=3, gold_items=2, others=2, repeat_rate=0.2)


@pytest.fixture(scope="module")
def tiny():
    return load_language_model("tiny")


@pytest.fixture(scope="module")
def files(tiny):
    return recording.record(SMALL, *tiny)


def test_all_kinds_by_three_raters(files):
    assert set(files) == {"compare", "score", "label", "rank", "edit", "gold"}
    for kind, records in files.items():
        if kind != "gold":
            assert {r.rater_id for r in records} == set(recording.RATERS)
            assert {(r.source, r.kind, r.status) for r in records} == {("simulated", kind, "submitted")}
            assert {candidate.policy for r in records for candidate in r.candidates} == {"tiny"}
    assert {r.source for r in files["gold"]} == {"gold"}
    assert len({r.uid for records in files.values() for r in records}) == sum(map(len, files.values()))
    assert {r.ts_utc for records in files.values() for r in records} == {recording.RECORDED_AT}
    kinds_of_text = {r.prompt.split(" ")[0] for r in files["score"]}
    assert len(kinds_of_text) >= 4 and preference_pairs(files["edit"])


def test_raters_share_questions_and_meet_gold_and_repeats(files):
    table = answers_by_rater([r for r in files["compare"] if not r.is_gold])
    by_number = [len(answers) for answers in table.values()]
    assert by_number.count(3) == SMALL.shared and by_number.count(1) == SMALL.comparisons - SMALL.shared
    assert gold_accuracy(files["compare"], files["gold"]).trials >= 3
    assert self_consistency(files["compare"]).trials >= 1


def test_the_same_seed_writes_the_same(files, tiny):
    assert recording.record(SMALL, *tiny) == files


def test_a_recording_can_be_replayed(files, tmp_path):
    for name in ("compare", "rank", "edit"):
        own = [r for r in files[name] if r.rater_id == "ben"]
        replay = ReplayRater(own)
        session = RatingSession(
            FeedbackStore(tmp_path / "f.sqlite"), "again", replay.items_of(name), "replay", "replay", kind=name
        )
        assert rate_with(session, replay) == len(own)


def test_files_and_readme(tmp_path, monkeypatch, files):
    monkeypatch.setattr(recording, "record", lambda config: files)
    counts = recording.write(SMALL, tmp_path / "feedback")
    assert {p.name: len(read_records(p)) for p in (tmp_path / "feedback").iterdir()} == {
        f"{name}.jsonl": count for name, count in counts.items()
    }
    readme = tmp_path / "README.md"
    readme.write_text("# Data\n\n## Recorded feedback\n\n(nothing yet)\n\n## Results\n\nnone\n")
    for _ in range(2):
        recording.replace_section(readme, recording.readme_section(SMALL, counts))
        content = readme.read_text()
        assert content.startswith("# Data\n\n## Recorded feedback\n\n`feedback/`")
        assert content.endswith("|\n\n## Results\n\nnone\n") and content.count("## Recorded") == 1
        assert "nothing yet" not in content and f"`compare.jsonl` {counts['compare']}" in content
    readme.write_text("# Data\n")
    recording.replace_section(readme, "## Recorded feedback\n\nx\n")
    assert readme.read_text() == "# Data\n\n## Recorded feedback\n\nx\n"


def test_the_command(tmp_path, monkeypatch, files, capsys):
    (tmp_path / "README.md").write_text("# Data\n")
    seeds = []
    monkeypatch.setattr(recording, "data_dir", lambda: tmp_path)
    monkeypatch.setattr(recording, "record", lambda config: seeds.append(config.seed) or files)
    recording.main([])
    assert not (tmp_path / "feedback").exists(), "without --write it only says how many there would be"
    recording.main(["--write", "--seed", "3"])
    assert seeds == [0, 3] and "with seed 3." in (tmp_path / "README.md").read_text()
    assert read_records(tmp_path / "feedback" / "rank.jsonl") == files["rank"]
    assert capsys.readouterr().out.count(f"rank: {len(files['rank'])}") == 2


def test_the_gold_answer_is_the_whole_text(files):
    for record in files["gold"]:
        texts = {candidate.id: candidate.text for candidate in record.candidates}
        assert len(texts[record.winner]) == max(map(len, texts.values())) and record.is_gold
    assert compare_item("p", "a", "b").item_id not in {r.item_id for r in files["gold"]}
