# SPDX-License-Identifier: Apache-2.0
"""VPC Lattice denies the anonymous request (403): the service network's auth policy.
The service network has auth type AWS_IAM and its auth policy does not allow anonymous callers.
"""

VERDICT = "auth-denied"
CONFIDENCE = "certain"
BASIS = "observed"
DENIED = ("AccessDeniedException: User: anonymous "
          "is not authorized to perform: vpc-lattice-svcs:Invoke on resource: arn:aws:vpc-lattice:us-east-1:123456789012:service/"
          "svc-0a1b2c3d4e5f67890/healthz because no network-based policy allows the vpc-lattice-svcs:Invoke action")


def apply(lab):
    lab.http({"*": {"status": 403, "echo_headers": ["x-amzn-requestid"], "body": DENIED}})
