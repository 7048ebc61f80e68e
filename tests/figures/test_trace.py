"""``ct.trace_shapes``: the table, the panels, and where it finds that time runs."""

import io
import warnings

import keras
import matplotlib as mpl
import numpy as np
import pytest
from keras import layers

mpl.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

import crnn_tutorial as ct  # noqa: E402
from crnn_tutorial.figures.style import STYLE  # noqa: E402
from crnn_tutorial.network.layers import MapToSequence  # noqa: E402

STRING = ct.digit_string("2015")  # 16 x 64 pixels
COLUMNS, ROWS = "column of the image (px)", "row of the image (px)"


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield
    assert plt.get_fignums() == []


@pytest.fixture(scope="module")
def crnn():
    keras.utils.set_random_seed(0)
    return ct.build_crnn_model((16, 64, 1), 10, filters=(4, 6), units=5)


def draw(trace):
    """Draw it twice, as a notebook and a file do; return the panels' titles."""
    for _ in range(2):
        trace.figure.savefig(io.BytesIO(), dpi=96)
    return [text.get_text() for text in trace.figure.texts]


def xlabels(trace):
    return [axes.get_xlabel() for axes in trace.figure.axes if axes.get_xlabel()]


def joined(*joint, input_shape=(16, 64, 1)):
    """Return a model whose map (8, 32, 3) goes through `joint` and an LSTM."""
    x = inputs = keras.Input(input_shape)
    x = layers.Conv2D(3, 3, padding="same")(x)
    x = layers.MaxPooling2D(2)(x)
    for layer in joint:
        x = layer(x)
    x = layers.LSTM(4)(x)
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(x))


# ------------------------------------------------------------ the table


def test_table_lists_every_layer_with_its_shape(crnn):
    table = ct.trace_shapes(crnn, STRING).table
    assert [(layer, shape) for layer, shape, _ in table] == [
        ("image", (16, 64, 1)),
        ("conv_1, norm_1, relu_1", (16, 64, 4)),
        ("pool_1", (8, 32, 4)),
        ("conv_2, norm_2, relu_2", (8, 32, 6)),
        ("pool_2", (4, 16, 6)),
        ("map_to_sequence", (16, 24)),
        ("lstm", (16, 10)),
        ("average", (10,)),
        ("probabilities", (10,)),
    ]
    listed = ", ".join(row.layer for row in table).split(", ")
    assert listed == [layer.name for layer in crnn.layers]
    meanings = dict((row.layer, row.meaning) for row in table)
    assert meanings["lstm"] == "at each step, 5 states forward, 5 backward"
    assert meanings["map_to_sequence"] == "each column is one step, from left to right"
    assert meanings["probabilities"] == "one probability for each class"


def test_layers_of_two_branches_do_not_share_a_row():
    image = keras.Input((8, 8, 1))
    wide, narrow = layers.Conv2D(3, 1, name="wide"), layers.Conv2D(3, 8, name="narrow")
    branches = [layers.ReLU()(layer(image)) for layer in (wide, narrow)]
    pooled = [layers.GlobalMaxPooling2D()(branch) for branch in branches]
    model = keras.Model(image, layers.Dense(2)(layers.Add()(pooled)))
    for layer, shape, _ in ct.trace_shapes(model, np.zeros((8, 8, 1))).table:
        if layer.startswith("narrow"):
            assert (layer, shape) == ("narrow", (1, 1, 3))


def test_table_has_a_text_and_an_html_form(crnn):
    trace = ct.trace_shapes(crnn, STRING)
    assert "map_to_sequence         16 x 24      each column" in repr(trace)
    html = trace._repr_html_()
    assert html.count("<tr>") == 1 + len(trace.table)
    assert "<td>16&nbsp;×&nbsp;64&nbsp;×&nbsp;1</td>" in html and " x " not in html


def test_a_notebook_shows_figure_and_table(crnn, monkeypatch):
    shown = []
    display = pytest.importorskip("IPython.display")
    monkeypatch.setattr(display, "display", lambda x, raw=False: shown.append(x))
    trace = ct.trace_shapes(crnn, STRING)
    trace._ipython_display_()
    assert shown[0] is trace.figure
    assert shown[1] == {"text/html": trace._repr_html_(), "text/plain": repr(trace)}


# ------------------------------------------------------------ where time runs

PLAIN = "one vector for each step"


