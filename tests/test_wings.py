"""The package's wings: which may import which, and that what was saved stays valid."""

import ast
import graphlib
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

import crnn_tutorial as ct

PACKAGE = Path(ct.__file__).parent
# Who stands higher may import who stands lower, and never the other way.
HEIGHT = {
    "checks": 0,
    "data": 1,
    "metrics": 1,
    "network": 2,
    "tasks": 3,
    "training": 4,
    "figures": 5,
    "judging": 6,
    "notebook": 7,
}
ALONE = {"equations", "article"}  # NumPy or the article's own code: nothing of ours


def module_of(path):
    """Name a file as its importers do, from the package down: `network.layers`."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports_of(path):
    """Yield (line, module) for each import of the package in a file, lazy ones too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield node.lineno, f"a relative import of {node.module}"
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            root, _, inner = name.partition(".")
            while root == "crnn_tutorial" and inner:
                if (PACKAGE / (inner.replace(".", "/") + ".py")).is_file():
                    yield node.lineno, inner
                    break
                inner = inner.rpartition(".")[0]


def find_wrong(path):
    """Yield what is wrong with the imports of a file, with its line."""
    name = module_of(path)
    wing = name.partition(".")[0]
    for line, other in imports_of(path):
        above = other.partition(".")[0]
        if wing == above:
            continue
        if wing in ALONE or above in ALONE or HEIGHT[above] >= HEIGHT[wing]:
            yield f"{name}.py, line {line} imports {other}: {above} is not below {wing}"


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__init__.py"]


def test_no_import_runs_up():
    assert [wrong for path in FILES for wrong in find_wrong(path)] == []


def test_no_import_runs_in_a_circle():
    graph = {module_of(path): {name for _, name in imports_of(path)} for path in FILES}
    graphlib.TopologicalSorter(graph).prepare()  # raises where there is one


def test_the_equations_need_nothing_but_numpy():
    """So that they also run in a browser."""
    brought = set()
    for path in sorted((PACKAGE / "equations").glob("*.py")):
        text = path.read_text("utf-8")
        brought |= set(re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE))
    standard = {"dataclasses", "functools", "inspect", "math", "typing"}
    assert brought <= {"numpy", "crnn_tutorial", *standard}


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("from crnn_tutorial.judging.verdict import judge", "judging is not below"),
        ("import crnn_tutorial.training.train", "training is not below"),
        ("def f():\n    from crnn_tutorial.figures import style", "figures is not"),
        ("from crnn_tutorial.network.layers import ScanRows", None),
    ],
)
def test_an_import_that_runs_up_is_seen(line, wrong, tmp_path, monkeypatch):
    for name in ("judging/verdict", "training/train", "figures/style"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / f"{name}.py").touch()
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "layers.py").touch()
    file = tmp_path / "tasks" / "new.py"
    file.parent.mkdir()
    file.write_text(line + "\n")
    monkeypatch.setattr("test_wings.PACKAGE", tmp_path)
    found = list(find_wrong(file))
    assert len(found) == (wrong is not None)
    assert all(wrong in text and "line" in text for text in found)


def test_a_wing_is_one_line():
    for path in PACKAGE.rglob("*/__init__.py"):
        if path.parent.name != "equations":
            tree = ast.parse(path.read_text("utf-8"))
            assert ast.get_docstring(tree) and len(tree.body) == 1, path


def test_the_map_in_contributing_leads_to_files():
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text("utf-8")
    files = re.findall(r"`((?:crnn_tutorial|tests)/[\w/]+\.pyi?)`", text)
    assert len(set(files)) > 10
    assert [file for file in files if not (PACKAGE.parent / file).is_file()] == []
    beside = re.search(r"A loader \((.*?) beside it\)", text, re.DOTALL)[1]
    for name in re.findall(r"`(\w+\.py)`", beside):
        assert (PACKAGE / "data" / name).is_file(), name


