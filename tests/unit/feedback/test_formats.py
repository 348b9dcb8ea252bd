"""Exports and imports: round trips, the published shape of each format, and words for what cannot be read."""

import gzip
import json

import pytest
from feedback_strategies import events
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhf_lab.feedback import FeedbackError, FeedbackStore, PreferencePair, Record, RecordError, StoreError, question
from rlhf_lab.feedback.formats import arena, argilla, hh, trl
from rlhf_lab.feedback.formats.messages import from_messages, is_transcript, to_messages
from rlhf_lab.feedback.formats.rows import read_rows, write_rows
from rlhf_lab.feedback.pairs import preference_pairs, ratings

KINDS = ("compare", "score", "label", "rank", "edit")
# As hh-rlhf writes them; the texts are ours.
START = "\n\nHuman: Who mends boots?\n\nAssistant: What is wrong?\n\nHuman: A hole.\n\nAssistant:"
HH = {"chosen": START + " The cobbler, then.", "rejected": START + " Buy new ones."}


def compared(winner, strength=None, **more):
    item = question("Where is the well?", [" By the inn.", " No."], ("new", "old"))
    ids = {"first": item.candidates[0].id, "second": item.candidates[1].id}
    value = {"winner": ids.get(winner, winner)} | ({"strength": strength} if strength else {})
    return Record(
        **{
            "rater_id": "ann",
            "source": "human",
            "session_id": "s",
            "task_id": "t",
            "kind": "compare",
            "item_id": item.item_id,
            "prompt": item.prompt,
            "candidates": item.candidates,
            "display_order": tuple(c.id for c in item.candidates)[::-1],
            "status": "submitted",
            "value": value,
            **more,
        }
    )


# -- TRL --


def test_trl_rows():
    pair = PreferencePair("Where is the well?", " By the inn.", " No.", "p", strength=2)
    assert trl.to_preference([pair]) == [{"prompt": "Where is the well?", "chosen": " By the inn.", "rejected": " No."}]
    (row,) = trl.to_preference([pair], conversational=True, margins=True)
    assert row == {
        "prompt": [{"role": "user", "content": "Where is the well?"}],
        "chosen": [{"role": "assistant", "content": " By the inn."}],
        "rejected": [{"role": "assistant", "content": " No."}],
        "margin": pytest.approx(2 / 3),
    }
    assert trl.from_preference([row])[0].strength == 2


def test_trl_with_an_implicit_prompt():
    user, good, bad = ({"role": r, "content": c} for r, c in (("user", "q"), ("assistant", "x"), ("assistant", "y")))
    (pair,) = trl.from_preference([{"chosen": [user, good], "rejected": [user, bad]}])
    assert (pair.prompt, pair.chosen, pair.rejected) == ("q", "x", "y")
    with pytest.warns(UserWarning, match="two equal texts"):
        assert trl.from_preference([{"chosen": [user, good], "rejected": [user, good]}]) == []


@pytest.mark.parametrize(
    ("read", "row", "words"),
    [
        (trl.from_preference, {"prompt": "p", "chosen": "x"}, "Row 0: It needs a text 'rejected'"),
        (
            trl.from_preference,
            {"prompt": "p", "chosen": "x", "rejected": "y", "margin": 9.0},
            "Row 0: Its margin is none of",
        ),
        (trl.from_unpaired, {"prompt": "p", "completion": "x", "label": 1}, "label, true or false; got 1"),
        (trl.from_prompt_completion, {"prompt": [{"role": "user"}], "completion": [{"role": "assistant"}]}, "Row 0: "),
        (trl.from_prompt_completion, {"prompt": [{"role": "tool", "content": ""}], "completion": []}, "A message is"),
        (trl.from_prompt_completion, {"prompt": [], "completion": []}, "begins with a message of the assistant"),
    ],
)
def test_rows_that_are_not_trls(read, row, words):
    with pytest.raises(RecordError, match=words):
        read([row])


# -- chats --


