"""The style that all figures share.

All are 5 inches wide and stay readable at the 360 pixels of a phone. Nothing is told
by colour alone.
"""

import itertools
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler

WIDTH = 5.0  # inches: 480 pixels in a notebook
# Okabe and Ito, 2008, "Color Universal Design", without yellow (too light on white).
COLORS = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
}

LINES = ["-", "--", "-.", ":", (0, (6, 1.5, 1, 1.5, 1, 1.5)), (0, (1, 1)), (0, (8, 3))]

MARKERS = ["o", "s", "^", "D", "v", "P", "X"]

PADDING = 0.6  # the grey in which padded columns (-1) are shown

STYLE = {
    "font.size": 12,  # at 5 inches: 9 points on a phone of 360 pixels
    "axes.titlesize": "medium",  # as large as all the rest
    "figure.titlesize": "medium",
    "figure.figsize": (WIDTH, 3.2),
    "figure.dpi": 96,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.dpi": 192,
    "savefig.facecolor": "white",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=list(COLORS.values())) + cycler(linestyle=LINES),
    "grid.color": "0.88",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2,
    "lines.markersize": 6,
    "legend.frameon": False,
    "image.cmap": "viridis",
}


# These look the same in every figure of the book, whoever stands beside them.
MODELS = ["CRNN", "CNN", "order-blind", "attention"]


def looks(names):
    """Return a colour, a marker and a line for each of several names.

    Parameters
    ----------
    names : sequence of str
        What is drawn. The CRNN and its usual rivals have looks of their own, which
        nobody else gets beside them; all others take what is left, in their order.

    Returns
    -------
    list of dict
        Options for ``axes.plot``.

    Examples
    --------
    >>> from crnn_tutorial.figures.style import looks
    >>> [one["marker"] for one in looks(["RNN", "CRNN", "order-blind"])]
    ['v', 'o', '^']
    """
    own = len(MODELS) if set(names) & set(MODELS) else 0
    free = itertools.cycle(np.roll(np.arange(len(COLORS)), -own).tolist())
    places = [MODELS.index(n) if own and n in MODELS else next(free) for n in names]
    colors = list(COLORS.values())
    return [
        {"color": colors[k], "marker": MARKERS[k], "linestyle": LINES[k]}
        for k in places
    ]


def use_style():
    """Draw all figures from now on in the book's style.

    In notebooks they are stored with twice the pixels, for sharp screens.
    ``ct.setup`` calls it.

    References
    ----------
    Okabe and Ito, 2008, "Color Universal Design": the colours.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import crnn_tutorial as ct
    >>> ct.use_style()
    >>> plt.rcParams["figure.figsize"]
    [5.0, 3.2]
    """
    mpl.rcParams.update(STYLE)
    if "IPython" in sys.modules:
        _sharpen(sys.modules["IPython"].get_ipython())


def _sharpen(shell):
    """Store PNGs at twice the pixels, exactly 5 inches wide."""
    if not hasattr(shell, "kernel"):  # no shell, or one in a terminal
        return
    try:
        from matplotlib_inline import backend_inline
    except ImportError:
        return
    # Pyplot loads its backend late, and that would set everything back.
    plt.close(plt.figure())
    backend = backend_inline.InlineBackend.instance(parent=shell)
    backend.print_figure_kwargs = {"bbox_inches": None}
    backend_inline.set_matplotlib_formats("retina")


def new_figure(height, by_hand=False):
    """Make a figure that Pyplot does not keep: notebooks would show it twice."""
    height = round(height * 96) / 96  # whole pixels
    figure = plt.figure(figsize=(WIDTH, height), dpi=96, layout="constrained")
    if by_hand:
        # Matplotlib would put "constrained" back after saving, had it never been there.
        figure.set_layout_engine("none")
    plt.close(figure)
    return figure


def show_image(axes, image):
    """Show one image ``(height, width, channels)``, its padded columns in grey."""
    image = np.where(image < 0, PADDING, image)
    if image.shape[-1] == 1:
        return show_map(axes, image[..., 0], cmap="gray", vmin=0, vmax=1)
    return show_map(axes, image)


def show_map(axes, values, **options):
    """Show an array as a picture without axes."""
    shown = axes.imshow(values, interpolation="nearest", **options)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return shown
