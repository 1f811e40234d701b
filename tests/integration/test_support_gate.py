# SPDX-License-Identifier: Apache-2.0
"""The gate refuses what CloudWatch would refuse, and each of its faults really happens."""

import email.utils
import http.client
import json
import math
import time

import pytest

import gate as gate_server
import gate_limits
import lab_credentials
import service
import signed_call

KEY = lab_credentials.ACCESS_KEYS[0]
SECRET = lab_credentials.SECRETS[KEY]


def datum(name="Success", unit="None", **more):
    return {"MetricName": name, "Unit": unit, "Values": [1], "Counts": [1], "Timestamp": time.time(),
            "Dimensions": [{"Name": "Service", "Value": "checkout"}], **more}


def body(*datums, namespace="LatticeProbe"):
    return {"Namespace": namespace, "MetricData": list(datums) or [datum()]}


def put(gate, content=None, **how):
    return signed_call.call(gate.url, "PutMetricData", content or body(), **how)


def temporary(access_key=KEY, lifetime_s=600, belongs_to=None):
    token = lab_credentials.make_token("test", belongs_to or access_key, time.time() + lifetime_s)
    return access_key, lab_credentials.SECRETS[access_key], token


def only_rejection(gate):
    (rejection,) = gate.rejections()
    return rejection


# -- what passes


def test_a_good_request_is_accepted_and_written_down(gate):
    stamp = time.time() - 60
    status, headers, _ = put(gate, body(datum("Latency", "Milliseconds", Values=[1.5, 20], Counts=[3, 1],
                                              Timestamp=stamp)))
    assert status == 200
    (entry,) = gate.ledger()
    assert entry["metric"] == "Latency" and entry["values"] == [1.5, 20] and entry["counts"] == [3, 1]
    assert entry["sample_count"] == 4 and entry["timestamp"] == stamp and entry["unit"] == "Milliseconds"
    assert entry["dimensions"] == {"Service": "checkout"} and entry["reply"] == "sent"
    assert entry["request"] == headers["x-amzn-RequestId"]
    assert gate.rejections() == []


def test_gzip_is_inflated_and_the_signature_is_over_the_compressed_bytes(gate):
    assert put(gate, compress=True)[0] == 200
    headers, data = signed_call.sign(gate.url, "PutMetricData", body(), compress=True)
    inflated = json.dumps(body()).encode()
    del headers["Content-Encoding"]
    assert signed_call.send(gate.url, headers, inflated)[0] == 403
    assert only_rejection(gate)["cause"] == "signature"


def test_both_example_keys_and_their_session_tokens_are_accepted(gate):
    gate.set_rules({"require_token": True})
    for access_key in lab_credentials.ACCESS_KEYS:
        assert put(gate, credentials=temporary(access_key))[0] == 200
    assert put(gate, credentials=(KEY, SECRET, None))[0] == 403


def test_the_ledger_file_has_a_line_per_datum(tmp_path):
    path = tmp_path / "ledger"
    with gate_server.Gate(ledger=path) as gate:
        put(gate, body(datum(), datum("Heartbeat", "Count")))
        gate.ledger()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["metric"] for line in lines] == ["Success", "Heartbeat"]
    assert {line["reply"] for line in lines} == {"sent"}


def test_https_shows_the_given_certificate(certificates):
    shown = certificates["valid"]
    with gate_server.Gate(tls=service.server_tls(shown.chain, shown.key)) as gate:
        assert put(gate, ca=certificates.ca)[0] == 200


# -- signatures


def refuse(gate, change, code, **how):
    """Signs a good request, changes it on the way, wants 403 with that code."""
    headers, data = signed_call.sign(gate.url, "PutMetricData", body(), **how)
    data = change(headers, data) or data
    status, reply_headers, reply = signed_call.send(gate.url, headers, data)
    assert status == 403
    assert reply_headers["x-amzn-query-error"] == f"{code};Sender"
    assert only_rejection(gate)["code"] == code
    assert gate.ledger() == []
    return reply


def test_an_unsigned_call_is_refused(gate):
    reply = refuse(gate, lambda headers, data: headers.pop("Authorization") and None, "MissingAuthenticationToken")
    assert reply["__type"].endswith("#MissingAuthenticationTokenException")


