from rlhf_lab import plots


def test_the_newest_feed_stands_below_the_chart(monkeypatch):
    shown, updated = [], []
    handle = type("Handle", (), {"update": lambda _, content, **__: updated.append(content)})()

    def display(content, **_):
        shown.append(content)
        return handle

    monkeypatch.setattr(plots, "display", display)
    chart = plots.LiveChart({"reward": "reward"}, seconds=0.0)
    chart({"step": 1, "reward": 0.0})
    assert len(shown) == 1  # a figure, no table yet
    chart({"step": 2, "reward": 0.1, "feed": {"completion": ["A <b>goat</b>."]}})
    chart({"step": 3, "reward": 0.2})
    table = shown[1]["text/html"]
    assert "step 2" in table and "&lt;b&gt;goat" in table and table.startswith("<table class='mathjax_ignore ")
    assert [content for content in updated if isinstance(content, dict)][-1]["text/html"] == table
