"""What a step of the sequence can see, and that padding is nothing to any of them."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

from crnn_tutorial.network import backbones
from crnn_tutorial.network.backbones import RECURRENCES, connect_steps, default_filters
from crnn_tutorial.network.masks import ColumnMask

quick = settings(max_examples=50, deadline=None, derandomize=True)
UNITS = 3


def randomise(model, seed=0):
    """Weights as after a training: biases and offsets that are not 0."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        value = rng.normal(scale=0.5, size=weight.shape)
        weight.assign(np.abs(value) + 0.5 if "variance" in weight.name else value)
    return model


def on_sequence(recurrence, features=4):
    """A classifier of sequences: connect the steps, then average them."""
    inputs = keras.Input((None, features))
    steps = connect_steps(inputs, recurrence, UNITS)
    return randomise(
        keras.Model(inputs, layers.GlobalAveragePooling1D()(steps), name=recurrence)
    )


@pytest.mark.parametrize("recurrence", RECURRENCES)
class TestOrder:
    def test_only_the_order_blind_twin_does_not_know_the_order(self, recurrence):
        rng = np.random.default_rng(0)
        sequence = rng.normal(size=(4, 7, 4)).astype("float32")
        model = on_sequence(recurrence)
        change = np.abs(model(sequence) - model(sequence[:, rng.permutation(7)])).max()
        if recurrence == "order_blind":
            assert change < 1e-6
        else:
            assert change > 1e-3

    def test_each_step_sees_all_others_or_itself_alone(self, recurrence):
        # Far ends of 9 steps: the dilated convolutions need 1 + 2 + 4 + 8 to get there.
        inputs = keras.Input((9, 4))
        model = randomise(keras.Model(inputs, connect_steps(inputs, recurrence, UNITS)))
        sequence = np.random.default_rng(1).normal(size=(1, 9, 4)).astype("float32")
        before = np.asarray(model(sequence))[0]
        for step in (0, 4, 8):
            other = sequence.copy()
            other[0, step] += 1
            moved = np.abs(np.asarray(model(other))[0] - before).max(axis=1) > 0
            if recurrence == "order_blind":
                assert np.flatnonzero(moved).tolist() == [step]
            else:
                assert moved.all()

    def test_all_of_them_have_the_same_width(self, recurrence):
        assert connect_steps(keras.Input((5, 4)), recurrence, 7).shape == (None, 5, 14)


def test_another_word_is_refused_with_those_that_are_known():
    with pytest.raises(ValueError, match="lstm, gru, .*, convolution, but got 'rnn'"):
        connect_steps(keras.Input((5, 4)), "rnn", 3)
    with pytest.raises(ValueError, match="order_blind, but got 'gru'"):
        backbones.patches(keras.Input((8, 8, 1)), (2,), 3, "gru")


class TestSizes:
    @quick
    @given(st.integers(8, 512), st.integers(8, 512))
    def test_default_filters_leave_a_map_of_four_to_seven(self, height, width):
        blocks = len(default_filters(height, width))
        rest = min(height, width) >> blocks
        assert 4 <= rest <= 7 or (blocks == 5 and rest > 7)

    @quick
    @given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 6))
    def test_a_size_is_refused_exactly_when_a_pooling_layer_finds_nothing(
        self, height, width, blocks
    ):
        rest = min(height, width)
        for _ in range(blocks):
            rest //= 2  # what pooling 2 x 2 leaves
        if rest:
            backbones.require_size(height, width, blocks)
        else:
            smallest = f"smallest size that works is {2**blocks} x {2**blocks}"
            with pytest.raises(ValueError, match=smallest):
                backbones.require_size(height, width, blocks)

    def test_any_width_needs_a_height_only(self):
        backbones.require_size(8, None, 3)
        with pytest.raises(ValueError, match="7 x None pixels .* is 8 x 8"):
            backbones.require_size(7, None, 3)


