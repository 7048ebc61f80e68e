"""Equal size, true costs, true windows: what a fair comparison stands on."""

import functools
import inspect
import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

import crnn_tutorial as ct
from crnn_tutorial.network.backbones import connect_steps
from crnn_tutorial.network.layers import (
    AttentionOverSteps,
    MapToSequence,
    PerFrame,
    ScanRows,
)

quick = settings(max_examples=40, deadline=None, derandomize=True)
# Wide enough that one unit more or less is about 2 %: no filter has to give way.
WIDTHS = {"filters": (16, 32), "units": 64}
CRNNS = {
    "image": (ct.build_crnn_model, ((12, 20, 1), 3)),
    "clip": (ct.build_video_classifier, ((5, 8, 12, 1), 3)),
    "text": (ct.build_text_recognizer, ((8, None, 1), "0123456789")),
}


class Sized:
    """As much of a model as `match_parameters` looks at."""

    def __init__(self, parameters):
        self.parameters = parameters

    def count_params(self):
        return self.parameters


def sized_builder(input_shape, *, units=4, filters=(8, 16)):
    first, second = filters
    return Sized(9 * first + 9 * first * second + second * units + units * units)


class TestMatchParameters:
    @quick
    @given(st.integers(800, 2_000_000))
    def test_it_finds_widths_within_two_per_cent_and_says_how_close(self, target):
        match = ct.match_parameters(sized_builder, target, (8, 8, 1))
        assert match.ratio == match.builder().count_params() / target
        assert abs(match.ratio - 1) <= 0.02
        own = sized_builder((8, 8, 1), **match.widths).count_params()
        assert own == match.builder().count_params()

    @quick
    @given(st.integers(2000, 100_000), st.sampled_from([0.02, 0.2]))
    def test_of_two_neighbours_it_takes_the_nearer(self, target, tolerance):
        match = ct.match_parameters(
            sized_builder, target, (8, 8, 1), tolerance=tolerance
        )
        if "filters" not in match.widths:
            units = match.widths["units"]
            errors = {
                n: abs(sized_builder((8, 8, 1), units=n).count_params() - target)
                for n in (units - 1, units, units + 1)
                if n
            }
            assert errors[units] == min(errors.values())

    def test_filters_give_way_when_units_alone_cannot(self):
        # 1252 parameters with the builder's own filters, before any unit.
        match = ct.match_parameters(sized_builder, 900, (8, 8, 1))
        assert match.widths["filters"] < (8, 16)
        kept = ct.match_parameters(sized_builder, 3000, (8, 8, 1))
        assert list(kept.widths) == ["units"]

    def test_what_the_caller_passes_is_kept(self):
        match = ct.match_parameters(sized_builder, 9000, (8, 8, 1), filters=[10, 20])
        assert match.builder.keywords["filters"] == (10, 20)
        assert abs(match.builder().count_params() / 9000 - 1) <= 0.02

    @pytest.mark.parametrize(
        ("builder", "arguments", "target"),
        [
            (ct.build_lstm_model, ((9, 12, 2), 5), 20_000),
            (ct.build_cnn_model, ((16, 40, 1), 10), 20_000),
        ],
        ids=["lstm", "cnn"],
    )
    def test_real_models(self, builder, arguments, target):
        match = ct.match_parameters(builder, target, *arguments)
        model = match.builder()
        weights = sum(math.prod(weight.shape) for weight in model.weights)
        assert match.ratio == weights / target == model.count_params() / target
        assert abs(match.ratio - 1) <= 0.02
        model_of_same_size = ct.match_parameters(builder, model, *arguments)
        assert model_of_same_size.ratio == 1

    def test_it_builds_few_models(self):
        # Each takes a tenth of a second and more; chapters match a dozen times.
        built = []

        def builder(*args, **kwargs):
            built.append(kwargs)
            return sized_builder(*args, **kwargs)

        builder.__signature__ = inspect.signature(sized_builder)
        ct.match_parameters(builder, 50_000, (8, 8, 1))
        assert len(built) <= 6

    def test_where_units_change_nothing_the_filters_are_scaled(self):
        # A search among units would never end.
        target = ct.build_crnn_model((8, 16, 1), 4, filters=(8,), units=16)
        match = ct.match_parameters(
            ct.build_cnn_model,
            target,
            (8, 16, 1),
            4,
            filters=(8, 16),
            whole_image=False,
        )
        assert list(match.widths) == ["filters"]
        assert abs(match.ratio - 1) <= 0.02
        assert match.ratio == match.builder().count_params() / target.count_params()

    @quick
    @given(st.integers(60_000, 2_000_000))
    def test_a_builder_without_units(self, target):
        def builder(input_shape, filters=(32, 64)):
            return sized_builder(input_shape, filters=filters)

        match = ct.match_parameters(builder, target, (8, 8, 1))
        assert list(match.widths) == ["filters"]
        assert abs(match.ratio - 1) <= 0.02
        assert match.ratio == match.builder().count_params() / target

    @pytest.mark.parametrize("kind", [int, np.int64])
    def test_a_target_that_cannot_be_reached(self, kind):
        with pytest.raises(ValueError, match=r"within 2% of 5 parameters; the nearest"):
            ct.match_parameters(ct.build_rnn_model, kind(5), (8, 8, 1), 3)
        with pytest.raises(ValueError, match="at least 1 parameter, but got 0"):
            ct.match_parameters(ct.build_rnn_model, kind(0), (8, 8, 1), 3)

    def test_a_builder_without_widths(self):
        with pytest.raises(ValueError, match="build has neither units= nor filters="):

            def build(input_shape):
                return Sized(7)

            ct.match_parameters(build, 7, (8, 8, 1))


