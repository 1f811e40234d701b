# SPDX-License-Identifier: Apache-2.0
"""The bytes of DNS (RFC 1035 section 4), as much of them as a test server needs."""

import ipaddress
import struct

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "OPT": 41}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
RCODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5}

HEADER_BYTES = 12
CLASS_IN = 1


def encode_name(name):
    """Labels without compression; "" and "." are the root."""
    wire = b""
    for label in name.rstrip(".").split("."):
        if label:
            raw = label.encode("ascii")
            if len(raw) > 63:
                raise ValueError(f"label over 63 bytes: {label}")
            wire += bytes([len(raw)]) + raw
    return wire + b"\0"


def decode_name(packet, offset):
    """Returns the name as asked (case kept) and the offset after it. No compression: a query has none."""
    labels = []
    while True:
        length = packet[offset]
        offset += 1
        if length == 0:
            return ".".join(labels), offset
        if length > 63:
            raise ValueError("compressed name in a question")
        labels.append(packet[offset:offset + length].decode("latin-1"))
        offset += length


def record(owner, type_name, ttl_s, rdata):
    """One resource record; owner is a name, or a compression pointer as bytes."""
    wire_owner = owner if isinstance(owner, bytes) else encode_name(owner)
    return wire_owner + struct.pack(">HHIH", TYPES[type_name], CLASS_IN, ttl_s, len(rdata)) + rdata


def address_record(owner, address, ttl_s):
    address = ipaddress.ip_address(address)
    return record(owner, "A" if address.version == 4 else "AAAA", ttl_s, address.packed)


def soa_record(zone, ttl_s):
    rdata = encode_name(f"ns.{zone}") + encode_name(f"hostmaster.{zone}")
    return record(zone, "SOA", ttl_s, rdata + struct.pack(">IIIII", 1, 7200, 900, 1209600, ttl_s))


class Query:
    """A parsed question. Raises ValueError, IndexError or struct.error on bytes that are none."""

    def __init__(self, packet):
        self.id, self.flags, questions, _, _, additional = struct.unpack(">HHHHHH", packet[:HEADER_BYTES])
        if questions != 1 or self.flags & 0x8000:
            raise ValueError("not one question")
        self.name, end = decode_name(packet, HEADER_BYTES)
        self.type, self.klass = struct.unpack(">HH", packet[end:end + 4])
        self.question = packet[HEADER_BYTES:end + 4]
        self.udp_bytes = 512
        self.has_edns = False
        if additional and packet[end + 4:end + 7] == b"\0\0\x29":
            self.has_edns = True
            self.udp_bytes = max(512, struct.unpack(">H", packet[end + 7:end + 9])[0])

    @property
    def type_name(self):
        return TYPE_NAMES.get(self.type, f"TYPE{self.type}")


def flags(query, rcode, authoritative=False, truncated=False, is_reply=True):
    """RA=1 and RD copied, as the VPC resolver answers."""
    value = 0x0080 | (query.flags & 0x0100) | rcode
    if is_reply:
        value |= 0x8000
    if authoritative:
        value |= 0x0400
    if truncated:
        value |= 0x0200
    return value


def message(query, flag_bits, answer=(), authority=(), question=None, message_id=None):
    """A whole reply; an OPT record is added when the question carried one (RFC 6891 section 6.1.1)."""
    edns = [b"\0" + struct.pack(">HHIH", TYPES["OPT"], 4096, 0, 0)] if query.has_edns else []
    header = struct.pack(">HHHHHH", query.id if message_id is None else message_id, flag_bits, 1,
                         len(answer), len(authority), len(edns))
    return header + (query.question if question is None else question) + b"".join([*answer, *authority, *edns])
