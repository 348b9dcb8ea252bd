"""Tokens drawn as boxes: text stays text, spaces can be seen, and marks show in both forms of the output."""

import pytest

from rlhf_lab import plots


@pytest.fixture
def shown(monkeypatch):
    bundles = []
    monkeypatch.setattr(plots, "display", lambda bundle, **_: bundles.append(bundle))
    return bundles


def test_spaces_and_line_breaks_can_be_seen(shown):
    plots.show_tokens(["A", " fox", "\n"], caption="Three tokens")
    assert shown[0]["text/plain"] == "Three tokens\nA|·fox|↵"
    assert "·fox" in shown[0]["text/html"] and "↵" in shown[0]["text/html"]


def test_marked_tokens_differ_in_both_forms(shown):
    plots.show_tokens(["A", " fox"], [False, True])
    assert shown[0]["text/plain"] == "A|[·fox]"
    first, second = shown[0]["text/html"].split("<wbr>")
    assert "background" in second and "background" not in first


def test_token_text_is_never_html(shown):
    plots.show_tokens(["<script>", "&", "<|end|>"])
    assert "<script>" not in shown[0]["text/html"]
    assert "&lt;script&gt;" in shown[0]["text/html"] and "&amp;" in shown[0]["text/html"]


def test_one_mark_a_token():
    with pytest.raises(ValueError):
        plots.show_tokens(["A", " fox"], [True])


def test_numbers_stand_above_their_tokens_in_both_forms(shown):
    plots.show_token_values(["A", " <b>"], {"reward": [0.5, -1.0], "KL": [0.0, 0.0]}, caption="Two rows")
    assert shown[0]["text/plain"] == "Two rows\nreward: A(+0.50) ·<b>(-1.00)\nKL: A(+0.00) ·<b>(+0.00)"
    page = shown[0]["text/html"]
    assert page.count("<b>") == 2 and "<b><bdi>KL</bdi></b>" in page and "·&lt;b&gt;" in page
    assert "213,94,0,0.75" in page  # the farthest from zero has the strongest colour, orange below zero


def test_a_number_for_each_token(shown):
    with pytest.raises(ValueError, match="'KL' has 1 numbers for 2 tokens"):
        plots.show_token_values(["A", "B"], {"KL": [1.0]})


def test_latex_stays_as_it_was_written(shown):
    """JupyterLab leaves alone what carries this class; "$5 ... $6" became a formula, a rule as wide as a page."""
    hostile = ["costs $5", " and $6", r"\(x\)", r"$$\rule{3000px}{3000px}$$"]
    plots.show_tokens(hostile, caption="$5 or $6")
    plots.show_token_values(hostile, {"$r$": [0.0, 1.0, 2.0, 3.0]})
    plots.side_by_side({"$a$": hostile, "b": hostile}, caption="$5 or $6")
    for bundle in shown:
        page = bundle["text/html"]
        assert page.startswith(("<div class='mathjax_ignore tex2jax_", "<table class='mathjax_ignore tex2jax_")), page[
            :80
        ]
        assert page.endswith(("</div>", "</table>")) and page.count("mathjax_ignore") == 1, "nothing stands outside"


def test_each_text_has_a_reading_direction_of_its_own(shown):
    """An override in one token must not turn its neighbours around."""
    tokens = ["a", "\u202egnp.exe", "\u05e9\u05dc\u05d5\u05dd", "b"]
    plots.show_tokens(tokens)
    plots.show_token_values(tokens, {"reward": [0.0] * 4})
    plots.side_by_side({"left": tokens, "right": tokens})
    for bundle in shown:
        for token in tokens:
            assert f"<bdi>{token}</bdi>" in bundle["text/html"]


def test_columns_of_different_lengths():
    with pytest.raises(ValueError, match="'a' has 2, 'b' has 1"):
        plots.side_by_side({"a": ["x", "y"], "b": ["z"]})