@pytest.mark.parametrize(
    "joint, meaning",
    [
        ([MapToSequence("width")], "each column is one step, from left to right"),
        ([MapToSequence("height")], "each row is one step, from top to bottom"),
        ([layers.Permute((2, 1, 3)), layers.Reshape((32, 24))], PLAIN),
        ([layers.Reshape((1, -1))], PLAIN),
    ],
    ids=["columns", "rows", "another's columns", "another's one step"],
)
def test_where_time_runs_is_known_of_our_own_layers(joint, meaning):
    """Of other joints the figure shows the steps, on an axis of their own."""
    trace = ct.trace_shapes(joined(*joint), STRING, highlight=0)
    meanings = [row.meaning for row in trace.table]
    assert meaning in meanings and "after the last step, 4 states" in meanings
    titles = draw(trace)
    assert not any("permute" in title for title in titles)  # its columns are rows
    assert ("time" in titles) == (meaning != PLAIN)
    assert ("step" in xlabels(trace)) == (meaning == PLAIN)
    *maps, steps = [axes for axes in trace.figure.axes if axes.images]
    assert len(steps.patches) == 1  # the step is framed where it is known
    assert all(len(axes.patches) == (meaning != PLAIN) for axes in maps)


# ------------------------------------------------------------ the figure


def test_panels_share_the_columns_of_the_image(crnn):
    trace = ct.trace_shapes(crnn, STRING, channels=2)
    texts = draw(trace)
    assert [text.split(":")[0] for text in texts] == [
        "image",
        "pool_2",
        "map_to_sequence",
        "time",
        "lstm",
        "probabilities",
    ]
    pictures = [axes for axes in trace.figure.axes if axes.images]
    assert len(pictures) == 1 + 2 + 1 + 1
    for axes in pictures:
        assert axes.get_xlim() == (0, 64)
        assert axes.images[0].get_extent()[:2] == [0, 64]
    lefts = {round(axes.get_position().x0, 6) for axes in pictures}
    rights = {round(axes.get_position().x1, 6) for axes in pictures}
    assert len(lefts) == len(rights) == 1  # exactly above each other
    assert xlabels(trace) == [COLUMNS, "class"]


def test_no_panel_overlaps_another(crnn):
    figure = ct.trace_shapes(crnn, STRING).figure
    figure.savefig(io.BytesIO(), dpi=96)
    boxes = sorted(
        (axes.get_position().y0, axes.get_position().y1)
        for axes in figure.axes
        if axes.get_position().width > 0.1
    )
    assert all(low[1] < high[0] for low, high in zip(boxes, boxes[1:], strict=False))
    assert boxes[0][0] > 0 and boxes[-1][1] < 1


def test_heat_maps_show_the_layer_s_own_numbers(crnn):
    trace = ct.trace_shapes(crnn, STRING)
    inner = keras.Model(crnn.inputs, crnn.get_layer("lstm").output)([STRING[None]])
    states = keras.ops.convert_to_numpy(inner)[0]  # (16, 10)
    shown = [axes for axes in trace.figure.axes if axes.images][-1]
    assert np.allclose(shown.images[0].get_array(), states.T, atol=1e-6)
    assert [t.get_text() for t in shown.get_yticklabels()] == [
        "forward\n→",
        "backward\n←",
    ]


def test_of_many_states_as_many_are_shown_as_can_be_told_apart():
    model = ct.build_lstm_model((16, 64, 1), 3, units=40)
    trace = ct.trace_shapes(model, STRING)
    assert "lstm: 64 steps × 80 states, 32 shown" in draw(trace)
    shown = [axes for axes in trace.figure.axes if axes.images][-1]
    assert shown.images[0].get_array().shape == (32, 64)


def test_rows_as_steps_get_an_axis_of_their_own():
    model = ct.build_lstm_model((16, 64, 1), 3, units=4, along="height")
    trace = ct.trace_shapes(
        model, STRING, highlight=9, class_names=["cat", "dog", "cow"]
    )
    assert draw(trace).count("time") == 2  # down the image, along the steps
    assert xlabels(trace) == [COLUMNS, ROWS, "class"]
    frame = trace.figure.axes[0].patches[0]  # a band of rows in the image
    assert (frame.get_y(), frame.get_height()) == (9 / 16, 1 / 16)
    names = [t.get_text() for t in trace.figure.axes[-1].get_xticklabels()]
    assert names == ["cat", "dog", "cow"]


def test_highlight_frames_one_step_in_every_panel(crnn):
    trace = ct.trace_shapes(crnn, STRING, highlight=5)
    draw(trace)
    pictures = [axes for axes in trace.figure.axes if axes.images]
    for axes in pictures:
        (frame,) = axes.patches
        assert (frame.get_x(), frame.get_width()) == (20, 4)  # 64 columns, 16 steps


