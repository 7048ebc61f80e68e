"""Figures: what stands in them, what is refused, and that Pyplot keeps none."""

import io
import itertools
import warnings

import keras
import matplotlib as mpl
import numpy as np
import pytest
from keras import layers

mpl.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

import crnn_tutorial as ct  # noqa: E402
from crnn_tutorial.figures.images import strongest  # noqa: E402
from crnn_tutorial.figures.style import (  # noqa: E402
    COLORS,
    LINES,
    MARKERS,
    MODELS,
    PADDING,
    STYLE,
    _sharpen,
    looks,
)

RNG = np.random.default_rng(0)
DIGITS = RNG.random((12, 8, 8, 1)).astype("float32")
PHOTOS = RNG.random((12, 10, 12, 3)).astype("float32")
STRING = ct.digit_string("2015")  # 16 x 64 pixels
TARGETS = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2])
ANSWERS = np.array([0, 1, 2, 0, 2, 2, 0, 1, 0, 0, 2, 2])  # images 4, 8, 10 are wrong


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # such as: glyph missing
        warnings.simplefilter("ignore", DeprecationWarning)  # of old Matplotlibs
        yield
    assert plt.get_fignums() == []


def draw(figure):
    """Draw it as a notebook does, and return the texts that are visible."""
    figure.savefig(io.BytesIO(), dpi=96)
    found = [axes.get_title(loc="left") for axes in figure.axes]
    for axes in figure.axes:
        found += [text.get_text() for text in axes.texts]
    return found + [text.get_text() for text in figure.texts]


# ------------------------------------------------------------ the style


def test_style_fits_a_phone_and_dark_pages():
    ct.use_style()
    style = plt.rcParams
    assert style["figure.figsize"][0] == 5
    # 5 inches shown at 360 pixels: a pixel is 3/4 point, so 12 points become 9.
    shown = style["font.size"] * (360 / 96) / style["figure.figsize"][0]
    assert shown == pytest.approx(9)
    assert style["savefig.dpi"] == 2 * style["figure.dpi"]
    assert style["figure.facecolor"] == style["savefig.facecolor"] == "white"


def test_colours_are_never_alone():
    """Where two colours look alike, line and marker still differ."""
    assert len(COLORS) == len(LINES) == len(MARKERS)
    assert len(set(MARKERS)) == len(set(map(str, LINES))) == len(LINES)
    assert set(plt.rcParams["axes.prop_cycle"].by_key()) == {"color", "linestyle"}


def test_a_kernel_stores_sharp_figures(monkeypatch):
    inline = pytest.importorskip("matplotlib_inline.backend_inline")
    asked = []
    monkeypatch.setattr(inline, "set_matplotlib_formats", asked.append)
    backend = inline.InlineBackend()
    monkeypatch.setattr(inline.InlineBackend, "instance", lambda **_: backend)
    _sharpen(None)  # no shell, or one without a kernel: nothing to do
    assert asked == []
    _sharpen(type("Shell", (), {"kernel": 1})())
    assert asked == ["retina"]
    assert backend.print_figure_kwargs == {"bbox_inches": None}


# ------------------------------------------------------------ lines


def test_curves_carry_their_names_and_labels():
    curves = {"CNN": [0.9, 0.8, 0.7], "CRNN": [0.9, np.nan, 0.7001]}
    labels = {"xlabel": "distance (px)", "ylabel": "accuracy (%)"}
    figure = ct.plot_curves([1, 10, 100], curves, xscale="log", ylim=(0, 1), **labels)
    (axes,) = figure.axes
    texts = draw(figure)
    assert {"CNN", "CRNN"} <= set(texts)
    assert (axes.get_xlabel(), axes.get_ylabel()) == tuple(labels.values())
    assert axes.get_xscale() == "log" and axes.get_ylim() == (0, 1)
    heights = [text.get_position()[1] for text in axes.texts]
    assert abs(heights[0] - heights[1]) > 0.05  # the ends meet, the names do not
    assert axes.lines[0].get_marker() != axes.lines[1].get_marker()


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_names_of_lines_that_end_together_stay_beside_the_axes(end):
    curves = {name: [0.5, end] for name in ("CNN", "RNN", "LSTM", "CRNN")}
    figure = ct.plot_curves([1, 2], curves, xlabel="", ylabel="", ylim=(0, 1))
    heights = sorted(text.get_position()[1] for text in figure.axes[0].texts)
    assert -0.01 <= heights[0] and heights[-1] <= 1.01
    assert min(np.diff(heights)) > 0.05