def stem(model, stop):
    """The layers up to the sequence: what they are, return and hold."""
    names = [layer.name for layer in model.layers]
    layers_before = model.layers[: names.index(stop) + 1]
    return [(type(x), x.output.shape, x.count_params()) for x in layers_before]


class TestRivals:
    @pytest.fixture(params=CRNNS)
    def line_up(self, request):
        builder, arguments = CRNNS[request.param]
        rivals = ct.rivals(builder, *arguments, **WIDTHS)
        return request.param, {name: build() for name, build in rivals.items()}

    def test_models_of_one_size_that_differ_in_one_thing(self, line_up):
        data, models = line_up
        plain = ["plain CNN"] if data == "image" else []
        assert list(models) == ["CRNN", "CNN", *plain, "order-blind", "attention"]
        wanted = models["CRNN"].count_params()
        for name, model in models.items():
            assert abs(model.count_params() / wanted - 1) <= 0.02, name

        layer_names = {name: [x.name for x in m.layers] for name, m in models.items()}
        marks = {
            "lstm": "CRNN",
            "each_step_alone": "order-blind",
            "attention": "attention",
            "conv_steps_1": "CNN",
        }
        if data == "image":
            marks |= {"conv_3": marks.pop("conv_steps_1"), "dense": "plain CNN"}
        for mark, owner in marks.items():
            assert [n for n in models if mark in layer_names[n]] == [owner], mark

        stop = "flatten_frame" if data == "clip" else "map_to_sequence"
        if data == "image":  # the CNN goes on where the others make a sequence
            field = ct.receptive_field(models.pop("CNN"))
            assert min(np.subtract(field, (12, 20))) >= 0
            assert models["plain CNN"].layers[-4].name == "dense"
            plain = stem(models.pop("plain CNN"), "dense")
        stems = [stem(model, stop) for model in models.values()]
        assert all(other == stems[0] for other in stems) and len(stems[0]) >= 9
        if data == "image":
            assert plain[:-1] == stems[0][:-1]

    def test_the_plain_cnn_is_what_tutorials_build(self):
        """By Keras alone: flatten, dense; the convolution in its place is the same."""
        plain = ct.rivals(ct.build_crnn_model, (8, 8, 1), 3, **WIDTHS)["plain CNN"]()
        rng = np.random.default_rng(0)
        features = rng.normal(size=(5, *plain.get_layer("dense").input.shape[1:]))
        kernel, bias = plain.get_layer("dense").get_weights()
        flat = features.reshape(5, -1) @ kernel.reshape(-1, kernel.shape[-1]) + bias
        found = np.asarray(plain.get_layer("dense")(features)).reshape(5, -1)
        assert np.allclose(found, flat, atol=1e-5)

    def test_patches_have_a_cnn_too(self):
        options = {**WIDTHS, "sequence": "patches"}
        rivals = ct.rivals(ct.build_crnn_model, (12, 16, 1), 3, **options)
        sizes = {name: rivals[name]().count_params() for name in ("CRNN", "CNN")}
        assert abs(sizes["CNN"] / sizes["CRNN"] - 1) <= 0.02


