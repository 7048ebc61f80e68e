"""Models for clips: padding changes nothing, and the controls are what they say."""

import inspect
import math

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy

import crnn_tutorial as ct
from crnn_tutorial.network.backbones import RECURRENCES
from crnn_tutorial.network.masks import FrameMask

PICTURES, FEATURES = (None, 8, 10, 1), (None, 5)
SMALL = {"filters": (2, 3), "units": 2}
ON_JAX = keras.backend.backend() == "jax"  # where Keras masks no ConvLSTM
ALL = RECURRENCES if ON_JAX else (*RECURRENCES, "conv_lstm")
KINDS = {
    **{f"pictures-{r}": (PICTURES, r, SMALL) for r in ALL},
    **{f"features-{r}": (FEATURES, r, {"units": 2}) for r in ("lstm", "convolution")},
}
# GRU and simple RNN go the LSTM's way.
FEWER = [name for name in KINDS if not name.endswith(("gru", "rnn"))]


def build(name, **options):
    shape, recurrence, small = KINDS[name]
    model = ct.build_video_classifier(
        shape, 3, recurrence=recurrence, **small, **options
    )
    # With shortcuts around each convolution, the answers would become certain.
    scramble(model, 0.8 if recurrence == "convolution" else 2)
    return model


def scramble(model, scale=1.0, seed=0):
    """Weights with which answers differ from clip to clip, and none is certain."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.dtype == "float32":
            inputs = math.prod(weight.shape[:-1])
            value = rng.normal(scale=scale / math.sqrt(inputs), size=weight.shape)
            positive = np.abs(value) + 0.5
            weight.assign(positive if "variance" in weight.path else value)


def random_clips(shape, frames, number=2, seed=0):
    rng = np.random.default_rng(seed)
    low = -2 if len(shape) == 2 else 0  # features may be negative
    clips = rng.uniform(low, 1, size=(number, frames, *shape[1:]))
    return clips.astype("float32")


def pad(clips):
    """As the docstring tells readers to do it."""
    return keras.utils.pad_sequences(clips, padding="post", value=-1, dtype="float32")


class TestPadding:
    @pytest.mark.parametrize("name", KINDS)
    def test_each_clip_of_a_batch_is_answered_as_alone(self, name):
        model = build(name)
        clips = [random_clips(KINDS[name][0], n, 1, n)[0] for n in (5, 2, 1, 9)]
        together = convert_to_numpy(model(pad(clips)))
        for clip, answer in zip(clips, together, strict=True):
            alone = convert_to_numpy(model(clip[None]))[0]
            np.testing.assert_allclose(answer, alone, atol=1e-6)

    @pytest.mark.parametrize("name", FEWER)
    def test_a_step_of_training_is_the_same(self, name):
        """Loss, gradients, moving means: seen in the weights after one step."""
        clips, targets = random_clips(KINDS[name][0], 4, 3), np.array([0, 2, 1])
        longer = pad([*clips, np.zeros((7, *clips.shape[2:]))])[:3]
        assert longer.shape[1] == 7 and (longer[:, 4:] == -1).all()
        after = []
        for batch in (clips, longer):
            model = build(name)
            model.compile(keras.optimizers.SGD(0.1), model.loss, run_eagerly=True)
            loss = np.ravel(model.train_on_batch(batch, targets))[0]
            weights = [w.numpy() for w in model.weights if w.dtype == "float32"]
            after.append([loss, *weights])
        assert after[0][0] == pytest.approx(after[1][0], abs=1e-6)
        for bare, padded in zip(*after, strict=True):
            np.testing.assert_allclose(bare, padded, atol=1e-5)

    @pytest.mark.parametrize("shape", [(6, 8, 10, 1), (6, 5)])
    def test_clips_of_a_fixed_number_of_frames_may_be_padded_too(self, shape):
        filters = {"filters": (2,)} if len(shape) == 4 else {}
        fixed, free = (
            ct.build_video_classifier((n, *shape[1:]), 3, units=2, **filters)
            for n in (6, None)
        )
        free.set_weights(fixed.get_weights())
        clip = random_clips(shape, 4)
        padded = pad([*clip, np.zeros(shape)])[:2]
        answers = [convert_to_numpy(m(x)) for m, x in ((fixed, padded), (free, clip))]
        np.testing.assert_allclose(*answers, atol=1e-6)

    def test_only_frames_that_are_all_minus_one_are_padding(self):
        model = build("features-lstm")
        clip = random_clips(FEATURES, 4)
        clip[:, 2] = -1
        clip[:, 2, 0] = -1.001
        shorter = np.delete(clip, 2, axis=1)
        answers = [convert_to_numpy(model(x)) for x in (clip, shorter)]
        assert np.abs(answers[0] - answers[1]).max() > 1e-3

    def test_what_is_no_clip_has_no_frames(self):
        with pytest.raises(ValueError, match="FrameMask expects .*, frames, ...*has 2"):
            FrameMask()(np.zeros((2, 3)))


class TestOrder:
    @pytest.mark.parametrize("name", FEWER)
    def test_only_the_order_blind_twin_answers_shuffled_frames_alike(self, name):
        model = build(name)
        clips = random_clips(KINDS[name][0], 6, 3)
        shuffled = clips[:, [3, 1, 5, 0, 2, 4]]
        difference = model(clips) - model(shuffled)
        largest = np.abs(convert_to_numpy(difference)).max()
        assert largest < 1e-6 if "order_blind" in name else largest > 1e-4


class TestShapes:
    def test_large_frames_are_pooled_to_four_to_seven_rows(self):
        for side, blocks in ((8, 1), (16, 2), (40, 3), (100, 4)):
            model = ct.build_video_classifier((2, side, side, 3), 2, units=2)
            names = [layer.name for layer in model.layers]
            assert f"pool_{blocks}" in names and f"pool_{blocks + 1}" not in names
            assert 4 <= model.get_layer(f"pool_{blocks}").output.shape[2] <= 7

    def test_features_have_no_convolutions(self):
        model = ct.build_video_classifier((8, 64), 3, units=16)
        assert model.input_shape == (None, 8, 64)
        gates = 2 * 4 * 16 * (64 + 16 + 1)
        assert model.count_params() == gates + 3 * (2 * 16 + 1)

    @pytest.mark.parametrize("shape", [(6, 16, 24, 1), (6, 40)])
    def test_rivals_are_of_equal_size(self, shape):
        widths = {"units": 24, "filters": (8, 16)} if len(shape) == 4 else {"units": 96}
        rivals = ct.rivals(ct.build_video_classifier, shape, 3, **widths)
        sizes = {name: build().count_params() for name, build in rivals.items()}
        assert list(sizes) == ["CRNN", "CNN", "order-blind", "attention"]
        for size in sizes.values():
            assert abs(size / sizes["CRNN"] - 1) <= 0.02

    @pytest.mark.parametrize(
        ("builder", "options"),
        [
            (ct.build_video_classifier, {"recurrence": "conv_lstm"}),
            (ct.build_video_cnn, {}),
            (ct.build_video_cnn, {"frame": 0}),
        ],
    )
    def test_the_other_controls_can_be_made_equal(self, builder, options):
        if ON_JAX and options.get("recurrence") == "conv_lstm":
            pytest.skip("Keras masks no ConvLSTM on JAX")
        shape, filters = (6, 16, 24, 1), {"filters": (8, 16)}
        crnn = ct.build_video_classifier(shape, 3, units=24, **filters)
        match = ct.match_parameters(builder, crnn, shape, 3, **filters, **options)
        assert abs(match.ratio - 1) <= 0.02
        assert match.widths.get("filters", (8, 16)) == (8, 16)  # the same stem

    def test_jax_is_told_that_it_has_no_convolutional_lstm(self, monkeypatch):
        monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
        with pytest.raises(ValueError, match="On JAX, Keras has no mask"):
            ct.build_video_classifier((2, 4, 4, 1), 2, recurrence="conv_lstm")

    @pytest.mark.skipif(ON_JAX, reason="Keras masks no ConvLSTM on JAX")
    def test_multiplications_of_a_convolutional_lstm(self):
        frames, places, weights = 5, 2 * 3, 9 * (3 + 4) * 4 * 4
        model = ct.build_video_classifier(
            (5, 4, 6, 1), 2, filters=(3,), units=4, recurrence="conv_lstm"
        )
        stem = frames * 4 * 6 * 9 * 3
        recurrence = 2 * frames * places * weights
        assert ct.count_multiplications(model) == stem + recurrence + 2 * 2 * 4


class TestClipCNN:
    """The same numbers as a CNN for pictures, on pictures that are cut by hand."""

    def same_answers(self, model, clips, pictures):
        cnn = ct.build_cnn_model(pictures.shape[1:], 3, **SMALL)
        scramble(model)
        cnn.set_weights(model.get_weights())
        answers = [convert_to_numpy(m(x)) for m, x in ((model, clips), (cnn, pictures))]
        np.testing.assert_allclose(*answers, atol=1e-6)

    def test_frames_become_channels(self):
        clips = np.random.default_rng(0).uniform(size=(2, 4, 8, 10, 3))
        clips = clips.astype("float32")
        pictures = np.concatenate([clips[:, k] for k in range(4)], axis=-1)
        model = ct.build_video_cnn((4, 8, 10, 3), 3, **SMALL)
        self.same_answers(model, clips, pictures)

    @pytest.mark.parametrize("frame", [0, 2, 3])
    def test_one_frame(self, frame):
        clips = np.random.default_rng(0).uniform(size=(2, 4, 8, 10, 3))
        clips = clips.astype("float32")
        model = ct.build_video_cnn((4, 8, 10, 3), 3, frame=frame, **SMALL)
        self.same_answers(model, clips, clips[:, frame])

    def test_it_sees_the_whole_picture(self):
        field = ct.receptive_field(ct.build_video_cnn((8, 16, 40, 1), 2))
        assert min(field) >= 40


class TestRefused:
    @pytest.mark.parametrize(
        "shape", [(16, 32, 1), (8, None, 32, 1), (8, 0), (8, 2.5), 8, None, (8, None)]
    )
    def test_shapes(self, shape):
        expected = r"\(frames or None, (height, width, channels|features)\)"
        with pytest.raises(ValueError, match=expected):
            ct.build_video_classifier(shape, 2)

    def test_a_cnn_needs_to_know_the_number_of_frames(self):
        with pytest.raises(ValueError, match=r"\(frames, height, width, channels\)"):
            ct.build_video_cnn((None, 16, 32, 1), 2)

    @pytest.mark.parametrize("frame", [-1, 8, 1.5, "first"])
    def test_frames_that_are_not_there(self, frame):
        with pytest.raises(ValueError, match="from 0 to 7, as the clips have 8 frames"):
            ct.build_video_cnn((8, 16, 32, 1), 2, frame=frame)

    @pytest.mark.parametrize(
        "options", [{"filters": (8,)}, {"recurrence": "conv_lstm"}]
    )
    def test_what_features_do_not_have(self, options):
        with pytest.raises(ValueError, match="is for clips of pictures.*Leave it out"):
            ct.build_video_classifier((8, 64), 2, **options)

    def test_frames_that_are_too_small(self):
        for builder in (ct.build_video_classifier, ct.build_video_cnn):
            with pytest.raises(ValueError, match="too small for 3 pooling layers"):
                builder((8, 4, 32, 1), 2, filters=(2, 2, 2))


class TestTraining:
    """`train_crnn_model` checks what it is given: padding and features are no error."""

    @pytest.mark.parametrize("shape", [(None, 8, 8, 1), (None, 5)])
    def test_padded_clips_and_features(self, shape):
        clips = pad([random_clips(shape, n, 1, n)[0] for n in (3, 1, 2, 4)])
        filters = {"filters": (2,)} if len(shape) == 4 else {}
        model = ct.build_video_classifier(shape, 2, units=2, **filters)
        model.run_eagerly = True
        targets = np.array([0, 1, 1, 0])
        history = ct.train_crnn_model(model, clips, targets, 2, 1, verbose=0)
        assert math.isfinite(history.history["loss"][0])
        assert ct.evaluate(model, ct.Split(clips, targets)).images == 4

    def test_a_cnn_on_stacked_frames_knows_no_padding(self):
        clips = pad([np.zeros((n, 8, 8, 1)) for n in (3, 1)])
        model = ct.build_video_cnn((3, 8, 8, 1), 2, **SMALL)
        with pytest.raises(ValueError, match="lie between 0 and 1, but got -1 to 0"):
            ct.train_crnn_model(model, clips, np.array([0, 1]), 2, 1)

    def test_features_have_three_axes_and_are_finite(self):
        model = ct.build_video_classifier((4, 5), 2, units=2)
        clips = random_clips(FEATURES, 4)
        with pytest.raises(ValueError, match=r"\(clips, frames, features\), but got"):
            ct.train_crnn_model(model, clips[0], np.array([0, 1]), 2, 1)
        clips[1, 2, 3] = np.inf
        with pytest.raises(ValueError, match="the first at index 1"):
            ct.train_crnn_model(model, clips, np.array([0, 1]), 2, 1)


def test_the_builders_of_clips_take_the_same_arguments():
    first, second = (
        inspect.signature(builder).parameters
        for builder in (ct.build_video_classifier, ct.build_video_cnn)
    )
    shared = [name for name in first if name in second]
    assert shared == [name for name in first if name != "recurrence"]


def test_fit_learns_what_only_the_order_tells():
    """A light that goes on or off: each frame occurs in both classes."""
    clips = np.zeros((64, 4, 8, 8, 1), "float32")
    targets = np.arange(64) % 2
    clips[targets == 0, 2:] = 1
    clips[targets == 1, :2] = 1
    shorter = pad([*clips[:, 1:3], np.zeros((4, 8, 8, 1))])[:-1]
    clips, targets = np.concatenate([clips, shorter]), np.tile(targets, 2)
    keras.utils.set_random_seed(0)
    model = ct.build_video_classifier(
        PICTURES[:1] + (8, 8, 1), 2, filters=(4,), units=8, learning_rate=0.02
    )
    history = model.fit(clips, targets, epochs=5, batch_size=16, verbose=0)
    assert history.history["accuracy"][-1] == 1
    assert math.isfinite(history.history["loss"][-1])
