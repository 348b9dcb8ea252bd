"""Figures in one style, live charts for the training loops, and tables of texts."""

from __future__ import annotations

import html
import io
import time
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import PIL.Image
from IPython.display import Image, display
from matplotlib.figure import Figure

# Okabe and Ito's palette (2008): colour-blind readers can tell it apart, on light and dark pages.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
STYLE = {
    "figure.dpi": 96,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "font.size": 9.5,
    "axes.prop_cycle": plt.cycler(color=COLOURS),
}


def _label(name: str) -> str:
    """Escape a name so that Matplotlib shows it literally: "$" does not start a formula, and "_" does not hide it."""
    name = str(name).replace("$", r"\$")
    return f" {name}" if name.startswith("_") else name


def _text(text: object) -> str:
    """Text by a person or model as HTML: escaped, and with its own reading direction."""
    return f"<bdi>{html.escape(str(text))}</bdi>"


def _page(tag: str, style: str, caption: str, content: str) -> str:
    """An HTML element around such texts. Anything that looks like LaTeX is left as is, and long words are broken.

    MathJax 3 (JupyterLab) and MathJax 2 (exported pages) each ignore elements of one class. An untrusted page keeps
    only the first value of `overflow-wrap`.
    """
    wrap = "overflow-wrap:break-word;overflow-wrap:anywhere"
    label = "caption" if tag == "table" else "div"
    note = f"<{label} style='text-align:left'>{_text(caption)}</{label}>" if caption else ""
    return f"<{tag} class='mathjax_ignore tex2jax_ignore' style='{wrap};{style}'>{note}{content}</{tag}>"


def new_figure(columns: int = 1, rows: int = 1, width: float = 8.0, height: float = 2.8):
    """A figure in the course's style, not yet shown: (figure, axes). Show it with `show`."""
    plt.rcParams.update(STYLE)  # permanently: titles and legends read their style when they are made, later
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained")
    plt.close(figure)  # otherwise the notebook would show it again at the end of the cell
    return figure, axes


def show(figure: Figure, small: bool = False) -> None:
    """Show a figure. small: use 32 colours, for a third of the bytes, on pages with many figures."""
    if not small:
        display(figure)
        return
    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    PIL.Image.open(drawn).convert("RGB").quantize(32).save(packed, format="png", optimize=True)
    display(Image(packed.getvalue(), format="png"))


class LiveChart:
    """A callback for the training loops: draws metrics during a run, under a progress bar.

    metrics: axis title -> metric name, or several names. Redraws at most every `seconds`, to cost the training little
    time. If records have a "feed" (heading -> texts, from the loop's `evaluate`), the newest is shown below the figure.
    Use the chart as a context manager, `with LiveChart(...) as chart: train(..., callback=chart)`, so that `finish`
    draws the last state, even after an interrupt.
    """

    def __init__(
        self,
        metrics: Mapping[str, str | Sequence[str]],
        total: int | None = None,
        seconds: float = 2.0,
        x: str = "step",
        smooth: int = 0,
    ):
        self.metrics = {title: [names] if isinstance(names, str) else list(names) for title, names in metrics.items()}
        self.total, self.seconds, self.x, self.smooth = total, seconds, x, smooth
        self.history: list[Mapping] = []
        self.started = time.perf_counter()
        self.drawn, self.handle, self.feed = 0.0, None, None

    def __enter__(self) -> LiveChart:
        return self

    def __exit__(self, *_) -> None:
        self.finish()

    def __call__(self, metrics: Mapping) -> None:
        """Take one record of metrics; redraw if it is time."""
        self.history.append(metrics)
        if time.perf_counter() - self.drawn >= self.seconds:
            self.draw()

    def finish(self) -> None:
        if self.history:
            self.draw()

    def draw(self) -> None:
        figure, axes = new_figure(columns=len(self.metrics), width=min(4.0 * len(self.metrics) + 0.6, 11), height=2.7)
        for axis, (title, names) in zip(np.atleast_1d(axes), self.metrics.items(), strict=True):
            for name in names:
                points = [(m[self.x], m[name]) for m in self.history if m.get(name) is not None]
                if points:
                    steps, values = np.array(points, float).T
                    _draw_line(axis, steps, values, _label(name.replace("_", " ")), self.smooth)
            axis.set_title(title)
            axis.set_xlabel(self.x)
            if len(names) > 1 and axis.lines:  # perhaps nothing was measured yet
                axis.legend()
        figure.suptitle(self._progress(), x=0.01, ha="left", fontsize=9, family="monospace", color="#555555")
        if self.handle is None:
            self.handle = display(figure, display_id=True)
        else:
            self.handle.update(figure)
        self._show_feed()
        self.drawn = time.perf_counter()

    def _show_feed(self) -> None:
        fed = next((record for record in reversed(self.history) if record.get("feed")), None)
        if fed is None:
            return
        content = _table(fed["feed"], f"What is written at {self.x} {fed[self.x]:.0f}, to the same prompts each time.")
        if self.feed is None:
            self.feed = display(content, raw=True, display_id=True)
        else:
            self.feed.update(content, raw=True)

    def _progress(self) -> str:
        done = self.history[-1][self.x]
        elapsed = time.perf_counter() - self.started
        if not self.total:
            return f"{self.x} {done:.0f}, {elapsed:.0f} s"
        share = min(done / self.total, 1.0)
        bar = "█" * round(24 * share) + "░" * (24 - round(24 * share))
        left = f", {elapsed * (1 - share) / share:.0f} s left" if 0 < share < 1 else ""
        return f"{bar} {self.x} {done:.0f} of {self.total}, {elapsed:.0f} s{left}"


