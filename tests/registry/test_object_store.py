"""The object store, against an S3-compatible server: exclusive, whole or absent, cached, and honest about refusals."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Barrier
from wsgiref.simple_server import WSGIRequestHandler, make_server

import numpy as np
import pytest

from service.bootstrap import Service
from service.core import Floats
from service.datasets import Dataset, read_upload
from service.errors import Corrupted, InvalidField, StorageFailed
from service.registry import Manifest, ModelDraft, Registry
from service.settings import Settings
from service.stores import ObjectStore

pytestmark = pytest.mark.slow
MakeStore = Callable[..., ObjectStore]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def make_store(bucket: str, cache: Path) -> MakeStore:
    """Open the test's own prefix of the bucket, as another process does: the cache is shared unless one is given."""
    return lambda cache=cache: ObjectStore(bucket, cache)


@pytest.fixture
def store(make_store: MakeStore) -> ObjectStore:
    return make_store()


def test_what_is_created_is_read_back_and_never_replaced(store: ObjectStore) -> None:
    store.check()
    store.check()
    store.create("digits/1/weights.npz", b"abc")
    assert store.read("digits/1/weights.npz", max_bytes=3) == b"abc"
    with pytest.raises(FileExistsError):
        store.create("digits/1/weights.npz", b"def")
    assert store.read("digits/1/weights.npz", max_bytes=3) == b"abc"
    store.create("empty", b"")
    assert store.read("empty", max_bytes=0) == b""
    store.clean()
    assert (store.list(""), store.list("digits"), store.list("digits/1")) == (
        ["digits", "empty"],
        ["1"],
        ["weights.npz"],
    )


def test_absent_blobs_and_folders(store: ObjectStore) -> None:
    assert store.list("") == store.list("digits") == []
    store.create("digits/1/manifest.json", b"{}")
    for key in ("digits/2/manifest.json", "other", "digits", "digits/1/manifest.json/more"):
        with pytest.raises(FileNotFoundError):
            store.read(key, max_bytes=10)
    assert store.list("digits/1/manifest.json") == store.list("dig") == []


@pytest.mark.parametrize("key", ["", "/", "..", "../x", "a//b", "a/", ".tmp/x", "a\n", "é"])
def test_a_key_that_could_leave_the_store_is_a_mistake_of_the_caller(store: ObjectStore, key: str) -> None:
    for use in (lambda: store.create(key, b""), lambda: store.read(key, max_bytes=10)):
        with pytest.raises(ValueError, match="not a key"):
            use()


def test_of_many_who_create_a_key_one_succeeds(store: ObjectStore) -> None:
    barrier = Barrier(8)

    def create(content: bytes) -> bytes | None:
        barrier.wait()
        try:
            store.create("race", content)
        except FileExistsError:
            return None
        return content

    with ThreadPoolExecutor(8) as pool:
        winners = [content for content in pool.map(create, [bytes([n]) * 1000 for n in range(8)]) if content]
    assert winners == [store.read("race", max_bytes=1000)]


def test_a_blob_larger_than_allowed_is_not_read(store: ObjectStore, make_store: MakeStore) -> None:
    store.create("big", b"x" * 11)
    for _ in range(2):
        with pytest.raises(Corrupted):
            store.read("big", max_bytes=10)
    assert store.read("big", max_bytes=11) == b"x" * 11
    with pytest.raises(Corrupted):
        store.read("big", max_bytes=10)


