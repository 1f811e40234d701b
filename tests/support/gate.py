#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The gate before CloudWatch: nothing passes that AWS would refuse, and all that passes is written down.

Every call must carry a good signature (gate_signature.py). PutMetricData, JSON 1.0 only, must also
keep the limits and our own metric table (gate_limits.py). What passes goes into the ledger and, with
--moto URL, on to moto, where the read calls (GetMetricData, GetMetricStatistics, ListMetrics and all
others) find it. Without moto it needs nothing but Debian's python3-botocore.

Ledger: one JSON line per datum: request, received_us (wall clock), namespace, metric, dimensions,
timestamp, unit, values, counts, sample_count, resolution, reply ("sent", or "lost" when the client
never got its answer).
Rejection: request, status, code, message, cause: "signature", "limits", "project" (our own rules),
"moto", or "fault" (as scripted). A test that scripts no faults wants none at all.

Faults (POST /faults with a list; PutMetricData only; the signature is checked all the same):
  {"action": WORD, "times": N}    without times: until cleared with []
  throttle_400  throttle_503  (retry_after_ms N adds x-amz-retry-after)   error_500   error_503
  deny (403 AccessDenied)   expire_400  expire_403 (ExpiredToken)   too_large (413)
  reject_datum (metric NAME: 400 InvalidParameterValue for a request that holds it)
  reject_any (400 InvalidParameterValue for every request)
  delay (delay_ms N, then as usual)   silent (stores nothing, never answers)
  reset_before (RST, stores nothing)   reset_after (stores, then RST)   lose_reply (stores, then closes)
  odd_body (stores, 200 with a body that is no JSON)
  random (seed N, rate 0..1, actions [WORD, ..]: one of them with that probability)
POST /clock {"shift_s": N} moves the gate's clock: the Date header, and what it judges by.
POST /rules {"require_token": true} refuses signatures without a session token.
GET /ledger /rejections /requests /summary; POST /faults /clock /rules /reset.
"""

import email.utils
import http.client
import json
import random
import threading
import time
import urllib.parse
import uuid
import zlib

import gate_limits
import gate_signature
import http_service
import service
from http_service import Reply

TARGET = "GraniteServiceVersion20100801.PutMetricData"
CONTENT_TYPE = "application/x-amz-json-1.0"
INFLATED_MAX = 32 * 1024 * 1024
SETTLE_S = 5
FAULT_ERRORS = {
    "throttle_400": (400, "Throttling", "Rate exceeded"),
    "throttle_503": (503, "Throttling", "Rate exceeded"),
    "error_500": (500, "InternalFailure", "as scripted"),
    "error_503": (503, "ServiceUnavailable", "as scripted"),
    "deny": (403, "AccessDenied", "User: arn:aws:sts::123456789012:assumed-role/probe/i is not authorized to "
             "perform: cloudwatch:PutMetricData because no identity-based policy allows it"),
    "expire_400": (400, "ExpiredToken", "The security token included in the request is expired"),
    "expire_403": (403, "ExpiredToken", "The security token included in the request is expired"),
    "too_large": (413, "RequestEntityTooLarge", "as scripted"),
    "reject_datum": (400, "InvalidParameterValue", "as scripted"),
    "reject_any": (400, "InvalidParameterValue", "as scripted"),
}
ACTIONS = {**dict.fromkeys(FAULT_ERRORS, ()), "reject_datum": ("metric",), "delay": ("delay_ms",), "silent": (),
           "reset_before": (), "reset_after": (), "lose_reply": (), "odd_body": (),
           "random": ("seed", "rate", "actions")}
# The JSON protocol's name where it is not the query code with "Exception" behind it.
JSON_NAMES = {"InternalServiceError": "InternalServiceFault", "InternalFailure": "InternalFailure",
              "MissingParameter": "MissingRequiredParameterException",
              "SignatureDoesNotMatch": "InvalidSignatureException",
              "SerializationException": "SerializationException",
              "ServiceUnavailable": "ServiceUnavailable"}


def decode(request):
    """The JSON of a PutMetricData and its size before compression; Refused when it is none."""
    if request.header("content-type", "").partition(";")[0] != CONTENT_TYPE:
        raise gate_limits.Refused("SerializationException", f"Content-Type must be {CONTENT_TYPE}")
    body = request.body
    encoding = request.header("content-encoding")
    if encoding == "gzip":
        body = inflate(body)
    elif encoding is not None:
        raise gate_limits.Refused("MalformedHttpRequest", f"Content-Encoding {encoding} is not known", status=400)
    try:
        return json.loads(body), len(body)
    except (ValueError, RecursionError) as error:
        raise gate_limits.Refused("SerializationException", f"the body is not JSON: {error}") from None


def inflate(body):
    stream = zlib.decompressobj(wbits=31)
    try:
        inflated = stream.decompress(body, INFLATED_MAX)
    except zlib.error as error:
        raise gate_limits.Refused("MalformedHttpRequest", f"the body does not inflate: {error}") from None
    if not stream.eof or stream.unused_data:
        raise gate_limits.Refused("MalformedHttpRequest", "the body is not one whole gzip stream")
    return inflated


def ledger_entry(request_id, namespace, datum, values, counts):
    return {"request": request_id, "received_us": time.time_ns() // 1000, "namespace": namespace,
            "metric": datum["MetricName"],
            "dimensions": {each["Name"]: each["Value"] for each in datum.get("Dimensions", [])},
            "timestamp": datum["Timestamp"], "unit": datum.get("Unit", "None"), "values": values,
            "counts": counts, "sample_count": sum(counts), "resolution": datum.get("StorageResolution", 60),
            "reply": None}


class Book:
    """The ledger, the rejections and the requests. An entry is final once its reply went out or did not."""

    def __init__(self, path=None):
        self.changed = threading.Condition()
        self.file = open(path, "a", encoding="utf-8") if path else None
        self.clear()

    def clear(self):
        with self.changed:
            self.ledger = []
            self.rejections = []
            self.requests = []
            self.unsettled = 0

    def open_entries(self, entries):
        """Enters datums whose reply is on its way; returns what to call when it is known."""
        with self.changed:
            self.ledger += entries
            self.unsettled += 1

        def settle(sent):
            with self.changed:
                for entry in entries:
                    entry["reply"] = "sent" if sent else "lost"
                    if self.file:
                        self.file.write(json.dumps(entry) + "\n")
                if self.file:
                    self.file.flush()
                self.unsettled = max(0, self.unsettled - 1)
                self.changed.notify_all()
        return settle

    def reject(self, request_id, status, code, message, cause):
        with self.changed:
            self.rejections.append({"request": request_id, "status": status, "code": code,
                                    "message": message, "cause": cause})

    def note_request(self, request_id, action, body_bytes, access_key):
        with self.changed:
            self.requests.append({"request": request_id, "at_us": service.mono_us(), "action": action,
                                  "bytes": body_bytes, "access_key": access_key})

    def read(self, name):
        """A copy, once every datum's fate is known."""
        with self.changed:
            self.changed.wait_for(lambda: self.unsettled == 0, SETTLE_S)
            return json.loads(json.dumps(getattr(self, name)))

    def close(self):
        if self.file:
            self.file.close()


