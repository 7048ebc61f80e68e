"""Words per second of one trained reader: in Keras, and in ONNX Runtime as a file.

    taskset -c 0,1 python benchmarks/reading_speed.py   # a few minutes on two cores

Trains the reader of the README on real captchas, squashed to 32 x 100 pixels, as
``benchmarks/text.py`` does, and exports it. Then each program reads the same 500 test
words, in a process of its own that may use one core, or two: as two threads of one
process, or as two processes of one thread with half of the words each. What is timed
goes from an array of images to texts, whose exact match is stored beside the speed;
what is stored is the median of the rounds.
Writes ``results/reading_speed.json``.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

SIZE = (100, 32)  # (width, height) in pixels
EPOCHS = 3
SECONDS = 5  # that each measurement goes on
PROGRAMS = {
    "Keras": "reader.keras",
    "ONNX by model.export": "plain.onnx",
    "ONNX by ct.export_model": "reader.onnx",
    "the same, LSTM in 8 bits": "quantised.onnx",
}
BATCHES = (1, 16, 64)
CORES = {  # processes, threads of each
    "one core": (1, 1),
    "two threads": (1, 2),
    "two processes": (2, 1),
}


def prepare(folder):
    """Train the reader, and write it in each form, with the words of the test."""
    import onnxruntime.quantization
    import text

    import crnn_tutorial as ct
    from crnn_tutorial.judging.results import describe_run

    train, test = text.load(SIZE)
    ct.set_seed(0)
    model = text.build_ours(SIZE)
    trained = ct.train_text_recognizer(
        model, train.images, train.targets, epochs=EPOCHS, seed=0, verbose=0
    )
    paths = {name: str(folder / file) for name, file in PROGRAMS.items()}
    keras, plain, ours, quantised = paths.values()
    model.save(keras)
    model.export(plain, format="onnx", verbose=False)
    ct.export_model(model, ours)
    onnxruntime.quantization.quantize_dynamic(
        ours, quantised, op_types_to_quantize=["LSTM", "MatMul"]
    )
    np.savez(folder / "test.npz", images=test.images, targets=test.targets)
    return {
        **describe_run(),
        "reader": {
            "parameters": model.count_params(),
            "epochs": EPOCHS,
            "train_words": len(train),
            "seconds": round(trained.seconds, 1),
        },
        "size": [SIZE[1], SIZE[0]],
        "test_words": len(test),
    }


def load_reader(path, threads):
    """Return a function from images to logits, and the characters."""
    if path.suffix == ".keras":
        import tensorflow as tf

        import crnn_tutorial as ct
        from crnn_tutorial.network import heads

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        model = ct.load_model(path)
        return model.predict_on_batch, heads.of(model).alphabet.characters
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options)
    name = session.get_inputs()[0].name
    about = session.get_modelmeta().custom_metadata_map
    characters = about.get("alphabet")  # model.export writes none
    return lambda images: session.run(None, {name: images})[0], characters


def decode(logits, characters):
    """The recipe of the book's page on export."""
    best = logits.argmax(axis=-1)  # (lines, steps)
    begins = np.diff(best, axis=1, prepend=0) != 0
    letters = np.array(["", *characters])
    return ["".join(row) for row in letters[np.where(begins, best, 0)]]


def work(path, batch, threads, part, parts):
    """Read this worker's words over and over; print how long each round took."""
    path = Path(path)
    test = np.load(path.parent / "test.npz")
    images, targets = test["images"][part::parts], test["targets"][part::parts]
    read, characters = load_reader(path, threads)
    characters = characters or "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    starts = range(0, len(images), batch)

    def once():
        batches = (images[start : start + batch] for start in starts)
        return [text for one in batches for text in decode(read(one), characters)]

    once()  # the first one compiles
    print("ready", flush=True)
    sys.stdin.readline()
    clocks = time.perf_counter, time.process_time
    rounds, begin = [], time.perf_counter()
    while time.perf_counter() - begin < SECONDS or len(rounds) < 3:
        before = np.array([clock() for clock in clocks])
        texts = once()
        rounds.append([clock() for clock in clocks] - before)
    right = int(np.sum(np.array(texts) == targets))
    seconds, processor = np.median(rounds, axis=0)
    answer = {"words": len(images), "right": right}
    print(json.dumps(answer | {"seconds": seconds, "processor": processor}))


def measure(path, batch, cores):
    """Let the workers start together, and add up what they read in a second."""
    parts, threads = CORES[cores]
    free = sorted(os.sched_getaffinity(0))[-parts * threads :]
    workers = []
    for part in range(parts):
        mine = free[part : part + 1] if threads == 1 else free
        command = [sys.executable, __file__]
        command += map(str, (path, batch, threads, part, parts))
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        worker = subprocess.Popen(
            ["taskset", "-c", ",".join(map(str, mine)), *command],
            env=environment,
            **pipe,
        )
        workers.append(worker)
    for worker in workers:
        while worker.stdout.readline() != "ready\n":
            assert worker.poll() is None, "a worker failed"
    for worker in workers:
        worker.stdin.write("\n")
        worker.stdin.flush()
    found = [json.loads(worker.communicate()[0]) for worker in workers]
    words = sum(one["words"] for one in found)
    return {
        "words_per_second": round(sum(one["words"] / one["seconds"] for one in found)),
        # Of one core, while it works for us: what others do on the machine is left out.
        "words_per_processor_second": round(
            words / sum(one["processor"] for one in found)
        ),
        "exact_match": sum(one["right"] for one in found) / words,
    }


def main():
    """Measure each program with each size of batch on one core and on two."""
    import crnn_tutorial as ct

    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        results = prepare(Path(folder))
        for name in ("onnxruntime", "tf2onnx"):
            results["versions"][name] = version(name)
        results["load_before"] = round(busy, 1)
        results["runs"] = []
        for program, cores, batch in itertools.product(PROGRAMS, CORES, BATCHES):
            found = measure(Path(folder) / PROGRAMS[program], batch, cores)
            run = {"program": program, "cores": cores, "batch": batch} | found
            results["runs"].append(run)
            print(*run.values(), sep=", ", flush=True)
    ct.save_results("reading_speed", results)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        path, *numbers = sys.argv[1:]
        work(path, *map(int, numbers))
