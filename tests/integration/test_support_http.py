# SPDX-License-Identifier: Apache-2.0
"""The certificates, nginx and the scripted origin do what a test will count on."""

import gzip
import http.client
import json
import socket
import ssl
import time

import pytest

import http_origin
import nginx

DAY_S = 86400


def context(certificates, name_matters=True):
    made = ssl.create_default_context(cafile=certificates.ca)
    made.check_hostname = name_matters
    return made


def tls_get(certificates, port, name, path="/healthz", alpn=()):
    """GET over a verified connection for that name: (status, body, certificate, protocol)."""
    trusting = context(certificates)
    if alpn:
        trusting.set_alpn_protocols(alpn)
    with socket.create_connection(("127.0.0.1", port), 5) as raw, \
         trusting.wrap_socket(raw, server_hostname=name) as tls:
        if tls.selected_alpn_protocol() == "h2":
            return None, None, tls.getpeercert(), "h2"
        tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        response = http.client.HTTPResponse(tls)
        response.begin()
        return response.status, response.read(), tls.getpeercert(), tls.selected_alpn_protocol()


def get(port, path, method="GET", body=None, headers=(), timeout_s=5):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def raw_get(port, path):
    """Everything the server sends until it closes."""
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return sock.makefile("rb").read()


# -- nginx and the certificates


def days_left(certificate):
    return (ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) // DAY_S


@pytest.mark.parametrize("kind", ["https", "h2"])
def test_good_certificates_are_trusted(nginx, certificates, kind):
    port = nginx.port_of(kind)
    name = "checkout-0a1b2c3d4e5f67890.7d67968.vpc-lattice-svcs.us-east-1.on.aws"
    status, body, _, _ = tls_get(certificates, port, name)
    assert (status, json.loads(body)) == (200, {"status": "ok"})
    assert days_left(tls_get(certificates, port, "ten-days.probe.test")[2]) == 10


@pytest.mark.parametrize("name, reason", [
    ("expired", "certificate has expired"), ("not-yet", "certificate is not yet valid"),
    ("wrong-name", "Hostname mismatch"), ("self-signed", "self.signed certificate"),
    ("untrusted", "unable to get local issuer"), ("refused", "UNRECOGNIZED_NAME|unrecognized name")])
def test_bad_certificates_are_bad_in_the_way_said(nginx, certificates, name, reason):
    with pytest.raises(ssl.SSLError, match=reason):
        tls_get(certificates, nginx.https_port, f"{name}.probe.test")


def test_h2_is_offered_on_its_port_only(nginx, certificates):
    assert tls_get(certificates, nginx.h2_port, "probe.test", alpn=["h2", "http/1.1"])[3] == "h2"
    assert tls_get(certificates, nginx.https_port, "probe.test", alpn=["h2", "http/1.1"])[3] == "http/1.1"


@pytest.mark.parametrize("code", [200, 204, 403, 404, 500, 503, 504])
def test_status_paths(nginx, code):
    assert get(nginx.http_port, f"/status/{code}")[0] == code


def test_lattice_like_refusals(nginx):
    status, body, _ = get(nginx.http_port, "/auth-denied")
    assert status == 403 and b"vpc-lattice-svcs:Invoke" in body
    assert get(nginx.http_port, "/no-route")[:2] == (404, b"Not Found")


def test_empty_reply_and_reset_differ(nginx):
    with pytest.raises(http.client.RemoteDisconnected):
        get(nginx.http_port, "/close")
    with pytest.raises(ConnectionResetError):
        get(nginx.http_port, "/reset")


def test_large_body_redirects_and_headers(nginx):
    assert len(get(nginx.http_port, "/large")[1]) == 1024 * 1024
    assert get(nginx.http_port, "/redirect")[2]["Location"].endswith("/healthz")
    assert "169.254.169.254" in get(nginx.http_port, "/redirect-imds")[2]["Location"]
    assert get(nginx.http_port, "/headers")[2]["x-probe-version"] == "1.2.3"


