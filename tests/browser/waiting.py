"""Waiting in the page itself. Playwright's `wait_for_function` evaluates strings, which the page's policy forbids."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page


def wait_until(page: Page, condition: str, argument: Any = None) -> None:
    """Wait until a JavaScript function returns true; pytest's own time limit ends it.

    Asked in each frame instead, it would have all frames drawn.
    """
    page.evaluate(
        f"""argument => new Promise(done => {{
            const holds = {condition};
            const look = () => holds(argument) ? done() : setTimeout(look, 20);
            look();
        }})""",
        argument,
    )