class TestTwins:
    def test_the_order_blind_twin_is_blind(self):
        # Swap the two halves of a picture; between them stand columns of black, as
        # wide as the window of the stem, so that no convolution sees both.
        image = np.zeros((1, 8, 32, 1), "float32")
        rng = np.random.default_rng(0)
        image[:, :, 4:8] = rng.uniform(size=(8, 4, 1))
        image[:, :, 20:24] = rng.uniform(size=(8, 4, 1))
        swapped = np.concatenate([image[:, :, 16:], image[:, :, :16]], axis=2)
        build = ct.build_crnn_model
        for model, same in (
            (ct.twin(build, "order_blind")((8, 32, 1), 3, filters=(4,), units=4), True),
            (build((8, 32, 1), 3, filters=(4,), units=4), False),
        ):
            answers = np.asarray(model(np.concatenate([image, swapped])))
            assert np.allclose(answers[0], answers[1], atol=1e-6) == same

    def test_a_twin_of_another_recurrence(self):
        # What the original is told, its recurrence included, is not told the twin.
        arguments = ((8, 8, 1), 3)
        options = {"recurrence": "gru", "filters": (4,), "units": 32}
        original = ct.build_crnn_model(*arguments, **options)
        twin = ct.twin(ct.build_crnn_model, "order_blind")(*arguments, **options)
        assert abs(twin.count_params() / original.count_params() - 1) <= 0.02
        assert "each_step_alone" in [layer.name for layer in twin.layers]

    def test_a_builder_without_recurrence_has_no_twin(self):
        with pytest.raises(ValueError, match="build_cnn_model has no argument rec"):
            ct.twin(ct.build_cnn_model, "order_blind")

    def test_the_rivals_of_a_partial_are_those_of_its_builder(self):
        small = functools.partial(ct.build_crnn_model, filters=(8, 16), units=32)
        theirs = ct.rivals(small, (8, 16, 1), 3)
        ours = ct.rivals(ct.build_crnn_model, (8, 16, 1), 3, filters=(8, 16), units=32)
        for name, build in ours.items():
            layers_of = [
                [(type(x), x.output.shape) for x in one.layers]
                for one in (build(), theirs[name]())
            ]
            assert layers_of[0] == layers_of[1], name
        assert not any("conv_steps" in x.name for x in theirs["CNN"]().layers)

    def test_rivals_of_a_dataset_and_of_widths_that_must_be_scaled(self, capsys):
        digits = ct.load_digits()
        for name, build in ct.rivals(ct.build_crnn_model, digits, units=16).items():
            assert build().output_shape == (None, 10), name
        few = functools.partial(ct.build_crnn_model, (8, 8, 1), 10, units=2)
        sizes = [build().count_params() for build in ct.rivals(few).values()]
        assert max(sizes) / min(sizes) < 1.04
        assert capsys.readouterr().out == ""


def count(shape, *stack):
    x = inputs = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return ct.count_multiplications(keras.Model(inputs, x))


def places(side, kernel, stride, padding):
    """How often a window fits on a line, by putting it down again and again."""
    if padding == "same":  # one place for each stride, whatever the window
        return len(range(0, side, stride))
    return len([x for x in range(0, side, stride) if x + kernel <= side])


