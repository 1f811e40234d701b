# SPDX-License-Identifier: Apache-2.0
"""What PutMetricData refuses, and what this project must never send.

check(request, now) raises Refused for the whole request, as CloudWatch does for one bad datum.
The limits are those of the API reference of PutMetricData and of MetricDatum; the second half,
PROJECT_METRICS, is the table of metrics in the design: a wrong unit there is our bug, though AWS
would take it.
"""

import math

REQUEST_BYTES_MAX = 1_000_000  # "1 MB", before compression, taken strictly
DATUMS_MAX = 1000
VALUES_MAX = 150
DIMENSIONS_MAX = 30
VALUE_LIMIT = 2.0 ** 360
PAST_MAX_S = 14 * 86400
FUTURE_MAX_S = 2 * 3600
UNITS = frozenset((
    "Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes",
    "Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count",
    "Bytes/Second", "Kilobytes/Second", "Megabytes/Second", "Gigabytes/Second", "Terabytes/Second",
    "Bits/Second", "Kilobits/Second", "Megabits/Second", "Gigabits/Second", "Terabits/Second",
    "Count/Second", "None"))
DATUM_KEYS = frozenset(("MetricName", "Dimensions", "Timestamp", "Value", "StatisticValues", "Values", "Counts",
                        "Unit", "StorageResolution"))

PROJECT_NAMESPACE = "LatticeProbe"
PROJECT_METRICS = {
    "Success": "None", "Latency": "Milliseconds", "DnsLatency": "Milliseconds",
    "ConnectLatency": "Milliseconds", "TlsLatency": "Milliseconds", "FirstByteLatency": "Milliseconds",
    "TransferLatency": "Milliseconds", "FailedLatency": "Milliseconds",
    "TcpRetransmits": "Count", "DnsRetransmits": "Count",
    "DnsFailures": "Count", "ConnectFailures": "Count", "TlsFailures": "Count", "HealthFailures": "Count",
    "CertificateDaysRemaining": "None",
    "Heartbeat": "Count", "RunsMissed": "Count", "RunsLate": "Count", "LocalFaults": "Count",
    "SamplesDropped": "Count", "ConfigReloadFailed": "Count", "ClockSkewSeconds": "Seconds"}
MAY_BE_NEGATIVE = ("CertificateDaysRemaining", "ClockSkewSeconds")


class Refused(Exception):
    """code is the query-protocol error code; cause says which half refused: "limits" or "project"."""

    def __init__(self, code, message, cause="limits", status=400):
        super().__init__(message)
        self.code = code
        self.cause = cause
        self.status = status


def invalid(message):
    return Refused("InvalidParameterValue", message)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_text(what, text, longest):
    if not isinstance(text, str):
        raise invalid(f"{what}: must be a string")
    if not 1 <= len(text) <= longest:
        raise invalid(f"{what}: length {len(text)}, allowed 1 to {longest}")
    if any(not 0x20 <= ord(letter) <= 0x7e for letter in text):
        raise invalid(f"{what}: only printable ASCII is allowed")
    if not text.strip():
        raise invalid(f"{what}: needs a character that is not a space")


def check_value(what, value):
    if not is_number(value):
        raise invalid(f"{what}: {value!r} is not a number")
    if not math.isfinite(value) or abs(value) > VALUE_LIMIT:
        raise invalid(f"{what}: {value} is outside -2^360 to 2^360")


def check_dimensions(where, dimensions):
    if not isinstance(dimensions, list) or len(dimensions) > DIMENSIONS_MAX:
        raise invalid(f"{where}.Dimensions: a list of at most {DIMENSIONS_MAX}")
    names = []
    for dimension in dimensions:
        if not isinstance(dimension, dict) or set(dimension) != {"Name", "Value"}:
            raise invalid(f"{where}.Dimensions: each has a Name and a Value")
        check_text(f"{where}.Dimensions.Name", dimension["Name"], 255)
        check_text(f"{where}.Dimensions.Value", dimension["Value"], 1024)
        if dimension["Name"].startswith(":"):
            raise invalid(f"{where}.Dimensions.Name: must not start with a colon")
        names.append(dimension["Name"])
    if len(set(names)) != len(names):
        raise invalid(f"{where}.Dimensions: a name occurs twice")