def test_transcripts_become_turns():
    prompt = "\n\nHuman: hi\n\nAssistant: ho\n\nHuman: so?\n\nAssistant:"
    asked, answer = to_messages(prompt, " yes")
    assert [m["content"] for m in (*asked, *answer)] == ["hi", "ho", "so?", "yes"]
    assert from_messages(asked, answer) == (prompt, " yes")
    one = "\n\nHuman: hi\n\nAssistant:"
    assert from_messages(*to_messages(one, " yes")) == ("hi", "yes"), "plain: a lone question as it stands"
    assert from_messages(*to_messages(one, " yes"), plain=False) == (one, " yes")
    assert from_messages([{"role": "system", "content": "Be brief."}, *asked[:1]], answer)[0] == (
        "\n\nSystem: Be brief.\n\nHuman: hi\n\nAssistant:"
    )


@given(prompt=st.text(max_size=40), first=st.text(max_size=40), second=st.text(max_size=40))
def test_any_text_survives_a_chat(prompt, first, second):
    asked, one, two = to_messages(prompt, first, second)
    plain = not is_transcript(prompt)
    assert from_messages(asked, one, plain) == (prompt, first)
    assert from_messages(asked, two, plain) == (prompt, second)


# -- hh-rlhf --


def test_hh_transcripts():
    (pair,) = hh.from_hh([HH])
    assert pair.prompt.endswith("Human: A hole.\n\nAssistant:") and pair.prompt.startswith("\n\nHuman: Who")
    assert (pair.chosen, pair.rejected) == (" The cobbler, then.", " Buy new ones.")
    assert hh.to_hh([pair]) == [HH]
    # Where one goes on after the other has ended, the rest belongs to its completion.
    longer = {"chosen": HH["chosen"], "rejected": HH["rejected"] + "\n\nHuman: Why?\n\nAssistant: Because."}
    assert hh.from_hh([longer])[0].rejected == " Buy new ones.\n\nHuman: Why?\n\nAssistant: Because."


def test_hh_files_plain_and_gzip(tmp_path):
    pairs = [*hh.from_hh([HH]), PreferencePair("Review of the inn:", " Fine.", " Dull \u2028 \U0001f35e", "x")]
    for name in ("pairs.jsonl", "pairs.jsonl.gz"):
        assert hh.write_hh(tmp_path / name, pairs) == 2
        back = hh.read_hh(tmp_path / name, plain=True)
        assert [(p.prompt, p.chosen, p.rejected) for p in back] == [(p.prompt, p.chosen, p.rejected) for p in pairs]
    assert gzip.decompress((tmp_path / "pairs.jsonl.gz").read_bytes()) == (tmp_path / "pairs.jsonl").read_bytes()
    again = (tmp_path / "pairs.jsonl.gz").read_bytes()
    hh.write_hh(tmp_path / "pairs.jsonl.gz", pairs)
    assert (tmp_path / "pairs.jsonl.gz").read_bytes() == again, "the same pairs, the same bytes"
    (tmp_path / "misnamed.jsonl").write_bytes(again)
    assert len(hh.read_hh(tmp_path / "misnamed.jsonl")) == 2


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=20)


@given(prompt=WORDS, first=WORDS, second=WORDS, turns=st.lists(st.tuples(WORDS, WORDS), max_size=2))
def test_hh_round_trip(prompt, first, second, turns):
    if first == second:
        return
    plain = PreferencePair(prompt, first, second, prompt)
    assert hh.from_hh(hh.to_hh([plain]), plain=True) == [plain]
    before = "".join(f"\n\nHuman: {a}\n\nAssistant: {b}" for a, b in turns)
    whole = f"{before}\n\nHuman: {prompt}\n\nAssistant:"
    chat = PreferencePair(whole, first, second, whole)
    assert hh.from_hh(hh.to_hh([chat])) == [chat]