class TestCountMultiplications:
    @quick
    @given(
        st.tuples(st.integers(5, 12), st.integers(5, 12)),
        st.integers(1, 5),
        st.integers(1, 3),
        st.sampled_from(["same", "valid"]),
    )
    def test_convolution(self, size, kernel, stride, padding):
        rows, columns = (places(side, kernel, stride, padding) for side in size)
        layer = layers.Conv2D(3, kernel, strides=stride, padding=padding)
        assert count((*size, 2), layer) == rows * columns * kernel**2 * 2 * 3

    # Of a gate at a step: units x (inputs + units). An LSTM has 4 blocks, a GRU 3.
    @pytest.mark.parametrize(
        ("shape", "layer", "by_hand"),
        [
            ((7,), lambda: layers.Dense(5), 7 * 5),
            ((4, 7), lambda: layers.Dense(5), 4 * 7 * 5),
            ((6, 3), lambda: layers.LSTM(5), 6 * 4 * 5 * (3 + 5)),
            ((6, 3), lambda: layers.GRU(5), 6 * 3 * 5 * (3 + 5)),
            ((6, 3), lambda: layers.SimpleRNN(5), 6 * 5 * (3 + 5)),
            (
                (6, 3),
                lambda: layers.Bidirectional(layers.LSTM(5, return_sequences=True)),
                2 * 6 * 4 * 5 * (3 + 5),
            ),
            (
                (6, 3),
                lambda: layers.Bidirectional(layers.GRU(5)),
                2 * 6 * 3 * 5 * (3 + 5),
            ),
            ((4, 6, 3), lambda: ScanRows(5), 4 * 2 * 6 * 4 * 5 * (3 + 5)),
            ((4, 6, 3), lambda: ScanRows(5, "height"), 6 * 2 * 4 * 4 * 5 * (3 + 5)),
            (
                (4, 6, 3),
                lambda: ScanRows(5, memory=2),
                4 * 6 * 2 * 2 * 4 * 5 * (3 + 5),
            ),
            ((9, 3), lambda: layers.Conv1D(5, 2, strides=2), 4 * 2 * 3 * 5),
            (
                (2, 6, 8, 3),
                lambda: PerFrame(layers.Conv2D(5, 3)),
                2 * (4 * 6) * (3 * 3 * 3) * 5,
            ),
            ((2, 6, 8, 3), lambda: PerFrame(layers.MaxPooling2D(2)), 0),
            (
                # project; query, key, value, output; queries x keys and weights x
                # values; expand and contract
                (6, 3),
                lambda: AttentionOverSteps(4, heads=2),
                6 * 3 * 4 + 4 * 6 * 4 * 4 + 2 * 6 * 6 * 4 + 2 * 6 * 4 * 8,
            ),
            ((6, 8, 3), lambda: layers.BatchNormalization(), 0),
        ],
    )
    def test_by_hand(self, shape, layer, by_hand):
        assert count(shape, layer()) == by_hand

    def test_layers_add_up(self):
        total = count(
            (8, 8, 1),
            layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            MapToSequence(),
            layers.LSTM(5),
            layers.Dense(3),
        )
        by_hand = [8 * 8 * 9 * 4, 4 * 4 * 5 * (4 * 4 + 5), 5 * 3]
        assert total == sum(by_hand)

    def test_a_sequential_model_and_a_functional_one(self):
        def stack():
            return [layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)]

        model = keras.Sequential([keras.Input((8, 8, 1)), *stack()])
        by_hand = 36 * 9 * 4 + 36 * 4 * 2
        assert ct.count_multiplications(model) == count((8, 8, 1), *stack()) == by_hand

    def test_readers(self):
        reader = ct.build_text_recognizer(
            (8, None, 1), "abc", filters=(2,), units=3, recurrence="order_blind"
        )
        steps = 20 // 2
        by_hand = (8 * 20 * 9 * 2) + steps * (4 * 2) * 6 + steps * 6 * 4
        assert ct.count_multiplications(reader, (8, 20, 1)) == by_hand
        fixed = ct.build_fixed_length_reader((8, 20, 1), "abc", 5, filters=(2,))
        by_hand = (8 * 20 * 9 * 2) + (4 * 10 * 2) * (5 * 4)
        assert ct.count_multiplications(fixed) == by_hand

    def test_any_width_wants_one_to_count_for(self):
        model = ct.build_text_recognizer((8, None, 1), "ab", filters=(2,), units=2)
        with pytest.raises(ValueError, match=r"any size \(8, None, 1\); pass input_sh"):
            ct.count_multiplications(model)
        # Convolutions and recurrence both cost by the width.
        narrow, wide = (
            ct.count_multiplications(model, (8, width, 1)) for width in (16, 32)
        )
        assert wide == 2 * narrow

    @pytest.mark.parametrize(
        ("shape", "layer"),
        [
            ((6, 8, 3), lambda: layers.DepthwiseConv2D(3)),
            ((4, 6, 8, 3), lambda: layers.ConvLSTM2D(2, 3)),  # it is an RNN, too
            ((6, 8, 3), lambda: layers.Conv2DTranspose(2, 3)),
            ((4, 6, 8, 3), lambda: PerFrame(layers.SeparableConv2D(2, 3))),
        ],
        ids=["depthwise", "convolutional LSTM", "transposed", "in each frame"],
    )
    def test_a_layer_it_does_not_know_is_refused_not_skipped(self, shape, layer):
        with pytest.raises(
            ValueError, match="which count_multiplications does not know"
        ):
            count(shape, layer())

    @pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="its profiler")
    def test_tensorflow_counts_the_same(self):
        # Its profiler counts a multiplication and an addition as two, and leaves out
        # the loops over steps (so these are unrolled) and attention's two products.
        def rnn(cell, units):
            return layers.Bidirectional(cell(units, unroll=True, return_sequences=True))

        inputs = keras.Input((9, 12, 2))
        x = layers.Conv2D(4, 3, padding="same", strides=2)(inputs)  # (5, 6, 4)
        x = layers.Conv2D(3, (2, 3))(x)  # (4, 4, 3)
        x = MapToSequence()(x)
        x = rnn(layers.SimpleRNN, 2)(rnn(layers.GRU, 3)(rnn(layers.LSTM, 4)(x)))
        x = layers.Conv1D(6, 2)(x)  # (3, 6)
        x = AttentionOverSteps(6)(x)
        model = keras.Model(inputs, layers.Dense(5)(layers.Flatten()(x)))
        products = 2 * 3 * 3 * 6
        ours = ct.count_multiplications(model) - products
        assert ours == profiled_multiplications(model)