def test_a_wrong_signature_is_refused(gate):
    def change(headers, _):
        last = headers["Authorization"][-1]
        headers["Authorization"] = headers["Authorization"][:-1] + ("0" if last != "0" else "1")
    reply = refuse(gate, change, "SignatureDoesNotMatch")
    assert reply["__type"].endswith("#InvalidSignatureException")


def test_a_changed_body_is_refused(gate):
    refuse(gate, lambda headers, data: data.replace(b"checkout", b"checkouT"), "SignatureDoesNotMatch")


def test_a_changed_signed_header_is_refused(gate):
    refuse(gate, lambda headers, _: headers.update({"X-Amz-Target": "GraniteServiceVersion20100801.Put"}),
           "SignatureDoesNotMatch")


@pytest.mark.parametrize("name", ["host", "content-type", "x-amz-date", "x-amz-target", "x-amz-security-token"])
def test_a_header_left_out_of_the_signature_is_refused(gate, name, monkeypatch):
    honest = signed_call.SigV4Auth.headers_to_sign

    def without(self, request):
        chosen = honest(self, request)
        del chosen[name]
        return chosen
    with monkeypatch.context() as patched:
        patched.setattr(signed_call.SigV4Auth, "headers_to_sign", without)
        headers, data = signed_call.sign(gate.url, "PutMetricData", body(), credentials=temporary())
    assert name not in headers["Authorization"]
    assert signed_call.send(gate.url, headers, data)[0] == 403
    assert only_rejection(gate)["message"] == f"these headers must be signed: {name}"


def test_a_malformed_authorization_is_refused(gate):
    refuse(gate, lambda headers, _: headers.update({"Authorization": "AWS4-HMAC-SHA256 nonsense"}),
           "IncompleteSignature")


def test_an_unknown_access_key_is_refused(gate):
    refuse(gate, lambda *_: None, "UnrecognizedClient", credentials=("AKIDOTHER", SECRET, None))


def test_a_wrong_region_or_service_is_refused(gate):
    refuse(gate, lambda *_: None, "SignatureDoesNotMatch", region="eu-west-1")
    gate.reset()
    refuse(gate, lambda *_: None, "SignatureDoesNotMatch", service="cloudwatch")


@pytest.mark.parametrize("skew_s", [-310, 310])
def test_a_date_more_than_five_minutes_off_is_refused(gate, skew_s):
    refuse(gate, lambda *_: None, "SignatureDoesNotMatch", now=time.time() + skew_s)


def test_a_date_four_minutes_off_is_accepted(gate):
    assert put(gate, now=time.time() - 240)[0] == 200


def test_a_date_of_another_day_than_the_scope_is_refused(gate):
    def change(headers, _):
        headers["Authorization"] = headers["Authorization"].replace(time.strftime("/%Y%m%d/", time.gmtime()),
                                                                    "/20150830/")
    refuse(gate, change, "SignatureDoesNotMatch")


def test_tokens_that_are_foreign_expired_or_of_another_key_are_refused(gate):
    refuse(gate, lambda *_: None, "UnrecognizedClient", credentials=(KEY, SECRET, "IQoJb3JpZ2luX2VjEXAMPLE"))
    gate.reset()
    refuse(gate, lambda *_: None, "ExpiredToken", credentials=temporary(lifetime_s=-1))
    gate.reset()
    refuse(gate, lambda *_: None, "UnrecognizedClient", credentials=temporary(belongs_to="AKIDEXAMPLE"))


def test_a_content_hash_that_lies_is_refused(gate):
    headers, data = signed_call.sign(gate.url, "PutMetricData", body())
    headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
    assert signed_call.send(gate.url, headers, data)[0] == 403


def test_the_clock_can_be_shifted_and_shows_in_date(gate):
    gate.set_clock({"shift_s": 1000})
    status, headers, _ = put(gate)
    assert status == 403 and "Signature expired" in only_rejection(gate)["message"]
    shown = email.utils.parsedate_to_datetime(headers["Date"]).timestamp()
    assert abs(shown - (time.time() + 1000)) < 5
    assert put(gate, now=time.time() + 1000)[0] == 200


# -- limits

LONG_AGO = 14 * 86400 + 60