SEEN_BY_EDITORS = """
import crnn_tutorial as ct

reveal_type(ct.build_crnn_model)
reveal_type(ct.Split)
reveal_type(ct.equations.relu)
ct.buidl_crnn_model
"""


def test_editors_and_mypy_see_the_public_names(tmp_path):
    """Names are loaded late, but the stub says which there are."""
    api = pytest.importorskip("mypy.api")
    file = tmp_path / "notebook.py"
    file.write_text(SEEN_BY_EDITORS)
    found, errors, _ = api.run(
        [str(file), f"--cache-dir={tmp_path}", "--ignore-missing-imports"]
    )
    lines = [line for line in found.splitlines() if "notebook.py" in line]
    assert len(lines) == 4, found + errors
    assert "def (input_shape: Any, num_classes: Any" in lines[0]
    assert "crnn_tutorial.data.splits.Split" in lines[1]
    assert "def (" in lines[2]
    assert 'has no attribute "buidl_crnn_model"' in lines[3]


def test_the_stub_has_every_public_name_once():
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text("utf-8"))
    imported = [
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    listed = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
    )
    assert listed == sorted(set(imported)) == sorted(imported)
    assert sorted(ct.__all__) == listed


# ------------------------------------------------------------ what was saved before


def rename_modules(config, name):
    """Say of each class of ours that it stands in a file of this name."""
    if isinstance(config, dict):
        return {
            key: name
            if key == "module" and str(value).startswith("crnn_tutorial")
            else rename_modules(value, name)
            for key, value in config.items()
        }
    if isinstance(config, list):
        return [rename_modules(value, name) for value in config]
    return config


def move_back(path, name):
    """Rewrite a saved model as a package with other files would have written it."""
    with zipfile.ZipFile(path) as archive:
        files = {file: archive.read(file) for file in archive.namelist()}
    config = json.loads(files["config.json"])
    moved = json.dumps(rename_modules(config, name))
    assert moved != json.dumps(config)
    files["config.json"] = moved.encode()
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in files.items():
            archive.writestr(file, content)


@pytest.mark.parametrize("name", ["crnn_tutorial.layers", "crnn_tutorial.gone.away"])
def test_a_model_saved_when_its_layers_stood_elsewhere(name, tmp_path):
    models = {
        "reader": ct.build_text_recognizer((8, None, 1), "ab", filters=(2,), units=2),
        "patches": ct.build_crnn_model((8, 8, 1), 3, units=2, sequence="patches"),
        "clips": ct.build_video_classifier((3, 8, 8, 1), 2, filters=(2,), units=2),
    }
    for kind, model in models.items():
        model.save(tmp_path / f"{kind}.keras")
        move_back(tmp_path / f"{kind}.keras", name)
        loaded = ct.load_model(tmp_path / f"{kind}.keras")
        shape = [3 if size is None else size for size in model.input_shape]
        shape = (*shape[:2], 8, *shape[3:])
        images = np.random.default_rng(0).random(shape, dtype="float32")
        np.testing.assert_array_equal(
            loaded.predict(images, verbose=0), model.predict(images, verbose=0)
        )


def test_a_checkpoint_written_when_the_layers_stood_elsewhere(monkeypatch):
    """The digest of a model does not change with the file that a class stands in."""
    from crnn_tutorial.network import layers
    from crnn_tutorial.training.checkpoints import describe_model

    model = ct.build_text_recognizer((8, None, 1), "ab", filters=(2,), units=2)
    here = describe_model(model)
    for old in ("crnn_tutorial.layers", "crnn_tutorial.gone.away"):
        for name in ("CharacterLogits", "MapToSequence"):
            monkeypatch.setattr(getattr(layers, name), "__module__", old)
        assert describe_model(model) == here
    other = ct.build_text_recognizer((8, None, 1), "ab", filters=(2,), units=3)
    assert describe_model(other) != here
