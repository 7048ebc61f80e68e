"""The figure of ``ct.trace_shapes``: panels above each other, sharing their columns."""

from dataclasses import dataclass, field

import numpy as np
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.ticker import MaxNLocator

from crnn_tutorial.figures.style import (
    COLORS,
    WIDTH,
    new_figure,
    show_image,
    show_map,
)

# All in inches. Placed by hand: columns must stand exactly above each other.
LEFT, RIGHT = 0.95, 0.82

FULL = WIDTH - LEFT - RIGHT

TITLE, TIME, GAP, TICKS = 0.36, 0.3, 0.05, 0.55

MARK = COLORS["vermillion"]


@dataclass
class Panel:
    """One station: pictures above each other, or bars (where ``axis`` is None)."""

    title: str
    pictures: list  # images (height, width, channels), heat maps (rows, columns)
    axis: tuple | None  # (what x counts, how far it goes); panels share equal ones
    height: float  # inches, of each picture
    labels: list = field(default_factory=list)  # per picture: (place in 0..1, words)
    style: dict = field(default_factory=dict)
    scale: str = ""  # what the colours count; "" draws no scale
    steps: str = ""  # which way they run: "across", "down", or no steps here
    arrow: bool = False  # of time, above (across) or at the right (down)
    names: list = field(default_factory=list)  # of the bars
    limits: tuple | None = None  # of their heights
    top: float = 0.0  # inches from the top of the figure; `draw_panels` sets both
    lowest: bool = True  # of those that share its axis

    @property
    def stack(self):
        """Height of all pictures with the gaps between them."""
        return len(self.pictures) * (self.height + GAP) - GAP

    @property
    def room(self):
        """Height of the arrow of time, where there is one above."""
        return TIME if self.arrow and self.steps == "across" else 0


def panel_width(picture):
    """Return the panels' inches: as wide as fits, less for square and tall images."""
    height, width = picture.shape[:2]
    return float(np.clip(2.2 * width / height, 1.8, FULL))


def draw_panels(panels, width, step=None):
    """Stack the panels in one figure; frame ``step = (which, of how many)``."""
    bottom = 0.0
    for panel, following in zip(panels, [*panels[1:], None], strict=True):
        alone = panel.axis is None or following is None
        panel.lowest = alone or following.axis != panel.axis
        panel.top = bottom + TITLE + panel.room
        bottom = panel.top + panel.stack + (TICKS if panel.lowest else GAP)
    figure = new_figure(bottom, by_hand=True)
    shared = {}
    for panel in panels:
        title_at = 1 - (panel.top - 0.08 - panel.room) / bottom
        figure.text(0.02, title_at, panel.title, va="bottom")
        if panel.axis is None:
            _draw_bars(_add_axes(figure, panel.top, panel.height, FULL), panel)
            continue
        for n in range(len(panel.pictures)):
            place = panel.top + n * (panel.height + GAP)
            axes = _add_axes(figure, place, panel.height, width, shared.get(panel.axis))
            shared.setdefault(panel.axis, axes)
            shown = _draw_picture(axes, panel, n)
            if step is not None and panel.steps:
                _frame_step(axes, panel, *step)
            if panel.lowest and n + 1 == len(panel.pictures):
                axes.set_xlabel(panel.axis[0])
            else:
                axes.tick_params(labelbottom=False, bottom=False)
        if panel.scale:
            box = _box(figure, panel.top, panel.stack, 0.1, LEFT + width + 0.08)
            scale = figure.colorbar(shown, cax=figure.add_axes(box))
            scale.locator = MaxNLocator(3)
            scale.outline.set_visible(False)
        if panel.arrow:
            _draw_time(figure, panel, width)
    return figure


def _box(figure, top, height, width, left=LEFT):
    """Turn inches from the top left into Matplotlib's shares from the bottom left."""
    tall = figure.get_figheight()
    return [left / WIDTH, 1 - (top + height) / tall, width / WIDTH, height / tall]


def _add_axes(figure, top, height, width, shared=None):
    return figure.add_axes(_box(figure, top, height, width), sharex=shared)


def _draw_picture(axes, panel, n):
    picture, reach = panel.pictures[n], panel.axis[1]
    if picture.ndim == 3:
        shown = show_image(axes, picture)
    else:
        shown = show_map(axes, picture, **panel.style)
    shown.set_extent((0, reach, 1, 0))
    if panel.axis[0] == "frame":
        axes.vlines(range(1, reach), 0, 1, color="white", linewidth=1)
    axes.set(aspect="auto", xlim=(0, reach), ylim=(1, 0))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    if panel.labels:
        places, words = zip(*panel.labels[n], strict=True)
        axes.set_yticks(places, words)
        axes.tick_params(left=False)
    return shown


def _draw_bars(axes, panel):
    """Draw one bar for each class; of more than 12 the ten highest."""
    heights = panel.pictures[0]
    chosen = np.arange(len(heights))
    if len(heights) > 12:
        chosen = np.argsort(-heights, kind="stable")[:10]
    names = [panel.names[k] for k in chosen]
    axes.bar(range(len(chosen)), heights[chosen], color=COLORS["blue"])
    crowded = max(map(len, names)) * len(names) > 36
    axes.set_xticks(range(len(chosen)), names, rotation=90 if crowded else 0)
    axes.set_xlabel("class")
    axes.grid(axis="x", visible=False)
    if panel.limits:
        axes.set_ylim(panel.limits)


def _draw_time(figure, panel, width):
    """Draw the arrow of time along the axis that becomes the steps."""
    top = figure.get_figheight() - panel.top  # from the bottom, in inches
    right = LEFT + width
    start, end, turn = (LEFT, top + 0.14), (right, top + 0.14), 0
    if panel.steps == "down":
        start, end, turn = (right + 0.25, top), (right + 0.25, top - panel.stack), 270
    inches = {"transform": figure.dpi_scale_trans}
    look = {"color": MARK, "lw": 2, "arrowstyle": "-|>", "mutation_scale": 12}
    figure.add_artist(FancyArrowPatch(start, end, shrinkA=0, **look, **inches))
    white = {"facecolor": "white", "edgecolor": "none", "pad": 2}
    style = {"ha": "center", "va": "center", "rotation": turn, "bbox": white}
    figure.text(*np.mean([start, end], axis=0), "time", **style, **inches)


def _frame_step(axes, panel, which, steps):
    reach = panel.axis[1]
    if panel.steps == "across":
        place, wide, tall = (which * reach / steps, 0), reach / steps, 1
    else:
        place, wide, tall = (0, which / steps), reach, 1 / steps
    style = {"fill": False, "edgecolor": MARK, "linewidth": 2.5, "clip_on": False}
    axes.add_patch(Rectangle(place, wide, tall, **style))