def test_one_curve_needs_no_name_and_fits_into_given_axes():
    figure, axes = plt.subplots()
    plt.close(figure)
    band = {"CNN": ([0.1, 0.2], [0.3, 0.4])}
    got = ct.plot_curves(
        [1, 2], {"CNN": [0.2, 0.3]}, xlabel="", ylabel="", intervals=band, axes=axes
    )
    assert got is figure and not axes.texts
    assert len(axes.collections) == 1  # the band


@pytest.mark.parametrize("values", [[1, 2], [np.nan] * 3])
def test_curves_refuse_other_lengths_and_nothing(values):
    with pytest.raises(ValueError, match="'CNN' needs one number for each of the 3"):
        ct.plot_curves([1, 2, 3], {"CNN": values}, xlabel="", ylabel="")


HISTORY = {"accuracy": [0.5, 0.75], "loss": [2.0, 1.0], "val_loss": [2.1, 1.5]}


def test_history_has_a_panel_for_each_quantity():
    history = keras.callbacks.History()
    history.history = {**HISTORY, "learning_rate": [0.1, 0.2]}
    figure = ct.plot_history(history)
    draw(figure)
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["loss", "accuracy (%)"]
    assert figure.axes[-1].get_xlabel() == "epoch"
    loss, accuracy = figure.axes
    assert [text.get_text() for text in loss.texts] == ["training", "validation"]
    assert loss.lines[1].get_ydata().tolist() == [2.1, 1.5]
    assert accuracy.lines[0].get_ydata().tolist() == [50, 75]
    assert accuracy.lines[0].get_xdata().tolist() == [1, 2]  # epochs count from 1


def test_histories_of_several_models_share_panels():
    figure = ct.plot_history(
        {"CRNN": HISTORY, "CNN": {k: v[:1] for k, v in HISTORY.items()}}
    )
    assert {"CRNN", "CNN"} <= set(draw(figure))
    loss, accuracy = figure.axes
    assert loss.get_ylabel() == "validation loss"  # both have it
    assert accuracy.get_ylabel() == "accuracy (%)"  # no validation: of training
    assert loss.lines[0].get_ydata().tolist() == [2.1, 1.5]


@pytest.mark.parametrize("history", [{}, {"loss": []}, {"CNN": {"loss": []}}])
def test_history_refuses_nothing(history):
    with pytest.raises(ValueError, match="no epoch"):
        ct.plot_history(history)


# ------------------------------------------------------------ seeds

STORED = {
    "metric": "exact match",
    "rivals": {"CRNN": {"scores": [0.9, 0.8]}, "CNN": {"scores": [0.7]}},
}


def test_seeds_show_dots_means_and_the_page_s_own_run():
    own = ct.Evaluation("exact match", 0.85, 0.8, 0.9, np.ones(3))
    figure = ct.plot_seeds(STORED, {"CRNN": own})
    texts = draw(figure)
    (axes,) = figure.axes
    assert {"85.0", "70.0", "mean"} <= set(texts)
    assert axes.get_xlabel().startswith("exact match (%)")
    assert "◇" in axes.get_xlabel()
    dots, mean, diamond, *_ = axes.lines
    assert dots.get_xdata().tolist() == pytest.approx([90, 80])
    assert mean.get_xdata() == pytest.approx([85, 85])
    assert diamond.get_marker() == "D" and diamond.get_markerfacecolor() == "none"
    assert diamond.get_xdata() == pytest.approx([85])


def test_seeds_in_decibel_are_no_percentages():
    figure = ct.plot_seeds({"CRNN": [31.5, 32.5]})
    assert "32.00" in draw(figure)
    assert figure.axes[0].get_xlabel() == "score"


@pytest.mark.parametrize(
    "results, own", [({}, {}), ({"CNN": []}, {}), ({"CNN": [0.9]}, {"RNN": 0.8})]
)
def test_seeds_refuse_rivals_without_scores_and_strangers(results, own):
    with pytest.raises(ValueError, match="Each rival needs at least one score"):
        ct.plot_seeds(results, own)


# ------------------------------------------------------------ judgements


