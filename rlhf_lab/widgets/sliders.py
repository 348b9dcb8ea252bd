"""Sliders for the parameters of a function that draws a figure.

The first drawing is part of the page, even without a kernel (on GitHub, in print). In JupyterLab, moving a slider
above it draws it again.
"""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets
from IPython.display import display
from matplotlib.figure import Figure

Range = tuple[float, float, float]  # lowest, highest, initial


class Sliders(widgets.VBox):
    """A column of sliders, one per parameter, with a plain-text description for other pages."""

    def __init__(self, ranges: dict[str, Range]):
        self.sliders = {name: _slider(name, *limits) for name, limits in ranges.items()}
        super().__init__(list(self.sliders.values()))

    @property
    def values(self) -> dict[str, float]:
        return {name: slider.value for name, slider in self.sliders.items()}

    def __repr__(self) -> str:
        parts = [f"{_words(name)} from {s.min:g} to {s.max:g}" for name, s in self.sliders.items()]
        return f"[In JupyterLab, sliders are here: {', '.join(parts)}.]"

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["text/plain"] = repr(self)
        return bundle


def explore(draw: Callable[..., Figure], **ranges: Range) -> None:
    """Show `draw(**values)` below a slider for each of its parameters. Moving a slider draws it again.

    draw: returns a figure that is not shown yet, as from `plots.new_figure`. It should take under a tenth of a second.
        Bind everything else that it reads to it; a global name would break it when a later cell reuses the name.
    ranges: parameter -> (lowest, highest, initial). Three whole numbers make a slider of whole numbers.
    ValueError if a slider would start outside its range.
    """
    panel = Sliders(ranges)
    display(panel)
    handle = display(draw(**panel.values), display_id=True)

    def redraw(_) -> None:
        try:
            handle.update(draw(**panel.values))
        except Exception as error:  # nobody would see it, because slider callbacks run outside any cell
            trouble = f"{type(error).__name__}: {error}"
            words = f"This could not be drawn ({trouble}). Run the cells above and this one again."
            handle.update({"text/plain": words}, raw=True)

    for slider in panel.sliders.values():
        slider.observe(redraw, names="value")


def _slider(name: str, low: float, high: float, start: float) -> widgets.Widget:
    if not low <= start <= high or low == high:
        raise ValueError(f"The slider {name!r} goes from {low:g} to {high:g} and cannot start at {start:g}.")
    whole = all(isinstance(number, int) for number in (low, high, start))
    kind = widgets.IntSlider if whole else widgets.FloatSlider
    step = {} if whole else {"step": (high - low) / 100}
    layout, style = widgets.Layout(width="32em"), {"description_width": "12em"}
    return kind(start, min=low, max=high, description=_words(name), layout=layout, style=style, **step)


def _words(name: str) -> str:
    return name.replace("_", " ")