def test_a_cached_blob_is_fetched_once_and_a_damaged_one_again(
    store: ObjectStore, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create("a", b"abc")
    fetched = []
    get = store._obstore.get
    monkeypatch.setattr(store._obstore, "get", lambda bucket, key: fetched.append(key) or get(bucket, key))
    for _ in range(3):
        assert store.read("a", max_bytes=3) == b"abc"
    assert fetched == ["a"]
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[:-1] + b"x", b"", b"x" + whole[1:]):
        file.write_bytes(damaged)
        fetched.clear()
        assert store.read("a", max_bytes=3) == b"abc"
        assert fetched == ["a"] and file.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_done_without(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = ObjectStore(bucket, tmp_path / "file" / "cache")
    store.create("a", b"abc")
    assert store.read("a", max_bytes=3) == b"abc"


def test_a_server_that_is_away_is_a_failure_of_storage(
    bucket: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    store = ObjectStore(bucket, cache)
    for use in (store.check, lambda: store.list(""), lambda: store.read("a", max_bytes=1)):
        with pytest.raises(StorageFailed) as refused:
            use()
        assert "127.0.0.1" not in refused.value.message


def test_a_bucket_that_is_not_there_says_so(cache: Path, bucket: str) -> None:
    with pytest.raises(StorageFailed):
        ObjectStore("s3://no-such-bucket/x", cache).check()


@pytest.mark.parametrize("url", ["s3://", "s3:///x", "s3://UPPER/x", "s3://bucket/a b", "gs://bucket/x", "s3://b?x=1"])
def test_a_url_that_is_none_of_a_bucket_is_refused(url: str, cache: Path) -> None:
    with pytest.raises(InvalidField) as refused:
        ObjectStore(url, cache)
    assert refused.value.field == "store_url"


def test_a_store_that_ignores_conditions_is_not_used(bucket: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every PUT is answered 200, as by a proxy that drops If-None-Match."""

    def agree(environ: dict[str, object], start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("ETag", '"0"'), ("Content-Length", "0")])
        return [b""]

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with make_server("127.0.0.1", 0, agree, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        try:
            with pytest.raises(StorageFailed, match="If-None-Match"):
                ObjectStore(bucket, cache).check()
        finally:
            server.shutdown()
            thread.join()


def test_engines_that_finish_the_same_job_make_one_version(
    make_store: MakeStore,
    make_draft: Callable[..., ModelDraft],
    make_weights: Callable[[int, ModelDraft], tuple[Floats, Floats]],
    tmp_path: Path,
) -> None:
    registries = [Registry(make_store(tmp_path / str(n))) for n in range(4)]
    barrier = Barrier(4)

    def finish(engine: int) -> list[Manifest]:
        made = []
        for job in range(3):
            barrier.wait()
            draft = make_draft(job_id=f"job-{job}")
            made.append(registries[engine].register("digits", draft, *make_weights(job, draft)))
        return made

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(finish, range(4)))
    assert made[0] == made[1] == made[2] == made[3]
    versions = registries[0].versions("digits")
    jobs = [registries[0].load("digits", version).manifest.job_id for version in versions]
    assert jobs == ["job-0", "job-1", "job-2"]


def test_a_service_keeps_its_models_in_a_bucket(bucket: str, tmp_path: Path) -> None:
    """Two of them on one bucket: what one has registered and named, the other serves."""
    first, second = (
        Service(Settings(data_dir=tmp_path / name, store_url=bucket, executor="inline", workers=1)) for name in "ab"
    )
    with first, second:
        assert first.catalogue.get("mnist-softmax", None) is not None
        first.registry.set_alias("mnist-softmax", "chosen", 1)
        assert second.registry.resolve("mnist-softmax", "chosen") == 1
    assert not (tmp_path / "a" / "model_store").exists()


def test_a_service_keeps_data_sets_beside_them(bucket: str, mnist: Dataset, tmp_path: Path) -> None:
    chosen = mnist.test.labels < 2
    images, labels = mnist.test.images[chosen], mnist.test.labels[chosen]
    np.savez(file := BytesIO(), x_train=images, y_train=labels, x_test=images[:9], y_test=labels[:9])
    first, second = (
        Service(Settings(data_dir=tmp_path / name, store_url=bucket, executor="inline", workers=1)) for name in "ab"
    )
    with first, second:
        first.datasets.receive(
            {"name": "two"}, lambda names, limit: read_upload({"file": file.getvalue()}, names, limit_bytes=limit)
        )
        np.testing.assert_array_equal(second.datasets.get("two").training.images, images)
        assert list(second.registry.names()) == ["mnist-2-vs-3", "mnist-digits", "mnist-softmax"]