def test_judgements_show_the_interval_and_the_verdict_without_colour():
    rng = np.random.default_rng(0)
    better = 0.2 + 0.7 * rng.random((3, 200))
    judged = {
        "win": ct.judge(better, better - 0.1 - 0.01 * rng.random((3, 200))),
        "tie": vars(ct.judge(better, better)),  # as ct.run_seeds stores it
        "loss": ct.judge(better - 0.1, better),
    }
    figure = ct.plot_judgements(judged, "CRNN minus CNN (points)")
    draw(figure)
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["win", "tie", "loss"]
    zero, *lines = axes.lines
    assert list(zero.get_xdata()) == [0, 0]
    intervals, points = lines[::2], lines[1::2]
    assert len({point.get_marker() for point in points}) == 3
    for interval, point, found in zip(intervals, points, judged.values(), strict=True):
        found = found if isinstance(found, dict) else vars(found)
        expected = [100 * found["low"], 100 * found["high"]]
        assert interval.get_xdata() == pytest.approx(expected)
        assert point.get_xdata() == pytest.approx([100 * found["difference"]])
    assert intervals[0].get_xdata()[0] > 0 > intervals[2].get_xdata()[1]


def test_the_word_of_a_stored_judgement_follows_from_its_interval():
    within = {"difference": 0.0, "low": -0.005, "high": 0.005}
    wide = {"difference": 0.0, "low": -0.05, "high": 0.05}
    rows = {"old": within, "strict": within | {"margin": 0.001}, "wide": wide}
    (axes,) = ct.plot_judgements(rows).axes
    faces = [point.get_markerfacecolor() for point in axes.lines[2::2]]
    assert faces[0] != "white" and faces[1:] == ["white", "white"]


def test_judgements_of_other_scores_than_shares_keep_their_unit():
    decibels = 30 + np.random.default_rng(0).random((3, 20))
    found = ct.judge(decibels + 0.5, decibels, margin=0.1)
    (axes,) = ct.plot_judgements({"JPEG": found}, "CRNN minus ... (dB)").axes
    assert axes.lines[2].get_xdata() == pytest.approx([0.5])


def test_judgements_refuse_nothing_and_what_has_no_interval():
    with pytest.raises(ValueError, match="nothing"):
        ct.plot_judgements({})
    with pytest.raises(ValueError, match=r"low and high for \['a'\]"):
        ct.plot_judgements({"a": {"verdict": "perhaps"}})


# ------------------------------------------------------------ slopes


def test_a_line_for_each_seed_from_one_way_to_the_other():
    pairs = {"classify": ([0.98, 0.9], [0.95, 0.96]), "restore": ([21.0], [22.5])}
    figure = ct.plot_slopes(pairs, names=("before", "after"))
    draw(figure)
    shares, decibels = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == [*pairs]
    assert [t.get_text() for t in shares.get_xticklabels()] == ["before", "after"]
    ends = [list(line.get_ydata()) for line in shares.lines]
    assert np.allclose(ends, [[98, 95], [90, 96]])
    falls, rises = (line.get_linestyle() for line in shares.lines)
    assert falls != rises, "told without colour, too"
    assert list(decibels.lines[0].get_ydata()) == [21, 22.5]


@pytest.mark.parametrize("columns", [2, 3])
def test_titles_of_slopes_do_not_run_into_each_other(columns):
    pairs = {f"class, {k}00 images (accuracy)": ([0.9], [0.8]) for k in range(columns)}
    figure = ct.plot_slopes(pairs, columns=columns)
    draw(figure)
    boxes = [axes._left_title.get_window_extent() for axes in figure.axes]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


@pytest.mark.parametrize(
    ("pairs", "words"), [({}, "nothing"), ({"a": ([1, 2], [1])}, r"others for \['a'\]")]
)
def test_slopes_refuse_nothing_and_what_is_no_pair(pairs, words):
    with pytest.raises(ValueError, match=words):
        ct.plot_slopes(pairs)


# ------------------------------------------------------------ confusion


def test_confusion_counts_rows_as_truth():
    figure = ct.plot_confusion(TARGETS, ANSWERS, ["cat", "dog", "cow"])
    draw(figure)
    (axes,) = figure.axes
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "4", (1, 1): "2", (2, 1): "2", (0, 2): "1", (2, 2): "3"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "true class")
    assert [t.get_text() for t in axes.get_yticklabels()] == ["cat", "dog", "cow"]