class Gate(http_service.HttpService):
    """moto: its URL, or None to keep only the ledger. tls: an ssl.SSLContext for HTTPS."""

    def __init__(self, addresses=("127.0.0.1:0",), moto=None, tls=None, rules=None, ledger=None):
        super().__init__(addresses, tls)
        self.moto = moto
        self.rules = rules or gate_signature.Rules()
        self.book = Book(ledger)
        self.faults = service.Faults(ACTIONS)
        self.randomness = {}
        self.clock_shift_s = 0

    def stop(self):
        super().stop()
        self.book.close()

    # -- for the test that owns it

    def set_faults(self, faults):
        chances = [fault for fault in faults if fault.get("action") == "random"]
        for chance in chances:
            self.faults.set([{**chance, "action": action} for action in chance.get("actions", ())])
        self.randomness = {chance["seed"]: random.Random(chance["seed"]) for chance in chances}
        return self.faults.set(faults)

    def set_clock(self, settings):
        self.clock_shift_s = settings["shift_s"]
        return {}

    def set_rules(self, settings):
        self.rules.require_token = settings["require_token"]
        return {}

    def ledger(self):
        return self.book.read("ledger")

    def rejections(self):
        return self.book.read("rejections")

    def requests(self):
        return self.book.read("requests")

    def summary(self):
        ledger, rejections = self.ledger(), self.rejections()
        by_metric = {}
        for entry in ledger:
            by_metric[entry["metric"]] = by_metric.get(entry["metric"], 0) + entry["sample_count"]
        return {"requests": len(self.requests()), "datums": len(ledger), "samples_by_metric": by_metric,
                "lost": sum(entry["reply"] == "lost" for entry in ledger),
                "rejections": len(rejections),
                "real_rejections": sum(entry["cause"] != "fault" for entry in rejections),
                "faults_served": self.faults.counts()}

    def reset(self):
        self.book.clear()
        return {}

    def control_routes(self):
        return {("GET", "/ledger"): lambda _: self.ledger(),
                ("GET", "/rejections"): lambda _: self.rejections(),
                ("GET", "/requests"): lambda _: self.requests(),
                ("GET", "/summary"): lambda _: self.summary(),
                ("POST", "/faults"): self.set_faults,
                ("POST", "/clock"): self.set_clock,
                ("POST", "/rules"): self.set_rules,
                ("POST", "/reset"): lambda _: self.reset()}

    # -- requests

    def now(self):
        return time.time() + self.clock_shift_s

    def answer(self, request):
        request_id = str(uuid.uuid4())
        try:
            access_key = gate_signature.verify(request, self.rules, self.now())
        except gate_signature.Denied as denied:
            return self.refuse(request, request_id, denied.status, denied.code, str(denied), "signature")
        action = action_of(request)
        self.book.note_request(request_id, action, len(request.body), access_key)
        if action == "PutMetricData":
            return self.put_metric_data(request, request_id)
        return self.pass_on(request, request_id)

    def put_metric_data(self, request, request_id):
        fault = self.next_fault(request)
        action = fault["action"] if fault else None
        if action in FAULT_ERRORS:
            return self.refuse(request, request_id, *FAULT_ERRORS[action], "fault", fault.get("retry_after_ms"))
        if action in ("silent", "reset_before"):
            return Reply(ending="silent" if action == "silent" else "reset")
        try:
            body, inflated_bytes = decode(request)
            checked = gate_limits.check(body, inflated_bytes, self.now())
        except gate_limits.Refused as refused:
            return self.refuse(request, request_id, refused.status, refused.code, str(refused), refused.cause)
        reply = self.store(request, request_id, body["Namespace"], checked)
        if action == "delay":
            reply.delay_s = fault["delay_ms"] / 1000
        elif action == "odd_body" and reply.status == 200:
            reply.body = b"<html>\x00not json"
        elif action in ("reset_after", "lose_reply"):
            reply.ending = "reset" if action == "reset_after" else "close"
        return reply

    def next_fault(self, request):
        fault = self.faults.take(lambda f: f["action"] != "reject_datum" or holds_metric(request, f["metric"]))
        if fault is None or fault["action"] != "random":
            return fault
        dice = self.randomness[fault["seed"]]
        return {**fault, "action": dice.choice(fault["actions"])} if dice.random() < fault["rate"] else None

    def store(self, request, request_id, namespace, checked):
        if self.moto is not None:
            status, _, body = forward(self.moto, request)
            if status != 200:
                return self.refuse(request, request_id, 500, "InternalFailure", body.decode("latin-1")[:500], "moto")
        entries = [ledger_entry(request_id, namespace, *each) for each in checked]
        return Reply(200, b"{}", self.headers(request_id), CONTENT_TYPE, on_sent=self.book.open_entries(entries))

    def pass_on(self, request, request_id):
        if self.moto is None:
            return self.refuse(request, request_id, 501, "NotImplemented", "there is no back end", "moto")
        status, headers, body = forward(self.moto, request)
        kept = [(name, value) for name, value in headers if name.lower().startswith(("x-amz", "smithy"))]
        content_type = next((value for name, value in headers if name.lower() == "content-type"), CONTENT_TYPE)
        return Reply(status, body, [*kept, ("Date", email.utils.formatdate(self.now(), usegmt=True))], content_type)

    # -- replies

    def headers(self, request_id):
        return [("x-amzn-RequestId", request_id), ("Date", email.utils.formatdate(self.now(), usegmt=True))]

    def refuse(self, request, request_id, status, code, message, cause, retry_after_ms=None):
        self.book.reject(request_id, status, code, message, cause)
        name = JSON_NAMES.get(code, f"{code}Exception")
        body = json.dumps({"__type": f"com.amazonaws.cloudwatch.v2010_08_01#{name}", "message": message})
        headers = self.headers(request_id)
        if request.header("x-amzn-query-mode") == "true":
            headers.append(("x-amzn-query-error", f"{code};{'Receiver' if status >= 500 else 'Sender'}"))
        if retry_after_ms is not None:
            headers.append(("x-amz-retry-after", str(retry_after_ms)))
        return Reply(status, body, headers, CONTENT_TYPE)