@pytest.mark.parametrize(
    "row",
    [
        {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: c\n\nAssistant: b"},
        {"chosen": "b", "rejected": "c"},
        {"chosen": "b"},
    ],
)
def test_transcripts_that_are_none(row):
    with pytest.raises(RecordError, match=r"[Rr]ow 0"):
        hh.from_hh([row])


# -- Chatbot Arena --


@pytest.mark.parametrize(
    ("winner", "said"), [("first", "model_b"), ("second", "model_a"), ("tie", "tie"), ("both_bad", "tie (bothbad)")]
)
def test_battles(winner, said):
    record = compared(winner, ts_utc="2025-05-04T10:00:00.500+00:00")
    (battle,) = arena.to_battles([record])
    question_ = {"role": "user", "content": "Where is the well?"}
    assert battle == {
        "question_id": record.item_id,
        "model_a": "old",
        "model_b": "new",
        "winner": said,
        "judge": "ann",
        "conversation_a": [question_, {"role": "assistant", "content": " No."}],
        "conversation_b": [question_, {"role": "assistant", "content": " By the inn."}],
        "turn": 1,
        "anony": True,
        "language": "English",
        "tstamp": pytest.approx(1746352800.5),
    }
    (back,) = arena.from_battles([battle])
    assert (back.ts_utc, back.rater_id, back.item_id) == (record.ts_utc, "ann", record.item_id)
    shown = [back.candidate(each).text for each in back.display_order]
    assert shown == [" No.", " By the inn."]
    assert preference_pairs([back]) == preference_pairs([record])
    assert arena.to_battles([back]) == [battle]


@settings(max_examples=50)
@given(history=events())
@pytest.mark.filterwarnings("ignore:Left out. answers of other kinds")
def test_battles_round_trip(history):
    battles = arena.to_battles(history)
    standing = [record for record in ratings(history) if record.kind == "compare"]
    assert [battle["question_id"] for battle in battles] == [record.item_id for record in standing]
    assert all(battle["question_id"].endswith("submitted") for battle in battles), "nothing skipped or taken back"
    for battle, record in zip(battles, standing, strict=True):
        (back,) = arena.from_battles([battle], plain=not record.prompt.startswith("\n\n"))
        assert back.prompt == record.prompt
        assert [c.text for c in back.candidates] == [record.candidate(each).text for each in record.display_order]
        assert [c.policy for c in back.candidates] == [record.candidate(each).policy for each in record.display_order]
        verdicts = ("tie", "both_bad")
        assert (back.winner in verdicts) == (record.winner in verdicts)
        if record.winner in verdicts:
            assert back.winner == record.winner
        else:
            assert back.display_order.index(back.winner) == record.display_order.index(record.winner)


def test_battles_of_several_turns_and_twice(tmp_path):
    def chat(*texts):
        return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]

    battle = {
        "question_id": "q1",
        "model_a": "m",
        "model_b": "n",
        "winner": "model_a",
        "judge": "arena_user_1",
        "conversation_a": chat("hi", "ho", "so?", "yes"),
        "conversation_b": chat("hi", "hum", "so?", "no"),
    }
    (record,) = arena.from_battles([battle])
    assert record.prompt == "\n\nHuman: hi\n\nAssistant:", "what follows is not the same question any more"
    assert [c.text for c in record.candidates] == [
        " ho\n\nHuman: so?\n\nAssistant: yes",
        " hum\n\nHuman: so?\n\nAssistant: no",
    ]
    store = FeedbackStore(tmp_path / "f.sqlite")
    for each in (*arena.from_battles([battle]), *arena.from_battles([battle])):
        store.append(each)
    assert len(store.events()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"winner": "A"},
        {"conversation_a": []},
        {"conversation_b": "x"},
        {"model_a": None},
        {"tstamp": "soon"},
        {"conversation_a": [{"role": "user", "content": "hi"}]},
    ],
)
def test_battles_that_are_none(change):
    (battle,) = arena.to_battles([compared("tie")])
    with pytest.raises(RecordError, match="Battle 0"):
        arena.from_battles([{**battle, **change}])