def test_the_access_log_says_what_was_asked(nginx, certificates):
    tls_get(certificates, nginx.https_port, "named.probe.test", "/status/503")
    deadline = time.monotonic() + 5
    while not (found := [each for each in nginx.requests() if each["sni"] == "named.probe.test"]):
        assert time.monotonic() < deadline
    assert found[0]["status"] == 503 and found[0]["uri"] == "/status/503"


def test_nginx_is_gone_after_stop(nginx):
    nginx.stop()
    with pytest.raises(ConnectionRefusedError):
        get(nginx.http_port, "/")
    assert not nginx.directory.exists()


# -- the scripted origin


def routes(origin, **named):
    origin.set_script({"routes": {f"/{name}": route for name, route in named.items()}})


def test_status_headers_and_bodies(origin):
    routes(origin, a={"status": 418, "reason": "Teapot", "headers": [["X-A", "1"], ["X-A", "2"]], "body": "short"},
           b={"json": {"k": [1]}}, c={"body_bytes": 100_000}, d={"body_base64": "AAH/"})
    status, body, headers = get(origin.http_port, "/a")
    assert status == 418 and body == b"short" and headers.get_all("X-A") == ["1", "2"]
    assert json.loads(get(origin.http_port, "/b")[1]) == {"k": [1]}
    assert len(get(origin.http_port, "/c")[1]) == 100_000
    assert get(origin.http_port, "/d")[1] == b"\x00\x01\xff"
    assert get(origin.http_port, "/nowhere")[0] == 404


def test_a_route_may_be_for_one_method(origin):
    origin.set_script({"routes": {"POST /x": {"status": 201}, "/x": {"status": 200}, "*": {"status": 299}}})
    assert [get(origin.http_port, "/x", "POST", b"")[0], get(origin.http_port, "/x")[0],
            get(origin.http_port, "/y")[0]] == [201, 200, 299]


def test_echo_shows_the_request(origin):
    routes(origin, echo={"echo": True})
    seen = json.loads(get(origin.http_port, "/echo?a=b%20c&d", "PUT", b"hello", {"X-Mine": "v"})[1])
    assert seen["method"] == "PUT" and seen["path"] == "/echo" and seen["body"] == "hello"
    assert seen["query"] == [["a", "b c"], ["d", ""]] and ["X-Mine", "v"] in seen["headers"]


def test_redirects_know_their_port(origin):
    routes(origin, r={"redirect": "http://127.0.0.1:{port}/z"}, s={"status": 307, "redirect": "http://169.254.169.254/"})
    status, _, headers = get(origin.http_port, "/r")
    assert status == 302 and headers["Location"] == f"http://127.0.0.1:{origin.http_port}/z"
    assert get(origin.http_port, "/s")[0] == 307


def test_delays_show_in_the_stamps_they_belong_to(origin):
    routes(origin, late={"first_byte_delay_ms": 100, "body": "x"}, slow={"body_delay_ms": 100, "body": "x"},
           drip={"body_bytes": 50, "drip": {"bytes": 10, "every_ms": 30}})
    for path in ("/late", "/slow", "/drip"):
        get(origin.http_port, path)
    late, slow, drip = (record["requests"][0] for record in origin.finished())
    assert 100_000 <= late["first_response_byte_us"] - late["complete_us"]
    assert slow["first_response_byte_us"] - slow["complete_us"] < 100_000
    assert 100_000 <= slow["last_response_byte_us"] - slow["first_response_byte_us"]
    assert 120_000 <= drip["last_response_byte_us"] - drip["first_response_byte_us"]


