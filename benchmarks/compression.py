"""Five seeds for the page "A file you can weigh": PSNR where files are equally large.

    python benchmarks/compression.py

Eight photographs to learn from, two to choose learning rates, seven to compress. Writes
``results/compression.json`` in the form of ``ct.run_seeds``, and "curves": name -> bits
per pixel and PSNR at several rates.
"""

import functools
import io
import time
from collections import defaultdict
from functools import partial

import keras
import numpy as np
from common import LONGER, QUICK, RATES, SEEDS, SHORT, each, finish
from PIL import Image

import crnn_tutorial as ct
from crnn_tutorial.judging.results import describe_run
from crnn_tutorial.metrics.pictures import psnr_per_image

ASKED = 0.3  # bits per pixel, on average over the training images
LEARNING_RATE = 3e-3
MARGIN = 0.1  # dB: what about 2 % more bits bring
CROPS = 8 if QUICK else 64  # of a photograph, 64 x 64 pixels, to train on
EPOCHS = 1 if QUICK else 3
RECIPE = {"batch_size": 8, "verbose": 0}
NETWORK = {"filters": (8, 16, 16), "units": 16}
LADDER = (0.1, 0.15, 0.2, 0.3, 0.45, 0.65, 1.0, 1.5)  # asked of both PCA
QUALITIES = (*range(1, 20), *range(20, 96, 5))
LOOKED_AT = (0.2, 0.3, 0.5, 1.0)  # asked of the networks, for the curves
CONTROLS = ("CNN", "order-blind", "linear model")


def build(name, asked, learning_rate):
    """Build one of the networks; the linear model alone has fewer parameters."""
    shape, options = (None, None, 1), {"learning_rate": learning_rate}
    if name == "linear model":
        return ct.build_compressor(shape, asked, recurrence=None, **options)
    if name != "CRNN":
        return match(name)(learning_rate=learning_rate)
    return ct.build_compressor(shape, asked, **NETWORK, **options)


@functools.cache
def match(name):
    """Find the widths that give a control as many parameters as the CRNN has."""
    recurrence = {"CNN": "convolution", "order-blind": "order_blind"}[name]
    fixed = {"recurrence": recurrence, "filters": NETWORK["filters"]}
    crnn = build("CRNN", ASKED, None)
    arguments = (None, None, 1), ASKED
    return ct.match_parameters(ct.build_compressor, crnn, *arguments, **fixed).builder


# ------------------------------------------------------------ photographs


def crops(size, count, seed):
    """Cut all photographs; return the crops and the photograph of each."""
    photos = ct.load_photos(size=size, crops=count, seed=seed, channels=1)
    parts = photos.train, photos.validation, photos.test
    return [
        np.concatenate([getattr(p, k) for p in parts]) for k in ("images", "targets")
    ]


def split():
    """Return which photographs are trained on, choose learning rates, and are tested.

    Of those that the package leaves for training and test together, every other one.
    """
    photos = ct.load_photos(crops=1, seed=0)
    chooses = np.unique(photos.validation.targets)
    others = np.setdiff1d(np.arange(len(photos.class_names)), chooses)
    return others[::2], chooses, others[1::2]


# ------------------------------------------------------------ sizes and scores


def measure(model, images):
    """Write and read files; return the bits per pixel and the PSNR of each image."""
    files = ct.compress(model, images)
    back = ct.decompress(model, files)
    return bits_per_pixel(files, images), psnr_per_image(images, back)


def bits_per_pixel(files, images):
    return 8 * np.array([*map(len, files)]) / np.prod(images.shape[1:3])


def measure_pillow(images, format, quality, scan_only=False, **options):
    """The same of a format that Pillow writes."""
    files, back = [], []
    for image in np.rint(255 * images[..., 0]).astype("uint8"):
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, format, quality=quality, **options)
        data = stream.getvalue()
        back.append(np.asarray(Image.open(stream).convert("L"))[..., None] / 255)
        files.append(cut_to_scan(data) if scan_only else data)
    return bits_per_pixel(files, images), psnr_per_image(images, np.stack(back))


