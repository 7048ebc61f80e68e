"""What holds the repository together: addresses, the lock, workflows, the import."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

from set_repository import pages_site, repository_url, set_repository  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
URL = repository_url()
OWNER_AND_NAME = "/".join(URL.split("/")[-2:])
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# Put together here, so that this file does not name them either.
INDEX_HOSTS = [
    "pypi" + ".org",
    "files.python" + "hosted.org",
    "registry.npm" + "js.org",
    "deb.deb" + "ian.org",
]


def own_files():
    """List the repository's text files, the libraries that it ships left out."""
    folders = ("book", "crnn_tutorial", "scripts", "tests", "benchmarks", ".github")
    files = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in folders:
        files += (ROOT / folder).rglob("*")
    kinds = {".py", ".md", ".ipynb", ".yml", ".toml", ".cff", ".lock", ".css", ".bib"}
    skip = {"mathjax", "__pycache__", ".ipynb_checkpoints"}
    return [
        path
        for path in files
        if path.is_file()
        and (path.suffix in kinds or path.name == "Makefile")
        and not skip & set(path.parts)
    ]


def test_every_file_names_the_same_repository():
    name = OWNER_AND_NAME.split("/")[1]
    pattern = re.compile(rf"(?:github\.com|/github)/([\w.-]+/{name})\b")
    wrong = [
        f"{path.relative_to(ROOT)}: {found}"
        for path in own_files()
        for found in pattern.findall(path.read_text("utf-8"))
        if found != OWNER_AND_NAME
    ]
    assert wrong == []


def test_configuration_and_citation_name_the_repository():
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    assert config["repository"]["url"] == URL
    assert config["html"]["baseurl"] == "https://" + pages_site(OWNER_AND_NAME)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["repository-code"] == URL


def test_one_version():
    import crnn_tutorial

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert str(citation["version"]) == crnn_tutorial.__version__


def test_set_repository_changes_every_place(tmp_path):
    new = "https://github.com/ann/my-fork"
    slug = OWNER_AND_NAME
    (tmp_path / "pyproject.toml").write_text(f'[project.urls]\nRepository = "{URL}"\n')
    colab = f"https://colab.research.google.com/github/{slug}/blob/main/a.ipynb"
    raw = f"https://raw.githubusercontent.com/{slug}/main/a.png"
    text = f"{colab} https://{pages_site(slug)}/ git+{URL} {raw}"
    (tmp_path / "page.md").write_text(text)
    (tmp_path / "picture.bin").write_bytes(b"\0" + URL.encode())
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    changed = set_repository(new, tmp_path)
    assert sorted(map(str, changed)) == ["page.md", "pyproject.toml"]
    assert repository_url(tmp_path) == new
    assert (tmp_path / "page.md").read_text() == (
        "https://colab.research.google.com/github/ann/my-fork/blob/main/a.ipynb "
        "https://ann.github.io/my-fork/ git+https://github.com/ann/my-fork "
        "https://raw.githubusercontent.com/ann/my-fork/main/a.png"
    )
    with pytest.raises(ValueError, match="expected https://host/owner/name"):
        set_repository("my-fork", tmp_path)


def test_no_file_names_a_package_index():
    named = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in own_files()
        for host in INDEX_HOSTS
        if host in path.read_text("utf-8")
    ]
    assert named == []


def test_the_lock_has_exact_versions_and_hashes_only():
    entries = re.split(r"\n(?=\S)", LOCK)
    entries = [entry for entry in entries if not entry.startswith("#")]
    assert len(entries) > 100
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+ ", entry), entry
        assert "--hash=sha256:" in entry, entry
    assert not re.search(r"https?:|--index|--find-links", LOCK)


def locked_names():
    return set(re.findall(r"^([a-z0-9-]+)==", LOCK, re.MULTILINE))


def test_the_lock_covers_what_make_installs():
    extras = PROJECT["optional-dependencies"]
    declared = PROJECT["dependencies"] + extras["book"] + extras["test"] + extras["dev"]
    names = {re.match(r"[\w-]+", line)[0].lower() for line in declared}
    assert names - {"crnn-tutorial"} <= locked_names()
    assert "tensorflow-cpu" in locked_names()
    assert not {"jax", "torch"} & locked_names()


def test_users_get_lower_bounds_only():
    for line in PROJECT["dependencies"]:
        assert re.fullmatch(r"[\w-]+>=[\d.]+", line), line


def test_workflows_pin_actions_and_ask_for_little():
    workflows = sorted((ROOT / ".github/workflows").glob("*.yml"))
    assert [path.stem for path in workflows] == ["ci", "publish", "release", "weekly"]
    pins = set()
    for path in workflows:
        text = path.read_text("utf-8")
        assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
        used = re.findall(r"uses: (\S+)(.*)", text)
        for action, comment in used:
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action), action
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action
        pins |= {action for action, _ in used}
    assert len(pins) == len({action.split("@")[0] for action in pins}), "two versions"


def test_the_readme_works_on_the_page_of_a_package_index():
    readme = (ROOT / "README.md").read_text("utf-8")
    addresses = re.findall(r"\]\(([^)\s]+)\)", readme)
    assert len(addresses) > 20
    assert [link for link in addresses if not link.startswith("https://")] == []


def test_every_link_of_the_readme_leads_to_a_file_of_ours():
    readme = (ROOT / "README.md").read_text("utf-8")
    site = re.escape(f"https://{pages_site(OWNER_AND_NAME)}/")
    pages = re.findall(rf"\]\({site}([\w/]+)\.html\)", readme)
    assert len(pages) > 20
    for page in pages:
        assert list(ROOT.glob(f"{page}.*")), page
    for name in re.findall(rf"\]\({re.escape(URL)}/blob/main/([^)]+)\)", readme):
        assert (ROOT / name).is_file(), name


def test_the_release_is_dated_once():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    version, date = re.search(r"^## (\S+) \((\S+)\)", changelog, re.M).groups()
    assert (str(citation["version"]), str(citation["date-released"])) == (version, date)


def test_ci_runs_make_test_and_nothing_else():
    script = (ROOT / ".ci/run").read_text("utf-8")
    assert re.findall(r"\bmake [\w-]+", script.split("set -euo", 1)[1]) == ["make test"]


def test_the_readme_lists_every_make_target():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [name for name in targets if f"make {name}" not in readme] == []


IMPORT = """
import sys
before = set(sys.modules)
import crnn_tutorial
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""


def test_the_import_brings_no_framework():
    """Nothing but the standard library and what loads the rest when it is used."""
    run = subprocess.run(
        [sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True
    )
    brought = set(run.stdout.split()) - sys.stdlib_module_names
    assert brought == {"crnn_tutorial", "lazy_loader"}


def test_every_public_name_exists():
    import crnn_tutorial

    for name in crnn_tutorial.__all__:
        assert getattr(crnn_tutorial, name) is not None