def _draw_line(
    axis, xs: np.ndarray, values: np.ndarray, label: str, smooth: int = 0, colour: str | None = None
) -> None:
    """A line of values (N,). smooth: draw the running mean over this many points, and the values as a pale line."""
    if smooth and len(values) > 2 * smooth:
        (line,) = axis.plot(xs, values, alpha=0.25, linewidth=1, color=colour)
        means = np.convolve(values, np.ones(smooth) / smooth, "valid")
        axis.plot(xs[smooth - 1 :], means, color=line.get_color(), label=label)
    else:
        few = len(values) <= 15  # for example, a metric that is measured only now and then: mark the points
        axis.plot(xs, values, label=label, color=colour, marker="o" if few else None, markersize=4)


def runs_figure(
    histories: Mapping[str, Sequence[Mapping]], metrics: Mapping[str, str], x: str = "step", smooth: int = 0
) -> Figure:
    """Several runs in one figure: one panel per metric, with one line per run. Show it with `show`.

    histories: name of the run -> its records, such as `result.history`. metrics: axis title -> metric name. x: the
    horizontal axis: "step", "seconds" or another metric, such as "kl". smooth: draw running means over this many
    points, and the points in a pale colour. A run has the same colour in all panels. Records without the metric are
    skipped, because some metrics are only measured now and then. ValueError if no run has the metric.
    """
    figure, axes = new_figure(columns=len(metrics), width=min(4.0 * len(metrics) + 0.6, 11), height=3.0)
    for axis, (title, name) in zip(np.atleast_1d(axes), metrics.items(), strict=True):
        for number, (run, history) in enumerate(histories.items()):
            points = [(r[x], r[name]) for r in history if r.get(x) is not None and r.get(name) is not None]
            if points:
                _draw_line(axis, *np.array(points, float).T, _label(run), smooth, COLOURS[number % len(COLOURS)])
        if not axis.lines:
            known = sorted({key for history in histories.values() for record in history for key in record})
            raise ValueError(f"No run has recorded {name!r} together with {x!r}. Recorded are: {', '.join(known)}.")
        axis.set_title(title)
        axis.set_xlabel(x)
    lines = [line for axis in np.atleast_1d(axes) for line in axis.lines if not line.get_label().startswith("_")]
    handles = {line.get_label(): line for line in lines}  # a run is named once, wherever it was drawn
    named = [label for label in map(_label, histories) if label in handles]
    np.atleast_1d(axes)[0].legend([handles[run] for run in named], named)
    return figure


def side_by_side(columns: Mapping[str, Sequence], caption: str = "") -> None:
    """Show texts in a table, one column per heading. Cells are escaped: model text never acts as HTML or LaTeX.

    ValueError unless all columns have the same length.
    """
    display(_table(columns, caption), raw=True)