def profiled_multiplications(model):
    import tensorflow as tf
    from tensorflow.python.profiler import model_analyzer, option_builder

    shape = tf.TensorSpec((1, *model.input_shape[1:]))
    graph = tf.function(lambda x: model(x)).get_concrete_function(shape).graph
    builder = option_builder.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().build()
    node = model_analyzer.profile(graph, cmd="op", options=options)
    operations = {}
    while node.children:
        node = node.children[0]
        operations[node.name] = node.float_ops
    counted = ("Conv2D", "MatMul", "BatchMatMulV2")
    return sum(operations.get(name, 0) for name in counted) // 2


def seen_from_one_place(model, axis, place):
    """Which rows (axis 0) or columns (axis 1) of the image one place can see.

    With positive kernels and no offset, a bright line shows wherever it is seen:
    nothing cancels, and neither ReLU nor maximum can hide it.
    """
    for layer in model.layers:
        inner = layer.layer if isinstance(layer, PerFrame) else layer
        if isinstance(inner, (layers.Conv1D, layers.Conv2D, layers.Dense)):
            kernel, *bias = inner.get_weights()
            inner.set_weights(
                [kernel * 0 + 1 / kernel[..., 0].size, *(b * 0 for b in bias)]
            )
    shape = model.input_shape[1:]
    sides = shape[-3:-1]
    lines = np.zeros((sides[axis], *shape), "float32")
    for line in range(sides[axis]):
        here = [slice(None)] * 3
        here[axis] = line
        lines[(line, ..., *here)] = 1
    answers = np.asarray(model(lines))
    return np.flatnonzero(answers[(slice(None), *place)].sum(axis=-1) > 0)


def up_to(model, name):
    return keras.Model(model.input, model.get_layer(name).output)


WINDOWS = st.tuples(st.integers(1, 3), st.integers(1, 3))
KINDS = {
    "conv": lambda window: layers.Conv2D(2, window, use_bias=False),
    "stride": lambda window: layers.Conv2D(2, window, strides=2),
    "dilate": lambda window: layers.Conv2D(2, window, dilation_rate=2),
    "max": lambda window: layers.MaxPooling2D(window),
    "average": lambda window: layers.AveragePooling2D(window, strides=1),
}