def cut_to_scan(data):
    """Leave out of a JPEG file all but the data of its one scan."""
    start = data.rindex(b"\xff\xda") + 2  # of the scan's own header
    return data[start + int.from_bytes(data[start : start + 2], "big") : -2]


PILLOW = {
    "JPEG": partial(measure_pillow, format="JPEG", optimize=True),
    "JPEG, scan only": partial(measure_pillow, format="JPEG", scan_only=True),
    "JPEG, scan with own tables": partial(
        measure_pillow, format="JPEG", scan_only=True, optimize=True
    ),
    "WebP": partial(measure_pillow, format="WEBP", method=6),
}


def stack(measured):
    """Turn (bits, PSNR) of each step of a ladder into two arrays (steps, images)."""
    return [np.stack(values) for values in zip(*measured, strict=True)]


def at(bits, curve):
    """Read the curve of each image at its bits; outside the ladder, its last value."""
    return np.array(
        [
            np.interp(np.log(b), np.log(x[order]), y[order])
            for b, x, y in zip(bits, *(values.T for values in curve), strict=True)
            for order in [np.argsort(x)]
        ]
    )


# ------------------------------------------------------------ training


@functools.cache
def load_tested(part):
    """Return the pieces of the photographs that are compressed, and their numbers."""
    _, chooses, tested = split()
    wanted = {"validation": chooses, "test": tested}[part]
    images, photographs = crops((128, 128), 1 if QUICK else 6, seed=0)
    kept = np.isin(photographs, wanted)
    return images[kept], photographs[kept]


@functools.lru_cache(maxsize=1)
def load_train(seed):
    """Return the pieces to train on, drawn anew for each seed."""
    images, photographs = crops((64, 64), CROPS, seed=100 + seed)
    return images[np.isin(photographs, split()[0])]


def fit(name, seed, asked, learning_rate, epochs, part):
    """Train one network; return bits and PSNR of the tested images, and its cost."""
    keras.utils.clear_session()
    ct.set_seed(seed)
    images = load_train(seed)
    model, start = build(name, asked, learning_rate), time.perf_counter()
    ct.train_crnn_model(
        model, ct.Split(images, images), epochs=epochs, seed=seed, **RECIPE
    )
    cost = {
        "seconds": time.perf_counter() - start,
        "parameters": model.count_params(),
    }
    return *measure(model, load_tested(part)[0]), cost


def fit_pca(side, seed, part):
    """Fit a PCA for each rate of the ladder; return its curve on the tested images."""
    images, tested = load_train(seed), load_tested(part)[0]
    models = [ct.build_pca_compressor(images, r, patch_size=side) for r in LADDER]
    return stack(measure(model, tested) for model in models)


def choose_rates(names, epochs):
    """Let each network choose its learning rate on photographs of its own.

    The score is what it is better than a PCA where files are equally large.
    """
    tried = [float(f"{LEARNING_RATE * times:.2g}") for times in RATES]
    (pca,) = each(fit_pca, [(8, SEEDS[0], "validation")])
    jobs = [
        (name, SEEDS[0], ASKED, rate, epochs, "validation")
        for name in names
        for rate in tried
    ]
    found = dict(zip(jobs, each(fit, jobs), strict=True))
    rates = {}
    for name in names:
        scores = [
            float(np.mean(psnr - at(bits, pca)))
            for job, (bits, psnr, _) in found.items()
            if job[0] == name
        ]
        chosen = tried[int(np.argmax(scores))]
        rates[name] = {"tried": tried, "validation": scores, "chosen": chosen}
    return rates


# ------------------------------------------------------------ judging


def score_seed(networks, pca, pillow):
    """Score all rivals where each image has the bits that the CRNN's file has.

    A curve (PCA, JPEG, WebP) is read at these bits. Of a network, which has one rate,
    the small difference in bits is made good along the curve of the PCA.
    """
    scores, costs, sizes = {}, {}, {}
    at_ours = networks["CRNN"][0]
    for name, (bits, psnr, cost) in networks.items():
        sizes[name], costs[name] = bits, cost
        scores[name] = psnr + at(at_ours, pca[8]) - at(bits, pca[8])
    curves = {f"PCA, {side} pixels": curve for side, curve in pca.items()}
    for name, curve in (curves | pillow).items():
        scores[name] = at(at_ours, curve)
    return scores, sizes, costs


