# SPDX-License-Identifier: Apache-2.0
"""Two faults at once, and the verdict that must be named: the one to be mended first, since the other
does not show until then. (first fault, second fault, verdict)"""

PAIRS = [
    ("dns-nxdomain", "path-silent", "dns-nxdomain"),
    ("dns-wrong-resolver", "path-silent", "dns-wrong-resolver"),
    ("dns-wrong-resolver", "tls-expired", "dns-wrong-resolver"),
    ("dns-rebind-filtered", "route-missing", "dns-rebind-filtered"),
    ("dns-servfail", "tls-silent", "dns-servfail"),
    ("dns-unexpected-address", "app-status", "dns-unexpected-address"),
    ("route-missing", "path-silent", "route-missing"),
    ("route-zeroconf", "path-silent", "route-zeroconf"),
    ("route-diverted", "tls-silent", "route-diverted"),
    ("local-firewall", "path-silent", "local-firewall"),
    ("outside-vpc", "path-silent", "outside-vpc"),
    ("path-silent", "tls-expired", "path-silent"),
    ("path-silent", "auth-denied", "path-silent"),
    ("connect-refused", "target-unavailable", "connect-refused"),
    ("tls-expired", "auth-denied", "tls-expired"),
    ("tls-untrusted", "app-status", "tls-untrusted"),
    ("auth-denied", "metrics-denied", "auth-denied"),
    ("response-timeout", "imds-off", "response-timeout"),
    ("imds-off", "metrics-unreachable", "imds-off"),
    ("clock-skew", "metrics-denied", "clock-skew"),
]