class TestReceptiveField:
    @settings(max_examples=15, deadline=None, derandomize=True)
    @given(st.lists(st.tuples(st.sampled_from(list(KINDS)), WINDOWS), max_size=3))
    def test_it_is_from_the_first_to_the_last_pixel_that_one_place_sees(self, stack):
        # Large enough for three layers that halve, and no padding at the border.
        stack = [KINDS[kind](window) for kind, window in stack]
        model = keras.Sequential([keras.Input((40, 44, 1)), *stack, layers.ReLU()])
        seen = [seen_from_one_place(model, axis, (0, 0)) for axis in (0, 1)]
        extent = tuple(lines[-1] - lines[0] + 1 for lines in seen)
        assert ct.receptive_field(model) == extent

    def test_by_hand(self):
        # conv 3 -> 3; pool 2 -> 4, step 2; conv 3 -> 8; pool 2 -> 10
        model = ct.build_crnn_model((32, 48, 1), 3, filters=(2, 2), units=2)
        assert ct.receptive_field(model) == (10, 10)
        pooled = up_to(model, "pool_2")
        assert seen_from_one_place(pooled, 0, (4, 6)).tolist() == list(range(13, 23))
        assert seen_from_one_place(pooled, 1, (4, 6)).tolist() == list(range(21, 31))

    def test_inside_one_frame_of_a_clip(self):
        model = ct.build_video_classifier((2, 32, 48, 1), 3, filters=(2, 2), units=2)
        assert ct.receptive_field(model) == (10, 10)
        pooled = up_to(model, "pool_2")
        assert len(seen_from_one_place(pooled, 0, (0, 4, 6))) == 10

    @pytest.mark.parametrize("along", ["width", "height"])
    def test_convolutions_along_the_steps_widen_it(self, along):
        inputs = keras.Input((24, 28, 1))
        x = layers.MaxPooling2D(2)(layers.Conv2D(2, 3, padding="same")(inputs))
        x = layers.Conv1D(2, 3, dilation_rate=2, padding="same")(
            MapToSequence(along)(x)
        )
        model = keras.Model(inputs, x)
        axis = ("height", "width").index(along)
        assert ct.receptive_field(model)[axis] == 12
        assert len(seen_from_one_place(model, axis, (6,))) == 12
        assert ct.receptive_field(model)[1 - axis] == 4

    def test_the_convolution_twin_sees_all_columns(self):
        model = ct.build_crnn_model(
            (8, 80, 1), 3, filters=(2, 2), units=2, recurrence="convolution"
        )
        assert ct.receptive_field(model)[1] >= 80
        last = [x.name for x in model.layers if x.name.startswith("add")][-1]
        for place in (0, 10, 19):  # the first of 20 steps, the middle, the last
            seen = seen_from_one_place(up_to(model, last), 1, (place,))
            assert len(seen) == 80

    def test_along_the_frames_there_is_no_pixel(self):
        inputs = keras.Input((6, 5))
        steps = connect_steps(inputs, "convolution", 2)
        assert ct.receptive_field(keras.Model(inputs, steps)) == (1, 1)

    @pytest.mark.parametrize(
        "shape", [(28, 28, 1), (9, 70, 1), (46, 13, 1), (64, 64, 1)]
    )
    def test_the_cnn_sees_the_whole_image_and_its_stem_does_not(self, shape):
        options = {"filters": (2, 2), "units": 2}
        whole = ct.build_cnn_model(shape, 3, **options)
        small = ct.build_cnn_model(shape, 3, whole_image=False, **options)
        assert min(np.subtract(ct.receptive_field(whole), shape[:2])) >= 0
        assert ct.receptive_field(small) == (10, 10)
        last = [x.name for x in whole.layers if x.name.startswith("pool")][-1]
        pooled = up_to(whole, last)
        rows, columns = pooled.output_shape[1:3]
        # One place, the last, sees everything but at most the first line.
        for axis, side in ((0, shape[0]), (1, shape[1])):
            seen = seen_from_one_place(pooled, axis, (rows - 1, columns - 1))
            assert len(seen) >= side - 1
