"""What a second web process brings on two cores: `inkling serve --web-workers 2` beside one.

    python -m benchmarks.web_workers [--rounds N] [--seconds N] [--json FILE] [--picture FILE]

Two wrk send raw images over 16 connections from the same two cores, so two processes never have both to themselves, and
where two cores share the units of one, each is slower when both are busy. Beside the rates as they are it tells

- the processor time of a request, of the service and of wrk, and what follows from it for clients elsewhere:
  2 x (time of a request with one process) / (time with two);
- two services that share nothing, a wrk for each: the most that this machine can give.

wrk and taskset must be installed. Linux only.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from matplotlib.figure import Figure

from benchmarks.paired import interleave, new_figure, warn_if_busy, write
from benchmarks.serving import drive, kinds
from benchmarks.start import processor_s, service

WANTED = 1.7
"""Times as many requests with two processes as with one."""
ONE, TWO, APART = "1 process", "2 processes", "2 services"
_CONNECTIONS = 16
_START_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Requests a second, and the processor time of one in microseconds."""

    rate: float
    service_us: float
    wrk_us: float


def family(pid: int) -> Iterator[int]:
    """Yield a process and all that come from it."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from family(int(child))


def measure_once(served: Sequence[tuple[str, int]], folder: Path, seconds: int, _round: int) -> Measured:
    """Drive services, each an URL and a process, at once: a wrk each, or both for the only one."""
    urls = [url for url, _ in served] * (2 // len(served))
    path, body, media_type, _ = kinds()["raw"]

    def used_s() -> tuple[float, float]:
        waited_for = resource.getrusage(resource.RUSAGE_CHILDREN)
        of_services = sum(processor_s(one) for _, pid in served for one in family(pid))
        return of_services, waited_for.ru_utime + waited_for.ru_stime

    def rate_of(url: str) -> float:
        return drive(
            url + path,
            body,
            media_type,
            Path(tempfile.mkdtemp(dir=folder)),  # two write what they send at the same time
            seconds=seconds,
            connections=_CONNECTIONS // len(urls),
            accept="application/json",
            cores="0,1",
        )

    before = used_s()
    with ThreadPoolExecutor() as pool:
        rate = sum(pool.map(rate_of, urls))
    of_service_s, of_wrk_s = (after - earlier for after, earlier in zip(used_s(), before, strict=True))
    n_requests = rate * seconds
    return Measured(rate=rate, service_us=1e6 * of_service_s / n_requests, wrk_us=1e6 * of_wrk_s / n_requests)


def wait_until_all_answer(url: str, n_processes: int) -> None:
    """Wait until so many listen, and until enough connections were answered that each of them must have had one."""
    give_up_s = time.monotonic() + _START_S
    listening = f":{urlsplit(url).port:04X} 00000000:0000 0A"
    while Path("/proc/net/tcp").read_text().count(listening) < n_processes:
        if time.monotonic() > give_up_s:
            raise SystemExit(f"{n_processes} web processes did not start.")
        time.sleep(0.1)
    for _ in range(24):
        httpx.get(f"{url}/api/v1/models", timeout=_START_S).raise_for_status()


def measure(rounds: int, seconds: int) -> dict[str, list[Measured]]:
    """Return what each round found."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as until_done:
        folder = Path(name)
        services = []
        for number, n_processes in enumerate((1, 2, 1)):
            running = service(folder / str(number), "--web-workers", str(n_processes))
            process, url = until_done.enter_context(running)
            wait_until_all_answer(url, n_processes)
            services.append((url, process.pid))
        first, with_two, second = services
        contenders: dict[str, Callable[[int], Measured]] = {
            label: partial(measure_once, served, folder, seconds)
            for label, served in ((ONE, [first]), (TWO, [with_two]), (APART, [first, second]))
        }
        return interleave(contenders, rounds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--quick", action="store_true", help="two short rounds, to try")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    warn_if_busy()
    found = measure(*((2, 2) if arguments.quick else (arguments.rounds, arguments.seconds)))
    ratios = {}
    print(f"{'':13}{'requests/s':>11}{'service, us':>13}{'wrk, us':>9}")
    for name, each in found.items():
        told = [statistics.median(getattr(one, what) for one in each) for what in ("rate", "service_us", "wrk_us")]
        print(f"{name:13}{told[0]:11,.0f}{told[1]:13.1f}{told[2]:9.1f}", end="")
        ratios[name] = {
            "rate": statistics.median(more.rate / one.rate for one, more in zip(found[ONE], each, strict=True)),
            "processor time": statistics.median(
                2 * one.service_us / more.service_us for one, more in zip(found[ONE], each, strict=True)
            ),
        }
        told = "" if name == ONE else "   {rate:.2f} times one; by processor time {processor time:.2f}"
        print(told.format(**ratios[name]))
    met = ratios[TWO]["processor time"] >= WANTED
    print(f"wanted of two processes, with clients elsewhere: {WANTED:g} times: {'yes' if met else 'NO'}")
    measured = {name: list(map(asdict, each)) for name, each in found.items()}
    facts = {"measured": measured, "ratios": ratios, "wanted": WANTED}
    write(facts, picture(found), json_file=arguments.json, picture=arguments.picture)


def picture(found: dict[str, list[Measured]]) -> Figure:
    """Rates, and the processor time of a request, whose upper part is wrk's."""
    figure = new_figure(8, 3)
    rates, times = figure.subplots(1, 2)
    for axes, parts in ((rates, ["rate"]), (times, ["service_us", "wrk_us"])):
        bottom = [0.0] * len(found)
        for part, colour in zip(parts, ("tab:blue", "0.75"), strict=False):
            heights = [statistics.median(getattr(one, part) for one in each) for each in found.values()]
            axes.bar(list(found), heights, bottom=bottom, color=colour, label=part.removesuffix("_us"))
            bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    for place, each in enumerate(found.values()):
        rates.plot([place] * len(each), [one.rate for one in each], "o", color="0.2", markersize=4)
    rates.set_ylabel("requests a second")
    times.set_ylabel("processor time of a request, us")
    times.legend(loc="lower center")
    return figure


if __name__ == "__main__":
    main()
