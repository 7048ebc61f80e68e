"""What `make venv` installs is what the lock names, whatever else there is to install.

A small project stands in for ours: a lock of one package, which asks for another one
that the lock does not name, and an index (a folder) that has that other one and newer
releases of everything. An installer that resolves anything takes them, or stops.
"""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / ".venv-uv/bin/uv"
UV = str(OURS) if OURS.exists() else shutil.which("uv")

pytestmark = [
    pytest.mark.skipif(not shutil.which("make"), reason="needs make"),
    pytest.mark.skipif(sys.platform == "win32", reason="the Makefile needs bash"),
]

PROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "small"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["one"]

[tool.hatch.build.targets.wheel]
only-include = ["small.py"]
dev-mode-dirs = ["."]
"""


def wheel(folder, name, version, requires=(), script=None):
    """Write the smallest wheel; return its line of a lock."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {line}\n" for line in requires)
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    if script:
        files[f"{name}-{version}.data/scripts/{name}"] = script
    record = "".join(f"{path},{digest(text)},\n" for path, text in files.items())
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name_in_wheel, text in files.items():
            entry = zipfile.ZipInfo(name_in_wheel)
            entry.external_attr = 0o100755 << 16  # scripts are run
            archive.writestr(entry, text)
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{name}=={version} \\\n    --hash=sha256:{sha}\n"


def digest(text):
    """Return a hash as a wheel's RECORD writes it."""
    sha = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(sha).decode().rstrip("=")


@pytest.fixture
def project(tmp_path):
    """Our Makefile in a small project, and an index that offers more than its lock."""
    index = tmp_path / "index"
    index.mkdir()
    one = wheel(index, "one", "1.0", requires=["other[extra]>=1"])
    wheel(index, "one", "2.0")
    wheel(index, "other", "1.0")
    fake = "#!/bin/sh\necho the locked uv\n"
    uv = wheel(index, "uv", "1.0", requires=["other[extra]>=1"], script=fake)
    wheel(index, "uv", "2.0", script="#!/bin/sh\necho a newer uv\n")
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "small.py").write_text("")
    (tmp_path / "requirements.lock").write_text(f"# A lock.\n{one}{uv}")
    return tmp_path


def make(project, *arguments):
    """Run make in the small project, which can reach its own folder of wheels only."""
    ours = ("PIP_", "UV_", "MAKE")
    kept = {name: v for name, v in os.environ.items() if not name.startswith(ours)}
    index = str(project / "index")
    offline = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": index,
        "PIP_CONFIG_FILE": os.devnull,
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": index,
        "UV_NO_CONFIG": "1",
        "UV_CACHE_DIR": str(project / "cache"),
        "PYTHON": sys.executable,
    }
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=project,
        env=kept | offline,
        capture_output=True,
        text=True,
    )


def installed(project, environment=".venv"):
    """List what an environment of the small project holds."""
    found = (project / environment).glob("lib/python*/site-packages/*.dist-info")
    return sorted(re.sub(r"\.dist-info$", "", path.name) for path in found)


def test_pip_brings_the_locked_uv_and_nothing_that_it_asks_for(project):
    done = make(project, ".venv-uv/bin/uv")
    assert done.returncode == 0, done.stderr
    brought = installed(project, ".venv-uv")
    assert "uv-1.0" in brought and "other-1.0" not in brought
    said = subprocess.run(
        [project / ".venv-uv/bin/uv"], capture_output=True, text=True, check=True
    )
    assert said.stdout == "the locked uv\n"


def test_an_environment_of_uv_that_was_left_half_done_is_made_anew(project):
    (project / ".venv-uv/bin").mkdir(parents=True)
    (project / ".venv-uv/bin/python").write_text("half of a file")
    done = make(project, ".venv-uv/bin/uv")
    assert done.returncode == 0, done.stderr


def test_a_wheel_with_another_hash_is_refused(project):
    wheel(project / "index", "uv", "1.0", script="#!/bin/sh\necho changed\n")
    done = make(project, ".venv-uv/bin/uv")
    assert done.returncode != 0 and "HASH" in done.stderr.upper()
    assert not (project / ".venv-uv/bin/uv").exists()


needs_uv = pytest.mark.skipif(UV is None, reason="needs uv: make venv brings it")


@needs_uv
@pytest.mark.parametrize("before", ["nothing", "a broken one", "one without pip"])
def test_the_environment_is_the_lock_whatever_stood_there(project, before):
    environment = project / ".venv"
    if before == "a broken one":
        (environment / "bin").mkdir(parents=True)
        (environment / "bin/python").symlink_to("/nowhere/python3")
    if before == "one without pip":
        command = [sys.executable, "-m", "venv", "--without-pip", environment]
        subprocess.run(command, check=True)
    # Building the project itself would need hatchling: this is about what comes before.
    done = make(project, "venv", f"UV={UV}")
    assert "hatchling" in done.stderr
    assert installed(project) == ["one-1.0", "uv-1.0"]


@needs_uv
def test_an_index_with_a_changed_wheel_stops_the_installation(project):
    wheel(project / "index", "one", "1.0")
    done = make(project, "venv", f"UV={UV}")
    assert done.returncode != 0 and "hash" in done.stderr.lower()
    assert installed(project) == []


def test_a_python_without_venv_is_told_what_to_install(project):
    python = project / "python3"
    python.write_text(
        f'#!/bin/sh\n[ "$2" = venv ] && exit 1\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    done = make(project, ".venv-uv/bin/uv", f"PYTHON={python}")
    assert done.returncode != 0 and "python3-venv" in done.stderr
    assert not (project / ".venv-uv").exists()
