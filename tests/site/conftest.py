"""A server of the built site and a browser; without one of them, why not."""

import functools
import http.server
import os
import shutil
import threading
import time
from pathlib import Path
from urllib.parse import urlparse

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
SITE = Path(os.environ.get("SITE", ROOT / "_build" / "html"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# No sandbox for root, nothing that a browser does for itself in the background.
FLAGS = """--no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run
--disable-background-networking --disable-component-update --disable-sync""".split()
IMAGES_COME_LATE = 0.15  # seconds: else a jump of the page is not seen


def browser_path():
    """Return where a Chromium stands: CHROMIUM names one, or it is on the path."""
    found = [shutil.which(name) for name in BROWSERS]
    return os.environ.get("CHROMIUM") or next(filter(None, found), None)


def base_path():
    """Return the path below which the site is published."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    return urlparse(config["html"]["baseurl"]).path.rstrip("/") + "/"


class Server(http.server.SimpleHTTPRequestHandler):
    """The built site at its published path, with its page for wrong addresses."""

    def translate_path(self, path):
        base = base_path()
        if not path.startswith(base):
            return str(SITE / "outside of the site")
        return super().translate_path("/" + path.removeprefix(base))

    def send_error(self, code, message=None, explain=None):
        page = (SITE / "404.html").read_text("utf-8")
        self.error_message_format = page.replace("%", "%%")
        super().send_error(code, message, explain)

    def do_GET(self):
        if "/_images/" in self.path:
            time.sleep(IMAGES_COME_LATE)
        super().do_GET()

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def address():
    """Serve the site; return its address."""
    if not (SITE / "book" / "index.html").is_file():
        pytest.skip(f"no site in {SITE}: run `make book`")
    handler = functools.partial(Server, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{base_path()}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    path = browser_path()
    if not path:
        pytest.skip("no Chromium: install one (Debian: apt install chromium)")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()
