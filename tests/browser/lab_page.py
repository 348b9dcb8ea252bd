"""A real JupyterLab in a real browser, for tests: start it, open notebooks, run them, find panels.

One server and one page serve all tests of a run. The server works on a copy of the notebooks, with settings,
kernels' files and a learner's folder of its own, so that nothing outside is read or changed. What a test
asserts is rows in the learner's database, and what is on the page.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Locator, Page, sync_playwright

from rlhf_lab.feedback import FeedbackStore, Record

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
]
QUIET_SETTINGS = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}


def find_chromium() -> str | None:
    """The path of a Chromium on this machine, if there is one."""
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


class Server:
    """JupyterLab on a free port of this machine, with a folder of its own for everything it writes."""

    def __init__(self, notebooks: Path, folder: Path):
        self.root, self.home, self.log = folder / "notebooks", folder / "home", folder / "server.log"
        shutil.copytree(notebooks, self.root, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        self.home.mkdir()
        settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(QUIET_SETTINGS))
        self.token = secrets.token_hex(16)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        environment = dict(os.environ, RLHF_LAB_HOME=str(self.home), RLHF_LAB_RATER="human")
        environment.pop("MPLBACKEND", None)  # as a learner has it: figures are drawn on the page
        for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
            environment[f"JUPYTER_{name}"] = str(folder / name.lower())
        environment["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
        environment["JUPYTERLAB_WORKSPACES_DIR"] = str(folder / "workspaces")
        environment["IPYTHONDIR"] = str(folder / "ipython")
        command = [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={self.token}",
            f"--ServerApp.root_dir={self.root}",
            "--LabApp.extension_manager=readonly",
            "--LabApp.expose_app_in_browser=True",
            "--allow-root",
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        self._wait()

    def _wait(self, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.url}/api?token={self.token}", timeout=2).close()
                return
            time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start within {seconds} s:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> None:
        """End the server; it ends its kernels."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Lab:
    """The page, and what a test does with it."""

    def __init__(self, server: Server, page: Page):
        self.server, self.page = server, page
        self.errors: list[str] = []  # of the browser's console, since the notebook was opened
        self.dialogs: list[str] = []  # alert(), confirm(), prompt()
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", self._on_dialog)
        self._is_loaded, self._calls = False, 0

    def _on_dialog(self, dialog) -> None:
        if dialog.type != "beforeunload":
            self.dialogs.append(dialog.message)
        dialog.accept()

    # -- notebooks --

    def write_notebook(self, name: str, *cells: str) -> str:
        """Make a notebook with these code cells in the server's folder; gives its name."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(notebook, self.server.root / name)
        return name

    def open_notebook(self, name: str, timeout: float = 60) -> None:
        """Open a notebook, in place of the one that is open, and wait until its kernel is connected and idle."""
        if not self._is_loaded:
            self.page.goto(f"{self.server.url}/lab/tree/{name}?reset&token={self.server.token}")
            self.page.wait_for_selector(".jp-Notebook", timeout=timeout * 1000)
            self._is_loaded = True
            self._evaluate("() => window.jupyterapp.restored", timeout)
            self.page.evaluate("() => { if (!jupyterapp.shell.leftCollapsed) jupyterapp.shell.collapseLeft(); }")
        else:
            self.close_notebook()
            where = json.dumps({"path": name, "factory": "Notebook"})
            self._evaluate(f"() => jupyterapp.commands.execute('docmanager:open', {where})", timeout)
        self.errors.clear()
        self.dialogs.clear()
        self._wait_until_connected(name, timeout)

    def close_notebook(self) -> None:
        """Save and close the open notebook and end its kernel."""
        self._evaluate(
            """async () => {
                const widget = jupyterapp.shell.currentWidget;
                if (!widget?.context) return;
                await widget.context.save();
                await widget.context.sessionContext.shutdown();
                widget.dispose();
            }""",
            30,
        )

    def reload(self, timeout: float = 60) -> None:
        """Save the notebook and load the page again in the same tab; the kernel goes on.

        As F5 does, but for the layout: `reset` keeps JupyterLab from opening again what earlier tests had closed.
        """
        name = self.page.evaluate("() => jupyterapp.shell.currentWidget.context.path")
        self._evaluate("() => jupyterapp.commands.execute('docmanager:save')", timeout)
        self.page.goto(f"{self.server.url}/lab/tree/{name}?reset&token={self.server.token}")
        self.page.wait_for_selector(".jp-Notebook", timeout=timeout * 1000)
        self._evaluate("() => window.jupyterapp.restored", timeout)
        self._wait_until_connected(name, timeout)

    def run_all(self, timeout: float = 180) -> None:
        """Run all cells; AssertionError, with the traceback, if one of them failed."""
        self._evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')", timeout)
        self.wait_until_idle(timeout)
        failed = [o for cell in self.outputs() for o in cell if o["output_type"] == "error"]
        assert not failed, re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(failed[0]["traceback"]))

    def restart_kernel(self, timeout: float = 60) -> None:
        """Restart the kernel without asking, and wait until it is connected again."""
        self._evaluate("() => jupyterapp.shell.currentWidget.context.sessionContext.restartKernel()", timeout)
        self._wait_until_connected(None, timeout)

    def restart_and_run_all(self, timeout: float = 180) -> None:
        """What a learner does the next day."""
        self.restart_kernel()
        self.run_all(timeout)

    def wait_until_idle(self, timeout: float = 60) -> None:
        """Wait until the kernel has nothing to do."""
        self.page.wait_for_function(
            "() => jupyterapp.shell.currentWidget.context.sessionContext.session?.kernel?.status === 'idle'",
            timeout=timeout * 1000,
        )

    def outputs(self) -> list[list[dict]]:
        """The outputs of every cell, as the notebook format has them."""
        return self.page.evaluate(
            """() => [...jupyterapp.shell.currentWidget.content.model.cells].map(
                 cell => cell.type === 'code' ? cell.outputs.toJSON() : [])"""
        )

    def printed(self) -> str:
        """All that the cells of the open notebook printed."""
        streams = [o for cell in self.outputs() for o in cell if o["output_type"] == "stream"]
        return "".join("".join(stream["text"]) for stream in streams)

    def cell_count(self) -> int:
        """Cells in the open notebook."""
        return self.page.evaluate("() => jupyterapp.shell.currentWidget.content.widgets.length")

    def _wait_until_connected(self, name: str | None, timeout: float) -> None:
        self._evaluate(
            f"""async () => {{
                const name = {json.dumps(name)};
                const pause = () => new Promise(resolve => setTimeout(resolve, 50));
                let widget = jupyterapp.shell.currentWidget;
                while (name && widget?.context?.path !== name) {{
                    await pause();
                    widget = jupyterapp.shell.currentWidget;
                }}
                await widget.context.ready;
                await widget.context.sessionContext.ready;
                for (;;) {{
                    const kernel = widget.context.sessionContext.session?.kernel;
                    if (kernel?.status === 'idle' && kernel.connectionStatus === 'connected') break;
                    await pause();
                }}
            }}""",
            timeout,
        )

    def _evaluate(self, function: str, timeout: float) -> None:
        """Run an asynchronous function on the page, but no longer than `timeout` seconds.

        Its promise is not waited for across the wire, where the browser may collect it: the page notes how it ended.
        """
        self._calls += 1
        note = f"outcome{self._calls}"
        self.page.evaluate(
            f"""() => {{ Promise.resolve(({function})()).then(
                () => {{ window.{note} = 'done'; }}, error => {{ window.{note} = `failed: ${{error}}`; }}); }}"""
        )
        deadline, outcome = time.monotonic() + timeout, None
        while outcome is None and time.monotonic() < deadline:
            outcome = self.page.evaluate(f"() => window.{note} ?? null")
            if outcome is None:
                self.page.wait_for_timeout(20)
        assert outcome == "done", f"{outcome or f'Not finished within {timeout} s'}: {function[:200]}"

    # -- panels and what they record --

    def panel(self, question: str = "Which completion is better?", nth: int = 0) -> Locator:
        """A rating panel by its headline; the nth of that name on the page."""
        return self.page.get_by_role("group", name=question, exact=True).nth(nth)

    def press_button(self, name: str, panel: Locator | None = None, **how) -> None:
        """Click a button of a panel: "A is better", "B is better", "Tie", "Both bad", "Skip", "Undo"."""
        panel = panel or self.panel()
        self.wait_until_settled(panel)
        panel.get_by_role("button", name=name, exact=True).click(**how)

    def press_key(self, key: str, panel: Locator | None = None) -> None:
        """Press a key, wherever the focus is, once the panel would count it."""
        self.wait_until_settled(panel or self.panel())
        self.page.keyboard.press(key)

    def wait_until_settled(self, panel: Locator) -> None:
        """Wait until the panel has saved, and its question stood for long enough to be answered by a person."""
        panel.evaluate(
            """async (panel) => {
                while (panel.dataset.settling || panel.ariaBusy) await new Promise(resolve => setTimeout(resolve, 20));
            }"""
        )

    def events(self, task_id: str, database: str = "feedback.sqlite") -> list[Record]:
        """What is in the learner's database about a task, retractions included."""
        path = self.server.home / database
        return FeedbackStore(path).events(task_id) if path.exists() else []

    def wait_for_events(self, task_id: str, count: int, seconds: float = 20, **where) -> list[Record]:
        """The events of a task, as soon as there are `count` of them and the page knows that they are saved.

        AssertionError if that takes too long.
        """
        deadline = time.monotonic() + seconds
        while len(events := self.events(task_id, **where)) < count and time.monotonic() < deadline:
            self.page.wait_for_timeout(40)
        self.page.wait_for_function("() => !document.querySelector('.rlhf-panel[aria-busy]')")
        assert len(events) == count, f"{len(events)} events of task {task_id!r} in the database, expected {count}"
        return events

    # -- looks --

    def set_theme(self, name: str) -> None:
        """ "JupyterLab Light" or "JupyterLab Dark"."""
        self._evaluate(f"() => jupyterapp.commands.execute('apputils:change-theme', {{theme: {json.dumps(name)}}})", 20)
        light = json.dumps("true" if "Light" in name else "false")
        self.page.wait_for_function(f"() => document.body.dataset.jpThemeLight === {light}")
        self.page.wait_for_timeout(300)  # style sheets are exchanged

    def accessibility_problems(self, panel: Locator) -> list[str]:
        """What axe-core finds serious or critical in a panel: rule, advice and element."""
        if not self.page.evaluate("() => Boolean(window.axe)"):
            self.page.evaluate(AXE_SCRIPT)
        found = panel.evaluate("async (node) => (await axe.run(node, {resultTypes: ['violations']})).violations")
        return [
            f"{problem['id']}: {problem['help']}: {node['html'][:200]}"
            for problem in found
            if problem["impact"] in ("serious", "critical")
            for node in problem["nodes"]
        ]

    def screenshot(self, name: str, of: Locator | None = None) -> None:
        """Keep a picture in the folder that RLHF_LAB_SCREENSHOTS names; without one do nothing."""
        if folder := os.environ.get("RLHF_LAB_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            (of or self.page).screenshot(path=Path(folder) / f"{name}.png")


@contextlib.contextmanager
def running_lab(notebooks: Path, folder: Path, chromium: str) -> Iterator[Lab]:
    """A server on a copy of `notebooks` and a page, both ended afterwards."""
    server = Server(notebooks, folder)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            page.set_default_timeout(15_000)
            yield Lab(server, page)
            browser.close()
    finally:
        server.stop()
