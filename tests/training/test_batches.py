"""What goes into training is checked first, and its order can be repeated."""

import keras
import numpy as np
import pytest
import training_helpers as tiny

import crnn_tutorial as ct
from crnn_tutorial.training.streams import ShuffledBatches, ShuffledStream


def order(batches, epoch):
    batches.set_epoch(epoch)
    return [int(target) for _, targets in batches for target in targets]


def make_batches(seed=0, **options):
    numbers = np.arange(20)
    return ShuffledBatches(np.float32(numbers / 20), numbers, 6, seed, **options)


class PlainStream(keras.utils.PyDataset):
    """A user's own stream: no `set_epoch`."""

    def __init__(self, images, labels, batches=5):
        super().__init__()
        self.images, self.labels, self.batches = images, labels, batches

    def __len__(self):
        return self.batches

    def __getitem__(self, index):
        return self.images[4 * index : 4 * index + 4], self.labels[4 * index :][:4]


def test_each_epoch_has_each_image_once_in_its_own_order():
    batches = make_batches()
    epochs = [order(batches, epoch) for epoch in range(4)]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in [*epochs, range(20)]}) == 5
    assert [len(targets) for _, targets in batches] == [6, 6, 6, 2]


def test_a_loop_over_the_batches_ends_as_lists_do():
    batches = ShuffledBatches(np.zeros((5, 1)), np.arange(5), batch_size=2)
    with pytest.raises(IndexError, match="There are 3 batches, but number 3 came"):
        batches[3]


def test_images_and_targets_stay_together():
    for images, targets in make_batches():
        np.testing.assert_allclose(images, targets / 20)


def test_the_order_follows_from_seed_and_epoch_alone():
    straight, jumped = make_batches(), make_batches()
    for epoch in range(3):
        third = order(straight, epoch)
    assert order(jumped, 2) == third
    assert order(make_batches(seed=1), 2) != third


def test_augmentation_follows_from_seed_epoch_and_batch():
    def draw(images, rng):
        return np.full(images.shape, rng.random())

    def drawn(seed, epoch):
        batches = make_batches(seed, augment=draw)
        batches.set_epoch(epoch)
        return [float(batches[i][0][0]) for i in reversed(range(4))][::-1]

    assert drawn(0, 1) == drawn(0, 1)
    every = [*drawn(0, 0), *drawn(0, 1), *drawn(1, 0), *drawn(1, 1)]
    assert len(set(every)) == 16
    assert make_batches(augment=draw)[0][0].dtype == np.float32


def test_augmentation_may_work_in_place():
    def blacken(images, rng):
        images *= 0
        return images

    batches = make_batches(augment=blacken)
    assert batches[0][0].max() == 0
    assert batches.images.max() == np.float32(0.95)


@pytest.mark.parametrize("answer", [lambda images: None, lambda images: images[:1]])
def test_an_augmentation_that_changes_the_shape_is_refused(answer):
    with pytest.raises(ValueError, match="returns images of the same shape"):
        tiny.train(tiny.fresh_model(), augment=lambda images, rng: answer(images))


def test_the_batches_of_a_plain_stream_are_shuffled():
    stream = ShuffledStream(PlainStream(np.zeros((20, 1)), np.arange(20)))
    first, second = order(stream, 0), order(stream, 1)
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second and first == order(stream, 0)


def test_a_stream_that_knows_its_order_keeps_it():
    inner = make_batches(seed=3)
    assert order(ShuffledStream(inner, seed=0), 2) == order(inner, 2)


def test_training_sets_every_epoch():
    class Announced(PlainStream):
        epochs = []

        def set_epoch(self, epoch):
            self.epochs.append(epoch)

    images, labels = tiny.make_data()
    tiny.train(tiny.fresh_model(), (Announced(images, labels), None))
    assert Announced.epochs[-3:] == [0, 1, 2]


def test_the_stream_is_told_when_an_epoch_begins_and_ends():
    class Listener(PlainStream):
        heard = []

        def on_epoch_begin(self):
            self.heard.append("begin")

        def on_epoch_end(self):
            self.heard.append("end")

    images, labels = tiny.make_data()
    tiny.train(tiny.fresh_model(), (Listener(images, labels), None), epochs=1)
    assert Listener.heard[-2:] == ["begin", "end"]


def test_streams_train_and_give_the_same_weights_again():
    images, labels = tiny.make_data()
    weights = []
    for seed in (0, 0, 1):
        model = tiny.fresh_model()
        tiny.train(model, (PlainStream(images, labels), None), seed=seed)
        weights.append(model.get_weights()[0])
    assert (weights[0] == weights[1]).all() and (weights[0] != weights[2]).any()


