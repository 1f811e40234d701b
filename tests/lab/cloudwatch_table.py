#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What CloudWatch holds: read back through its API with calls signed by botocore, as a table.

usage: cloudwatch_table.py [--url URL] [--namespace NAME] [--minutes N] [--json]
The certificate authority comes from AWS_CA_BUNDLE, as for any AWS client.
"""

import argparse
import json
import os
import pathlib
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import signed_call  # noqa: E402

STATISTICS = ["SampleCount", "Average", "Minimum", "Maximum", "Sum"]
SHORT_UNITS = {"Milliseconds": " (ms)", "Seconds": " (s)"}
ROW = "{:<20} {:<24} {:>7} {:>8} {:>8} {:>8}"


class CloudWatch:
    def __init__(self, url):
        self.url = url

    def call(self, operation, body):
        host = self.url.partition("://")[2]
        where = host if ":" in host else f"{host}:443"
        status, _, answer = signed_call.call(self.url, operation, body, ca=os.environ.get("AWS_CA_BUNDLE"),
                                             connect_to=where)
        if status != 200:
            sys.exit(f"cloudwatch_table: {operation}: {status} {answer}")
        return answer

    def metrics(self, namespace):
        """Each series once: moto names one again for every datum it took, which CloudWatch does not."""
        found = self.call("ListMetrics", {"Namespace": namespace})["Metrics"]
        return list({json.dumps(metric, sort_keys=True): metric for metric in found}.values())

    def datapoints(self, metric, start, end, period_s):
        return self.call("GetMetricStatistics", {**metric, "StartTime": start, "EndTime": end, "Period": period_s,
                                                 "Statistics": STATISTICS})["Datapoints"]


def summary(metric, points):
    """One row: all datapoints of a series together."""
    samples = sum(point["SampleCount"] for point in points)
    dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
    return {"metric": metric["MetricName"], "dimensions": dimensions, "unit": points[0]["Unit"],
            "periods": len(points), "samples": samples,
            "average": sum(point["Sum"] for point in points) / samples,
            "minimum": min(point["Minimum"] for point in points),
            "maximum": max(point["Maximum"] for point in points)}


def read(url, namespace, minutes, period_s):
    cloudwatch = CloudWatch(url)
    end = time.time() + 60
    rows = []
    for metric in cloudwatch.metrics(namespace):
        points = cloudwatch.datapoints(metric, end - minutes * 60, end, period_s)
        if points:
            rows.append(summary(metric, points))
    return sorted(rows, key=lambda row: (who(row), row["metric"]))


def who(row):
    """The dimension that tells series apart: the service, else the fleet."""
    return row["dimensions"].get("Service") or row["dimensions"].get("Fleet") or "-"


def number(value):
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


def show(rows):
    print(ROW.format("series", "metric", "samples", "average", "min", "max"))
    print("-" * 80)
    for row in rows:
        metric = row["metric"] + SHORT_UNITS.get(row["unit"], "")
        print(ROW.format(who(row)[:20], metric[:24], number(row["samples"]), number(row["average"]),
                         number(row["minimum"]), number(row["maximum"])))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="https://monitoring.us-east-1.amazonaws.com")
    parser.add_argument("--namespace", default="LatticeProbe")
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--period", type=int, default=60, help="seconds")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = read(options.url, options.namespace, options.minutes, options.period)
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        show(rows)
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
