"""How a report writes its numbers: shares, losses, differences, counts. `FILTERS` are those of its templates."""

import re
from collections.abc import Sequence

from service.charts import superscript


def in_markdown(text: str) -> str:
    """Write a text so that nothing in it is taken for Markdown, a formula or HTML."""
    return re.sub(r"([\\`*_\[\]<|#$])", r"\\\1", text)


def ordinal(number: int) -> str:
    """Write 1st, 22nd, 113th."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def percent(share: float) -> str:
    """Write a share, 97.9%."""
    return f"{100 * share:.2f}%"


def points(difference: float) -> str:
    """Write the size of a difference of shares: 1.23 percentage points."""
    size = f"{100 * abs(difference):.2f}"
    return f"{size} percentage point{'' if size == '1.00' else 's'}"


def signed(difference: float) -> str:
    """Write a difference of shares with its sign, in percentage points: −1.76."""
    text = f"{100 * difference:+.2f}"
    return minus(text) if float(text) else "0.00"


def minus(number: str) -> str:
    """Write a number with a minus sign instead of a hyphen."""
    return number.replace("-", "−")


def short(number: str) -> str:
    """Write decimals without the zeros at their end."""
    return number.rstrip("0").rstrip(".")


def loss(value: float) -> str:
    """Write a loss with four decimals."""
    return f"{value:.4f}"


def penalty(value: float) -> str:
    """Write an L2 penalty: λ = 0.001."""
    return f"λ = {value:g}"


def power(value: float) -> str:
    """Write a small number as 1.2 × 10⁻¹⁰."""
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa} × 10{superscript(int(exponent))}"


def count(number: int, noun: str) -> str:
    """Write how many there are: 1 step, 1,038 steps."""
    plural = noun + ("es" if noun.endswith("tch") else "s")
    return f"{number:,} {noun if number == 1 else plural}"


def of_each(labels: Sequence[int]) -> str:
    """Write how many images there are of each class: 2 images of 3 and 1 image of 5."""
    return listed([f"{count(labels.count(label), 'image')} of {label}" for label in sorted(set(labels))])


def listed(words: Sequence[str]) -> str:
    """Join as in a sentence: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


_UNBROKEN = re.compile(
    r"(?<=[λph]) [=<] | × | ± |"
    r"(?<=\d) (?=steps?\b|epochs?\b|checks?\b|blocks?\b|images?\b|seeds?\b|percentage\b|of [0-9]\b)"
)


def unbroken(text: str) -> str:
    """Put non-breaking spaces where a line must not end: in λ = 1, in 2 × 10³, between a number and its unit."""
    return _UNBROKEN.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), text)


FILTERS = (
    in_markdown, ordinal, percent, points, signed, minus, short, loss, penalty, power, count, of_each, listed, unbroken,
)  # fmt: skip
