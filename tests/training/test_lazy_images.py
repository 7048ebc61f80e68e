"""Images that stay on disk are trained on, judged and answered as arrays are."""

import numpy as np
import pytest
import training_helpers as tiny
from PIL import Image

import crnn_tutorial as ct
from crnn_tutorial.data.lazy_images import LazyImages


@pytest.fixture
def split(tmp_path):
    """The tiny training's images, in files."""
    images, labels = tiny.make_data()
    files = [tmp_path / f"{i}.png" for i in range(len(images))]
    for file, image in zip(files, images, strict=True):
        Image.fromarray(np.rint(255 * image[..., 0]).astype("uint8")).save(file)
    return ct.Split(LazyImages(files, (4, 4), channels=1), labels)


@pytest.fixture
def asked(monkeypatch):
    """How many files were opened, each time that some were asked for."""
    counts = []
    load = LazyImages.__getitem__

    def counted(images, index):
        loaded = load(images, index)
        counts.append(len(loaded) if loaded.ndim == 4 else 1)
        return loaded

    monkeypatch.setattr(LazyImages, "__getitem__", counted)
    return counts


def in_memory(split):
    return ct.Split(split.images[:], split.targets)


def trained(data, **options):
    model = tiny.fresh_model()
    history = tiny.train(model, (data, None), **options)
    return history.history, model.get_weights()


def test_a_training_is_the_same_as_on_arrays_and_loads_batch_by_batch(split, asked):
    arrays = in_memory(split)
    expected = trained(arrays, validation_data=arrays)
    asked.clear()
    found = trained(split, validation_data=split)
    assert found[0] == expected[0]
    for one, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_array_equal(one, other)
    assert max(asked) == tiny.BATCH_SIZE
    # twice as many images as epochs, and what Keras and the checks read beforehand
    assert 0 <= sum(asked) - 2 * 20 * tiny.EPOCHS <= 30


def test_weights_work_on_lazy_images(split):
    arrays = in_memory(split)
    options = {"class_weight": "balanced", "sample_weight": np.linspace(0, 1, 20)}
    assert trained(split, **options)[0] == trained(arrays, **options)[0]


def test_an_interrupted_training_goes_on(split, tmp_path):
    whole = trained(split)[1]

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt = [tiny.Interrupt(1, 2, stop)]
        trained(split, checkpoint=tmp_path / "kept", callbacks=interrupt)
    found = trained(split, checkpoint=tmp_path / "kept")[1]
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_array_equal(one, other)
    Image.new("L", (4, 4), 200).save(split.images.files[3])
    with pytest.raises(ValueError, match="data: 20 images"):
        trained(split, checkpoint=tmp_path / "kept")


def test_evaluate_and_predict_load_batch_by_batch(split, asked):
    model = tiny.fresh_model()
    twice = np.arange(40) % 20
    many = ct.Split(
        LazyImages([split.images.files[i] for i in twice], (4, 4), 1),
        split.targets[twice],
    )
    arrays = in_memory(many)
    asked.clear()
    found, expected = ct.evaluate(model, many), ct.evaluate(model, arrays)
    assert found.per_image.tolist() == expected.per_image.tolist()
    assert found.multiplications == expected.multiplications
    assert asked == [32, 8]
    asked.clear()
    answers = ct.predict(model, many, batch_size=15)
    assert asked == [15, 15, 10]
    for one, other in zip(answers, ct.predict(model, arrays), strict=True):
        assert one.answer == other.answer
        assert one.confidence == pytest.approx(other.confidence, abs=1e-6)


def test_a_file_that_vanished_is_named(split):
    split.images.files[7].unlink()
    with pytest.raises(FileNotFoundError, match=r"There is no file .*7\.png"):
        trained(split)


def test_lazy_images_that_do_not_fit_are_refused(split):
    files = split.images.files
    with pytest.raises(ValueError, match=r"takes images of shape \(4, 4, 1\)"):
        trained(ct.Split(LazyImages(files, (5, 4), 1), split.targets))
    with pytest.raises(ValueError, match="20 images and 3 targets"):
        tiny.train(tiny.fresh_model(), (split.images, split.targets[:3]))
    with pytest.raises(ValueError, match="train images are empty"):
        trained(ct.Split(LazyImages([], (4, 4), 1), split.targets[:0]))