def test_an_interrupted_stream_goes_on(tmp_path):
    def stream():
        images, labels = tiny.make_data()
        return PlainStream(images, labels, 5), None

    model = tiny.fresh_model()
    tiny.train(model, stream())
    whole = model.get_weights()
    model = tiny.fresh_model()

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        callbacks = [tiny.Interrupt(1, 2, stop)]
        tiny.train(model, stream(), checkpoint=tmp_path, callbacks=callbacks)
    tiny.train(model, stream(), checkpoint=tmp_path)
    for array, expected in zip(model.get_weights(), whole, strict=True):
        np.testing.assert_array_equal(array, expected)
    other = PlainStream(tiny.make_data(1)[0], tiny.make_data()[1], 5)
    with pytest.raises(ValueError, match="data: a stream of"):
        tiny.train(model, (other, None), checkpoint=tmp_path)


def test_bad_streams_are_refused():
    images, labels = tiny.make_data()
    model = tiny.fresh_model()
    with pytest.raises(ValueError, match="how many batches it has"):
        tiny.train(model, (PlainStream(images, labels, batches=0), None))
    with pytest.raises(ValueError, match="A stream brings its own labels"):
        tiny.train(model, (PlainStream(images, labels), labels))
    with pytest.raises(ValueError, match=r"between 0 and 1 .* got 0.* to 25"):
        tiny.train(model, (PlainStream(images * 255, labels), None))
    with pytest.raises(ValueError, match="takes images of shape .4, 4, 1."):
        tiny.train(model, (PlainStream(images[:, :2], labels), None))
    with pytest.raises(ValueError, match="Labels run from 0 to 2"):
        tiny.train(model, (PlainStream(images, labels + 1), None))

    class NoLabels(PlainStream):
        def __getitem__(self, index):
            return self.images[:4]

    with pytest.raises(
        ValueError, match=r"a tuple \(images, labels\) or .* got ndarray"
    ):
        tiny.train(model, (NoLabels(images, labels), None))


images, labels = tiny.make_data()
with_nan = np.where(np.arange(20).reshape(20, 1, 1, 1) == 7, np.nan, images)


@pytest.mark.parametrize(
    "data, message",
    [
        ((images, labels[:-1]), "20 images and 19 targets"),
        ((images[:0], labels[:0]), "train images are empty"),
        ((images[..., 0], labels), r"Grey images need a channel"),
        ((images * 255, labels), "between 0 and 1, but got"),
        (((images * 255).astype("uint8"), labels), r"ct.normalize\(images\)"),
        (
            (with_nan, labels),
            "NaN or infinite pixels: 1 of 20 do, the first at index 7",
        ),
        ((images[:, :, :3], labels), r"shape \(4, 4, 1\), but got \(4, 3, 1\)"),
        ((images, labels + 1), "from 0 to 2 for 3 classes, but got 1 to 3"),
        ((images, labels - 1), "but got -1 to 1"),
        ((images, labels / 1), "Labels are integers"),
        ((images, np.eye(4)[labels]), r"one-hot rows of shape \(n, 3\)"),
        ((images, np.ones((20, 3))), "exactly one 1 in each row"),
        ((images, None), "train images have no labels"),
    ],
)
def test_images_and_labels_that_do_not_fit_are_refused(data, message):
    model = tiny.fresh_model()
    before = model.get_weights()[0]
    with pytest.raises(ValueError, match=message):
        tiny.train(model, data)
    if data[1] is not None:
        with pytest.raises(ValueError, match=message.replace("train", "validation")):
            tiny.train(model, validation_data=data)
    assert (model.get_weights()[0] == before).all()


@pytest.mark.parametrize("wrong", [(images,), images, "images", 3])
def test_validation_data_of_another_kind_are_refused(wrong):
    with pytest.raises(ValueError, match=r"validation_data is \(images, labels\)"):
        tiny.train(tiny.fresh_model(), validation_data=wrong)


def test_validation_data_may_be_a_tuple_a_split_or_a_stream():
    values = []
    for data in (
        (images, labels),
        (images, np.eye(3)[labels]),
        ct.Split(images, labels),
        PlainStream(images, labels),
    ):
        history = tiny.train(tiny.fresh_model(), validation_data=data, epochs=1)
        values.append(history.history["val_accuracy"])
    assert values == [values[0]] * 4


def test_models_that_cannot_be_trained_are_refused():
    with pytest.raises(ValueError, match="is a keras.Model, but got str"):
        tiny.train("model")
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    with pytest.raises(ValueError, match="is not compiled"):
        tiny.train(model)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="ends in a Flatten layer"):
        tiny.train(model)
    unbuilt = keras.Sequential([keras.layers.Dense(3, activation="softmax")])
    unbuilt.compile("sgd", "mse")
    with pytest.raises(ValueError, match="Begin it with keras.Input"):
        tiny.train(unbuilt)
