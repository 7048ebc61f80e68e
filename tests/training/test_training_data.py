"""Data in the clothes that Keras' ``fit`` takes, weights, and batches of own width."""

import keras
import numpy as np
import pytest
import training_helpers as tiny

import crnn_tutorial as ct
from crnn_tutorial.network import heads
from crnn_tutorial.tasks.classification import Classify
from crnn_tutorial.training.batches import as_batches, prepare_validation
from crnn_tutorial.training.streams import (
    IteratedStream,
    ShuffledBatches,
    ShuffledStream,
)

images, labels = tiny.make_data()


class Column:
    """A table's column of objects as pandas has it, the index shuffled."""

    dtype = np.dtype("O")

    def __init__(self, values):
        self.values = list(values)

    def __len__(self):
        return len(self.values)

    def __iter__(self):
        return iter(self.values)

    def __getitem__(self, index):
        return self.values[-1 - index]

    def __array__(self, dtype=None, copy=None):
        boxed = np.empty(len(self.values), dtype=object)
        boxed[:] = self.values
        return boxed


def in_batches(number, *arrays):
    while True:
        for start in range(0, len(arrays[0]), number):
            yield tuple(array[start : start + number] for array in arrays)


def all_rows(data):
    """Images and other parts of all batches, sorted by the first pixel."""
    parts = [np.concatenate(part) for part in zip(*data, strict=True)]
    order = np.argsort(parts[0].reshape(len(parts[0]), -1)[:, 0])
    return [part[order] for part in parts]


def batches_of(data, targets=None, model=None, **options):
    model = model or tiny.fresh_model()
    return as_batches(model, heads.of(model), data, targets, 6, **options)


class TestClassifiers:
    @pytest.mark.parametrize(
        "data",
        [
            (images, labels),
            (images, Column(labels)),
            (images, labels.astype(object)),
            (list(images), labels.tolist()),
            (ct.Split(images, labels), None),
            (ShuffledBatches(images, labels, 4), None),
        ],
    )
    def test_all_clothes_give_the_same_rows(self, data):
        found = all_rows(batches_of(*data))
        for part, expected in zip(found, all_rows([(images, labels)]), strict=True):
            np.testing.assert_array_equal(part, expected)

    def test_a_generator_trains_with_steps_per_epoch(self):
        history = tiny.train(
            tiny.fresh_model(), (in_batches(5, images, labels), None), steps_per_epoch=4
        )
        assert len(history.history["loss"]) == 3
        assert np.isfinite(history.history["loss"]).all()

    def test_no_batch_of_a_generator_is_lost(self):
        """Exactly as many as are needed: Keras' look at the first two costs nothing."""

        def finite():
            for _, batch in zip(range(12), in_batches(5, images, labels), strict=False):
                yield batch

        tiny.train(tiny.fresh_model(), (finite(), None), steps_per_epoch=4)
        with pytest.raises(ValueError, match="no more batches in epoch 3"):
            tiny.train(tiny.fresh_model(), (finite(), None), steps_per_epoch=5)

    def test_a_stream_without_an_end(self):
        class Endless(keras.utils.PyDataset):
            seen, num_batches = [], None

            def __getitem__(self, index):
                self.seen.append(index)
                return images[:4], labels[:4]

        tiny.train(tiny.fresh_model(), (Endless(), None), steps_per_epoch=4)
        assert set(Endless.seen) == set(range(12))
        with pytest.raises(ValueError, match="Pass steps_per_epoch for one without"):
            batches_of(Endless())

    @pytest.mark.parametrize(
        ("data", "options", "message"),
        [
            ((ct.load_digits(), None), {}, "pass one of them, such as dataset.train"),
            ((ct.Split(images, labels), labels), {}, "A Split brings its own labels"),
            ((in_batches(4, images, labels), None), {}, "pass steps_per_epoch"),
            ((images, labels), {"steps_per_epoch": 3}, "Leave it out"),
            (
                (ShuffledBatches(images, labels, 4), None),
                {"steps_per_epoch": 3},
                "this stream has 5. Leave it out",
            ),
            (
                ([images[0], images[1][:3]], labels[:2]),
                {},
                r"have one size, but got \(3, 4, 1\) and \(4, 4, 1\)",
            ),
            (
                (in_batches(1, images[0], labels), None),
                {"steps_per_epoch": 3},
                r"one by one: their shape is \(1, 4, 1\)",
            ),
        ],
    )
    def test_the_rest_is_refused_in_one_sentence(self, data, options, message):
        with pytest.raises(ValueError, match=message):
            batches_of(*data, **options)

    def test_a_generator_cannot_go_on_nor_validate(self, tmp_path):
        stream = in_batches(5, images, labels)
        with pytest.raises(ValueError, match="A generator cannot be read again"):
            options = {"steps_per_epoch": 4, "checkpoint": tmp_path}
            tiny.train(tiny.fresh_model(), (stream, None), **options)
        with pytest.raises(ValueError, match="read again after each epoch"):
            tiny.train(tiny.fresh_model(), validation_data=stream)

    def test_one_hot_streams_and_integer_streams_train_alike(self):
        hot = ShuffledBatches(images, np.eye(3)[labels], 4)
        (_, found), *_ = batches_of(hot)
        assert found.shape == (4,)
        model = tiny.make_model(loss="categorical")
        (_, found), *_ = batches_of(ShuffledBatches(images, labels, 4), model=model)
        assert found.shape == (4, 3)


