"""Drawn lines of text: the letters are Pillow's, and nothing is shared or clipped."""

import inspect
import string

import matplotlib
import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image, ImageDraw, ImageFont

import crnn_tutorial as ct
from crnn_tutorial.data.text import pen
from crnn_tutorial.data.text.fonts import PARTS, find_fonts, has_glyph, read_glyph

LETTERS = string.digits + string.ascii_letters
FOLDER = f"{matplotlib.get_data_path()}/fonts/ttf"
SANS, MONO, ROMAN, BOLD = (
    f"{FOLDER}/{name}.ttf"
    for name in ("DejaVuSans", "DejaVuSansMono", "cmr10", "cmb10")
)
BARE = dict(backgrounds=["plain"], slant=0, spacing=0, blur=0)


def real_part(image):
    """Cut the padding off."""
    return image[:, image[0, :, 0] >= 0, 0]


def ink_of(image):
    """Undo the colours of a line on a plain background: 0 is paper, 1 strongest ink."""
    image = real_part(image)
    paper = image[0, 0]
    strongest = image.flat[np.abs(image - paper).argmax()]
    return (image - paper) / (strongest - paper)


def cut_out(ink):
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def pillow_ink(text, font, size):
    """The same text drawn by Pillow at once, black on white."""
    if "/" in font:
        font = ImageFont.truetype(font, size, layout_engine=ImageFont.Layout.BASIC)
    else:
        font = ImageFont.load_default(size)
    canvas = Image.new("L", (40 * len(text) + 40, 80), 255)
    ImageDraw.Draw(canvas).text((20, 20), text, fill=0, font=font)
    ink = 1 - np.asarray(canvas, np.float32) / 255
    return cut_out(ink / ink.max())


def is_drawn_by_pillow(image, text, font):
    ours = cut_out(np.round(ink_of(image), 5))
    for size in range(16, 27):
        theirs = pillow_ink(text, font, size)
        if ours.shape == theirs.shape and np.allclose(ours, theirs, atol=1e-4):
            return True
    return False


# The letters


@pytest.mark.parametrize("font", [SANS, MONO, ROMAN, BOLD])
def test_a_letter_on_plain_ground_is_that_of_pillow(font):
    texts = list("AQgj7fW0")
    lines = ct.render_text_lines(texts, fonts=[font], **BARE)
    for image, text in zip(lines.images, texts, strict=True):
        assert is_drawn_by_pillow(image, text, font), text
    assert not is_drawn_by_pillow(lines.images[0], "B", font)


def test_a_word_in_a_font_without_kerning_is_that_of_pillow():
    for seed, text in enumerate(["CRNN 2015", "a", "Il1 jj", "fgWQ,"]):
        lines = ct.render_text_lines([text], fonts=[MONO], seed=seed, **BARE)
        assert is_drawn_by_pillow(lines.images[0], text, MONO), text


@pytest.mark.parametrize("part", PARTS)
def test_every_shipped_font_shows_every_digit_and_letter(part):
    fonts = find_fonts(part, LETTERS)
    assert len(fonts) == len(PARTS[part])  # none is left out
    for font in fonts:
        for size in (8, 16, 26):
            glyphs = [read_glyph(font, size, character).ink for character in LETTERS]
            assert min(glyph.max() for glyph in glyphs) > 0.3
        capitals = glyphs[-26:]  # of the largest size: no two the same, no empty boxes
        assert len({(ink.shape, ink.tobytes()) for ink in capitals}) == 26


def test_a_glyph_stands_where_pillow_puts_it():
    sized = ImageFont.truetype(SANS, 20, layout_engine=ImageFont.Layout.BASIC)
    for character in "Agj,'W":
        canvas = Image.new("L", (80, 80))
        draw = ImageDraw.Draw(canvas)
        draw.text((30, 40), character, fill=255, font=sized, anchor="ls")
        glyph = read_glyph(SANS, 20, character)
        assert (30 + glyph.left, 40 + glyph.top) == canvas.getbbox()[:2], character


