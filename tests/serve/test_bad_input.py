"""What reaches the port is anything at all: it is refused in its own words, in bounds, and the service goes on."""

import json
import random
import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serve.conftest import EVENT, get, post, write_project

from veredito.testing.service import running_service

ROW = {"amount": 10.0, "age": 30.0}
IN_FLIGHT_MAX = 4


@pytest.fixture(scope="module")
def alive(tmp_path_factory, model_folder):
    """One service for the whole file: whatever a test does to it, the next finds it answering."""
    folder = tmp_path_factory.mktemp("alive")
    write_project(folder, model_folder)
    with running_service(folder / "service.toml") as service:
        yield service
        assert "Traceback" not in service.log, service.log[-3000:]


@pytest.fixture(autouse=True)
def _still_answers(alive):
    yield
    assert post(alive, "/v1/predict", ROW).status == 200


def connected(service):
    address = urlsplit(service.url)
    return socket.create_connection((address.hostname, address.port), timeout=30)


def raw(service, data):
    """Send bytes and read to the end of the connection, or to the end of an answer's head."""
    with connected(service) as connection:
        connection.sendall(data)
        received = b""
        while b"\r\n\r\n" not in received and (part := connection.recv(65536)):
            received += part
        return received


def head(body, *lines, path=b"/v1/predict"):
    return b"\r\n".join(
        [b"POST " + path + b" HTTP/1.1", b"host: x", b"content-length: %d" % len(body), *lines, b"", body]
    )


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /v1/predict HTTP/9.9\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-length: minus one\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nno colon here\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50,
    ],
    ids=["binary", "no target", "version", "text length", "negative length", "chunk size", "header", "TLS"],
)
def test_what_is_not_http_is_refused_or_cut_off(alive, data):
    """Nothing that is no request is answered as one."""
    received = raw(alive, data)

    assert received == b"" or received.split(b" ")[1] in {b"400", b"404", b"422"}


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 500_000,
        b'{"amount":' * 50_000,
        b"[" * 500_000 + b"]" * 500_000,
        b'{"amount": 1' + b"0" * 400_000 + b"}",
        b'{"amount": 1e400}',
        b'{"amount": -Infinity}',
        b'{"amount": NaN, "age": 1}',
        b'{"amount": "1.5"}',
        b'{"amount": 1.5, "age": 1, "age": "x"}',
        b'{"amount": 0x10}',
        b'{"amount": 01}',
        b'{"amount": 1,}',
        b"\xef\xbb\xbf{}",
        b'{"amount": 1}{"amount": 2}',
        b'{"\\ud800": 1}',
        b'{"am\xffount": 1}',
        b"\x00" * 1000,
        b'"' + b"x" * 900_000 + b'"',
        b"{" + b",".join(b'"k%d": 1' % i for i in range(50_000)) + b"}",
        b"[" + b",".join([b"[]"] * 900) + b"]",
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
@pytest.mark.parametrize("path", ["/v1/predict", "/v2/models/fraud/infer", "/v1/decide"])
def test_json_that_is_made_to_hurt_is_refused(alive, path, body):
    """Depth, size, numbers and bytes: a 400 or 422 in a body of bounded size."""
    reply = post(alive, path, body)

    assert reply.status in {400, 422}
    assert (reply.json if "/v2/" in path else reply.error)["code"] == "invalid_input"
    assert len(reply.body) < 20_000


@pytest.mark.parametrize("part", ["inputs", "outputs"])
def test_tensors_without_end_are_refused_together(alive, part):
    """One a field is all there can be."""
    tensor = {"name": "age", "shape": [1], "datatype": "FP64", "data": [1.0]}
    body = {"inputs": [tensor]} | {part: [tensor if part == "inputs" else {"name": "no"}] * 10_000}

    reply = post(alive, "/v2/models/fraud/infer", body)

    assert reply.status == 422
    assert len(reply.body) < 1000


def test_rows_full_of_unknown_fields_are_refused_shortly(alive):
    """A batch of them is as bounded as one."""
    reply = post(alive, "/v1/predict", [{f"k{i}": 1 for i in range(1000)}] * 50)

    assert reply.status == 422
    assert len(reply.error["problems"]) < 150


def test_the_last_of_a_doubled_key_counts_and_is_checked(alive):
    """As in every JSON parser; both values pass the schema or the request does not."""
    doubled = post(alive, "/v1/predict", b'{"amount": 1.0, "amount": 10.0, "age": 30.0}')

    assert doubled.json == post(alive, "/v1/predict", ROW).json


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/json; x"]
)
def test_the_body_decides_and_not_what_it_is_called(alive, kind):
    """Clients label JSON in many ways; what is no JSON is refused whatever it is called."""
    assert post(alive, "/v1/predict", ROW, content_type=kind).status == 200
    assert post(alive, "/v1/predict", b"amount=1", content_type=kind).status == 400