def check_values(where, datum):
    """Exactly one way to carry numbers; returns (values, counts)."""
    ways = [key for key in ("Value", "Values", "StatisticValues") if key in datum]
    if len(ways) != 1:
        raise Refused("InvalidParameterCombination", f"{where}: want one of Value, Values, StatisticValues")
    if "Counts" in datum and ways != ["Values"]:
        raise Refused("InvalidParameterCombination", f"{where}: Counts without Values")
    if ways == ["StatisticValues"]:
        raise Refused("InvalidParameterValue", f"{where}: StatisticValues lose percentiles", "project")
    values = [datum["Value"]] if ways == ["Value"] else datum["Values"]
    if not isinstance(values, list) or not 1 <= len(values) <= VALUES_MAX:
        raise invalid(f"{where}.Values: a list of 1 to {VALUES_MAX}")
    counts = datum.get("Counts", [1] * len(values))
    if not isinstance(counts, list) or len(counts) != len(values):
        raise invalid(f"{where}: Values and Counts must have the same length")
    for value in values:
        check_value(f"{where}.Values", value)
    for count in counts:
        check_value(f"{where}.Counts", count)
        if count <= 0:
            raise invalid(f"{where}.Counts: {count} is not positive")
    return values, counts


def check_timestamp(where, datum, now):
    timestamp = datum.get("Timestamp")
    if not is_number(timestamp):
        raise invalid(f"{where}.Timestamp: JSON 1.0 wants seconds since the epoch as a number")
    if timestamp < now - PAST_MAX_S or timestamp > now + FUTURE_MAX_S:
        raise invalid(f"{where}.Timestamp: {timestamp} must be within the past two weeks "
                      f"and two hours into the future")


def check_datum(where, datum, now):
    if not isinstance(datum, dict):
        raise Refused("SerializationException", f"{where}: must be an object")
    unknown = set(datum) - DATUM_KEYS
    if unknown:
        raise invalid(f"{where}: unknown members {sorted(unknown)}")
    if "MetricName" not in datum:
        raise Refused("MissingParameter", f"{where}.MetricName is required")
    check_text(f"{where}.MetricName", datum["MetricName"], 255)
    if datum["MetricName"].startswith(":"):
        raise invalid(f"{where}.MetricName: must not start with a colon")
    check_dimensions(where, datum.get("Dimensions", []))
    if datum.get("Unit", "None") not in UNITS:
        raise invalid(f"{where}.Unit: {datum['Unit']!r} is not a unit")
    if datum.get("StorageResolution", 60) not in (1, 60):
        raise invalid(f"{where}.StorageResolution: 1 or 60")
    check_timestamp(where, datum, now)
    return check_values(where, datum)


def check_project(where, datum, values):
    """The rules of our own metric table."""
    name = datum["MetricName"]
    unit = PROJECT_METRICS.get(name)
    if unit is None:
        raise Refused("InvalidParameterValue", f"{where}: {name} is no metric of this project", "project")
    if datum.get("Unit") != unit:
        raise Refused("InvalidParameterValue", f"{where}: {name} has unit {datum.get('Unit')}, want {unit}", "project")
    if name == "Success" and any(value not in (0, 1) for value in values):
        raise Refused("InvalidParameterValue", f"{where}: Success is 0 or 1, got {values}", "project")
    if name not in MAY_BE_NEGATIVE and any(value < 0 for value in values):
        raise Refused("InvalidParameterValue", f"{where}: {name} is negative: {values}", "project")


def check(body, request_bytes, now):
    """Checks one decoded PutMetricData; returns [(datum, values, counts)]."""
    if request_bytes > REQUEST_BYTES_MAX:
        raise Refused("RequestEntityTooLarge", f"{request_bytes} bytes, allowed {REQUEST_BYTES_MAX}", status=413)
    if not isinstance(body, dict):
        raise Refused("SerializationException", "the body must be an object")
    unknown = set(body) - {"Namespace", "MetricData", "EntityMetricData", "StrictEntityValidation"}
    if unknown:
        raise invalid(f"unknown members {sorted(unknown)}")
    for key in ("Namespace", "MetricData"):
        if key not in body:
            raise Refused("MissingParameter", f"{key} is required")
    namespace = body["Namespace"]
    check_text("Namespace", namespace, 255)
    if namespace.startswith((":", "AWS/")):
        raise invalid(f"Namespace: {namespace} is reserved")
    datums = body["MetricData"]
    if not isinstance(datums, list) or not 1 <= len(datums) <= DATUMS_MAX:
        raise invalid(f"MetricData: a list of 1 to {DATUMS_MAX}")
    checked = []
    for number, datum in enumerate(datums, 1):
        where = f"MetricData.member.{number}"
        values, counts = check_datum(where, datum, now)
        if namespace == PROJECT_NAMESPACE:
            check_project(where, datum, values)
        checked.append((datum, values, counts))
    return checked