@pytest.mark.parametrize("images", [DIGITS, PHOTOS], ids=["grey", "colour"])
def test_confusion_shows_the_first_mistake_of_each_wrong_cell(images):
    probabilities = np.eye(3)[ANSWERS]
    figure = ct.plot_confusion(TARGETS, probabilities, list("abc"), images)
    texts = draw(figure)
    axes, *_ = figure.axes
    thumbnails = axes.child_axes
    assert len(thumbnails) == 2  # cells (1, 2) and (2, 0)
    shown = np.asarray(thumbnails[0].images[0].get_array())
    assert np.array_equal(shown.reshape(images[4].shape), images[4])
    assert [t.get_text() for t in thumbnails[0].texts] == ["2"]
    assert not thumbnails[1].texts  # one mistake needs no number
    assert "4" in texts  # right answers stay numbers


def test_confusion_of_many_classes_is_a_shade():
    figure = ct.plot_confusion([0, 39], [0, 3], [f"class {k}" for k in range(40)])
    draw(figure)
    axes, scale = figure.axes
    assert not axes.texts and scale.get_ylabel() == "share of the true class"
    assert len(axes.get_xticks()) <= 13


@pytest.mark.parametrize(
    "targets, answers, message",
    [
        ([0, 1], [0], r"shapes \(2,\) and \(1,\)"),
        ([], [], "one target and one answer"),
        ([0, 3], [0, 1], r"from 0 to 2.*\[0, 1, 3\]"),
        ([0.0, 1.0], [0, 1], "Classes are integers"),
        (["a", "b"], ["a", "b"], "Classes are integers"),
    ],
)
def test_confusion_refuses_what_is_no_class(targets, answers, message):
    with pytest.raises(ValueError, match=message):
        ct.plot_confusion(targets, answers, ["cat", "dog", "cow"])


# ------------------------------------------------------------ pictures


def test_images_show_padding_grey():
    padded = np.concatenate([STRING, np.full((16, 8, 1), -1.0, "float32")], axis=1)
    figure = ct.plot_images([padded, PHOTOS[0]], ["a", "b"])
    assert draw(figure)[:2] == ["a", "b"]
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert (shown[:, 64:] == PADDING).all() and shown[:, :64].min() == 0


def test_images_refuse_other_numbers_of_titles_and_no_images():
    for images, titles in ((DIGITS[:2], ["a"]), ([], [])):
        with pytest.raises(ValueError, match="one title for each image"):
            ct.plot_images(images, titles)
    with pytest.raises(ValueError, match="floats in"):
        ct.plot_images((DIGITS[:2] * 255).astype("uint8"))


@pytest.mark.parametrize("images", [DIGITS, PHOTOS], ids=["grey", "colour"])
def test_predictions_show_failures_first_and_not_by_colour_alone(images):
    figure = ct.plot_predictions(
        images, TARGETS, ANSWERS, ["cat", "dog", "cow"], count=5
    )
    titles = [title for title in draw(figure) if title]
    assert titles[:5] == [
        "✗ cow\nis dog",
        "✗ cat\nis cow",
        "✗ cow\nis dog",
        "✓ cat",
        "✓ dog",
    ]
    assert figure.get_suptitle() == "3 of 12 wrong, shown first"
    framed = [axes.spines["top"].get_visible() for axes in figure.axes]
    assert framed[:5] == [True] * 3 + [False] * 2
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert np.array_equal(shown.reshape(images[4].shape), images[4])


@pytest.mark.parametrize(
    "answers, words",
    [(TARGETS, "0 of 12 wrong"), (TARGETS + 1, "12 of 12 wrong, 4 of them shown")],
)
def test_predictions_count_over_all_images(answers, words):
    figure = ct.plot_predictions(DIGITS, TARGETS, answers, count=4)
    draw(figure)
    assert figure.get_suptitle() == words


def test_predictions_of_texts_and_from_probabilities():
    wide = np.stack([STRING, STRING])
    figure = ct.plot_predictions(wide, ["2015", "2015"], ["2015", "201"])
    assert draw(figure)[:2] == ["✗ 201, is 2015", "✓ 2015"]
    figure = ct.plot_predictions(DIGITS[:1], [2], [[0.1, 0.2, 0.7]])
    assert draw(figure)[0] == "✓ 2"


