"""What a trained model says of pictures, in whatever form they come."""

import keras
import numpy as np
import pytest
from PIL import Image

import crnn_tutorial as ct

NAMES = ("cat", "dog", "owl")


def make_pictures():
    """One grey for each class: 0.0, 0.5 and 1.0."""
    images = np.stack([np.full((8, 12, 1), k / 2, "float32") for k in range(3)])
    split = ct.Split(images, np.arange(3))
    return ct.Dataset(split, split, split, NAMES, source="", licence="")


@pytest.fixture(scope="module")
def model():
    """A classifier of greys, whose last layer is set by hand."""
    ct.set_seed(0)
    built = ct.build_cnn_model(make_pictures(), filters=(2,), whole_image=False)
    *_, first, average, last = built.layers
    plain = keras.Model(built.input, average.output)
    means = plain.predict(make_pictures().test.images, verbose=0)
    centres = means - means.mean(axis=0)
    weights = 40 * centres / (centres**2).sum()
    last.set_weights([weights.T, -(weights * (means + means.mean(axis=0))).sum(1) / 2])
    return built


def test_a_classifier_answers_with_the_names_it_was_built_with(model, tmp_path):
    images = make_pictures().test.images
    model.save(tmp_path / "greys.keras")
    loaded = ct.load_model(tmp_path / "greys.keras")
    outputs = model.predict(images, verbose=0)
    found = ct.predict(loaded, images)
    assert [one.answer for one in found] == [NAMES[k] for k in outputs.argmax(axis=1)]
    assert [one.confidence for one in found] == pytest.approx(outputs.max(axis=1))


def test_without_names_the_answer_is_the_number_of_the_class():
    plain = ct.build_cnn_model((8, 12, 1), 3, filters=(2,))
    answer, confidence = ct.predict(plain, np.zeros((8, 12, 1), "float32"))
    assert answer in range(3) and 0 < confidence < 1


def test_every_form_of_a_picture_has_the_same_answer(model, tmp_path):
    array = make_pictures().test.images[2]
    picture = Image.fromarray((255 * array[:, :, 0]).astype("uint8"))
    picture.save(tmp_path / "white.png")
    expected = ct.predict(model, array)
    for form in (picture, tmp_path / "white.png", str(tmp_path / "white.png")):
        assert ct.predict(model, form) == pytest.approx(expected)
        assert ct.predict(model, [form, array]) == [expected, expected]
    paths = np.array([str(tmp_path / "white.png")] * 2)
    assert [one.answer for one in ct.predict(model, paths)] == [expected.answer] * 2
    larger = picture.resize((36, 24))  # is brought to the size of the model
    assert ct.predict(model, larger).answer == expected.answer


def test_splits_boxed_images_and_bytes_of_pixels(model):
    test = make_pictures().test
    expected = ct.predict(model, test)
    boxed = np.empty(3, object)
    boxed[:] = list(test.images)
    whole = np.uint8(255 * test.images)
    for form in (test.images, list(test.images), boxed):
        assert ct.predict(model, form) == expected
    names = [one.answer for one in expected]
    assert [one.answer for one in ct.predict(model, whole)] == names


def test_a_folder_answers_by_the_name_of_the_file(model, tmp_path):
    for k, name in enumerate(("b.png", "a.png")):
        Image.new("L", (12, 8), 255 * k).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    found = ct.predict(model, tmp_path)
    assert list(found) == ["a.png", "b.png"]
    assert found["a.png"] == ct.predict(model, tmp_path / "a.png")


def test_a_reader_answers_with_its_text_and_how_sure_it_is():
    ct.set_seed(0)
    reader = ct.build_text_recognizer((16, None, 1), "0123456789", filters=(4, 8))
    lines = [ct.digit_string("7"), ct.digit_string("2015")]  # of two widths
    readings = ct.read_text(reader, lines, return_confidence=True)
    assert ct.predict(reader, lines) == [(r.text, r.confidence) for r in readings]
    alone = ct.predict(reader, lines[1])
    assert alone.answer == readings[1].text
    assert alone.confidence == pytest.approx(readings[1].confidence, rel=1e-3)


def test_a_clip_and_clips():
    clips = ct.build_video_classifier((3, 8, 8, 1), 2, filters=(2,), units=2)
    some = np.random.default_rng(0).random((2, 3, 8, 8, 1), dtype="float32")
    assert ct.predict(clips, some)[1] == pytest.approx(ct.predict(clips, some[1]))


def test_bad_input(model, tmp_path):
    with pytest.raises(ValueError, match="no picture in the folder.*png"):
        ct.predict(model, tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere.png"):
        ct.predict(model, tmp_path / "nowhere.png")
    with pytest.raises(ValueError, match="0 to 1|between 0 and 1"):
        ct.predict(model, np.full((8, 12, 1), 255.0))
    with pytest.raises(ValueError, match="There is no image"):
        ct.predict(model, [])
    with pytest.raises(ValueError, match="trained keras.Model, but got a NoneType"):
        ct.predict(None, np.zeros((8, 12, 1)))
    with pytest.raises(ValueError, match="pass one of them, such as dataset.test"):
        ct.predict(model, make_pictures())
    clips = ct.build_video_classifier((3, 8, 8, 1), 2, filters=(2,), units=2)
    for wrong in (np.zeros((2, 3, 8, 9, 1)), [np.zeros((k, 8, 8, 1)) for k in (3, 4)]):
        with pytest.raises(ValueError, match=r"clips of shape \(3, 8, 8, 1\), all ali"):
            ct.predict(clips, wrong)
    with pytest.raises(ValueError, match="batch_size"):
        ct.predict(model, np.zeros((8, 12, 1)), batch_size=0)