def run(times):
    epochs = times * EPOCHS
    rates = choose_rates(["CRNN", *CONTROLS], epochs)
    tested, photographs = load_tested("test")
    pillow = {
        name: stack(one(tested, quality=quality) for quality in QUALITIES)
        for name, one in PILLOW.items()
    }
    jobs = [
        (name, seed, ASKED, rates[name]["chosen"], epochs, "test")
        for seed in SEEDS
        for name in rates
    ]
    trained = iter(each(fit, jobs))
    curves = iter(each(fit_pca, [(side, s, "test") for s in SEEDS for side in (8, 16)]))
    scores, sizes, costs = (defaultdict(list) for _ in range(3))
    for seed in SEEDS:
        networks = {name: next(trained) for name in rates}
        found = score_seed(networks, {8: next(curves), 16: next(curves)}, pillow)
        for kept, new in zip((scores, sizes, costs), found, strict=True):
            for name, value in new.items():
                kept[name].append(value)
        told = {name: round(float(one[-1].mean()), 2) for name, one in scores.items()}
        print("seed", seed, told, flush=True)
    rivals = {name: summary(name, scores, sizes, costs, rates) for name in scores}
    return {
        "settings": {
            "batch_size": RECIPE["batch_size"],
            "epochs": epochs,
            **NETWORK,
            "asked bits per pixel": ASKED,
            "crops of a photograph": CROPS,
            "redraw": True,
        },
        "metric": "PSNR (dB)",
        "images": len(photographs),
        "clusters": photographs.tolist(),
        "rivals": rivals,
        "judgements": judge_all(scores, photographs),
        "warnings": [],
        "curves": look_at_rates(rates, epochs, pillow),
    }


def summary(name, scores, sizes, costs, rates):
    """Sum up one rival in the form of ``ct.run_seeds``."""
    means = [float(one.mean()) for one in scores[name]]
    found = {"scores": means, "mean": float(np.mean(means))}
    if name in sizes:
        spent = costs[name]
        found |= {
            "bits per pixel": [float(one.mean()) for one in sizes[name]],
            "parameters": spent[0]["parameters"],
            "seconds": round(float(np.mean([one["seconds"] for one in spent])), 2),
            "learning_rates": rates[name],
        }
    return found | {"packed": [np.round(one, 4).tolist() for one in scores[name]]}


def judge_all(scores, photographs):
    """Judge the CRNN against all others; crops of one photograph count once."""
    scores, judged = {name: np.round(all_, 4) for name, all_ in scores.items()}, {}
    for name in scores:
        if name != "CRNN":
            found = ct.judge(
                scores["CRNN"],
                scores[name],
                f"CRNN is better than {name}",
                margin=MARGIN,
                clusters=photographs,
            )
            judged[name] = found.as_dict()
    return judged


def look_at_rates(rates, epochs, pillow):
    """Return the mean bits per pixel and PSNR of one seed at several rates."""
    sides = [(side, SEEDS[0], "test") for side in (8, 16)]
    pca = zip(sides, each(fit_pca, sides), strict=True)
    curves = {f"PCA, {side} pixels": one for (side, *_), one in pca} | pillow
    jobs = [
        (name, SEEDS[0], asked, rates[name]["chosen"], epochs, "test")
        for name in ("CRNN", "linear model")
        for asked in LOOKED_AT
    ]
    found = dict(zip(jobs, each(fit, jobs), strict=True))
    for name in ("CRNN", "linear model"):
        curves[name] = stack(one[:2] for job, one in found.items() if job[0] == name)
    return {
        name: {
            "bits per pixel": np.round(bits.mean(axis=1), 4).tolist(),
            "PSNR": np.round(psnr.mean(axis=1), 3).tolist(),
        }
        for name, (bits, psnr) in curves.items()
    }


def main():
    start = time.perf_counter()
    results = describe_run() | {"seeds": list(SEEDS), "ours": "CRNN"} | run(1)
    if not SHORT:
        results["longer"] = run(LONGER)
    results["hours"] = round((time.perf_counter() - start) / 3600, 4)
    finish("compression", results)


if __name__ == "__main__":
    main()