def test_spacing_slant_and_blur_do_what_they_say():
    def ink(**change):
        options = {"fonts": [SANS], "seed": 5, "contrast": 1, **BARE, **change}
        return ink_of(ct.render_text_lines(["HIM"], **options).images[0])

    def columns(ink):
        return cut_out(ink).shape[1]

    assert columns(ink(spacing=0.5)) > columns(ink()) + 10

    def places(slant):  # of the ink's middle in each row, from the top
        inked = cut_out(ink(slant=slant))
        return inked @ np.arange(inked.shape[1]) / inked.sum(axis=1)

    for slant in (0.3, -0.45):  # each row goes further than the one below it
        moved = places(slant) - places(0)
        np.testing.assert_allclose(np.diff(moved), -slant, atol=1e-3)
    steep = [np.abs(np.diff(i, axis=1)).max() for i in (ink(), ink(blur=0.1))]
    assert steep[1] < 0.7 * steep[0]


# Nothing is clipped, padding is exact


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("height", [16, 32, 45])
def test_no_letter_touches_the_border(part, height):
    words = ct.Alphabet(LETTERS + "(),;@%")
    options = {**BARE, "slant": (-1, 1), "spacing": (-0.1, 0.3), "contrast": 1}
    lines = ct.render_text_lines(words, 60, fonts=part, height=height, **options)
    for image, text in zip(lines.images, lines.targets, strict=True):
        image = real_part(image)
        borders = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        assert np.ptp(borders) == 0, text
        assert np.ptp(image) == 1, text  # black and white


def test_padding_is_exact():
    lines = ct.render_text_lines(ct.Alphabet(LETTERS), 100, length=(0, 8), seed=1)
    padded = (lines.images == -1).all(axis=(1, 3))  # (lines, width)
    assert (np.diff(padded.astype(int), axis=1) >= 0).all()  # once begun, to the end
    columns = np.broadcast_to(padded[:, None, :, None], lines.images.shape)
    assert (lines.images[columns] == -1).all()
    real = lines.images[~columns]
    assert real.min() >= 0 and real.max() <= 1
    assert not padded[:, -1].all()  # the widest line reaches the end
    assert lines.images.dtype == np.float32
    assert (padded.argmax(axis=1)[[not t for t in lines.targets]] >= 16).all()


def test_a_given_width_only_adds_padding_where_the_line_fits():
    words = ["CRNN", "a", ""]
    free = ct.render_text_lines(words).images
    wide = ct.render_text_lines(words, width=300).images
    np.testing.assert_array_equal(wide[:, :, : free.shape[2]], free)
    assert (wide[:, :, free.shape[2] :] == -1).all()


def test_a_line_too_wide_is_drawn_smaller_and_at_last_refused():
    text = ["WWWWWW"]
    free = ct.render_text_lines(text, fonts=[SANS], **BARE).images[0]
    width = free.shape[1] - 20
    squeezed = ct.render_text_lines(text, fonts=[SANS], width=width, **BARE).images[0]
    assert len(cut_out(ink_of(squeezed))) < len(cut_out(ink_of(free)))
    assert is_drawn_by_pillow(squeezed, "WWWWWW", SANS)
    with pytest.raises(
        ValueError, match=r"'WWWWWW' needs \d+ x \d+.*there are 50 x 32"
    ):
        ct.render_text_lines(text, width=50)


