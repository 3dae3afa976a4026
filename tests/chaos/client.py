"""A client that sends requests while the service is killed, and records every answer."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

from service.core.npz import write_npz
from tests.chaos.failpoints import MODELS
from tests.jobs.job_system import eventually

TINY = {"model": "softmax", "epochs": 2, "train_size": 512, "validation_size": 500}
"""A tenth of a second."""
LONG = {**TINY, "epochs": 150, "train_size": 2000, "patience": None, "checks_per_epoch": 1}
"""A second or two, with checkpoints."""
COLLECTION = "collected"
N_KEPT = 4
"""So many jobs that are over, and versions of each model, are not deleted."""
MAX_OPEN_JOBS = 8
FINAL = ("succeeded", "failed", "cancelled")


@dataclass(slots=True, kw_only=True)
class Ledger:
    """The answers that arrived: promises of the service."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The configuration of each acknowledged job."""
    keys: dict[str, str] = field(default_factory=dict)
    """The job that was acknowledged under each idempotency key."""
    deleting: set[str] = field(default_factory=set)
    """The jobs and images whose deletion was asked for, and the versions, as ``name/version``."""
    deleted: set[str] = field(default_factory=set)
    """Of these, those that were acknowledged."""
    images: set[str] = field(default_factory=set)
    """The acknowledged images of a collection."""
    frozen: dict[str, str] = field(default_factory=dict)
    """The SHA-256 of each acknowledged data set of the collection."""
    imported: dict[str, str] = field(default_factory=dict)
    """The SHA-256 of the weights of each acknowledged import, by ``name/version``."""
    n_imports: int = 0
    """The imports that were asked for and may have made a version."""
    sweeps: set[str] = field(default_factory=set)
    """The acknowledged sweeps."""
    cancelled: set[str] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)
    """The jobs that were seen paused, and of which nothing was asked since."""
    finals: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Each job in the first final state in which it was seen."""
    moves: dict[str, dict[int, tuple[int, str]]] = field(default_factory=dict)
    """For each model the acknowledged moves of its alias: number -> version, reason."""
    messages: dict[tuple[str, int], tuple[float, ...]] = field(default_factory=dict)
    """What each version said of the same image."""
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


class ChaosClient:
    """One thread that submits, cancels, promotes, predicts and looks, as it likes.

    Parameters
    ----------
    rng : decides what it does.
    """

    def __init__(self, rng: random.Random):
        self.ledger = Ledger()
        self._rng = rng
        self._url: str | None = None
        self._served = threading.Condition()
        self._stopped = False
        self._numbers = itertools.count()
        self._unanswered: dict[str, tuple[str, dict[str, Any]]] = {}
        self._thread = threading.Thread(target=self._work, name="chaos client")
        self._http = httpx.Client(timeout=10)

    def start(self) -> None:
        """Send requests as soon as there is a service."""
        self._thread.start()

    def connect(self, url: str | None) -> None:
        """Send requests to this address from now on; None pauses."""
        assert self._thread.is_alive(), "the client has a bug"
        with self._served:
            self._url = url
            self._served.notify()

    def finish(self, *, within_s: float) -> None:
        """Stop asking for more, and see every job over."""
        self._stop_work()
        assert self._url is not None
        # What was asked and not answered is asked again, so that it is known what became of it.
        self._http.base_url = f"{self._url}/api/v1"
        while self._unanswered:
            self._ask(next(iter(self._unanswered)))
        for job_id in self.ledger.jobs.keys() - self.ledger.deleting:
            try:
                self.see(eventually(lambda: self._over(job_id), within_s=within_s))  # noqa: B023
            except AssertionError:
                self.ledger.violations.append(f"job {job_id} is still not over")

    def _over(self, job_id: str) -> dict[str, Any] | None:
        job = self._http.get(f"/jobs/{job_id}").json()
        if job.get("state") == "paused":
            self.ledger.paused.discard(job_id)
            self._http.post(f"/jobs/{job_id}/continue", json={})
        return job if job.get("state") in (*FINAL, None) else None

    def stop(self) -> None:
        """End work."""
        self._stop_work()
        self._http.close()

    def _stop_work(self) -> None:
        with self._served:
            self._stopped = True
            self._served.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._served:
                self._served.wait_for(lambda: self._url or self._stopped)
                if self._stopped:
                    return
                url = self._url
            self._http.base_url = f"{url}/api/v1"
            try:
                self._act()
            except AssertionError as error:
                self.ledger.violations.append(f"an answer that should not be: {error}")
            except httpx.TransportError:
                self.ledger.counts["requests cut off"] += 1
                with self._served:
                    if self._url == url:
                        self._served.wait(0.02)

    def _act(self) -> None:
        open_jobs = [job for job in self.ledger.jobs if job not in self.ledger.finals]
        actions = {
            self._submit: 5 if len(open_jobs) < MAX_OPEN_JOBS else 0,
            self._cancel: 0.5,
            self._pause_or_continue: 2,
            self._promote: 2,
            self._predict: 2,
            self._look: 5,
            self._delete: 0.7,
            self._collect: 1,
            self._import: 0.5,
        }
        self._rng.choices([*actions], [*actions.values()])[0]()
        self.ledger.counts["requests answered"] += 1
        time.sleep(0.01)  # leave the cores to the service

    def _submit(self) -> None:
        if not self._unanswered or self._rng.random() < 0.3:
            self._unanswered[f"key-{next(self._numbers)}"] = self._request()
        self._ask(next(iter(self._unanswered)))

    def _request(self) -> tuple[str, dict[str, Any]]:
        """Return the address and the body of something new to train: a job, a sweep, or what is over, more or anew."""
        kind, name = self._rng.random(), self._rng.choice(MODELS)
        over = [job for job in self.ledger.finals.values() if job["state"] != "failed"]
        over = [job for job in over if job["id"] not in self.ledger.deleting]
        if kind < 0.1:
            return "/sweeps", {"base": TINY, "grid": {"learning_rate": [0.01, 0.02, 0.05]}, "name": name}
        if kind < 0.2 and over:
            job = self._rng.choice(over)
            return f"/jobs/{job['id']}/resume", {"epochs": job["config"]["epochs"] + 2}
        if kind < 0.35 and (made := [job for job in over if job["model"]]):
            return f"/jobs/{self._rng.choice(made)['id']}/verify", {}
        running_long = any(
            job not in self.ledger.finals and config["epochs"] >= LONG["epochs"]
            for job, config in self.ledger.jobs.items()
        )
        return "/jobs", {**(TINY if running_long else LONG), "seed": self._rng.randrange(4), "name": name}

    def _ask(self, key: str) -> None:
        """Ask under a key, perhaps again, until there is an answer."""
        path, body = self._unanswered[key]
        answer = self._http.post(path, json=body or None, headers={"Idempotency-Key": key})
        if answer.status_code == 409 and path.endswith(("/resume", "/verify")):
            del self._unanswered[key]  # there was nothing yet to go on from, or the version is deleted
            return
        assert answer.status_code == 202, (path, body, answer.status_code, answer.text)
        accepted = answer.json()
        if self.ledger.keys.setdefault(key, accepted["id"]) != accepted["id"]:
            self.ledger.violations.append(f"key {key} made two of {path}")
        members = {member["job"]: TINY for member in accepted.get("members", ())}
        if members:
            self.ledger.sweeps.add(accepted["id"])
        for job_id, config in (members or {accepted["id"]: accepted["config"]}).items():
            self.ledger.counts["jobs acknowledged"] += job_id not in self.ledger.jobs
            self.ledger.jobs[job_id] = config
        if self._rng.random() < 0.9:  # or ask again later, as one who missed the answer
            del self._unanswered[key]

    def _cancel(self) -> None:
        open_jobs = [job for job in self.ledger.jobs if job not in self.ledger.finals]
        if not open_jobs:
            return
        job_id = self._rng.choice(open_jobs)
        self.ledger.paused.discard(job_id)
        answer = self._http.post(f"/jobs/{job_id}/cancel")
        if answer.status_code < 300:
            self.ledger.cancelled.add(job_id)
            self.ledger.counts["cancels acknowledged"] += 1
        elif answer.status_code != 409:
            self.ledger.violations.append(f"cancel of {job_id} answered {answer.status_code}: {answer.text}")

    def _pause_or_continue(self) -> None:
        """Pause a job, or continue one by some steps, an epoch, or to its end."""
        open_jobs = [job for job in self.ledger.jobs if job not in self.ledger.finals]
        if not open_jobs:
            return
        job_id = self._rng.choice(open_jobs)
        if job_id in self.ledger.paused:
            self.ledger.paused.discard(job_id)
            by = self._rng.choice([{}, {"epochs": 1}, {"steps": self._rng.randrange(1, 500)}])
            answer, what = self._http.post(f"/jobs/{job_id}/continue", json=by), "continuations"
        else:
            answer, what = self._http.post(f"/jobs/{job_id}/pause"), "pauses"
        if answer.status_code == 202:
            self.ledger.counts[f"{what} acknowledged"] += 1
            self.see(answer.json())
        elif answer.status_code != 409:
            self.ledger.violations.append(f"{what} of {job_id} answered {answer.status_code}: {answer.text}")

    def _promote(self) -> None:
        name = self._rng.choice(MODELS)
        answer = self._http.get(f"/models/{name}")
        if answer.status_code == 404 and not self.ledger.moves.get(name):
            return
        versions = [version["version"] for version in answer.json()["versions"]]
        version, reason = self._rng.choice(versions), f"move {next(self._numbers)}"
        entry = self._accepted(
            "PUT", f"/models/{name}/aliases/champion", 200, json={"version": version, "reason": reason}
        )
        moves = self.ledger.moves.setdefault(name, {})
        if entry["number"] in moves:
            self.ledger.violations.append(f"two moves of {name} were acknowledged as number {entry['number']}")
        moves[entry["number"]] = version, reason
        self.ledger.counts["alias moves acknowledged"] += 1

    def _predict(self) -> None:
        name = self._rng.choice(MODELS)
        answer = self._http.post(f"/models/{name}/predict", json={"pixels": [list(range(0, 224, 8))] * 28})
        if answer.status_code == 404 and not self.ledger.moves.get(name):
            return
        if answer.status_code != 200:
            self.ledger.violations.append(f"a prediction of {name} answered {answer.status_code}: {answer.text}")
            return
        body = answer.json()
        said = tuple(body["predictions"][0]["probabilities"].values())
        if self.ledger.messages.setdefault((name, body["version"]), said) != said:
            self.ledger.violations.append(f"version {body['version']} of {name} changed its mind")
        self.ledger.counts["predictions"] += 1

    def _delete(self) -> None:
        """Delete a job that is over, or a version that is not one of the newest; both may be in use."""
        ledger = self.ledger
        if self._rng.random() < 0.5:
            # Once it is deleted, its key makes another job.
            asked = {ledger.keys.get(key) for key in self._unanswered}
            asked |= {path.split("/")[2] for path, _ in self._unanswered.values() if path.count("/") == 3}
            over = sorted(ledger.finals.keys() - ledger.deleting - asked)
            path = f"/jobs/{(target := self._rng.choice(over))}" if len(over) > N_KEPT else None
        else:
            name = self._rng.choice(MODELS)
            answer = self._http.get(f"/models/{name}")
            versions = [] if answer.status_code == 404 else [each["version"] for each in answer.json()["versions"]]
            there = [target for version in versions[:-N_KEPT] if (target := f"{name}/{version}") not in ledger.deleting]
            path = f"/models/{name}/versions/{(target := self._rng.choice(there))[len(name) + 1 :]}" if there else None
        if path is None:
            return
        ledger.deleting.add(target)
        answer = self._http.delete(path)
        if answer.status_code == 204:
            ledger.deleted.add(target)
            ledger.counts["deletions acknowledged"] += 1
        elif answer.status_code == 409:
            ledger.deleting.discard(target)
        else:
            ledger.violations.append(f"deletion of {target} answered {answer.status_code}: {answer.text}")

    def _collect(self) -> None:
        """Add an image to a collection, delete one, or freeze it."""
        ledger, kind = self.ledger, self._rng.random()
        there = sorted(ledger.images - ledger.deleting)
        if not there:
            made = self._http.post("/collections", json={"name": COLLECTION})
            assert made.status_code in (201, 409), made.text
        if kind < 0.6 or not there:
            digit = self._rng.randrange(10)
            body = {"pixels": [[255 * (abs(x - 14) < 3 + digit // 2) for x in range(28)]] * 28}
            image = self._accepted("POST", f"/collections/{COLLECTION}/images?label={digit}", 201, json=body)
            ledger.images.add(image["id"])
        elif kind < 0.8:
            ledger.deleting.add(image_id := self._rng.choice(there))
            assert self._http.delete(f"/collections/{COLLECTION}/images/{image_id}").status_code == 204
            ledger.deleted.add(image_id)
        else:
            dataset = self._accepted("POST", f"/collections/{COLLECTION}/versions", 201)
            ledger.frozen[dataset["name"]] = dataset["sha256"]

    def _import(self) -> None:
        """Import weights as a version; or part of a file, which is refused and leaves nothing."""
        name = self._rng.choice(MODELS)
        weights = np.full((785, 10), self._rng.random(), np.float32)
        content, is_whole = write_npz({"best": weights, "last": weights}), self._rng.random() < 0.8
        self.ledger.n_imports += is_whole
        answer = self._http.post(f"/models/{name}/versions", content=content if is_whole else content[:-9])
        if answer.status_code == 201 and is_whole:
            made = answer.json()
            self.ledger.imported[f"{name}/{made['version']}"] = made["weights_sha256"]
            self.ledger.counts["imports acknowledged"] += 1
        else:
            assert (answer.status_code, is_whole) == (400, False), (answer.status_code, answer.text)

    def _look(self) -> None:
        if not self.ledger.jobs:
            return
        open_jobs = [job for job in self.ledger.jobs if job not in self.ledger.finals]
        there = [job for job in self.ledger.jobs if job not in self.ledger.deleting]
        if not there:
            return
        job_id = self._rng.choice(open_jobs if open_jobs and self._rng.random() < 0.8 else there)
        answer = self._http.get(f"/jobs/{job_id}")
        if answer.status_code != 200:
            self.ledger.violations.append(f"job {job_id} was acknowledged, and now answers {answer.status_code}")
            return
        self.see(answer.json())

    def see(self, job: dict[str, Any]) -> None:
        """Remember a job that is paused or over, and that it was before."""
        if "state" not in job:
            self.ledger.violations.append(f"a job was acknowledged, and now answers {job}")
            return
        if job["state"] == "paused":
            self.ledger.paused.add(job["id"])
        elif job["id"] in self.ledger.paused:
            self.ledger.violations.append(f"job {job['id']} was paused, and now is {job['state']}")
        if job["state"] not in FINAL:
            if job["id"] in self.ledger.finals:
                self.ledger.violations.append(f"job {job['id']} was over, and now is {job['state']}")
            return
        first = self.ledger.finals.setdefault(job["id"], job)
        for name in ("state", "model", "error"):
            if first[name] != job[name]:
                self.ledger.violations.append(f"job {job['id']} is over, and its {name} changed afterwards")

    def _accepted(self, method: str, path: str, status: int, **request: Any) -> dict[str, Any]:
        answer = self._http.request(method, path, **request)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        body: dict[str, Any] = answer.json()
        return body
