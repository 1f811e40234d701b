# SPDX-License-Identifier: Apache-2.0
"""Puts a policy, alarms and a dashboard into moto by boto3, and prints what comes back, as JSON.

Run by the python that has moto (tests/support/venv prints it); reads {"policy", "template", "dashboard", "topic"}
from stdin. moto's CloudFormation makes no alarms, so the template's parameter and condition are filled in here,
and each alarm goes through PutMetricAlarm, whose parameters botocore checks.
"""

import json
import os
import sys

os.environ.update(AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                  AWS_DEFAULT_REGION="us-east-1")

import boto3  # noqa: E402
import moto  # noqa: E402


class NoValue:
    """AWS::NoValue: the property is not there."""


def filled(value, topic):
    """The value as CloudFormation would hand it on with that topic; "" for none."""
    if isinstance(value, list):
        return [filled(item, topic) for item in value]
    if not isinstance(value, dict):
        return value
    if value == {"Ref": "AlarmTopicArn"}:
        return topic
    if value == {"Ref": "AWS::NoValue"}:
        return NoValue
    if set(value) == {"Fn::If"}:
        condition, yes, no = value["Fn::If"]
        assert condition == "HasAlarmTopic", condition
        return filled(yes if topic else no, topic)
    made = {name: filled(item, topic) for name, item in value.items()}
    return {name: item for name, item in made.items() if item is not NoValue}


def main():
    given = json.load(sys.stdin)
    with moto.mock_aws():
        cloudwatch = boto3.client("cloudwatch")
        for resource in given["template"]["Resources"].values():
            assert resource["Type"] == "AWS::CloudWatch::Alarm", resource
            cloudwatch.put_metric_alarm(**filled(resource["Properties"], given["topic"]))
        cloudwatch.put_dashboard(DashboardName="lattice-probe", DashboardBody=given["dashboard"])
        iam = boto3.client("iam")
        arn = iam.create_policy(PolicyName="lattice-probe", PolicyDocument=given["policy"])["Policy"]["Arn"]
        pages = cloudwatch.get_paginator("describe_alarms").paginate()
        print(json.dumps({
            "alarms": [alarm for page in pages for alarm in page["MetricAlarms"]],
            "dashboard": cloudwatch.get_dashboard(DashboardName="lattice-probe")["DashboardBody"],
            "policy": iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"],
        }, default=str))


if __name__ == "__main__":
    main()
