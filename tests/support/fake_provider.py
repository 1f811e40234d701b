# SPDX-License-Identifier: Apache-2.0
"""A Terraform provider that makes nothing: hashicorp/aws with the real arguments and an empty world.

Terraform itself then validates, plans, applies and destroys the worked example.
usage: fake_provider.py SCHEMA ANSWERS       until SIGTERM
It speaks Terraform's plugin protocol, version 5, on a port of loopback, and prints one line `reattach VALUE`:
with TF_REATTACH_PROVIDERS=VALUE Terraform uses it without installing anything. SCHEMA is a file of what
provider_schema.py gives, ANSWERS one of {kind: {attribute: value}}: what AWS would fill in. Without an answer
a text is made up. Needs grpcio and msgpack.
"""

import concurrent.futures
import itertools
import json
import os
import pathlib
import signal
import sys

import grpc
import msgpack

ADDRESS = "registry.terraform.io/hashicorp/aws"
SERVICE = "tfplugin5.Provider"
UNKNOWN = msgpack.ExtType(0, b"\0")
NESTING_LIST = 2
ERROR = 1


# ---- messages: protocol buffers, as far as they are needed ----

def varint(number):
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def message(*fields):
    """(number, value) pairs; a value is bytes, text, a number or a bool. None and zero are left out."""
    encoded = bytearray()
    for number, value in fields:
        if value is None or value is False or value == 0:
            continue
        if isinstance(value, int):
            encoded += varint(number << 3) + varint(int(value))
            continue
        value = value.encode() if isinstance(value, str) else value
        encoded += varint(number << 3 | 2) + varint(len(value)) + value
    return bytes(encoded)


def read_varint(data, position):
    number = shift = 0
    while True:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, position


def fields_of(data):
    """{number: last value}."""
    fields, position = {}, 0
    while position < len(data):
        key, position = read_varint(data, position)
        if key & 7 == 0:
            fields[key >> 3], position = read_varint(data, position)
        elif key & 7 == 2:
            length, position = read_varint(data, position)
            fields[key >> 3] = data[position:position + length]
            position += length
        else:
            raise ValueError(f"wire type {key & 7}")
    return fields


def value_of(data):
    """A DynamicValue as Python has it."""
    fields = fields_of(data or b"")
    if 1 in fields:
        return msgpack.unpackb(fields[1], raw=False, strict_map_key=False)
    return json.loads(fields[2]) if 2 in fields else None


def dynamic(value):
    return message((1, msgpack.packb(value)))


# ---- the schema ----

def block_message(body):
    fields = []
    for name, argument in sorted(body["arguments"].items()):
        is_optional = argument["settable"] and not argument["required"]
        fields.append((2, message((1, name), (2, json.dumps(argument["type"])), (4, argument["required"]),
                                  (5, is_optional), (6, argument["computed"]))))
    for name, nested in sorted(body["blocks"].items()):
        fields.append((3, message((1, name), (2, block_message(nested["body"])), (3, NESTING_LIST),
                                  (4, int(nested["required"])), (5, int(nested["single"])))))
    return message(*fields)


def schema_message(body):
    return message((2, block_message(body)))


# ---- the provider ----

class Provider:
    def __init__(self, schema, answers):
        self.schema = schema
        self.answers = answers
        self.numbers = itertools.count(1)
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(16), options=[
            ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])
        self.server.add_generic_rpc_handlers((self,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")

    def reattach(self):
        return json.dumps({ADDRESS: {"Protocol": "grpc", "ProtocolVersion": 5, "Pid": os.getpid(), "Test": True,
                                     "Addr": {"Network": "tcp", "String": f"127.0.0.1:{self.port}"}}})

    def service(self, call):
        """grpc asks here who answers a method."""
        service, _slash, method = call.method.strip("/").partition("/")
        answer = getattr(self, f"on_{method}", None) if service == SERVICE else None
        return answer and grpc.unary_unary_rpc_method_handler(lambda request, _context: answer(fields_of(request)))

    def body(self, form, request):
        return self.schema[f"{form} {request[1].decode()}"]

    def on_GetSchema(self, _request):
        fields = [(1, schema_message(self.schema["provider"]))]
        for kind, body in self.schema.items():
            form, _space, name = kind.partition(" ")
            if name:
                fields.append((2 if form == "resource" else 3, message((1, name), (2, schema_message(body)))))
        return message(*fields)

    def on_PrepareProviderConfig(self, request):
        return message((1, request[1]))

    def on_Configure(self, _request):
        return b""

    def on_ValidateResourceTypeConfig(self, request):
        return self.refuse_computed("resource", request)

    def on_ValidateDataSourceConfig(self, request):
        return self.refuse_computed("data", request)

    def refuse_computed(self, form, request):
        """What only the provider sets, Terraform leaves to the provider to refuse."""
        values = value_of(request[2])
        for name, argument in self.body(form, request)["arguments"].items():
            if not argument["settable"] and values.get(name) is not None:
                return message((1, message((1, ERROR), (2, f"{name} cannot be set"))))
        return b""

    def on_UpgradeResourceState(self, request):
        return message((1, message((2, fields_of(request[3])[1]))))

    def on_ReadResource(self, request):
        return message((1, request[2]), (3, request.get(3)))

    def on_PlanResourceChange(self, request):
        prior, planned = value_of(request.get(2)), value_of(request[3])
        if planned is not None and prior is None:
            for name, argument in self.body("resource", request)["arguments"].items():
                if argument["computed"] and planned.get(name) is None:
                    planned[name] = UNKNOWN
        return message((1, dynamic(planned)), (5, True))

    def on_ApplyResourceChange(self, request):
        planned = value_of(request[3])
        if planned is not None:
            planned = self.filled("resource", request, planned)
        return message((1, dynamic(planned)), (4, True))

    def on_ReadDataSource(self, request):
        return message((1, dynamic(self.filled("data", request, value_of(request[2])))))

    def on_Stop(self, _request):
        return b""

    def filled(self, form, request, values):
        """Values with an answer, or something made up, for what AWS would say."""
        kind = request[1].decode()
        answers = self.answers.get(f"{form} {kind}", {})
        for name, argument in self.body(form, request)["arguments"].items():
            if values.get(name) is None and argument["computed"] or isinstance(values.get(name), msgpack.ExtType):
                answer = answers.get(name)
                values[name] = self.made_up(f"{form} {kind}", name, argument["type"]) if answer is None else answer
        return values

    def made_up(self, kind, name, type_):
        """Resources differ from each other; what is only looked up is the same each time."""
        if type_ == "string":
            number = next(self.numbers) if kind.startswith("resource ") else 0
            return f"{kind.partition(' aws_')[2]}-{name}-{number}"
        simple = {"number": 0, "bool": False}
        return simple[type_] if isinstance(type_, str) else None


def main():
    schema, answers = (json.loads(pathlib.Path(path).read_text(encoding="utf-8")) for path in sys.argv[1:3])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    provider = Provider(schema, answers)
    provider.server.start()
    print("reattach", provider.reattach(), flush=True)
    signal.sigwait({signal.SIGTERM})
    provider.server.stop(None).wait()


if __name__ == "__main__":
    main()