def test_a_reader_shows_the_probability_of_each_character():
    model = ct.build_text_recognizer(
        (16, None, 1), ct.Alphabet("0123456789"), filters=(4, 6), units=5
    )
    trace = ct.trace_shapes(model, STRING)
    assert "logits: probability (softmax)" in draw(trace)
    assert xlabels(trace) == [COLUMNS]  # down to the answer, all share the columns
    answer = [axes for axes in trace.figure.axes if axes.images][-1]
    assert np.allclose(answer.images[0].get_array().sum(axis=0), 1, atol=1e-5)
    assert [t.get_text() for t in answer.get_yticklabels()][:3] == ["blank", "0", "1"]
    assert "logit" in trace.table[-1].meaning
    listed = ", ".join(row.layer for row in trace.table)
    assert "mask" not in listed and "real_columns" not in listed


def test_positions_are_no_columns():
    digits = ct.Alphabet("0123456789")
    model = ct.build_fixed_length_reader((16, 64, 1), digits, 4, filters=(4, 6))
    trace = ct.trace_shapes(model, STRING)
    assert "probabilities: probability" in draw(trace)  # no softmax of a softmax
    assert xlabels(trace) == [COLUMNS, "position"]
    assert trace.table[-1].meaning.endswith("character at each position")


def test_a_clip_lies_frame_beside_frame():
    model = ct.build_video_classifier((8, 16, 32, 1), 2, filters=(3, 4), units=4)
    clip = ct.load_direction_clips(sizes=(16, 16, 16)).test.images[0]
    trace = ct.trace_shapes(model, clip, highlight=2)
    draw(trace)
    assert trace.table[0].shape == (8, 16, 32, 1)
    assert "each frame is one step" in repr(trace)
    assert xlabels(trace) == ["frame", "class"]
    assert trace.figure.axes[0].images[0].get_array().shape[:2] == (16, 8 * 32)


def test_patches_show_maps_before_and_after_the_scan():
    model = ct.build_crnn_model(
        (16, 16, 3), 2, sequence="patches", filters=(3, 4), units=4
    )
    image = np.random.default_rng(0).random((16, 16, 3))
    trace = ct.trace_shapes(model, image, channels=1)
    titles = [text.split(":")[0] for text in draw(trace)]
    assert titles == ["image", "pool_2", "scan_height", "probabilities"]
    assert "the mean over all places" in repr(trace)


def test_scores_many_classes_and_images_as_answers():
    inputs = keras.Input((8, 8, 1))
    maps = layers.Conv2D(3, 3, padding="same", name="restored")(inputs)
    scores = layers.Dense(30, name="scores")(layers.Flatten()(maps))
    image = np.zeros((8, 8, 1))  # all scores are 0, and yet no probabilities
    trace = ct.trace_shapes(keras.Model(inputs, scores), image)
    assert trace.table[0].layer == "image"
    assert "scores: score of each class" in draw(trace)
    assert len(trace.figure.axes[-1].patches) == 10  # bars: the ten highest
    trace = ct.trace_shapes(keras.Model(inputs, maps), image, channels=2)
    assert draw(trace)[-1] == "restored: 8 × 8 × 3, 2 channels shown"
    assert trace.table[-1].meaning == "a map: rows x columns x channels"


# ------------------------------------------------------------ what is refused


def test_what_cannot_be_followed_is_refused(crnn):
    both = [keras.Input((8, 8, 1)), keras.Input((8, 8, 1))]
    two = keras.Model(both, layers.Add()(both))
    unbuilt = keras.Sequential([layers.Flatten()])
    for model in (two, unbuilt, "model"):
        with pytest.raises(ValueError, match="one input whose shape is known"):
            ct.trace_shapes(model, STRING)


@pytest.mark.parametrize(
    "image, message",
    [
        (STRING[:, :32], r"image of shape \(16, 64, 1\), but got \(16, 32, 1\)"),
        (STRING[..., 0], "Grey images need a channel"),
        (STRING * 255, "between 0 and 1"),
        (np.stack([STRING] * 2), "axes|shape"),
    ],
    ids=["size", "no channel", "range", "batch"],
)
def test_images_that_do_not_fit_are_refused(crnn, image, message):
    with pytest.raises(ValueError, match=message):
        ct.trace_shapes(crnn, image)


def test_steps_and_classes_that_there_are_not_are_refused(crnn):
    with pytest.raises(ValueError, match="a step from 0 to 15, but got 16"):
        ct.trace_shapes(crnn, STRING, highlight=16)
    with pytest.raises(ValueError, match="10 classes, but got 2"):
        ct.trace_shapes(crnn, STRING, class_names=["cat", "dog"])
    cnn = ct.build_cnn_model((16, 64, 1), 2, filters=(3,), whole_image=False)
    with pytest.raises(ValueError, match="no sequence"):
        ct.trace_shapes(cnn, STRING, highlight=0)