def test_lines_have_enough_columns_for_ctc():
    # A reader that halves the width twice needs 15 steps for 8 same letters.
    lines = ct.render_text_lines(["llllllll"] * 20, fonts=[SANS])
    widths = (lines.images[:, 0, :, 0] >= 0).sum(axis=1)
    assert (widths // 4 >= 15).all()


# What is behind the letters


@pytest.mark.parametrize("background", ["plain", "noisy", "photograph"])
def test_backgrounds_are_what_they_are_called(background):
    words = [""] * 30
    lines = ct.render_text_lines(words, backgrounds=[background], contrast=0.5)
    images = [real_part(image) for image in lines.images]
    spread = np.array([image.std() for image in images])
    # How much of the change between neighbours is left: noise has it all.
    rough = np.array([np.diff(image, axis=1).std() for image in images])
    if background == "plain":
        assert all(np.ptp(image) == 0 for image in images)
    elif background == "noisy":
        assert (spread > 0.005).all() and np.median(rough / spread) > 1.2
    else:
        assert np.median(spread) > 0.02 and np.median(rough / spread) < 0.9


@pytest.mark.parametrize("background", ["plain", "photograph"])
def test_text_keeps_its_distance_from_every_pixel_behind_it(background):
    lines = ct.render_text_lines(
        ["HH"] * 60, backgrounds=[background], contrast=0.6, slant=0, blur=0
    )
    lighter = 0
    for image in map(real_part, lines.images):
        border = np.concatenate([image[0], image[-1]])
        below, above = border.min() - image.min(), image.max() - border.max()
        assert max(below, above) > 0.6 - 1e-5
        lighter += above > below
    assert 15 <= lighter <= 45  # about half


def test_the_parts_share_no_font_and_no_photograph(monkeypatch):
    fonts, photographs = list(PARTS.values()), list(pen.PHOTOGRAPHS.values())
    for parts in (fonts, photographs):
        assert len(set().union(*parts)) == sum(map(len, parts))
    assert set().union(*photographs) == set(ct.load_photos(crops=1).class_names)
    designs = [
        {name[:9] for name in part} for part in fonts
    ]  # "DejaVuSan", "cmr10.ttf"
    assert not designs[0] & designs[2] and not designs[1] & designs[2]
    assert not designs[0] & designs[1]
    # And what is drawn is what was promised.
    asked, load = [], pen._photograph
    monkeypatch.setattr(
        pen, "_photograph", lambda name: asked.append(name) or load(name)
    )
    options = dict(backgrounds=["photograph"])
    for part in PARTS:
        asked.clear()
        ct.render_text_lines(["a"], 100, fonts=part, **options)
        assert set(asked) == set(pen.PHOTOGRAPHS[part])
    asked.clear()
    ct.render_text_lines(["a"], 20, fonts=[SANS], photographs="validation", **options)
    assert set(asked) == set(pen.PHOTOGRAPHS["validation"])


def test_a_line_longer_than_a_photograph_has_no_seam():
    text = "A line that is much wider than any photograph in the libraries. " * 2
    lines = ct.render_text_lines([text] * 5, backgrounds=["photograph"], contrast=0.05)
    assert lines.images.shape[2] > 1000
    empty = [image[:2] for image in map(real_part, lines.images)]
    assert max(np.abs(np.diff(strip, axis=1)).max() for strip in empty) < 0.6


# Seeds and texts


def test_the_seed_decides_everything():
    words = ct.Alphabet(LETTERS)
    one, same, other = (ct.render_text_lines(words, 20, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.images, same.images)
    assert one.targets == same.targets != other.targets


def test_texts_keep_their_order_or_are_drawn():
    words = ["one", "", "three"]
    assert ct.render_text_lines(np.array(words)).targets == words
    drawn = ct.render_text_lines(words, 50).targets
    assert len(drawn) == 50 and set(drawn) == set(words)


def test_random_words_have_the_lengths_and_characters_asked_for():
    words = ct.render_text_lines(ct.Alphabet("ab c"), 300, length=(2, 4)).targets
    assert {len(word) for word in words} == {2, 3, 4}
    assert set("".join(words)) == set("abc")  # a space cannot be seen at the end
    assert len(set(words)) > 60  # of 9 + 27 + 81


# Glyphs that are missing, and the reader's own fonts


def make_font(path, shown, empty=""):
    """Write a font file with a box for some characters and nothing for others."""
    names = {ord(c): f"glyph{ord(c)}" for c in shown + empty}
    pen, nothing = TTGlyphPen(None), TTGlyphPen(None).glyph()
    corners = [(100, 0), (100, 700), (800, 700), (800, 0)]
    pen.moveTo(corners[0])
    for corner in corners[1:]:
        pen.lineTo(corner)
    pen.closePath()
    box = pen.glyph()
    glyphs = {".notdef": box} | {names[ord(c)]: box for c in shown}
    glyphs |= {names[ord(c)]: nothing for c in empty}
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap(names)
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (900, 100)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": "Boxes", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return str(path)


def test_chinese_is_drawn_with_the_readers_own_font(tmp_path):
    path = make_font(tmp_path / "boxes.ttf", "中文", empty="字")
    lines = ct.render_text_lines(["中文", "文"], fonts=[path], **BARE)
    assert lines.targets == ["中文", "文"]
    assert is_drawn_by_pillow(lines.images[0], "中文", path)
    for character in "国字":  # not in the table; in the table without a picture
        with pytest.raises(
            ValueError, match=f"boxes.ttf has no glyph for '{character}'"
        ):
            ct.render_text_lines(["中", character], fonts=[path])
    with pytest.raises(
        ValueError, match="None of the train fonts.*'中'.*U\\+4E2D.*fonts="
    ):
        ct.render_text_lines(["中"])


def test_glyphs_that_show_another_character_count_as_missing():
    # Computer Modern keeps TeX's places: "<" shows an exclamation mark on its head.
    assert [c for c in string.printable[:95] if not has_glyph(ROMAN, c)] == list(
        "\"'<>\\^_`{|}~"
    )
    assert not any(has_glyph(ROMAN, c) for c in "ÄÃßæ")
    assert all(has_glyph(SANS, c) for c in string.printable[:95] + "ÄÃßæµ·¯\xa0∙")
    with pytest.raises(ValueError, match="cmr10.ttf has no glyph for '<'"):
        ct.render_text_lines(["a<b"], fonts=[SANS, ROMAN])


def test_of_a_part_only_fonts_with_all_characters_are_taken():
    assert not any("cm" in font for font in find_fonts("train", "é"))
    assert len(find_fonts("train", "é")) == 8
    assert len(find_fonts("train", "e")) == 12


# The stream


def test_a_batch_follows_from_seed_epoch_and_number():
    def make(seed=0):
        return ct.TextLineStream(ct.Alphabet("abc"), 4, 3, seed=seed, length=(0, 3))

    straight, jumped = make(), make()
    seen = {}
    for epoch in range(3):
        straight.on_epoch_begin()  # as Keras does
        for i in range(len(straight)):
            seen[epoch, i] = straight[i]
    assert len({images.tobytes() for images, _ in seen.values()}) == 9
    jumped.set_epoch(2)
    for got, expected in zip(jumped[1], seen[2, 1], strict=True):
        np.testing.assert_array_equal(got, expected)
    assert not np.array_equal(make(seed=1)[0][0], make()[0][0])
    with pytest.raises(IndexError, match="3 batches, but number 3"):
        straight[3]


def test_batches_have_one_shape_and_encoded_targets():
    alphabet = ct.Alphabet("CRN012 5")
    texts = ["CRNN", "2015", ""]
    stream = ct.TextLineStream(texts, 8, 20, alphabet=alphabet, fonts="test")
    batches = list(stream)
    assert {images.shape for images, _ in batches} == {(8, 32, 80, 1)}
    assert {targets.shape for _, targets in batches} == {(8, 4)}
    read = {text for _, targets in batches for text in alphabet.decode(targets)}
    assert read == set(texts)


@pytest.mark.parametrize("slant", [0, (-0.5, 0.5)])
def test_the_width_of_a_stream_holds_its_widest_words(slant):
    texts = ["WWWW", "ffff", "jjjj", "Q@Q@", "llll"]
    for part in PARTS:
        stream = ct.TextLineStream(texts, 60, 1, fonts=part, slant=slant, width=None)
        images, _ = stream[0]  # a line that did not fit would be refused
        width = images.shape[2]
        assert width <= 144  # and it is not wasted
    with pytest.raises(ValueError, match=r"needs \d+ pixels, but width is 40"):
        ct.TextLineStream(texts, width=40)


def test_a_reader_learns_from_the_stream():
    stream = ct.TextLineStream(ct.Alphabet("01"), 4, 1, length=(1, 2), height=16)
    shape = (16, None, 1)
    model = ct.build_text_recognizer(shape, stream.alphabet, filters=(2, 2), units=2)
    model.run_eagerly = True  # quicker for two steps
    history = ct.train_text_recognizer(model, stream, None, 4, 2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert stream.epoch == 1


# Bad input


def test_stream_and_arrays_have_the_same_defaults():
    def defaults(function):
        parameters = inspect.signature(function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind == p.KEYWORD_ONLY}

    drawn = defaults(pen.Pen)
    assert drawn.items() <= defaults(ct.render_text_lines).items()
    stream = defaults(ct.TextLineStream)
    assert stream["length"] == defaults(ct.render_text_lines)["length"]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("2015",), {}, r"Texts are a list .*ct.Alphabet.*got '2015'"),
        (([],), {}, "at least one str"),
        (([2015],), {}, "at least one str"),
        ((["a\nb"],), {}, "a text is one line"),
        ((["e\u0301"],), {}, "NFC"),
        ((["\u05d0"],), {}, "right to left"),
        ((ct.Alphabet("01"),), {}, "count=100"),
        ((ct.Alphabet(" "), 3), {}, "only spaces"),
        ((["a"], 0), {}, "count is a whole number of at least 1, but got 0"),
        ((ct.Alphabet("01"), 3), {"length": (5, 2)}, r"length.*\(5, 2\)"),
        ((ct.Alphabet("01"), 3), {"length": 1.5}, "length.*1.5"),
        ((["a"],), {"fonts": "training"}, '"train", "validation".*training'),
        ((["a"],), {"fonts": SANS}, "One file is fonts="),
        ((["a"],), {"fonts": []}, r"list of paths.*\[\]"),
        ((["a"],), {"fonts": [__file__]}, "cannot be read as a font"),
        ((["a"],), {"photographs": "cat"}, '"train".*cat'),
        ((["a"],), {"height": 8}, "height is a whole number of at least 16.*8"),
        ((["a"],), {"height": 32.0}, "height is a whole number"),
        ((["a"],), {"width": 5}, "'a' needs"),
        ((["a"],), {"width": 0}, "width is a whole number"),
        ((["a"],), {"backgrounds": "plain"}, "in a tuple or list"),
        ((["a"],), {"backgrounds": ["paper"]}, "paper"),
        ((["a"],), {"backgrounds": []}, "at least one"),
        ((["a"],), {"slant": 2}, r"slant.*\[-1, 1\].*2"),
        ((["a"],), {"spacing": (0.2, 0.1)}, "spacing"),
        ((["a"],), {"blur": -1}, "blur"),
        ((["a"],), {"contrast": 0}, "contrast"),
        ((["a"],), {"contrast": float("nan")}, "contrast"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        ct.render_text_lines(*arguments, **options)


def test_a_missing_file_and_a_foreign_character_are_named():
    with pytest.raises(FileNotFoundError, match="no font file nowhere.ttf"):
        ct.render_text_lines(["a"], fonts=["nowhere.ttf"])
    with pytest.raises(ValueError, match=r"does not have \['b'\]"):
        ct.TextLineStream(["ab"], alphabet=ct.Alphabet("a"))
    with pytest.raises(TypeError, match="colour"):
        ct.TextLineStream(["ab"], colour="red")