@pytest.mark.parametrize("answers, count", [([0, 1], 5), (ANSWERS, 0)])
def test_predictions_refuse_other_lengths(answers, count):
    with pytest.raises(ValueError, match="one answer for each of 12 targets"):
        ct.plot_predictions(DIGITS, TARGETS, answers, count=count)


# ------------------------------------------------------------ inside a model


@pytest.fixture(scope="module")
def crnn():
    keras.utils.set_random_seed(0)
    return ct.build_crnn_model((16, 64, 1), 10, filters=(4, 6), units=5)


def test_feature_maps_are_the_layer_s_own_numbers(crnn):
    figure = ct.plot_feature_maps(crnn, STRING, "conv_1", count=3)
    titles = [title for title in draw(figure) if title]
    *tiles, scale = figure.axes
    assert len(tiles) == 3 and scale.get_ylabel() == "activation"
    channel = int(titles[0].removeprefix("channel "))
    maps = keras.Model(crnn.inputs, crnn.get_layer("conv_1").output)([STRING[None]])
    expected = keras.ops.convert_to_numpy(maps)[0, :, :, channel]
    shown = np.asarray(tiles[0].images[0].get_array())
    assert np.allclose(shown, expected, atol=1e-6)


def test_the_last_map_is_shown_unless_another_is_named(crnn):
    figure = ct.plot_feature_maps(crnn, STRING)
    assert figure.axes[0].images[0].get_array().shape == (4, 16)  # pool_2
    layer = crnn.get_layer("pool_1")
    for name in (layer, crnn.layers.index(layer)):
        figure = ct.plot_feature_maps(crnn, STRING, name, count=1)
        assert figure.axes[0].images[0].get_array().shape == (8, 32)


def test_channels_that_vary_most_are_chosen():
    maps = np.zeros((4, 4, 3))
    maps[0, 0] = [0, 5, 1]
    assert strongest(maps, 2).tolist() == [1, 2]


def test_layers_that_do_not_fit_are_refused(crnn):
    with pytest.raises(ValueError, match="no layer 'lstm' that returns maps.*conv_1"):
        ct.plot_feature_maps(crnn, STRING, "lstm")
    with pytest.raises(ValueError, match="no layer 99 that returns maps.*conv_1"):
        ct.plot_feature_maps(crnn, STRING, 99)
    with pytest.raises(ValueError, match=r"takes one image of shape \(16, 64, 1\)"):
        ct.plot_feature_maps(crnn, STRING[:, :32])
    dense = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="There are: none"):
        ct.plot_feature_maps(dense, STRING)
    with pytest.raises(ValueError, match="Expected a Keras model, but got a str"):
        ct.plot_feature_maps("model", STRING)


def test_as_many_curves_as_there_are_looks():
    curves = {f"rival {k}": [k, k + 1] for k in range(len(LINES))}
    figure = ct.plot_curves([0, 1], curves, xlabel="epoch", ylabel="loss")
    looks = {
        (line.get_color(), line.get_marker(), str(line.get_linestyle()))
        for line in figure.axes[0].get_lines()
    }
    assert len(looks) >= len(curves)


class TestLooks:
    """A model looks the same in every figure, whoever stands beside it."""

    @pytest.mark.parametrize("model", MODELS)
    def test_a_model_keeps_its_own(self, model):
        alone = looks([model])[0]
        for names in (["RNN", model], [model, "SVM"], ["a", "b", "c", "d", model]):
            assert looks(names)[names.index(model)] == alone

    def test_nobody_else_gets_the_look_of_a_model(self):
        beside = ["RNN", "CRNN", "plain CNN", "SVM"]  # the CNN is not there
        found = looks(beside)
        assert looks(["CNN"])[0] not in found
        assert len({one["marker"] for one in found}) == len(beside)

    def test_without_a_model_all_looks_are_in_use(self):
        found = looks("abcdefg")
        assert [one["marker"] for one in found] == MARKERS
        assert looks("abcdefgh")[7] == found[0]  # then from the beginning

    def test_curves_and_seeds_agree(self):
        curves = {"RNN": [1, 2], "order-blind": [2, 3]}
        lines = ct.plot_curves([0, 1], curves, xlabel="x", ylabel="y").axes[0].lines
        seeds = {"order-blind": [0.5, 0.6], "CRNN": [0.7, 0.8]}
        dots = ct.plot_seeds(seeds).axes[0].lines
        assert lines[1].get_color() == dots[0].get_color()
        assert lines[1].get_marker() == dots[0].get_marker()