@pytest.mark.parametrize(
    "line",
    [
        b"x-request-id: " + b"a" * 129,
        b"x-request-id: \xc3\xa9",
        b"x-request-id: a b",
        b"x-request-id:",
        b"x-server-timing: \xff",
        b"idempotency-key: k",
        b"x-request-timeout-ms: 99999999999999999999",
    ],
)
def test_odd_headers_do_no_harm(alive, line):
    """An id that is not printable is replaced; everything else is taken for what it is."""
    body = json.dumps(ROW).encode()

    received = raw(alive, head(body, line))

    assert received.startswith(b"HTTP/1.1 200")
    assert b"a" * 129 not in received


def test_a_header_without_an_end_is_cut_off(alive):
    """A head of a megabyte is not collected."""
    with connected(alive) as connection:
        try:
            for _ in range(64):
                connection.sendall(b"x-long: " + b"a" * 65_536)
            received = connection.recv(1000)
        except OSError:
            received = b""
    assert received == b"" or b" 400 " in received.split(b"\r\n")[0]


def test_slow_bodies_hold_up_nobody(alive):
    """Callers that send a byte and stop take no room from those who send it all."""
    body = json.dumps(ROW).encode()
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(alive)) for _ in range(100)]
        for connection in slow:
            connection.sendall(head(body)[:-5])

        assert post(alive, "/v1/predict", ROW).status == 200
        for connection in slow:
            connection.sendall(head(body)[-5:])
        answers = [connection.recv(65536).split(b"\r\n")[0] for connection in slow]

    assert set(answers) == {b"HTTP/1.1 200 OK"}


def test_many_connections_are_held_and_answered(alive):
    """Five hundred callers at once, each answered with its own row."""
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(alive)) for _ in range(500)]
        for connection in connections:
            connection.sendall(head(json.dumps(ROW).encode()))
        answers = [connection.recv(65536) for connection in connections]

    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)


def test_requests_in_a_row_on_one_connection_are_answered_in_order(alive):
    """Pipelined requests: as many answers as requests, each with its id."""
    body = json.dumps(ROW).encode()
    with connected(alive) as connection:
        connection.sendall(b"".join(head(body, b"x-request-id: n%d" % i) for i in range(20)))
        received = b""
        while received.count(b"HTTP/1.1 ") < 20 or not received.endswith(b"}"):
            received += connection.recv(65536)

    places = [received.index(b"x-request-id: n%d\r" % i) for i in range(20)]
    assert places == sorted(places)


def test_too_many_requests_at_once_are_refused_and_the_rest_answered(tmp_path, model_folder):
    """The limit on requests in flight: 503 with Retry-After; health is answered all the while."""
    write_project(tmp_path, model_folder)
    environment = {"VEREDITO__SERVICE__IN_FLIGHT_MAX": str(IN_FLIGHT_MAX)}
    body = json.dumps(ROW).encode()
    with running_service(tmp_path / "service.toml", environment=environment) as service, ExitStack() as stack:
        held = [stack.enter_context(connected(service)) for _ in range(IN_FLIGHT_MAX)]
        for connection in held:
            connection.sendall(head(body)[:-1])
        while f"veredito_in_flight {IN_FLIGHT_MAX}.0" not in get(service, "/metrics").body.decode():
            pass

        refused = post(service, "/v1/predict", ROW)
        ready = get(service, "/readyz")
        for connection in held:
            connection.sendall(body[-1:])
        answers = [connection.recv(65536).split(b"\r\n")[0] for connection in held]

        assert (refused.status, refused.error["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert ready.status == 200
        assert set(answers) == {b"HTTP/1.1 200 OK"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(st.data())
def test_whatever_is_sent_is_answered_as_the_interface_says(alive, data):
    """Every POST of /openapi.json: its statuses and no other, whatever the body; errors have their form."""
    paths = get(alive, "/openapi.json").json["paths"]
    path, operations = data.draw(st.sampled_from([(p, o["post"]) for p, o in paths.items() if "post" in o]))
    fields = st.fixed_dictionaries({}, optional=dict.fromkeys([*EVENT, *ROW], VALUES))
    body = data.draw(st.one_of(VALUES, fields, st.lists(fields, max_size=3)).map(json.dumps))

    reply = post(alive, path, body.encode())

    assert str(reply.status) in operations["responses"]
    assert reply.status < 500
    if reply.status != 200:
        assert set(reply.error) == {"code", "message", "request_id", "problems"}


@FUZZ
@given(st.integers(0, 2**32))
def test_bytes_changed_at_random_never_bring_it_down(alive, seed):
    """A good request with some of its bytes changed: an answer or a cut connection, never a 5xx."""
    chance = random.Random(seed)
    data = bytearray(head(json.dumps(ROW).encode(), b"connection: close"))
    for _ in range(chance.randint(1, 6)):
        data[chance.randrange(len(data))] = chance.randrange(256)

    with connected(alive) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while part := connection.recv(65536):
            received += part

    assert not received.startswith(b"HTTP/1.1 5")
