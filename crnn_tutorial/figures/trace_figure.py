"""The figure of ``ct.trace_shapes``: panels above each other, sharing their columns."""

from dataclasses import dataclass, field

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from crnn_tutorial.figures.style import COLORS, WIDTH, new_figure, show_image

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

    @property
    def stack(self):
        """Height of all pictures with the gaps between them."""
        return len(self.pictures) * (self.height + GAP) - GAP


def panel_width(picture):
    """Return the panels' inches: as wide as fits, less for square and tall images."""
    height, width = picture.shape[:2]
    return float(np.clip(2.2 * width / height, 1.8, FULL))


def draw_panels(panels, width, step=None):
    """Stack the panels in one figure; frame ``step = (which, of how many)``."""
    lowest = [
        following is None or following.axis != panel.axis or panel.axis is None
        for panel, following in zip(panels, [*panels[1:], None], strict=True)
    ]
    tops, bottom = [], 0.0  # inches from the top of the figure
    for panel, last in zip(panels, lowest, strict=True):
        tops.append(bottom + TITLE + _room(panel))
        bottom = tops[-1] + panel.stack + (TICKS if last else GAP)
    figure = new_figure(bottom, by_hand=True)
    shared = {}
    for panel, top, last in zip(panels, tops, lowest, strict=True):
        title_at = 1 - (top - 0.08 - _room(panel)) / bottom
        figure.text(0.02, title_at, panel.title, va="bottom")
        if panel.axis is None:
            _draw_bars(_add_axes(figure, top, panel.height, FULL), panel)
            continue
        for n in range(len(panel.pictures)):
            place = top + n * (panel.height + GAP)
            axes = _add_axes(figure, place, panel.height, width, shared.get(panel.axis))
            shared.setdefault(panel.axis, axes)
            shown = _draw_picture(axes, panel, n)
            if step is not None:
                _frame_step(axes, panel, step)
            if last and n + 1 == len(panel.pictures):
                axes.set_xlabel(panel.axis[0])
            else:
                axes.tick_params(labelbottom=False, bottom=False)
        if panel.scale:
            box = _box(figure, top, panel.stack, 0.1, LEFT + width + 0.08)
            scale = figure.colorbar(shown, cax=figure.add_axes(box))
            scale.locator = MaxNLocator(3)
            scale.outline.set_visible(False)
        _draw_time(figure, panel, top, width)
    return figure


def _room(panel):
    return TIME if panel.arrow and panel.steps == "across" else 0


def _box(figure, top, height, width, left=LEFT):
    """Turn inches from the top left into Matplotlib's shares from the bottom left."""
    tall = figure.get_figheight()
    return [left / WIDTH, 1 - (top + height) / tall, width / WIDTH, height / tall]


def _add_axes(figure, top, height, width, shared=None):
    return figure.add_axes(_box(figure, top, height, width), sharex=shared)


def _draw_picture(axes, panel, n):
    picture, reach = panel.pictures[n], panel.axis[1]
    extent = (0, reach, 1, 0)
    if picture.ndim == 3:
        shown = show_image(axes, picture)
        shown.set_extent(extent)
    else:
        style = {"interpolation": "nearest", **panel.style}
        shown = axes.imshow(picture, extent=extent, **style)
    if panel.axis[0] == "frame":
        axes.vlines(range(1, reach), 0, 1, color="white", linewidth=1)
    axes.set(aspect="auto", xlim=(0, reach), ylim=(1, 0), yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
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


def _draw_time(figure, panel, top, width):
    """Draw the arrow of time along the axis that becomes the steps."""
    if not panel.arrow:
        return
    tall = figure.get_figheight()
    left, right = LEFT, LEFT + width
    if panel.steps == "across":
        start = end = top - 0.14
        middle, turn = (left + right) / 2, 0
    else:
        left = right = middle = right + 0.25
        start, end, turn = top, top + panel.stack, 270
    figure.axes[0].annotate(
        "",
        (right / WIDTH, 1 - end / tall),
        (left / WIDTH, 1 - start / tall),
        xycoords="figure fraction",
        textcoords="figure fraction",
        arrowprops={"color": MARK, "lw": 2, "arrowstyle": "-|>", "shrinkA": 0},
        annotation_clip=False,
    )
    place = middle / WIDTH, 1 - (start + end) / 2 / tall
    white = {"facecolor": "white", "edgecolor": "none", "pad": 2}
    style = {"ha": "center", "va": "center", "rotation": turn, "bbox": white}
    figure.text(*place, "time", **style)


def _frame_step(axes, panel, step):
    which, steps = step
    axis = panel.axis[1]
    if panel.steps == "across":
        place, wide, tall = (which * axis / steps, 0), axis / steps, 1
    elif panel.steps == "down":
        place, wide, tall = (0, which / steps), axis, 1 / steps
    else:
        return
    style = {"fill": False, "edgecolor": MARK, "linewidth": 2.5, "clip_on": False}
    axes.add_patch(Rectangle(place, wide, tall, **style))
