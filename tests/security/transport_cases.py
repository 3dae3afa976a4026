"""What is wrong before any route is reached."""

from __future__ import annotations

from tests.security.case import CANARY, JSON, NO_JOB, OCTETS, Case, get, post, raw

_GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
_POST = b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
_PREDICT = b"POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
_JOB = b'{"model": "softmax"}'
_TLS_HELLO = bytes.fromhex("16030100f4010000f00303") + bytes(range(200))
_MALFORMED = (400, "malformed-input")
_TOO_LONG = (431, "headers-too-large")

TRANSPORT: tuple[Case, ...] = (
    *(
        get(number, "/jobs", 400, "bad-host", name=f"Host: {host[:40]!r}", request={"headers": {"Host": host}})
        for number, host in [
            (6, "evil.example"),
            (6, "localhost.evil.example"),
            (7, ""),
            (8, "localhost/x"),
            (8, "localhost?x"),
            (8, "user@localhost"),
            (8, "localhost:port"),
        ]
    ),
    raw(7, "no Host", b"GET /api/v1/jobs HTTP/1.1\r\n\r\n", 400, "bad-host"),
    raw(7, "no Host, HTTP/1.0", b"GET /api/v1/jobs HTTP/1.0\r\n\r\n", 400, "bad-host"),
    raw(7, "two Hosts", b"GET /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", 400, "bad-host"),
    raw(9, "a header of 5 MB", _GET + b"X: " + b"a" * 5_000_000, *_TOO_LONG, or_closed=True),
    raw(9, "a header of 40 KB", _GET + b"X: " + b"a" * 40_000 + b"\r\n\r\n", *_TOO_LONG),
    raw(9, "a name of 40 KB", _GET + b"a" * 40_000 + b": x\r\n\r\n", *_TOO_LONG),
    raw(9, "an address of 40 KB", b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", *_TOO_LONG),
    raw(9, "an address without end", b"GET /" + b"a" * 5_000_000, *_TOO_LONG, or_closed=True),
    raw(10, "2,000 headers", _GET + b"X: y\r\n" * 2000 + b"\r\n", *_TOO_LONG),
    raw(10, "a trailer without end", _POST + _CHUNKED + b"1\r\n \r\n0\r\nX: " + b"a" * 5_000_000, None),
    raw(
        10, "2,000 trailers", _POST + _CHUNKED + b"1\r\n \r\n0\r\n" + b"X: y\r\n" * 2000 + b"\r\n", 400, or_closed=True
    ),
    raw(11, "a length and chunks", _POST + b"Content-Length: 5\r\n" + _CHUNKED + b"0\r\n\r\n", *_MALFORMED),
    raw(11, "two lengths", _POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", *_MALFORMED),
    raw(11, "length -1", _POST + b"Content-Length: -1\r\n\r\n", *_MALFORMED),
    raw(11, "length +2", _POST + b"Content-Length: +2\r\n\r\n{}", *_MALFORMED),
    raw(11, "length of 30 digits", _POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", *_MALFORMED),
    raw(
        11,
        "chunked twice",
        _POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        *_MALFORMED,
        or_closed=True,
    ),
    raw(11, "a chunk of negative length", _POST + _CHUNKED + b"-1\r\n", None),
    raw(11, "a chunk of 2^64 bytes", _POST + _CHUNKED + b"f" * 17 + b"\r\n", None),
    raw(11, "a folded header", _GET + b"X: a\r\n b\r\n\r\n", *_MALFORMED),
    raw(11, "a blank before the colon", _POST + b"Content-Length : 2\r\n\r\n{}", *_MALFORMED),
    raw(11, "a NUL in a header", _GET + b"X: a\0b\r\n\r\n", *_MALFORMED),
    raw(12, "TLS", _TLS_HELLO, *_MALFORMED),
    raw(12, "HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", *_MALFORMED),
    raw(12, "noise", bytes(range(256)) * 4, *_MALFORMED),
    raw(12, "HTTP/0.9", b"GET /\r\n\r\n", 400, "bad-host"),
    raw(12, "a proxy's CONNECT", b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", *_MALFORMED),
    raw(12, "a proxy's GET", b"GET http://evil.example/x HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "not-found"),
    raw(12, "bytes beyond ASCII in the address", b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n", *_MALFORMED),
    raw(12, "an upgrade", _GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200),
    raw(16, "a length above the limit", _POST + b"Content-Length: 262145\r\n\r\n", 413, "input-too-large"),
    raw(
        16,
        "the same, asking first",
        _POST + b"Expect: 100-continue\r\nContent-Length: 262145\r\n\r\n",
        413,
        "input-too-large",
    ),
    raw(16, "an image's length", _PREDICT + b"Content-Length: 16777217\r\n\r\n", 413, "input-too-large"),
    raw(17, "chunks across the limit", _POST + _CHUNKED + b"40001\r\n" + b" " * 262_145, 413, "input-too-large"),
    raw(18, "65,537 chunks of a byte", _POST + _CHUNKED + b"1\r\n1\r\n" * 65_537 + b"0\r\n\r\n", *_MALFORMED),
    post(19, "gzip", _JOB, 415, "unsupported-media", "Content-Encoding", headers={"Content-Encoding": "gzip"}),
    post(19, "an unknown encoding", _JOB, 415, "unsupported-media", headers={"Content-Encoding": CANARY}),
    *(
        get(20, path, 406, "not-acceptable", request={"headers": {"Accept": "application/xml, image/*"}})
        for path in ("/jobs", "/datasets", "/models")
    ),
    get(21, "/nothing", 404, "not-found"),
    get(21, "/jobs/", 404, "not-found"),
    get(21, "//nothing/at/all", 404, "not-found"),
    get(22, "/jobs", 405, "method-not-allowed", name="PATCH", method="PATCH"),
    get(22, "/jobs", 405, "method-not-allowed", name="TRACE", method="TRACE"),
    get(22, "/jobs", 400, "malformed-input", name="a method of nobody", method="BREW"),
    get(22, f"/jobs/{NO_JOB}", 405, "method-not-allowed", method="PUT"),
    get(23, "/jobs/%00", 404, "not-found"),
    get(23, "/jobs/%ff", 404, "job-not-found"),
    get(23, "/jobs/..%2f..%2fetc", 404, "not-found"),
    get(23, "/models/%2e%2e", 404, "model-not-found"),
    get(23, "/models/%5c..%5c", 404, "model-not-found"),
    get(23, "//static/..%2f..%2fpyproject.toml", 404, "not-found"),
    get(23, "//static/%2e%2e/%2e%2e/settings.py", 404, "not-found"),
    get(23, "//static/..%5c..%5csettings.py", 404, "not-found"),
    get(23, "//static/%00", 404, "not-found"),
    get(23, "//static/page", 404, "not-found", ours="folders are not listed"),
    get(23, "//problems/..%2fx", 404, "not-found"),
    raw(23, "a path that climbs", b"GET /static/../settings.py HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "not-found"),
    *(
        post(25, f"from {origin}", _JOB, 403, "cross-origin", headers={"Origin": origin})
        for origin in ("null", "http://evil.example", "http://127.0.0.1:1", f"https://{CANARY}.example")
    ),
    get(27, "/jobs", 200, None, name="an id of 10 KB", request={"headers": {"X-Request-ID": CANARY * 2000}}),
    raw(27, "an id with CRLF", _GET + b"X-Request-ID: a\r\n" + CANARY.encode() + b": b\r\n\r\n", 200),
    Case(
        number=33,
        name="text instead of JSON",
        method="POST",
        request={"content": _JOB, "headers": {"Content-Type": "text/plain"}},
        status=415,
        problem="unsupported-media",
        place="Content-Type",
    ),
    Case(number=33, name="no type", method="POST", request={"content": _JOB}, status=415, problem="unsupported-media"),
    Case(
        number=33,
        name="a form instead of JSON",
        method="POST",
        request={"data": {"model": "softmax"}},
        status=415,
        problem="unsupported-media",
    ),
    Case(
        number=16,
        name="a predicted body above the limit",
        method="POST",
        path="/predict",
        request={"content": bytes(16_777_217), "headers": OCTETS},
        status=413,
        problem="input-too-large",
    ),
    Case(
        number=17,
        name="three chunks across the limit",
        method="POST",
        request={"content": iter([b" " * 100_000] * 3), "headers": JSON},
        status=413,
        problem="input-too-large",
    ),
)