BAD_DATUMS = {
    "a wrong unit of ours": (datum(unit="Count"), "project"),
    "a metric that is not ours": (datum("Speed", "Count"), "project"),
    "a Success of 2": (datum(Values=[2]), "project"),
    "a negative latency": (datum("Latency", "Milliseconds", Values=[-1]), "project"),
    "StatisticValues": ({**{key: value for key, value in datum().items() if key not in ("Values", "Counts")},
                         "StatisticValues": {"SampleCount": 1, "Sum": 1, "Minimum": 1, "Maximum": 1}}, "project"),
    "no such unit": (datum("Latency", "Millis"), "limits"),
    "151 values": (datum("Latency", "Milliseconds", Values=list(range(151)), Counts=[1] * 151), "limits"),
    "no values": (datum(Values=[], Counts=[]), "limits"),
    "counts of another length": (datum(Values=[0, 1], Counts=[1]), "limits"),
    "a count of zero": (datum(Counts=[0]), "limits"),
    "NaN": (datum(Values=[math.nan]), "limits"),
    "infinity": (datum(Values=[math.inf]), "limits"),
    "beyond 2^360": (datum("Latency", "Milliseconds", Values=[2.0 ** 361]), "limits"),
    "Value and Values": (datum(Value=1), "limits"),
    "31 dimensions": (datum(Dimensions=[{"Name": f"D{i}", "Value": "x"} for i in range(31)]), "limits"),
    "a dimension twice": (datum(Dimensions=[{"Name": "D", "Value": "x"}] * 2), "limits"),
    "an empty dimension value": (datum(Dimensions=[{"Name": "D", "Value": ""}]), "limits"),
    "a blank dimension value": (datum(Dimensions=[{"Name": "D", "Value": "  "}]), "limits"),
    "a long dimension value": (datum(Dimensions=[{"Name": "D", "Value": "x" * 1025}]), "limits"),
    "a dimension name with a colon": (datum(Dimensions=[{"Name": ":D", "Value": "x"}]), "limits"),
    "a dimension that is not ASCII": (datum(Dimensions=[{"Name": "D", "Value": "caf\u00e9"}]), "limits"),
    "a long metric name": (datum("M" * 256), "limits"),
    "an old timestamp": (datum(Timestamp=time.time() - LONG_AGO), "limits"),
    "a future timestamp": (datum(Timestamp=time.time() + 3 * 3600), "limits"),
    "a timestamp as text": (datum(Timestamp="2026-01-01T00:00:00Z"), "limits"),
    "a resolution of 10": (datum(StorageResolution=10), "limits"),
    "an unknown member": (datum(Colour="red"), "limits"),
}


@pytest.mark.parametrize("what", BAD_DATUMS)
def test_one_bad_datum_refuses_the_whole_request(gate, what):
    bad, cause = BAD_DATUMS[what]
    status, _, _ = put(gate, body(datum(), bad))
    assert status == 400
    assert only_rejection(gate)["cause"] == cause, only_rejection(gate)["message"]
    assert gate.ledger() == []


@pytest.mark.parametrize("namespace", ["AWS/Lattice", ":x", "", "x" * 256])
def test_a_reserved_or_ill_formed_namespace_is_refused(gate, namespace):
    assert put(gate, body(namespace=namespace))[0] == 400


def test_1000_datums_pass_and_1001_do_not(gate):
    assert put(gate, body(*[datum() for _ in range(1000)]), compress=True)[0] == 200
    assert put(gate, body(*[datum() for _ in range(1001)]), compress=True)[0] == 400
    assert len(gate.ledger()) == 1000


def test_more_than_a_megabyte_uncompressed_is_413_however_small_the_gzip(gate):
    wide = [{"Name": f"D{i}", "Value": "x" * 1000} for i in range(10)]
    content = body(*[datum(Dimensions=wide) for _ in range(100)])
    assert len(json.dumps(content)) > gate_limits.REQUEST_BYTES_MAX
    assert put(gate, content, compress=True)[0] == 413


def test_30_dimensions_150_values_and_the_other_namespaces_units_pass(gate):
    wide = [{"Name": f"D{i}", "Value": "x" * 1024} for i in range(30)]
    many = datum("Latency", "Milliseconds", Values=list(range(150)), Counts=[2] * 150, Dimensions=wide)
    assert put(gate, body(many))[0] == 200
    assert put(gate, body(datum("Anything", "Bytes/Second", Values=[-1]), namespace="Other"))[0] == 200


def test_a_body_that_is_no_json_or_no_gzip_is_refused(gate):
    assert put(gate, b'{"Namespace":')[0] == 400
    headers, data = signed_call.sign(gate.url, "PutMetricData", b"not gzip")
    headers["Content-Encoding"] = "gzip"
    assert signed_call.send(gate.url, headers, data)[0] == 400
    assert [each["code"] for each in gate.rejections()] == ["SerializationException", "MalformedHttpRequest"]