def _table(columns: Mapping[str, Sequence], caption: str) -> dict[str, str]:
    columns = {title: list(column) for title, column in columns.items()}
    if len({len(column) for column in columns.values()}) > 1:
        lengths = ", ".join(f"{title!r} has {len(column)}" for title, column in columns.items())
        raise ValueError(f"A table needs columns of one length: {lengths}.")
    rows = list(zip(*columns.values(), strict=True))
    head = "".join(f"<th style='text-align:left'>{_text(title)}</th>" for title in columns)
    cell = "<td style='text-align:left;vertical-align:top;max-width:26em;white-space:pre-wrap'>{}</td>"
    body = "".join("<tr>" + "".join(cell.format(_text(str(value).strip())) for value in row) + "</tr>" for row in rows)
    plain = "\n\n".join("\n".join(f"{t}: {str(v).strip()}" for t, v in zip(columns, row, strict=True)) for row in rows)
    table = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return {"text/html": _page("table", "", caption, table), "text/plain": plain}


def show_tokens(tokens: Sequence[str], marked: Sequence[bool] | None = None, caption: str = "") -> None:
    """Show how a text is split into tokens, one box for each; marked ones are shaded and underlined.

    A space is drawn as a middle dot, a line break as a bent arrow. In plain text, bars separate the tokens and marked
    ones are in brackets. Raises ValueError unless there is one mark per token.
    """
    marked = [False] * len(tokens) if marked is None else list(marked)
    if len(marked) != len(tokens):
        raise ValueError(f"There are {len(marked)} marks for {len(tokens)} tokens.")
    drawn = [token.replace(" ", "·").replace("\n", "↵") for token in tokens]
    box = "<span style='border:1px solid rgba(128,128,128,.45);padding:1px 3px;margin:1px{}'>{}</span>"
    shade = ";background:rgba(0,114,178,.22);border-bottom:3px solid #0072B2"
    boxes = [box.format(shade if mark else "", _text(token)) for token, mark in zip(drawn, marked, strict=True)]
    style = "line-height:2.1;font-family:monospace;white-space:pre-wrap"
    page = _page("div", style, caption, "<wbr>".join(boxes))
    plain = "|".join(f"[{token}]" if mark else token for token, mark in zip(drawn, marked, strict=True))
    display({"text/html": page, "text/plain": f"{caption}\n{plain}".strip()}, raw=True)


def show_token_values(tokens: Sequence[str], values: Mapping[str, Sequence[float]], caption: str = "") -> None:
    """Heat maps of numbers for tokens: one row of boxes for each name, with the number above each token.

    Positive numbers are blue and negative ones orange, stronger further from zero. Each row has its own scale. The
    printed numbers make it readable without colours. Raises ValueError unless there is one number per token.
    """
    rows = {name: [float(value) for value in row] for name, row in values.items()}
    drawn = [token.replace(" ", "·").replace("\n", "↵") for token in tokens]
    box = (
        "<span style='display:inline-block;border:1px solid rgba(128,128,128,.35);padding:0 4px;margin:1px;"
        "text-align:center;background:rgba({},{:.2f})'><small>{}</small><br>{}</span>"
    )
    page, plain = [], [caption] if caption else []
    for name, row in rows.items():
        if len(row) != len(tokens):
            raise ValueError(f"{name!r} has {len(row)} numbers for {len(tokens)} tokens.")
        largest = max((abs(value) for value in row), default=0.0) or 1.0
        boxes = [
            box.format("0,114,178" if value >= 0 else "213,94,0", 0.75 * abs(value) / largest, f"{value:+.2f}", text)
            for value, text in zip(row, map(_text, drawn), strict=True)
        ]
        page.append(f"<div><b>{_text(name)}</b></div><div>{'<wbr>'.join(boxes)}</div>")
        plain.append(f"{name}: " + " ".join(f"{t}({v:+.2f})" for t, v in zip(drawn, row, strict=True)))
    style = "line-height:1.25;font-family:monospace;white-space:pre-wrap"
    shown = _page("div", style, caption, "".join(page))
    display({"text/html": shown, "text/plain": "\n".join(plain)}, raw=True)


def weights_figure(names: Sequence[str], mean: np.ndarray, deviation: np.ndarray, title: str) -> Figure:
    """Bars of a reward's weights (K,) with one standard deviation each, the largest on top."""
    order = np.argsort(np.abs(mean))
    figure, axis = new_figure(width=6.5, height=0.26 * len(names) + 0.9)
    colours = [COLOURS[0] if mean[k] >= 0 else COLOURS[1] for k in order]
    axis.barh(range(len(order)), mean[order], xerr=deviation[order], color=colours, ecolor="#777777", height=0.65)
    axis.set_yticks(range(len(order)), [_label(names[k]) for k in order])
    axis.axvline(0, color="#777777", linewidth=0.8)
    axis.set_title(title)
    axis.set_xlabel("weight, in logits per standard deviation of the attribute")
    return figure
