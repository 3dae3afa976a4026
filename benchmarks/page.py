"""How soon the page is drawn by a slow processor, and how much is transferred for it.

    python -m benchmarks.page [--rounds N] [--slower N] [--json FILE]

A headless Chromium on this machine, whose processor is slowed down by its own means, as a phone's would be; without a
cache, and without a slow network. From the start of the navigation to the first frame in which the paper, the bars of
the prediction and the navigation stand, by the clock; and the processor time that the page's main thread takes until
then, as many times as the processor is made slower, which a busy machine hardly changes. Chromium and the package
playwright must be installed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.paired import machine, warn_if_busy
from benchmarks.start import service

WANTED = {"drawn_ms": 1_000, "processor_ms": 1_000, "transferred_kb": 150}

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-quic"]
_LOOK = """
window.drawnAt = new Promise(resolve => {
    const stands = part => document.querySelector(part)?.getBoundingClientRect().height > 0;
    const look = () => {
        const isThere = ["#pad", "#bars", "nav a"].every(stands);
        requestAnimationFrame(isThere ? () => resolve(performance.now()) : look);
    };
    addEventListener("DOMContentLoaded", look);
});
"""
_TRANSFERRED = """["resource", "navigation"].flatMap(kind => performance.getEntriesByType(kind))
    .reduce((sum, each) => sum + each.transferSize, 0)"""


def processor_ms(browser: Browser, url: str) -> float:
    """Open the page for the first time; return the processor time of its main thread until it was drawn."""
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.add_init_script(_LOOK)
        page.goto(url)
        page.evaluate("window.drawnAt")
        found = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return 1000 * float(found["TaskDuration"])


def first_view(browser: Browser, url: str, *, slower: float) -> dict[str, float]:
    """Open the page for the first time; return when it was drawn and what was transferred until nothing more was."""
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        page = context.new_page()
        context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
        page.add_init_script(_LOOK)
        page.goto(url)
        page.wait_for_load_state("networkidle")
        return {"drawn_ms": page.evaluate("window.drawnAt"), "transferred_kb": page.evaluate(_TRANSFERRED) / 1000}


def main(arguments: list[str] | None = None) -> int:
    """Measure; the exit code is 1 where a figure is not as wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--slower", type=float, default=6, help="how many times slower the processor is made")
    parser.add_argument("--json", type=Path, help="write the values to this file")
    asked = parser.parse_args(arguments)
    warn_if_busy()
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as (_, url), sync_playwright() as playwright:
        executable = shutil.which("chromium-headless-shell") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        first_view(browser, url, slower=1)  # Chromium itself begins
        rounds = [
            {
                **first_view(browser, url, slower=asked.slower),
                "processor_ms": asked.slower * processor_ms(browser, url),
            }
            for _ in range(asked.rounds)
        ]
        browser.close()
    values = {name: [each[name] for each in rounds] for name in WANTED}
    medians = {name: statistics.median(found) for name, found in values.items()}
    for name, wanted in WANTED.items():
        met = "yes" if medians[name] <= wanted else "NO"
        spread = f"({min(values[name]):,.0f} to {max(values[name]):,.0f})"
        print(f"{name:15} {medians[name]:8,.0f}  {spread:18} wanted at most {wanted:,}: {met}")
    if asked.json:
        asked.json.write_text(json.dumps({"machine": machine(), "slower": asked.slower, "values": values}, indent=2))
    return int(any(medians[name] > wanted for name, wanted in WANTED.items()))


if __name__ == "__main__":
    sys.exit(main())