# -- faults

ERRORS = {"throttle_400": (400, "ThrottlingException"), "throttle_503": (503, "ThrottlingException"),
          "error_500": (500, "InternalFailure"), "error_503": (503, "ServiceUnavailable"),
          "deny": (403, "AccessDeniedException"), "expire_400": (400, "ExpiredTokenException"),
          "expire_403": (403, "ExpiredTokenException"), "too_large": (413, "RequestEntityTooLargeException"),
          "reject_any": (400, "InvalidParameterValueException")}


@pytest.mark.parametrize("action", ERRORS)
def test_a_scripted_error_comes_as_often_as_said_and_stores_nothing(gate, action):
    gate.set_faults([{"action": action, "times": 2, "retry_after_ms": 1500}])
    for _ in range(2):
        status, headers, reply = put(gate)
        assert (status, reply["__type"].partition("#")[2]) == ERRORS[action]
        assert headers["x-amz-retry-after"] == "1500"
    assert gate.ledger() == []
    assert put(gate)[0] == 200
    assert {each["cause"] for each in gate.rejections()} == {"fault"}
    assert gate.summary()["real_rejections"] == 0


def test_reject_datum_refuses_only_requests_that_hold_it(gate):
    gate.set_faults([{"action": "reject_datum", "metric": "Heartbeat"}])
    assert put(gate, body(datum(), datum("Heartbeat", "Count")))[0] == 400
    assert put(gate, body(datum()))[0] == 200
    assert put(gate, body(datum("Heartbeat", "Count")), compress=True)[0] == 400
    gate.set_faults([])
    assert put(gate, body(datum("Heartbeat", "Count")))[0] == 200


def test_reset_before_stores_nothing(gate):
    gate.set_faults([{"action": "reset_before", "times": 1}])
    with pytest.raises(ConnectionResetError):
        put(gate)
    assert gate.ledger() == []


@pytest.mark.parametrize("action, error", [("reset_after", ConnectionResetError),
                                           ("lose_reply", http.client.RemoteDisconnected)])
def test_a_lost_reply_is_stored_and_marked_lost(gate, action, error):
    gate.set_faults([{"action": action, "times": 1}])
    with pytest.raises(error):
        put(gate)
    assert [entry["reply"] for entry in gate.ledger()] == ["lost"]


def test_silent_never_answers_and_stores_nothing(gate):
    gate.set_faults([{"action": "silent", "times": 1}])
    headers, data = signed_call.sign(gate.url, "PutMetricData", body())
    with pytest.raises(TimeoutError):
        signed_call.send(gate.url, headers, data, timeout_s=0.3)
    assert gate.ledger() == []


def test_delay_delays_and_then_accepts(gate):
    gate.set_faults([{"action": "delay", "delay_ms": 200}])
    started = time.monotonic()
    assert put(gate)[0] == 200
    assert time.monotonic() - started >= 0.2


def test_an_odd_body_is_still_a_success(gate):
    gate.set_faults([{"action": "odd_body", "times": 1}])
    status, _, reply = put(gate)
    assert status == 200 and isinstance(reply, bytes)
    assert len(gate.ledger()) == 1


def test_random_faults_repeat_with_their_seed(gate):
    def statuses():
        gate.set_faults([{"action": "random", "seed": 7, "rate": 0.5, "actions": ["error_500", "throttle_400"]}])
        return [put(gate)[0] for _ in range(12)]
    first = statuses()
    assert set(first) == {200, 400, 500}
    assert statuses() == first


def test_a_fault_does_not_hide_a_wrong_signature(gate):
    gate.set_faults([{"action": "error_500"}])
    assert put(gate, credentials=(KEY, "wrong", None))[0] == 403
    assert only_rejection(gate)["cause"] == "signature"


@pytest.mark.parametrize("fault", [{"action": "explode"}, {"action": "delay"}, {"action": "reject_datum"},
                                   {"action": "random", "seed": 1, "rate": 1, "actions": ["explode"]}])
def test_a_fault_that_cannot_be_served_is_refused(gate, fault):
    with pytest.raises(ValueError):
        gate.set_faults([fault])


def test_reading_back_needs_a_back_end(gate):
    assert signed_call.call(gate.url, "ListMetrics", {})[0] == 501
