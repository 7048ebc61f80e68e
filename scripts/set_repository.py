"""Change the repository's address in every file that names it, for a fork."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def repository_url(root: Path = ROOT) -> str:
    """Return the address that pyproject.toml names: the one place it is kept."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    return project["project"]["urls"]["Repository"]


def pages_site(slug: str) -> str:
    """Return where GitHub Pages serves owner/name."""
    owner, name = slug.split("/")
    return f"{owner.lower()}.github.io/{name}"


def text_files(root: Path = ROOT) -> list[Path]:
    """List the text files that git knows, or would know once added."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout
    files = [root / name for name in names.decode().split("\0") if name]
    return [file for file in files if file.is_file() and b"\0" not in read_start(file)]


def read_start(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(1024)


def set_repository(new: str, root: Path = ROOT) -> list[Path]:
    """Replace the address, owner/name in Colab links, and the site's own address."""
    if not re.fullmatch(r"https://[\w.-]+/[\w.-]+/[\w.-]+", new):
        raise ValueError(
            f"URL is {new!r}; expected https://host/owner/name without a final slash"
        )
    old = repository_url(root)
    old_slug, new_slug = ("/".join(url.split("/")[-2:]) for url in (old, new))
    pairs = [
        (old, new),
        (f"/github/{old_slug}", f"/github/{new_slug}"),
        (f"githubusercontent.com/{old_slug}", f"githubusercontent.com/{new_slug}"),
        (pages_site(old_slug), pages_site(new_slug)),
    ]
    changed = []
    for file in text_files(root):
        text = replaced = file.read_text("utf-8")
        for before, after in pairs:
            replaced = replaced.replace(before, after)
        if replaced != text:
            file.write_text(replaced, "utf-8")
            changed.append(file.relative_to(root))
    return changed


if __name__ == "__main__":
    try:
        print(*set_repository(sys.argv[1].removesuffix(".git").rstrip("/")), sep="\n")
    except ValueError as error:
        sys.exit(str(error))
