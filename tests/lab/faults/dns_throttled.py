# SPDX-License-Identifier: Apache-2.0
"""Most DNS replies are lost.
The instance sends more than 1024 packets a second to link-local addresses (DNS, IMDS, NTP), and the
network drops what is beyond: here the first eight questions, then every second one.
"""

VERDICT = "dns-throttled"
CONFIDENCE = "likely"
BASIS = "documented"


def apply(lab):
    lab.dnsdist("asked = 0", "function share(dq) asked = asked + 1; "
                "if asked <= 8 or asked % 2 == 0 then return DNSAction.Drop, '' end return DNSAction.None, '' end",
                "addAction(AllRule(), LuaAction(share))")