class TestStems:
    def test_a_column_of_the_map_is_a_step(self):
        steps = backbones.columns(keras.Input((17, 30, 1)), (2, 3), UNITS).map
        assert steps.shape == (None, 30 // 4, 2 * UNITS)

    def test_pools_may_differ_for_a_finer_sequence(self):
        steps = backbones.columns(
            keras.Input((16, 30, 1)), (2, 3), UNITS, pools=[2, (2, 1)]
        ).map
        assert steps.shape == (None, 15, 2 * UNITS)

    def test_a_frame_is_a_step_and_frames_do_not_mix_before_the_recurrence(self):
        clips = keras.Input((5, 8, 8, 1))
        model = randomise(
            keras.Model(clips, backbones.frames(clips, (2,), UNITS, "order_blind").map)
        )
        clip = np.random.default_rng(0).uniform(size=(1, 5, 8, 8, 1)).astype("float32")
        before = np.asarray(model(clip))
        clip[0, 2] = 1 - clip[0, 2]
        moved = np.abs(np.asarray(model(clip)) - before)[0].max(axis=1) > 0
        assert moved.tolist() == [False, False, True, False, False]

    @pytest.mark.parametrize("recurrence", ["lstm", "order_blind"])
    def test_each_place_sees_all_patches_or_its_own_window(self, recurrence):
        images = keras.Input((32, 32, 1))
        model = randomise(
            keras.Model(
                images, backbones.patches(images, (2, 2), UNITS, recurrence).map
            )
        )
        image = np.random.default_rng(0).uniform(size=(1, 32, 32, 1)).astype("float32")
        before = np.asarray(model(image))
        image[0, :4, :4] = 1 - image[0, :4, :4]
        moved = np.abs(np.asarray(model(image)) - before)[0].max(axis=-1) > 0
        if recurrence == "lstm":
            assert moved.all()
        else:  # two blocks see 10 x 10 pixels, so the corner reaches 2 x 2 places
            assert moved[:2, :2].any()
            assert not moved[2:].any() and not moved[:, 2:].any()


def reader(recurrence, masked=True):
    """A text stem on images of any width; without the mask as a control."""
    images = keras.Input((8, None, 1))
    if masked:
        mask = ColumnMask()(images)
        steps = backbones.columns(images, (2, 3), UNITS, recurrence, mask=mask).map
    else:
        steps = backbones.columns(images, (2, 3), UNITS, recurrence).map
    return randomise(keras.Model(images, steps))


def padded(image, width):
    rest = np.full((*image.shape[:2], width - image.shape[2], 1), -1, "float32")
    return np.concatenate([image, rest], axis=2)


@pytest.mark.parametrize("recurrence", RECURRENCES)
class TestPadding:
    # Two poolings of these widths leave out nothing, one column, three.
    @pytest.mark.parametrize("width", [12, 13, 15])
    def test_it_changes_no_real_step(self, recurrence, width):
        rng = np.random.default_rng(width)
        image = rng.uniform(size=(2, 8, width, 1)).astype("float32")
        model = reader(recurrence)
        bare = np.asarray(model(image))
        for more in (width + 1, 24):
            steps = np.asarray(model(padded(image, more)))[:, : width // 4]
            np.testing.assert_allclose(steps, bare, atol=1e-5)

    def test_without_the_mask_it_does_change_them(self, recurrence):
        # The control of the test above: what it looks for can be found.
        image = np.random.default_rng(0).uniform(size=(2, 8, 13, 1)).astype("float32")
        model = reader(recurrence, masked=False)
        bare = np.asarray(model(image))
        steps = np.asarray(model(padded(image, 24)))[:, :3]
        assert np.abs(steps - bare).max() > 0.01

    def test_it_changes_nothing_in_training_either(self, recurrence):
        # Batch normalisation would take its mean over the padding.
        rng = np.random.default_rng(0)
        wide, narrow = (rng.uniform(size=(1, 8, n, 1)) for n in (15, 10))
        results = []
        for width in (15, 16, 28):
            batch = [padded(x.astype("float32"), width) for x in (wide, narrow)]
            model = reader(recurrence)
            steps = ops.convert_to_numpy(model(np.concatenate(batch), training=True))
            moving = [weight.numpy() for weight in model.non_trainable_weights]
            real = [steps[0, : 15 // 4], steps[1, : 10 // 4]]
            results.append(np.concatenate([x.ravel() for x in [*real, *moving]]))
        np.testing.assert_allclose(results[1], results[0], atol=1e-4)
        np.testing.assert_allclose(results[2], results[0], atol=1e-4)
