# SPDX-License-Identifier: Apache-2.0
"""What CloudWatch takes as the body of a dashboard, as its documentation has it.

findings(text) names every departure from the API Reference's "Dashboard Body Structure and Syntax" and from the
quotas of the User Guide; series(body) gives what the metric widgets refer to. Only what metric and text widgets
have is known here.
"""

import json
import re

COLUMNS, WIDGETS, METRICS, METRICS_IN_ALL = 24, 500, 500, 2500
BODY = {"widgets": list, "start": str, "end": str, "periodOverride": str, "variables": list}
WIDGET = {"type": str, "x": int, "y": int, "width": int, "height": int, "properties": dict}
METRIC = {"metrics": list, "region": str, "title": str, "view": str, "stacked": bool, "period": int, "stat": str,
          "yAxis": dict, "annotations": dict, "accountId": str, "legend": dict, "liveData": bool, "timezone": str,
          "setPeriodToTimeRange": bool, "trend": bool, "sparkline": bool, "table": dict, "labels": list}
LOOK = {"color": str, "label": str, "period": int, "stat": str, "visible": bool, "yAxis": str, "id": str, "region": str,
        "accountId": str, "expression": str}
AXIS = {"min": (int, float), "max": (int, float), "label": str, "showUnits": bool}
VIEWS = {"timeSeries", "singleValue", "gauge", "bar", "pie", "table"}
STATISTIC = re.compile(r"Average|Sum|Minimum|Maximum|SampleCount|p\d{1,2}(\.\d+)?|p100")
SEARCH = re.compile(r"SEARCH\('\{((?:\"[^\"']+\",?)+)\} ([^']*)', '([^']+)', (\d+)\)")


def of_types(what, found, types):
    for name, value in found.items():
        wanted = types.get(name)
        if wanted is None:
            yield f"{what}: there is no {name}"
        elif not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            yield f"{what}: {name} is {value!r}"


def is_period(period):
    return period in (1, 5, 10, 30) or (period >= 60 and period % 60 == 0)


def of_expression(what, text, ids):
    searched = SEARCH.fullmatch(text)
    if searched:
        if not STATISTIC.fullmatch(searched.group(3)) or not is_period(int(searched.group(4))):
            yield f"{what}: {text}"
        if len(searched.group(1)) + len(searched.group(2)) > 1024:
            yield f"{what}: a search of more than 1024 characters"
        return
    filled = re.fullmatch(r"FILL\((\w+), 0\)", text)
    if not filled or filled.group(1) not in ids:
        yield f"{what}: what is {text!r}?"


def of_row(what, row, ids):
    if not isinstance(row, list) or not row:
        yield f"{what}: no list"
        return
    look = row[-1] if isinstance(row[-1], dict) else {}
    names = row[:-1] if look else row
    yield from of_types(what, look, LOOK)
    if "stat" in look and not STATISTIC.fullmatch(look["stat"]):
        yield f"{what}: stat {look['stat']}"
    if "id" in look and not re.fullmatch(r"[a-z]\w*", look["id"]):
        yield f"{what}: id {look['id']}"
    if "expression" in look:
        if names:
            yield f"{what}: an expression beside a metric"
        yield from of_expression(what, look["expression"], ids)
    elif len(names) < 2 or len(names) % 2 or len(names) > 2 + 2 * 30 or not all(isinstance(name, str) and name for name in names):
        yield f"{what}: {names}"
    elif {".", "..."} & set(names):
        yield f"{what}: shorthand"


def of_metric(what, properties):
    yield from of_types(what, properties, METRIC)
    rows = properties.get("metrics", [])
    if "region" not in properties or not rows:
        yield f"{what}: region and metrics are required"
    if not is_period(properties.get("period", 300)) or properties.get("view", "timeSeries") not in VIEWS:
        yield f"{what}: period or view"
    if len(rows) > METRICS:
        yield f"{what}: {len(rows)} metrics"
    for side, axis in properties.get("yAxis", {}).items():
        yield from of_types(f"{what}.yAxis", axis, AXIS)
        if side not in ("left", "right"):
            yield f"{what}: an axis {side}"
    for line in properties.get("annotations", {}).get("horizontal", []):
        yield from of_types(f"{what}.annotations", line, {"label": str, "value": (int, float)})
    ids = [row[-1]["id"] for row in rows if isinstance(row[-1], dict) and "id" in row[-1]]
    if len(ids) != len(set(ids)):
        yield f"{what}: an id twice"
    for number, row in enumerate(rows):
        yield from of_row(f"{what}.metrics[{number}]", row, ids)


def of_place(what, widget, taken):
    x, y, width, height = (widget.get(name, -1) for name in ("x", "y", "width", "height"))
    if not (0 <= x < COLUMNS and y >= 0 and 1 <= width <= COLUMNS - x and 1 <= height <= 1000):
        yield f"{what}: at {x},{y}, {width} by {height}"
        return
    cells = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
    if cells & taken:
        yield f"{what}: over another"
    taken |= cells


def findings(text):
    body = json.loads(text)
    found = list(of_types("body", body, BODY))
    widgets = body.get("widgets", [])
    taken = set()
    if not 1 <= len(widgets) <= WIDGETS:
        found.append(f"{len(widgets)} widgets")
    for number, widget in enumerate(widgets):
        what = f"widgets[{number}]"
        found += [*of_types(what, widget, WIDGET), *of_place(what, widget, taken)]
        if widget["type"] == "metric":
            found += of_metric(what, widget["properties"])
        elif widget["type"] != "text" or set(widget["properties"]) != {"markdown"}:
            found.append(f"{what}: {widget['type']}")
    in_all = sum(len(widget["properties"].get("metrics", [])) for widget in widgets)
    return found + ([f"{in_all} metrics"] if in_all > METRICS_IN_ALL else [])


def series(body):
    """(namespace, metric, {dimension: value}) of each metric named, not searched for."""
    for widget in body["widgets"]:
        for row in widget["properties"].get("metrics", []):
            names = [name for name in row if isinstance(name, str)]
            if names:
                yield names[0], names[1], dict(zip(names[2::2], names[3::2]))