class TestTensorFlowsDatasets:
    def test_they_train_and_validate(self):
        tf = pytest.importorskip("tensorflow")
        data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(6)
        model = tiny.fresh_model()
        history = tiny.train(model, (data, None), validation_data=data)
        # Four batches an epoch, the last of them of two images.
        assert len(history.history["val_accuracy"]) == 3
        found, expected = all_rows(batches_of(data)), all_rows([(images, labels)])
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])

    def test_each_epoch_begins_anew(self):
        tf = pytest.importorskip("tensorflow")
        data = batches_of(tf.data.Dataset.from_tensor_slices((images, labels)).batch(6))
        for epoch in range(2):
            data.set_epoch(epoch)
            np.testing.assert_array_equal(data[0][0], images[:6])

    def test_one_that_repeats_goes_on(self):
        tf = pytest.importorskip("tensorflow")
        data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(6).repeat()
        with pytest.raises(ValueError, match="pass steps_per_epoch"):
            batches_of(data)
        data = batches_of(data, steps_per_epoch=2)
        seen = []
        for epoch in range(2):
            data.set_epoch(epoch)
            seen += [data[batch][0] for batch in range(2)]
        np.testing.assert_array_equal(np.concatenate(seen), images)

    def test_texts_are_encoded(self):
        tf = pytest.importorskip("tensorflow")
        lines, texts = np.zeros((4, 8, 24, 1), "float32"), ["é", "ab", "", "b"]
        data = tf.data.Dataset.from_tensor_slices((lines, texts)).batch(4)
        model = ct.build_text_recognizer((8, None, 1), "abé", filters=(2,), units=2)
        ((_, found),) = batches_of(data, model=model)
        assert found.tolist() == [[3, 0], [1, 2], [0, 0], [2, 0]]


