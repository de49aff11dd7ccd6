"""In Chromium. As a student: the release in JupyterLab, a wrong answer typed, its feedback read, the right one typed. As an instructor: the
formgrader's buttons, from Generate to feedback, and the scores they show."""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parent.parent
TOPIC = "softmax_cross_entropy"
WRONG = "def softmax(logits):\n    e = np.exp(logits)\n    return e / e.sum(axis=-1, keepdims=True)"
RIGHT = "def softmax(logits):\n    e = np.exp(logits - logits.max(axis=-1, keepdims=True))\n    return e / e.sum(axis=-1, keepdims=True)"
SHOTS = os.environ.get("CLASS4_SCREENSHOTS")  # a folder to keep pictures in

pytestmark = pytest.mark.skipif(
    shutil.which("chromium") is None, reason="needs Chromium (Debian: apt-get install chromium)"
)


@contextmanager
def jupyter(folder: Path, **environment: str) -> Iterator[str]:
    """The address of a JupyterLab over a folder."""
    env = {
        **os.environ,
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "ws"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **environment,
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        "--port=0",
        "--IdentityProvider.token=test",
        f"--ServerApp.root_dir={folder}",
        "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log) as server,
    ):
        try:
            yield _address(folder / "runtime", server)
        finally:
            server.terminate()
            server.wait(20)


@contextmanager
def chromium() -> "Iterator[Page]":
    """A page of a browser that talks to nobody else."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(180_000)
        yield page
        browser.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a copy of the release in JupyterLab."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copyfile(ROOT / "notebooks" / "3_losses" / f"{TOPIC}.ipynb", folder / f"{TOPIC}.ipynb")
    settings = folder / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    progress = str(folder / "progress.json")
    with jupyter(folder, JUPYTERLAB_SETTINGS_DIR=str(folder / "settings"), CLASS4_PROGRESS=progress) as url:
        yield f"{url}lab/tree/{TOPIC}.ipynb?token=test"


def _address(runtime: Path, server: subprocess.Popen[bytes]) -> str:
    import json

    for _ in range(240):
        assert server.poll() is None, "JupyterLab ended"
        for file in runtime.glob("jpserver-*.json") if runtime.is_dir() else ():
            try:
                url = str(json.loads(file.read_text())["url"])
                with urllib.request.urlopen(f"{url}api?token=test", timeout=5):
                    return url
            except (OSError, ValueError):
                pass
        time.sleep(0.5)
    raise AssertionError("JupyterLab did not answer")


def test_a_student_types_a_wrong_answer_reads_the_feedback_and_mends_it(lab: str) -> None:
    from playwright.sync_api import expect

    def run(page: "Page", text: str, source: str | None = None) -> None:
        """Run the code cell that holds a text, after replacing its source."""
        cell = page.locator(".jp-CodeCell", has_text=text).first
        cell.locator(".cm-content").click()
        if source is not None:
            page.keyboard.press("Control+A")
            page.keyboard.insert_text(source)
        page.keyboard.press("Control+Enter")

    def picture(page: "Page", name: str) -> None:
        if SHOTS:
            page.locator(".jp-CodeCell", has_text='check("softmax")').first.scroll_into_view_if_needed()
            page.screenshot(path=f"{SHOTS}/{name}.png")

    with chromium() as page:
        page.goto(lab)
        page.wait_for_selector(".jp-NotebookPanel-notebook .jp-CodeCell", timeout=300_000)
        page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=300_000)
        prompt = page.locator(".jp-CodeCell", has_text="import numpy as np").first.locator(".jp-InputPrompt")
        for _ in range(5):  # a key pressed before the kernel has connected is lost
            run(page, "import numpy as np")
            try:
                expect(prompt).to_have_text("[1]:", timeout=30_000)
                break
            except AssertionError:
                continue
        check = page.locator(".jp-CodeCell", has_text='check("softmax")').first
        verdict = check.locator(".jp-OutputArea").last

        run(page, 'check("softmax")')
        expect(verdict).to_contain_text("defines no softmax yet", timeout=180_000)
        run(page, "def softmax(logits)", WRONG)
        run(page, 'check("softmax")')
        expect(verdict).to_contain_text("partly right, 2 of 4 points", timeout=180_000)
        expect(verdict).to_contain_text("Mistake recognised: no shift")
        expect(verdict).to_contain_text("Try: exp overflows")
        picture(page, "wrong")
        run(page, "def softmax(logits)", RIGHT)
        run(page, 'check("softmax")')
        expect(verdict).to_contain_text("✓ softmax: right, 4 of 4 points", timeout=180_000)
        expect(verdict).not_to_contain_text("Mistake")
        picture(page, "right")


def test_the_formgraders_buttons_generate_autograde_and_give_feedback(one_topic_course: Path) -> None:
    from playwright.sync_api import expect

    def pressed(page: "Page", button: str) -> None:
        """Press a button of a table and wait until the dialogue says Success."""
        page.locator(button).first.click()
        expect(page.locator(".modal-title")).to_have_text("Success", timeout=180_000)
        page.locator(".modal .close").first.click()
        expect(page.locator(".modal")).to_have_count(0)

    for student, folder in (("ada", "solutions"), ("bela", "notebooks")):
        target = one_topic_course / "var" / "submitted" / student / "3_losses" / f"{TOPIC}.ipynb"
        target.parent.mkdir(parents=True)
        shutil.copyfile(ROOT / folder / "3_losses" / target.name, target)
    with jupyter(one_topic_course) as url, chromium() as page:
        page.goto(f"{url}formgrader/?token=test")
        pressed(page, "tr:has-text('3_losses') td.assign a")
        page.goto(f"{url}formgrader/manage_submissions/3_losses")
        for student in ("ada", "bela"):
            pressed(page, f"tr:has-text('{student}') td.autograde a")
        expect(page.locator("tr:has-text('ada') td.score")).to_have_text("24 / 24")
        expect(page.locator("tr:has-text('bela') td.score")).to_have_text("0 / 24")
        pressed(page, "tr:has-text('ada') td.generate-feedback a")
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/formgrader.png")
    feedback = one_topic_course / "var" / "feedback" / "ada" / "3_losses" / f"{TOPIC}.html"
    assert "softmax: right, 4 of 4 points" in feedback.read_text()
