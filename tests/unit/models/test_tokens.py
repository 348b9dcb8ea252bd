"""Padding, and the cutting of a batch into pieces of rows of about one length."""

import pytest
import torch

from rlhf_lab.models.tokens import decode_completions, encode_completions, micro_batches_by_length, pad_left, pad_right


def test_padding_on_either_side():
    ids, mask = pad_right([[5, 6], [7]], pad_id=0)
    assert ids.tolist() == [[5, 6], [7, 0]] and mask.tolist() == [[True, True], [True, False]]
    ids, mask = pad_left([[5, 6], [7]], pad_id=0)
    assert ids.tolist() == [[5, 6], [0, 7]] and mask.tolist() == [[True, True], [False, True]]


def test_the_end_token_follows_what_has_ended(tokenizer):
    rows = encode_completions(tokenizer, [" A goat.", " A goat.", ""], ended=[True, False, True])
    assert rows[0] == [*rows[1], tokenizer.eos_token_id] and rows[2] == [tokenizer.eos_token_id]
    assert decode_completions(tokenizer, rows) == [" A goat.", " A goat.", ""]
    assert encode_completions(tokenizer, []) == []


def test_many_texts_are_encoded_like_one_by_one(tokenizer):
    texts = [f" goat {i}" for i in range(2100)]
    assert encode_completions(tokenizer, texts, ended=False) == [tokenizer(t)["input_ids"] for t in texts]


def test_pieces_hold_rows_of_about_one_length():
    pieces = micro_batches_by_length(torch.tensor([5, 1, 4, 2, 3]), tokens=8)
    assert [p.tolist() for p in pieces] == [[0], [2, 4], [3, 1]]
    assert [p.tolist() for p in micro_batches_by_length(torch.tensor([5, 9]), tokens=1)] == [[1], [0]]


@pytest.mark.parametrize("tokens", [1, 40, 300, 10_000])
def test_pieces_are_complete_and_within_the_limit(tokens):
    lengths = torch.randint(1, 60, (77,), generator=torch.Generator().manual_seed(0))
    pieces = micro_batches_by_length(lengths, tokens)
    assert sorted(torch.cat(pieces).tolist()) == list(range(77))
    for piece in pieces:
        assert len(piece) == 1 or len(piece) * int(lengths[piece].max()) <= tokens