class TestWeights:
    """Each compared with Keras, or with the same images standing there twice."""

    def one_step(self, data=(images, labels), **options):
        model = tiny.fresh_model()
        model.layers[3].rate = 0  # dropout would differ
        tiny.train(model, data, batch_size=64, epochs=1, augment=None, **options)
        return np.concatenate([w.ravel() for w in model.get_weights()])

    @pytest.fixture(autouse=True)
    def _plain_descent(self, monkeypatch):
        model = tiny.make_model(optimizer="sgd", rate=0.0)
        start = model.get_weights()

        def fresh(seed=0):
            model.set_weights(start)
            return model

        monkeypatch.setattr(tiny, "fresh_model", fresh)

    def expected(self, weights):
        model = tiny.fresh_model()
        model.optimizer.learning_rate = 0.01
        model.train_on_batch(images, labels, sample_weight=np.float32(weights))
        return np.concatenate([w.ravel() for w in model.get_weights()])

    def test_sample_weight(self):
        weights = np.arange(20)
        found = self.one_step(sample_weight=weights.tolist())
        np.testing.assert_allclose(found, self.expected(weights), atol=1e-6)
        assert np.abs(found - self.one_step()).max() > 1e-4
        column = self.one_step(sample_weight=weights[:, None])
        np.testing.assert_allclose(column, found, atol=1e-6)

    def test_class_weight(self):
        found = self.one_step(class_weight={0: 5, 2: 0.5})
        expected = self.expected(np.array([5, 1, 0.5])[labels])
        np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_they_multiply(self):
        weights = np.arange(20)
        found = self.one_step(class_weight={0: 5}, sample_weight=weights)
        expected = self.expected(weights * np.array([5, 1, 1])[labels])
        np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_streams_bring_them(self):
        weights = np.arange(20, dtype="float32")
        stream = ShuffledBatches(images, labels, 64, weights=weights)
        found = self.one_step((stream, None), class_weight={0: 5})
        expected = self.expected(weights * np.array([5, 1, 1])[labels])
        np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_balanced_lets_classes_count_alike(self):
        rare = np.array([0] * 15 + [2] * 5)
        *_, weights = next(iter(batches_of(images, rare, class_weight="balanced")))
        data = list(batches_of(images, rare, class_weight="balanced"))
        targets = np.concatenate([batch[1] for batch in data])
        weights = np.concatenate([batch[2] for batch in data])
        assert weights[targets == 0].sum() == pytest.approx(10)
        assert weights[targets == 2].sum() == pytest.approx(10)

    def test_validation_reports_them_in_the_loss_alone(self):
        model = tiny.fresh_model()
        weights = np.arange(20.0)
        data = prepare_validation(
            model, heads.of(model), (images, labels, weights), batch_size=20
        )
        loss, accuracy = model.evaluate(data, verbose=0)
        losses = keras.losses.sparse_categorical_crossentropy(
            labels, model.predict(images, verbose=0)
        )
        losses = keras.ops.convert_to_numpy(losses)
        assert loss == pytest.approx(float((losses * weights).mean()), rel=1e-4)
        plain = model.evaluate(images, labels, verbose=0)[1]
        assert accuracy == pytest.approx(plain)

    def test_evaluation_reports_them_beside_the_plain_figure(self):
        classify = Classify(3)
        model = tiny.fresh_model()
        rare = np.array([0] * 15 + [2] * 5)
        answers = classify.decode(model.predict(images, verbose=0))
        right = answers == rare
        split = ct.Split(images, rare)
        found = ct.evaluate(model, split, class_weight="balanced")
        assert found.score == pytest.approx(right.mean())
        by_class = (right[:15].mean() + right[15:].mean()) / 2
        assert found.weighted == pytest.approx(by_class)
        assert f"weighted {100 * by_class:.1f} %" in repr(found)
        assert ct.evaluate(model, split).weighted is None
        weights = np.arange(20)
        found = ct.evaluate(model, split, sample_weight=weights).weighted
        assert found == pytest.approx(np.average(right, weights=weights))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"sample_weight": [1, 2]}, r"each of 20 images, but got int64 of .* \(2,"),
            ({"sample_weight": ["a"] * 20}, "one number for each"),
            ({"sample_weight": [-1.0] * 20}, "at least 0, but got values from -1.0"),
            ({"sample_weight": [np.nan] * 20}, "is finite"),
            ({"sample_weight": np.zeros(20)}, "nothing would be learnt"),
            ({"class_weight": [1, 2, 3]}, '"balanced" or {class: weight}'),
            ({"class_weight": "equal"}, '"balanced" or {class: weight}'),
            ({"class_weight": {}}, '"balanced" or {class: weight}'),
            ({"class_weight": {1: 1, 3: 1}}, "names classes from 0 to 2"),
            ({"class_weight": {"cat": 1}}, "names classes from 0 to 2"),
            ({"class_weight": {0: -1}}, "weight of at least 0"),
            ({"class_weight": {0: float("inf")}}, "finite weight"),
        ],
    )
    def test_weights_that_are_none_are_refused(self, options, message):
        with pytest.raises(ValueError, match=message):
            tiny.train(tiny.fresh_model(), **options)

    def test_what_a_stream_cannot_know(self):
        stream = ShuffledBatches(images, labels, 4)
        with pytest.raises(ValueError, match="which a stream does not show"):
            batches_of(stream, class_weight="balanced")
        with pytest.raises(ValueError, match="A stream brings its own labels and w"):
            batches_of(stream, sample_weight=np.ones(20))

    def test_readers_weigh_images(self):
        model = ct.build_text_recognizer((8, None, 1), "ab", filters=(2,), units=2)
        lines, texts = np.zeros((2, 8, 8, 1), "float32"), ["a", "b"]
        ((_, _, weights),) = batches_of(lines, texts, model, sample_weight=[1, 2])
        assert sorted(weights) == [1, 2]
        with pytest.raises(ValueError, match="class_weight is for models that classif"):
            batches_of(lines, texts, model, class_weight={0: 1})
        fixed = ct.build_fixed_length_reader((8, 8, 1), "ab", 2, filters=(2,))
        ((_, targets, weights),) = batches_of(lines, texts, fixed, sample_weight=[1, 2])
        losses = keras.losses.SparseCategoricalCrossentropy(reduction="none")
        outputs = np.full((2, 2, 3), 1 / 3, "float32")
        found = keras.ops.convert_to_numpy(losses(targets, outputs, weights))
        np.testing.assert_allclose(found, np.log(3) * weights * [[1, 1]], rtol=1e-5)


