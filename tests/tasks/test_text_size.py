"""Size is decided in one place: a reader takes from its data what it must know."""

import numpy as np
import pytest

import crnn_tutorial as ct
from crnn_tutorial.network import heads
from crnn_tutorial.network.masks import pixels_of_a_step
from crnn_tutorial.tasks.text import STEPS

SMALL = {"filters": (4, 4, 4), "units": 4, "recurrence": "order_blind"}


def make_words(*rooms, texts=("abc", "cab", "bac"), margin=0, height=16):
    """A dataset whose characters are bars, each in so many pixels of room."""
    rooms = rooms * (len(texts) // len(rooms))
    widths = [room * len(t) + 2 * margin for room, t in zip(rooms, texts, strict=True)]
    images = np.full((len(texts), height, max(widths), 1), -1, "float32")
    for image, text, room, width in zip(images, texts, rooms, widths, strict=True):
        image[:, :width] = 0
        for i in range(len(text)):
            left = margin + i * room
            image[3 : height - 3, left + room // 4 : left + room - room // 4] = 1
    split = ct.Split(images, list(texts))
    characters = tuple(sorted(set("".join(texts))))
    return ct.Dataset(split, split, split, characters, source="", licence="")


@pytest.mark.parametrize(
    "room, step", [(4, 1), (8, 2), (15, 2), (20, 4), (40, 8), (200, 8)]
)
@pytest.mark.parametrize("margin", [0, 100])
def test_each_character_has_its_steps_whatever_is_around_it(room, step, margin, capsys):
    model = ct.build_text_recognizer(make_words(room, margin=margin), **SMALL)
    assert pixels_of_a_step(model) == step
    steps = float(capsys.readouterr().out.split("character ")[1].split()[0])
    assert steps == pytest.approx(room / step, rel=0.25)
    assert steps >= 0.9 * STEPS


def test_the_narrowest_text_fits_with_the_steps_between_its_doubled_letters():
    """Most characters have room for steps of eight columns; one text has not."""
    words = make_words(32, 32, 10, texts=["aba", "bab", "aaaaa"])
    model = ct.build_text_recognizer(words, **SMALL)
    assert pixels_of_a_step(model) == 4  # 50 columns, 5 letters, 4 steps between
    ct.train_text_recognizer(model, words.train, epochs=1, guess_steps=1, verbose=0)


def test_a_dataset_says_the_same_as_shape_alphabet_and_pools(capsys):
    words = make_words(20)
    assert words.input_shape == (16, None, 1)
    ct.set_seed(0)
    ours = ct.build_text_recognizer(words, **SMALL)
    said = capsys.readouterr().out
    assert said.startswith(
        "16 pixels high; a step is 4 columns, a character 5.0 steps."
    )
    assert said.count("\n") == 1
    ct.set_seed(0)
    pools = [2, 2, (2, 1)]
    by_hand = ct.build_text_recognizer((16, None, 1), "abc", pools=pools, **SMALL)
    assert capsys.readouterr().out == ""
    images = words.test.images
    np.testing.assert_array_equal(ours.predict(images), by_hand.predict(images))
    assert heads.of(ours).alphabet == ct.Alphabet("abc")
    longer = ct.build_text_recognizer(words, "abcxyz", pools=pools, **SMALL)
    assert heads.of(longer).alphabet.characters == "abcxyz"


def test_only_of_texts_is_the_width_free():
    digits = ct.load_digits()
    assert digits.input_shape == (8, 8, 1)
    assert "images of shape (16, 45, 1)" in repr(make_words(15))


def test_a_shape_alone_wants_an_alphabet():
    with pytest.raises(ValueError, match="An alphabet is a str"):
        ct.build_text_recognizer((16, None, 1))


def test_the_ten_lines_read_a_new_file(tmp_path):
    """From a folder to the text of a new picture, with what the lines return."""
    from PIL import Image

    rng = np.random.default_rng(0)
    folder = tmp_path / "words"
    folder.mkdir()
    texts = ["".join(rng.choice(list("ab"), 3)) + f"{i:02}" for i in range(40)]
    lines = ct.render_text_lines(texts, backgrounds=("plain",), height=20, seed=0)
    for image, text in zip(lines.images, texts, strict=True):
        real = image[:, image[0, :, 0] != -1, 0]
        Image.fromarray((255 * real).astype("uint8")).save(folder / f"{text}.png")
    words = ct.load_text_images(folder, height=16)
    model = ct.build_text_recognizer(words, **SMALL)
    history = ct.train_text_recognizer(
        model, words.train, validation_data=words.validation, epochs=1, guess_steps=2
    )
    report = ct.report_text(model, words.test)
    assert report.images == len(words.test) == 4
    assert history.guess_steps == 2
    (text,) = ct.read_text(model, folder / f"{texts[0]}.png")
    assert set(text) <= set(words.class_names)