def test_stamps_are_in_order(origin, certificates):
    tls_get(certificates, origin.https_port, "probe.test", "/")
    (record,) = origin.finished()
    request = record["requests"][0]
    stamps = [record["accepted_us"], record["hello_us"], record["tls_done_us"], request["first_byte_us"],
              request["complete_us"], request["first_response_byte_us"], request["last_response_byte_us"],
              record["closed_us"]]
    assert stamps == sorted(stamps)
    assert record["sni"] == "probe.test" and abs(record["arrived_wall_us"] / 1e6 - time.time()) < 60


def test_a_late_server_hello(origin, certificates):
    origin.set_script({"connection": {"tls_delay_ms": 100}})
    assert tls_get(certificates, origin.https_port, "probe.test", "/")[0] == 200
    (record,) = origin.finished()
    assert 100_000 <= record["tls_done_us"] - record["hello_us"]


def test_sni_chooses_the_certificate(origin, certificates):
    origin.set_script({"sni": {"old.probe.test": {"certificate": "expired"}}})
    with pytest.raises(ssl.SSLError, match="expired"):
        tls_get(certificates, origin.https_port, "old.probe.test", "/")
    assert tls_get(certificates, origin.https_port, "new.probe.test", "/")[0] == 200


@pytest.mark.parametrize("word, reason", [("close", "EOF|SYSCALL|closed"), ("garbage", "."),
                                          ("alert", "handshake.failure"), ("plain", "(?i)wrong.version.number")])
def test_handshakes_that_fail(origin, certificates, word, reason):
    origin.set_script({"connection": {"tls": word}})
    with pytest.raises(ssl.SSLError, match=f"(?i){reason.removeprefix('(?i)')}"):
        tls_get(certificates, origin.https_port, "probe.test")


def test_a_handshake_that_is_reset(origin, certificates):
    origin.set_script({"connection": {"tls": "reset"}})
    with pytest.raises(ConnectionResetError):
        tls_get(certificates, origin.https_port, "probe.test")


def test_a_handshake_that_never_answers(origin, certificates):
    origin.set_script({"connection": {"tls": "silent"}})
    with socket.create_connection(("127.0.0.1", origin.https_port), 5) as raw:
        raw.settimeout(0.3)
        with pytest.raises(TimeoutError):
            context(certificates).wrap_socket(raw, server_hostname="probe.test")


def test_connections_ended_before_a_request(origin):
    origin.set_script({"connection": {"fault": "close"}})
    assert raw_get_or_error(origin.http_port) in (b"", ConnectionResetError, BrokenPipeError)
    origin.set_script({"connection": {"fault": "reset"}})
    assert raw_get_or_error(origin.http_port) in (ConnectionResetError, BrokenPipeError)


def raw_get_or_error(port):
    try:
        return raw_get(port, "/")
    except OSError as error:
        return type(error)


@pytest.mark.parametrize("route, error", [
    ({"fault": "empty"}, http.client.RemoteDisconnected), ({"fault": "reset"}, ConnectionResetError),
    ({"fault": "garbage_status"}, http.client.BadStatusLine), ({"raw": "nonsense"}, http.client.BadStatusLine),
    ({"body": "abc", "content_length": 10, "close": True}, http.client.IncompleteRead),
    ({"body_bytes": 100_000, "close_after": 5000}, http.client.IncompleteRead),
    ({"body_bytes": 100_000, "reset_after": 5000}, ConnectionResetError),
    ({"fault": "endless_headers"}, http.client.HTTPException),
    ({"fault": "huge_header"}, http.client.HTTPException)])
def test_broken_answers(origin, route, error):
    routes(origin, x=route)
    with pytest.raises(error):
        get(origin.http_port, "/x")


def test_a_full_backlog_keeps_connects_waiting_until_released():
    with http_origin.Origin(backlog=0) as origin:
        origin.saturate()
        with socket.socket() as late:
            late.settimeout(0.3)
            with pytest.raises(TimeoutError):
                late.connect(("127.0.0.1", origin.http_port))
        origin.release()
        assert get(origin.http_port, "/")[0] == 200
        requests = origin.requests()
    assert len(requests) == 1  # what filled the backlog is not recorded