# -- Argilla --


def test_argilla_records():
    ann, bob = compared("first", 3), compared("tie", rater_id="bob")
    (row,) = argilla.to_argilla([ann, bob])
    assert row["fields"] == {"prompt": "Where is the well?", "text_1": " By the inn.", "text_2": " No."}
    ids = [argilla.user_id("ann"), argilla.user_id("bob")]
    assert row["responses"] == {
        "preference": [
            {"value": "text_1", "user_id": ids[0], "status": "submitted"},
            {"value": "tie", "user_id": ids[1], "status": "submitted"},
        ],
        "strength": [{"value": 3, "user_id": ids[0], "status": "submitted"}],
    }
    assert set(row) == {"id", "fields", "metadata", "suggestions", "responses", "vectors"}
    assert all(isinstance(value, str) for value in row["metadata"].values())
    back = argilla.from_argilla([row], raters=["ann", "bob"])
    assert [(r.rater_id, r.value) for r in back] == [("ann", ann.value), ("bob", bob.value)]
    (gold,) = argilla.from_argilla(argilla.to_argilla([compared("first", is_gold=True)]))
    assert gold.is_gold and not back[0].is_gold
    assert back[0].candidates == ann.candidates and argilla.from_argilla([row])[0].rater_id == ids[0]


@settings(max_examples=80)
@given(history=events())
def test_argilla_round_trip(history):
    rows = argilla.to_argilla(history)
    json.dumps(rows)
    back = argilla.from_argilla(rows, raters=["ann", "bob"])
    key = ("task_id", "kind", "item_id", "rater_id", "prompt", "candidates", "is_gold")

    def told(record):
        value = record.value
        if record.kind == "rank":
            value = [sorted(tier) for tier in value]
        return [*(getattr(record, name) for name in key), value]

    assert [told(record) for record in back] == [told(record) for record in ratings(history)]
    assert [r.uid for r in argilla.from_argilla(rows)] == [r.uid for r in argilla.from_argilla(rows)]


def test_argilla_records_of_others():
    row = {
        "fields": {"prompt": "p", "text_1": "x"},
        "responses": {
            "overall": [
                {"value": 4, "user_id": "u", "status": "submitted"},
                {"value": 1, "user_id": "v", "status": "draft"},
            ]
        },
    }
    with pytest.warns(UserWarning, match="drafts or discarded"):
        (record,) = argilla.from_argilla([row], kind="score")
    assert (record.value, record.rater_id, record.task_id) == ({"overall": 4}, "u", "argilla")
    with pytest.raises(RecordError, match="does not say its kind"):
        argilla.from_argilla([row])
    with pytest.raises(RecordError, match=r"record 0: user u gave no answer of kind 'compare'"):
        argilla.from_argilla([row], kind="compare")
    with pytest.raises(RecordError, match="needs a text 'prompt'"):
        argilla.from_argilla([{"fields": {}}])
    with pytest.raises(RecordError, match="needs a text 'prompt'"):
        argilla.from_argilla([{}])


# -- files --


def test_rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    assert write_rows(path, [{"a": "é\u2028"}, {"a": None}]) == 2
    assert path.read_bytes().isascii() and read_rows(path) == [{"a": "é\u2028"}, {"a": None}]
    path.write_text('{"a": 1}\n\n[1]\n')
    with pytest.raises(RecordError, match="line 3: A row is a JSON object"):
        read_rows(path)
    path.write_text("nonsense")
    with pytest.raises(RecordError, match="line 1: This is not JSON"):
        read_rows(path)
    for content in (b"\x1f\x8bbroken", gzip.compress(b"x" * 99)[:-12] + b"y" * 12, b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(StoreError, match=r"rows\.jsonl"):
            read_rows(path)
    with pytest.raises(FeedbackError, match=r"Cannot read .*none\.jsonl.*no such file"):
        read_rows(tmp_path / "none.jsonl")
