"""The article's code fails as the chapters say it does, and so do its repairs."""

import keras
import numpy as np
import pytest
from training_helpers import wants_new_keras

from crnn_tutorial import article


class TestWhatFails:
    def test_resize_image_on_the_pillow_of_today(self):
        with pytest.raises(AttributeError, match="no attribute 'ANTIALIAS'"):
            article.resize_image("photo.png", (64, 64))

    def test_flatten_leaves_two_axes_and_an_lstm_wants_three(self):
        with pytest.raises(ValueError, match="expected ndim=3, found ndim=2"):
            article.build_crnn_model((64, 64, 3), 10)

    def test_the_optimiser_does_not_know_lr(self):
        with pytest.raises(ValueError, match="not recognized: {'lr': 0.001}"):
            article.train_crnn_model(None, [], [], 32, 10)

    def test_one_hot_labels_miss_the_number_of_classes(self):
        with pytest.raises(NameError, match="'num_classes' is not defined"):
            article.to_one_hot([0, 1])

    def test_behind_the_optimiser_waits_a_size_that_is_fixed(self, monkeypatch):
        # Let lr pass, and the next line fails for pictures of any other size.
        adam = keras.optimizers.Adam
        monkeypatch.setattr(article.optimizers, "Adam", lambda lr: adam(lr))
        model = article.build_crnn_model((32, 32, 3), 2, joint="columns")
        with pytest.raises(ValueError, match="cannot reshape array of size 6144"):
            article.train_crnn_model(model, np.zeros((2, 32, 32, 3)), [0, 1], 2, 1)
        model = article.build_crnn_model((64, 64, 3), 2, joint="columns")
        with pytest.raises(NameError, match="'num_classes' is not defined"):
            article.train_crnn_model(model, np.zeros((2, 64, 64, 3)), [0, 1], 2, 1)

    def test_another_joint(self):
        with pytest.raises(KeyError, match="rows"):
            article.build_crnn_model((64, 64, 3), 10, joint="rows")


JOINTS = ("one_step", "no_permute", "columns")


class TestJoints:
    @wants_new_keras
    @pytest.mark.parametrize("joint", JOINTS)
    def test_22_pixels_are_the_smallest_side(self, joint):
        assert article.build_crnn_model((22, 22, 3), 2, joint).output_shape == (None, 2)
        with pytest.raises(ValueError):
            article.build_crnn_model((21, 22, 3), 2, joint)
        with pytest.raises(ValueError):
            article.build_crnn_model((22, 21, 3), 2, joint)

    def test_what_the_lstm_is_given(self):
        given = {
            joint: article.build_crnn_model((64, 48, 3), 2, joint)
            .layers[-2]
            .input.shape
            for joint in JOINTS
        }  # a map of 6 rows and 4 columns with 128 features
        assert given["one_step"] == (None, 1, 6 * 4 * 128)
        assert given["no_permute"] == given["columns"] == (None, 4, 6 * 128)

    def test_which_of_them_give_the_lstm_one_column_at_each_step(self):
        # The map is replaced by one whose features are the numbers of their columns.
        for joint, pure in (("columns", True), ("no_permute", False)):
            model = article.build_crnn_model((64, 64, 3), 2, joint)
            pool = max(i for i, x in enumerate(model.layers) if "pool" in x.name)
            x = np.broadcast_to(np.arange(6.0)[:, None], (1, 6, 6, 128))
            for layer in model.layers[pool + 1 : -2]:
                x = layer(x)
            steps = [set(step) for step in np.asarray(x)[0]]
            assert (steps == [{i} for i in range(6)]) is pure

    @pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="GradientTape")
    def test_with_one_step_an_lstm_is_no_recurrence(self):
        # The state before the only step is 0: whatever is multiplied with it, the
        # recurrent kernel and the forget gate, cannot learn.
        import tensorflow as tf

        images = np.random.default_rng(0).uniform(size=(4, 46, 46, 1))
        learns = {}
        for joint in JOINTS:
            keras.utils.set_random_seed(0)
            model = article.build_crnn_model((46, 46, 1), 3, joint)
            lstm = model.layers[-2].cell
            weights = [lstm.kernel, lstm.recurrent_kernel, lstm.bias]
            with tf.GradientTape() as tape:
                chances = model(images)
                right = tf.reduce_sum(tf.math.log(chances) * np.eye(3)[[0, 1, 2, 0]])
            gradients = tape.gradient(right, [weight.value for weight in weights])
            kernel, recurrent, bias = (np.abs(g) for g in gradients)
            gates = dict(zip("ifco", np.split(kernel, 4, axis=1), strict=True))
            learns[joint] = {
                "recurrent": recurrent.max() > 0,
                "forget bias": np.split(bias, 4)[1].max() > 0,
                **{gate: value.max() > 0 for gate, value in gates.items()},
            }
        all_of_it = dict.fromkeys(learns["columns"], True)
        assert learns["columns"] == learns["no_permute"] == all_of_it
        never = {"recurrent": False, "forget bias": False, "f": False}
        assert learns["one_step"] == all_of_it | never
