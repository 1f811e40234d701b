# SPDX-License-Identifier: Apache-2.0
"""VPC Lattice denies the request (403): the caller's own IAM policy.
The caller's role lacks vpc-lattice-svcs:Invoke on the service.
"""

VERDICT = "auth-denied"
CONFIDENCE = "certain"
BASIS = "observed"
DENIED = ("AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/probe/i-0123456789abcdef0 "
          "is not authorized to perform: vpc-lattice-svcs:Invoke on resource: arn:aws:vpc-lattice:us-east-1:123456789012:service/"
          "svc-0a1b2c3d4e5f67890/healthz because no identity-based policy allows the vpc-lattice-svcs:Invoke action")


def apply(lab):
    lab.http({"*": {"status": 403, "echo_headers": ["x-amzn-requestid"], "body": DENIED}})