class TestWidths:
    """A batch is as wide as its own widest line."""

    def reader(self, jit_compile=False):
        model = ct.build_text_recognizer((8, None, 1), "ab", filters=(2, 2), units=2)
        model.jit_compile = jit_compile
        return model

    def lines(self, widths, total=None):
        array = np.full((len(widths), 8, total or max(widths), 1), -1, "float32")
        for line, width in zip(array, widths, strict=True):
            line[:, :width] = 0.5
        return array

    def test_only_one_batch_is_as_wide_as_the_widest(self):
        array = self.lines([64] * 30 + [3200])
        data = batches_of(array, ["a"] * 31, self.reader())
        found = sorted(batch[0].shape[2] for batch in data)
        assert found == [64] * 5 + [3200]
        pixels = sum(batch[0].size for batch in data)
        assert pixels < array.size / 4

    def test_nothing_real_is_cut_off(self):
        rng = np.random.default_rng(0)
        array = self.lines(rng.integers(4, 40, 30).tolist(), total=50)
        for jit_compile in (False, True):
            data = batches_of(array, ["a"] * 30, self.reader(jit_compile))
            assert sum(int((batch[0] == 0.5).sum()) for batch in data) == int(
                (array == 0.5).sum()
            )
            for batch in data:
                width = int((batch[0] == 0.5).any(axis=(1, 3)).sum(axis=1).max())
                assert (
                    width
                    <= batch[0].shape[2]
                    <= (1.25 * width if jit_compile else width)
                )

    def test_where_each_width_is_compiled_there_are_few(self):
        array = self.lines(list(range(4, 600, 5)))
        data = batches_of(array, ["a"] * 120, self.reader(jit_compile=True))
        assert len({int(width) for width in data.widths}) <= 4 * 7 + 3
        assert data.widths.max() == 599

    def test_lines_narrower_than_a_step_are_widened(self):
        data = batches_of(self.lines([1, 3]), ["", ""], self.reader())
        assert data[0][0].shape == (2, 8, 4, 1)
        with pytest.raises(ValueError, match="it needs 1 steps .* its image has 0"):
            batches_of(self.lines([1, 3]), ["", "a"], self.reader())

    def test_later_batches_may_be_wider_than_the_first(self):
        """TensorFlow would take the width of the first two batches for all."""
        model = self.reader()
        widths = [8] * 8 + [32]
        data = as_batches(
            model, heads.of(model), self.lines(widths), ["a"] * 9, 2, seed=3
        )
        assert [batch[0].shape[2] for batch in data][:2] == [8, 8]
        history = ct.train_text_recognizer(
            model,
            self.lines(widths),
            ["a"] * 9,
            batch_size=2,
            epochs=1,
            seed=3,
            guess_steps=5,
            validation_data=(self.lines(widths), ["a"] * 9),
            verbose=0,
        )
        assert np.isfinite(history.history["val_loss"]).all()


def test_iterated_streams_give_each_batch_once():
    stream = IteratedStream([(np.array([i]), np.array([i])) for i in range(4)])
    shuffled = ShuffledStream(stream)
    for epoch in range(2):
        shuffled.set_epoch(epoch)
        looked = [int(shuffled[i][0][0]) for i in (0, 1)]  # as Keras does
        read = [int(shuffled[i][0][0]) for i in range(4)]
        assert looked == [0, 1] and read == [0, 1, 2, 3]