def action_of(request):
    """The operation, in whichever of the three protocols; PutMetricData in another than JSON 1.0 is
    taken as one too and then refused for its Content-Type."""
    target = request.header("x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    if "/operation/" in request.path:
        return request.path.rpartition("/")[2]
    form = dict(urllib.parse.parse_qsl(request.query + "&" + request.body[:4096].decode("latin-1")))
    return form.get("Action", f"{request.method} {request.path}")


def holds_metric(request, metric):
    try:
        body, _ = decode(request)
        return any(datum.get("MetricName") == metric for datum in body["MetricData"])
    except (gate_limits.Refused, KeyError, TypeError, AttributeError):
        return False


def forward(base, request):
    """Hands the request on byte for byte; returns (status, headers, body)."""
    host, port = service.parse_address(urllib.parse.urlsplit(base).netloc)
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers:
            if name.lower() not in ("connection", "expect", "transfer-encoding"):
                connection.putheader(name, value)
        connection.endheaders(request.body)
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
    except OSError as error:
        return 502, [], repr(error).encode()
    finally:
        connection.close()


def main():
    parser = service.program_arguments("the gate before CloudWatch", tls=True)
    parser.add_argument("--moto", metavar="URL", help="pass accepted calls on to moto")
    parser.add_argument("--no-moto", action="store_true", help="keep only the ledger")
    parser.add_argument("--ledger", metavar="FILE", help="append accepted datums here")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--service", action="append", default=[], metavar="NAME",
                        help="a signing name to accept besides monitoring")
    options = parser.parse_args()
    if (options.moto is None) != options.no_moto:
        parser.error("want --moto URL or --no-moto")
    rules = gate_signature.Rules(options.region, ("monitoring", *options.service))
    gate = Gate(options.listen or ["127.0.0.1:0"], options.moto, service.tls_of(options), rules,
                options.ledger)
    gate.set_faults(service.read_script(options.script) or [])
    service.run_until_signal(gate, options.control)


if __name__ == "__main__":
    main()