@pytest.mark.parametrize("word, end", [("close_after", "close"), ("reset_after", "reset")])
def test_exactly_so_many_bytes_are_sent(origin, word, end):
    routes(origin, x={"body_bytes": 100_000, word: 5000})
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        get(origin.http_port, "/x")
    (record,) = origin.finished()
    assert record["requests"][0]["bytes_sent"] == 5000 and record["ended"] == end


@pytest.mark.parametrize("route", [{"fault": "stall"}, {"body_bytes": 100_000, "stall_after": 5000}])
def test_answers_that_stall(origin, route):
    routes(origin, x=route)
    with pytest.raises(TimeoutError):
        get(origin.http_port, "/x", timeout_s=0.3)
    (record,) = origin.finished()
    assert record["ended"] == "client gave up"


def test_an_endless_body_goes_on_until_the_client_leaves(origin):
    routes(origin, x={"fault": "endless_body"})
    with socket.create_connection(("127.0.0.1", origin.http_port), 5) as sock:
        sock.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        taken = 0
        while taken < 8_000_000:
            taken += len(sock.recv(1 << 20))
    (record,) = origin.finished()
    assert record["requests"][0]["bytes_sent"] >= taken


def test_a_gzip_bomb_inflates(origin):
    routes(origin, x={"fault": "gzip_bomb", "bomb_mib": 8})
    _, body, headers = get(origin.http_port, "/x")
    assert headers["Content-Encoding"] == "gzip" and len(body) < 20_000
    assert len(gzip.decompress(body)) == 8 * 1024 * 1024


def test_chunked_keep_alive_and_sequences(origin):
    routes(origin, c={"body": "abc", "chunked": True, "drip": {"bytes": 2, "every_ms": 1}},
           s={"sequence": [{"status": 500}, {"status": 200}]})
    connection = http.client.HTTPConnection("127.0.0.1", origin.http_port, timeout=5)
    answers = []
    for path in ("/c", "/s", "/s", "/s"):
        connection.request("GET", path)
        response = connection.getresponse()
        answers.append((response.status, response.read()))
    connection.close()
    assert answers == [(200, b"abc"), (500, b""), (200, b""), (200, b"")]
    (record,) = origin.finished()
    assert len(record["requests"]) == 4


def test_a_body_that_ends_with_the_connection(origin, certificates):
    routes(origin, x={"body": "to the end", "content_length": None, "close": True})
    assert get(origin.http_port, "/x")[1] == b"to the end"
    assert tls_get(certificates, origin.https_port, "probe.test", "/x")[1] == b"to the end"


@pytest.mark.parametrize("script", [{"rotues": {}}, {"routes": {"/": {"fault": "sulk"}}}, {"routes": {"/": {"x": 1}}},
                                    {"connection": {"tls": "odd"}}, {"sni": {"a": {"delay": 1}}}])
def test_a_script_with_a_mistake_is_refused(script):
    with pytest.raises(ValueError):
        http_origin.Script(script)


def test_named_headers_of_the_request_come_back(certificates):
    script = {"routes": {"*": {"status": 404, "echo_headers": ["x-amzn-requestid"]}}}
    with http_origin.Origin(script) as origin:
        status, body, headers = get(origin.http_port, "/", headers={"X-Amzn-RequestId": "abc", "X-Other": "1"})
        assert (status, body, headers["x-amzn-requestid"], headers["x-other"]) == (404, b"", "abc", None)
        assert get(origin.http_port, "/")[2]["x-amzn-requestid"] is None


def test_nginx_serves_only_the_names_it_is_told(certificates):
    with nginx.Nginx(certificates=certificates, names=("probe.test",)) as server:
        assert tls_get(certificates, server.https_port, "probe.test")[0] == 200
        with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
            tls_get(certificates, server.https_port, "other.probe.test")
