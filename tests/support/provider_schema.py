# SPDX-License-Identifier: Apache-2.0
"""What Terraform's AWS provider takes, read from its published Python bindings.

The provider itself comes from a registry that is not to be had everywhere; its bindings are a package of
PyPI whose classes were generated from the provider's schema. They are read, never run:
schema(BUILD FOLDER, PYTHON, kinds) gives {kind: body} for "provider" and kinds like "resource aws_vpc" and "data
aws_partition". A body is {"arguments": {name: {"type", "required", "computed", "settable"}}, "blocks": {name:
{"body", "required", "single"}}}, types as Terraform writes them in JSON. The package (59 MB) is fetched once
for a build folder, by PYTHON's pip.
"""

import ast
import hashlib
import pathlib
import re
import subprocess
import zipfile

PACKAGE = "cdktf-cdktf-provider-aws==21.22.1"  # generated from version 6.25.0 of the provider
SHA256 = "603c647c4de622ed0a2b5e0f1518d81a89b31eed84b67d23410840041e7df924"
MODULES = "cdktf_cdktf_provider_aws"
# What each resource has besides its own arguments.
META = {"connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioners"}
ANCHOR = re.compile(r"#(\w+) \w+#\w+\}")


def fetch(build, python):
    """The path of the package, fetched unless it is there."""
    folder = pathlib.Path(build) / "provider-schema"
    found = sorted(folder.glob("*.whl"))
    if not found:
        subprocess.run([python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
                        "--no-input", "--no-deps", "--only-binary", ":all:", "--dest", folder, PACKAGE], check=True)
        found = sorted(folder.glob("*.whl"))
    digest = hashlib.sha256(found[0].read_bytes()).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{found[0]} is not what was tested: SHA-256 {digest}")
    return found[0]


def text_of(node):
    """An annotation; class names stand in quotes."""
    return node.value if isinstance(node, ast.Constant) else ast.unparse(node)


class Module:
    """The classes of one kind of resource."""

    def __init__(self, source):
        self.classes = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}

    def inputs(self, name):
        """(terraform name, annotation, whether required, whether a block) of what a class is made with."""
        made = next(node for node in self.classes[name].body
                    if isinstance(node, ast.FunctionDef) and node.name == "__init__")
        notes = dict(re.findall(r":param (\w+): ([^\n]*)", ast.get_docstring(made) or ""))
        for argument in made.args.kwonlyargs:
            annotation = text_of(argument.annotation)
            if argument.arg in META or argument.arg.endswith("_"):
                continue
            note = notes.get(argument.arg, "")
            anchor = ANCHOR.search(note)
            yield (anchor.group(1) if anchor else argument.arg, annotation, "Optional" not in annotation.split("[")[0],
                   " block." in f" {note}")

    def outputs(self, name):
        for node in self.classes[name].body:
            if not isinstance(node, ast.FunctionDef) or not node.returns:
                continue
            marks = [ast.unparse(mark) for mark in node.decorator_list]
            if "builtins.property" in marks and any("jsii.member" in mark for mark in marks) \
                    and not node.name.endswith("_input") and not node.name.startswith("_"):
                yield node.name, text_of(node.returns)

    def type_of(self, annotation):
        """Terraform's type of an annotation."""
        classes = [word for word in re.findall(r"\w+", annotation) if word in self.classes]
        if classes:
            return self.type_of_class(classes[0], "Sequence" in annotation or classes[0].endswith("List"))
        simple = "number" if "jsii.Number" in annotation else "bool" if "builtins.bool" in annotation else "string"
        if "Mapping" in annotation:
            return ["map", simple]
        return ["list", simple] if "Sequence" in annotation or "List[" in annotation else simple

    def type_of_class(self, name, is_list):
        if name.endswith("List") and f"{name[:-4]}OutputReference" in self.classes:
            name = f"{name[:-4]}OutputReference"
        if name.endswith("OutputReference"):
            members = {key: self.type_of(kind) for key, kind in self.outputs(name) if key != "internal_value"}
        else:
            members = {key: self.type_of(kind) for key, kind, _required, _block in self.inputs(name)}
        return ["list", ["object", members]] if is_list else ["object", members]

    def body(self, name):
        body = {"arguments": {}, "blocks": {}}
        for key, annotation, required, is_block in self.inputs(name):
            classes = [word for word in re.findall(r"\w+", annotation) if word in self.classes]
            if is_block and classes:
                body["blocks"][key] = {"body": self.body(classes[0]), "required": required,
                                       "single": "Sequence" not in annotation}
            else:
                body["arguments"][key] = {"type": self.type_of(annotation), "required": required,
                                          "computed": not required, "settable": True}
        return body

    def resource(self, name):
        body = self.body(f"{name}Config")
        for key, annotation in self.outputs(name):
            if key not in body["arguments"] and key not in body["blocks"]:
                body["arguments"][key] = {"type": self.type_of(annotation), "required": False, "computed": True,
                                          "settable": False}
        return body


def module_name(kind):
    form, _space, name = kind.partition(" ")
    return ("data_" + name if form == "data" else name.removeprefix("aws_")) if name else "provider"


def schema(build, python, kinds):
    found = {}
    with zipfile.ZipFile(fetch(build, python)) as package:
        for kind in kinds:
            source = package.read(f"{MODULES}/{module_name(kind)}/__init__.py").decode()
            module = Module(source)
            main = next(name for name, node in module.classes.items() if f"{name}Config" in module.classes)
            found[kind] = module.resource(main)
    return found
