"""Each layer against a plain loop over NumPy arrays, or against its own definition."""

import gc
import inspect
import weakref

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from keras.ops import convert_to_numpy

from crnn_tutorial.network import layers, masks
from crnn_tutorial.network.layers import (
    AttentionOverSteps,
    CharacterLogits,
    ClassProbabilities,
    MapToSequence,
    OverPlaces,
    PerFrame,
    PositionProbabilities,
    ResizeLike,
    ScanRows,
)
from crnn_tutorial.network.masks import (
    ColumnMask,
    FrameMask,
    KeepColumns,
    MaskedNormalization,
    PoolMask,
)

quick = settings(max_examples=25, deadline=None, derandomize=True)


def random_map(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


class TestResizeLike:
    @pytest.mark.parametrize("old", [(5, 7), (8, 8), (1, 1), (11, 3)])
    def test_it_is_the_resizing_of_keras(self, old):
        features, like = random_map(2, *old, 3), random_map(2, 8, 10, 1)
        resized = ops.image.resize(
            features, (8, 10), interpolation="bilinear", data_format="channels_last"
        )
        found = convert_to_numpy(ResizeLike()(features, like))
        np.testing.assert_allclose(found, convert_to_numpy(resized), atol=1e-5)

    def test_a_map_of_the_same_size_stays(self):
        features = random_map(1, 4, 6, 2)
        found = convert_to_numpy(ResizeLike()(features, features))
        np.testing.assert_allclose(found, features, atol=1e-6)

    def test_sizes_may_be_known_late(self):
        small, large = keras.Input((None, None, 2)), keras.Input((None, None, 1))
        model = keras.Model([small, large], ResizeLike()(small, large))
        for height, width in ((4, 6), (9, 5)):
            maps = [random_map(1, 3, 3, 2), random_map(1, height, width, 1)]
            assert model.predict(maps, verbose=0).shape == (1, height, width, 2)


class TestOverPlaces:
    def test_a_sequence_layer_sees_the_places_row_by_row(self):
        features = random_map(2, 3, 4, 5)
        layer = keras.layers.LSTM(6, return_sequences=True)
        over = OverPlaces(layer)
        found = convert_to_numpy(over(features))
        alone = convert_to_numpy(layer(features.reshape(2, 12, 5)))
        np.testing.assert_allclose(found, alone.reshape(2, 3, 4, 6), atol=1e-6)
        assert over.compute_output_shape((2, None, 4, 5)) == (2, None, 4, 6)

    def test_it_is_saved_with_its_layer(self):
        over = OverPlaces(keras.layers.LSTM(6, return_sequences=True))
        again = OverPlaces.from_config(over.get_config())
        assert again.layer.units == 6


class TestMapToSequence:
    @pytest.mark.parametrize("shape", [(2, 3, 5, 4), (1, 1, 7, 2), (3, 6, 1, 1)])
    def test_a_step_is_one_column_or_one_row_of_the_map(self, shape):
        features = random_map(*shape)
        _, height, width, _ = shape
        columns = [[one[:, w].ravel() for w in range(width)] for one in features]
        rows = [[one[h].ravel() for h in range(height)] for one in features]
        for along, expected in (("width", columns), ("height", rows)):
            steps = convert_to_numpy(MapToSequence(along)(features))
            np.testing.assert_array_equal(steps, expected)

    def test_a_reshape_alone_scrambles_the_columns(self):
        # Each pixel holds the number of its column: a true step knows one number.
        features = np.broadcast_to(np.arange(6.0)[:, None], (1, 4, 6, 2))
        steps = convert_to_numpy(MapToSequence()(features))[0]  # (6, 8)
        assert [set(step) for step in steps] == [{0}, {1}, {2}, {3}, {4}, {5}]
        scrambled = features.reshape(1, 6, 8)[0]  # the same shape, and no error
        assert all(len(set(step)) > 1 for step in scrambled)

    def test_no_number_is_changed_and_there_are_no_weights(self):
        features = random_map(2, 4, 6, 3)
        layer = MapToSequence()
        sequence = convert_to_numpy(layer(features))
        assert sorted(sequence.ravel()) == sorted(features.ravel())
        assert layer.count_params() == 0

    def test_any_width_works_when_the_height_is_known(self):
        inputs = keras.Input((4, None, 3))
        model = keras.Model(inputs, MapToSequence()(inputs))
        assert model.output_shape == (None, None, 12)
        assert model(random_map(2, 4, 9, 3)).shape == (2, 9, 12)

    def test_what_it_refuses(self):
        with pytest.raises(ValueError, match='"width" or "height", not \'columns\''):
            MapToSequence("columns")
        with pytest.raises(ValueError, match=r"4 axes, but the input has 3: \(2, 4, 6"):
            MapToSequence()(random_map(2, 4, 6))


class TestScanRows:
    def test_the_cell_that_keras_copies_lives_as_long_as_the_layer(self, monkeypatch):
        """Else one of two in a model that is loaded may get the layers of the other.

        While it loads, Keras tells layers apart by their address in memory.
        """
        cells, lstm = [], keras.layers.LSTM

        def remembered(*args, **options):
            cell = lstm(*args, **options)
            cells.append(weakref.ref(cell))
            return cell

        monkeypatch.setattr(layers.layers, "LSTM", remembered)
        scan = ScanRows(units=2)
        gc.collect()
        assert cells[0]() is not None
        assert cells[0]() is not scan.recurrence.forward_layer

    @pytest.mark.parametrize("along", ["width", "height"])
    def test_it_is_the_same_bidirectional_lstm_over_each_line(self, along):
        features = random_map(2, 3, 4, 5)
        layer = ScanRows(units=2, along=along)
        scanned = convert_to_numpy(layer(features))

        lstm = keras.layers.LSTM(2, return_sequences=True)
        plain = keras.layers.Bidirectional(lstm)
        plain.build((None, None, 5))
        plain.set_weights(layer.get_weights())
        expected = np.empty((2, 3, 4, 4), "float32")
        for picture in range(2):
            if along == "width":
                for row in range(3):
                    line = features[picture, row][None]
                    expected[picture, row] = convert_to_numpy(plain(line))[0]
            else:
                for column in range(4):
                    line = features[picture, :, column][None]
                    read = convert_to_numpy(plain(line))[0]
                    expected[picture, :, column] = read
        np.testing.assert_allclose(scanned, expected, atol=1e-6)

    @pytest.mark.parametrize(("along", "changed"), [("width", 1), ("height", 2)])
    def test_a_pixel_reaches_its_own_line_and_no_other(self, along, changed):
        features = random_map(1, 4, 5, 2)
        layer = ScanRows(units=3, along=along)
        before = convert_to_numpy(layer(features))
        features[0, 1, 2] += 1
        moved = (
            np.abs(convert_to_numpy(layer(features)) - before)[0].max(axis=-1) > 1e-7
        )
        line = moved[1, :] if along == "width" else moved[:, 2]
        assert line.all() and moved.sum() == line.size

    def test_what_it_refuses(self):
        with pytest.raises(ValueError, match='"width" or "height", not \'rows\''):
            ScanRows(3, along="rows")
        with pytest.raises(ValueError, match="ScanRows expects .* 4 axes"):
            ScanRows(3)(random_map(1, 4, 5))


class TestPerFrame:
    def test_it_equals_one_frame_after_the_other(self):
        clip = random_map(2, 5, 6, 8, 3)
        layer = PerFrame(keras.layers.Conv2D(4, 3))
        together = convert_to_numpy(layer(clip))
        one_by_one = [convert_to_numpy(layer.layer(clip[:, f])) for f in range(5)]
        np.testing.assert_allclose(together, np.stack(one_by_one, axis=1), atol=1e-6)

    def test_it_hands_on_whether_this_is_training(self):
        clip = np.ones((1, 2, 4, 4, 1), "float32")
        layer = PerFrame(keras.layers.Dropout(0.5, seed=0))
        assert (convert_to_numpy(layer(clip, training=False)) == 1).all()
        assert (convert_to_numpy(layer(clip, training=True)) == 0).any()

    def test_any_number_of_frames(self):
        inputs = keras.Input((None, 6, 8, 1))
        outputs = PerFrame(keras.layers.Flatten())(inputs)
        assert outputs.shape == (None, None, 48)
        assert keras.Model(inputs, outputs)(random_map(2, 3, 6, 8, 1)).shape[1] == 3

    def test_an_image_alone_is_refused(self):
        with pytest.raises(ValueError, match="at least 3 axes, but the input has 2"):
            PerFrame(keras.layers.Dense(2))(random_map(4, 6))


class TestAttentionOverSteps:
    def test_it_equals_the_formula(self):
        x = random_map(1, 4, 3)
        layer = AttentionOverSteps(units=4, heads=2)
        answer = convert_to_numpy(layer(x))

        def dense(part, value):
            return value @ part.kernel.numpy() + part.bias.numpy()

        def normalise(value):
            spread = np.sqrt(value.var(axis=-1, keepdims=True) + 1e-3)
            return (value - value.mean(axis=-1, keepdims=True)) / spread

        rates = 10_000.0 ** (-np.arange(2) / 2)
        angles = np.arange(4)[:, None] * rates
        h = dense(layer.project, x[0])
        h = h + np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
        q, _, k, _, v, _, o, _ = layer.attention.get_weights()  # kernel, bias, ...
        mixed = np.zeros((4, 4))
        for head in range(2):
            scores = (h @ q[:, head]) @ (h @ k[:, head]).T / np.sqrt(2)
            weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            mixed += weights @ (h @ v[:, head]) @ o[head]
        h = normalise(h + mixed)
        inner = np.maximum(dense(layer.expand, h), 0)
        h = normalise(h + dense(layer.contract, inner))
        np.testing.assert_allclose(answer[0], h, atol=1e-5)

    def test_masked_steps_are_not_seen(self):
        layer = AttentionOverSteps(units=6)
        sequence = random_map(1, 5, 3)
        mask = np.array([[True, True, True, False, False]])
        seen = convert_to_numpy(layer(sequence, mask=mask))[:, :3]
        bare = convert_to_numpy(layer(sequence[:, :3]))
        np.testing.assert_allclose(seen, bare, atol=1e-6)
        unmasked = convert_to_numpy(layer(sequence))[:, :3]
        assert np.abs(unmasked - bare).max() > 1e-3

    def test_odd_units_with_one_head(self):
        assert AttentionOverSteps(5, heads=1)(random_map(1, 4, 3)).shape == (1, 4, 5)

    def test_units_must_divide_among_the_heads(self):
        with pytest.raises(
            ValueError, match=r"multiple of heads \(2\), but units is 5"
        ):
            AttentionOverSteps(5)


class TestMasks:
    def test_a_column_is_padding_when_all_its_pixels_are_below_zero(self):
        images = np.full((2, 4, 5, 3), -1.0)
        images[0, :, :3] = 0  # black is a colour, not padding
        images[1, 2, 0, 1] = 0.2  # one real pixel makes a real column
        assert convert_to_numpy(ColumnMask()(images)).tolist() == [
            [True, True, True, False, False],
            [True, False, False, False, False],
        ]
        with pytest.raises(ValueError, match="ColumnMask expects"):
            ColumnMask()(images[0])

    @quick
    @given(
        st.lists(st.booleans(), min_size=1, max_size=12),
        st.integers(min_value=1, max_value=4),
    )
    def test_a_pooled_column_is_real_when_all_its_columns_are(self, mask, pool):
        expected = [
            all(mask[start : start + pool])
            for start in range(0, len(mask) - pool + 1, pool)
        ]
        if expected:
            assert (
                convert_to_numpy(PoolMask(pool)(np.array([mask])))[0].tolist()
                == expected
            )

    @pytest.mark.parametrize("width", [7, 8, None])
    def test_shapes_are_known_before_there_is_an_image(self, width):
        mask = ColumnMask()(keras.Input((4, width, 1)))
        pooled = PoolMask(2)(mask)
        assert (mask.shape, mask.dtype) == ((None, width), "bool")
        assert (pooled.shape, pooled.dtype) == ((None, width and width // 2), "bool")

    def test_padded_columns_become_zero_in_maps_and_in_sequences(self):
        mask = np.array([[True, False, True]])
        kept = convert_to_numpy(KeepColumns()(random_map(1, 2, 3, 4) + 10, mask))
        assert (kept[:, :, 1] == 0).all() and (kept[:, :, [0, 2]] != 0).all()
        kept = convert_to_numpy(KeepColumns()(random_map(1, 3, 4) + 10, mask))
        assert (kept[:, 1] == 0).all() and (kept[:, [0, 2]] != 0).all()


class TestMaskedNormalization:
    def test_mean_and_variance_are_those_of_the_real_columns(self):
        features = random_map(2, 3, 6, 4) * 2 + 1
        mask = np.array([[True] * 4 + [False] * 2, [True] * 6])
        features[0, :, 4:] = 1e3  # whatever stands in the padding
        layer = MaskedNormalization(momentum=0.5)
        normal = convert_to_numpy(layer(features, mask, training=True))

        first, second = features[0, :, :4], features[1]
        real = np.concatenate([first.reshape(-1, 4), second.reshape(-1, 4)])
        mean, variance = real.mean(axis=0), real.var(axis=0)
        expected = (second - mean) / np.sqrt(variance + layer.epsilon)
        np.testing.assert_allclose(normal[1], expected, atol=1e-4)
        # Half of what it was (0 and 1), half of what came: momentum is 0.5.
        np.testing.assert_allclose(layer.moving_mean.numpy(), mean / 2, atol=1e-4)
        moving = layer.moving_variance.numpy()
        np.testing.assert_allclose(moving, (1 + variance) / 2, rtol=1e-4)

    def test_without_padding_it_is_batch_normalisation(self):
        features, mask = random_map(2, 3, 6, 4), np.ones((2, 6), bool)
        ours, theirs = MaskedNormalization(), keras.layers.BatchNormalization()
        np.testing.assert_allclose(
            convert_to_numpy(ours(features, mask, training=True)),
            convert_to_numpy(theirs(features, training=True)),
            atol=1e-4,
        )


class TestLastLayers:
    def test_padded_steps_say_blank_and_add_nothing_to_a_path(self):
        layer = CharacterLogits("abc")
        mask = np.array([[True, True, False]])
        sequence = random_map(1, 3, 5)
        logits = layer(sequence, mask)
        chances = convert_to_numpy(ops.softmax(logits))[0]
        assert chances[2].tolist() == [1, 0, 0, 0]
        by_hand = sequence[0] @ layer.dense.kernel.numpy()
        np.testing.assert_allclose(
            convert_to_numpy(logits)[0, :2], by_hand[:2], atol=1e-6
        )

    def test_each_position_has_its_own_distribution(self):
        layer = PositionProbabilities("abc", positions=3)
        vector = random_map(2, 6)
        answer = convert_to_numpy(layer(vector))  # (2, 3, 4)
        scores = vector @ layer.dense.kernel.numpy()
        for position in range(3):
            part = np.exp(scores[:, 4 * position : 4 * position + 4])
            expected = part / part.sum(axis=1, keepdims=True)
            np.testing.assert_allclose(answer[:, position], expected, atol=1e-6)


MAP, SEQUENCE = (2, 4, 6, 3), (2, 6, 3)
# Of every registered layer: one with other than default options, and its inputs.
EXAMPLES = {
    MapToSequence: (lambda: MapToSequence("height"), [MAP]),
    ScanRows: (lambda: ScanRows(2, along="height"), [MAP]),
    PerFrame: (lambda: PerFrame(keras.layers.Conv2D(2, 3)), [(2, 5, 4, 6, 3)]),
    OverPlaces: (lambda: OverPlaces(keras.layers.Conv1D(2, 3, padding="same")), [MAP]),
    ResizeLike: (lambda: ResizeLike(), [MAP, (2, 7, 5, 1)]),
    AttentionOverSteps: (lambda: AttentionOverSteps(6, heads=3), [SEQUENCE]),
    ColumnMask: (lambda: ColumnMask(), [MAP]),
    FrameMask: (lambda: FrameMask(), [(2, 5, 4, 6, 3)]),
    PoolMask: (lambda: PoolMask(3), [(2, 6)]),
    KeepColumns: (lambda: KeepColumns(), [MAP, (2, 6)]),
    MaskedNormalization: (lambda: MaskedNormalization(momentum=0.7), [MAP, (2, 6)]),
    CharacterLogits: (lambda: CharacterLogits("网络"), [SEQUENCE, (2, 6)]),
    ClassProbabilities: (lambda: ClassProbabilities("ab"), [(2, 6)]),
    PositionProbabilities: (lambda: PositionProbabilities("ab", 3), [(2, 6)]),
}


def test_every_layer_of_the_module_is_tried_below():
    ours = {
        layer
        for module in (layers, masks)
        for _, layer in inspect.getmembers(module, inspect.isclass)
        if issubclass(layer, keras.layers.Layer) and layer.__module__ == module.__name__
    }
    assert ours == set(EXAMPLES)


@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
class TestEveryLayer:
    @staticmethod
    def inputs(kind):
        # Two axes are a mask of columns, but for the layer that takes vectors.
        shapes = EXAMPLES[kind][1]
        return [
            np.ones(shape, bool)
            if len(shape) == 2 and kind is not PositionProbabilities
            else random_map(*shape, seed=i)
            for i, shape in enumerate(shapes)
        ]

    def test_its_config_makes_the_same_layer_with_the_same_answer(self, kind):
        layer, inputs = EXAMPLES[kind][0](), self.inputs(kind)
        answer = convert_to_numpy(layer(*inputs))
        assert (
            keras.saving.get_registered_name(kind) == f"crnn_tutorial>{kind.__name__}"
        )
        stored = keras.saving.serialize_keras_object(layer)
        again = keras.saving.deserialize_keras_object(stored, safe_mode=True)
        assert again.get_config() == layer.get_config()
        again(*inputs)
        again.set_weights(layer.get_weights())
        np.testing.assert_array_equal(convert_to_numpy(again(*inputs)), answer)

    def test_it_says_beforehand_what_shape_it_returns(self, kind):
        layer, inputs = EXAMPLES[kind][0](), self.inputs(kind)
        said = layer.compute_output_shape(*[x.shape for x in inputs])
        assert tuple(said) == tuple(layer(*inputs).shape)
        free = [keras.Input(x.shape[1:], dtype=str(x.dtype)) for x in inputs]
        assert tuple(layer(*free).shape) == (None, *said[1:])
