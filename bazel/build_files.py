"""Targets: what the BUILD files of a Tree say, read as the literals that they are here.

Bazel cannot be asked from inside a test. A BUILD file is Python's syntax; this reads the calls at
its top level whose name is a plain string, and of their attributes every string that stands
anywhere in the value. Workspaces inside the tree (examples/consumer) are left out.
"""
import ast
import collections
import posixpath

from source_tree import Tree

Target = collections.namedtuple("Target", "label kind package attributes")

_GENERATED = {"cc_proto_library": ("deps", ".pb.h"), "cc_grpc_library": ("srcs", ".grpc.pb.h")}


class Targets:
    """All targets by label (//package:name), and who owns which file."""

    def __init__(self, tree: Tree):
        self.by_label = {}
        self.owners = collections.defaultdict(set)  # path of a source or header -> labels
        self.providers = collections.defaultdict(set)  # path of a header for others -> labels
        self._workspaces = [posixpath.dirname(f) + "/" for f in tree.named("/WORKSPACE")]
        for path in tree.named("BUILD", "BUILD.bazel"):
            if posixpath.basename(path) in ("BUILD", "BUILD.bazel") and self.covers(path):
                self._read(posixpath.dirname(path), tree.text(path))
        for target in self.by_label.values():
            for attribute in ("srcs", "hdrs", "textual_hdrs"):
                for name in target.attributes.get(attribute, []):
                    file = posixpath.join(target.package, name.lstrip(":"))
                    self.owners[file].add(target.label)
                    if attribute != "srcs":
                        self.providers[file].add(target.label)
            self._add_generated(target)

    def covers(self, path):
        return not path.startswith(tuple(self._workspaces))

    def deps(self, target):
        """The labels in deps, aliases resolved."""
        return {self.resolve(self.absolute(target.package, d))
                for d in target.attributes.get("deps", [])}

    def closure(self, target):
        """The labels of all that `target` depends on, of other repositories as well."""
        seen = set()
        todo = [target.label]
        while todo:
            label = self.resolve(todo.pop())
            if label not in seen:
                seen.add(label)
                if label in self.by_label:
                    todo += self.deps(self.by_label[label])
        return seen

    def resolve(self, label):
        target = self.by_label.get(label)
        if target and target.kind == "alias" and target.attributes.get("actual"):
            return self.resolve(self.absolute(target.package, target.attributes["actual"][0]))
        return label

    @staticmethod
    def absolute(package, label):
        if label.startswith(":"):
            return "//%s%s" % (package, label)
        if not label.startswith(("//", "@")):
            return "//%s:%s" % (package, label)
        if ":" not in label:
            return label + ":" + label.rpartition("/")[2]
        return label

    def _read(self, package, text):
        for statement in ast.parse(text).body:
            call = getattr(statement, "value", None)
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            attributes = {keyword.arg: _strings(keyword.value) for keyword in call.keywords}
            name = attributes.get("name")
            if name:
                label = "//%s:%s" % (package, name[0])
                self.by_label[label] = Target(label, call.func.id, package, attributes)

    def _add_generated(self, target):
        if target.kind not in _GENERATED:
            return
        attribute, ending = _GENERATED[target.kind]
        for label in target.attributes.get(attribute, []):
            protos = self.by_label.get(self.absolute(target.package, label))
            for proto in protos.attributes.get("srcs", []) if protos else []:
                base = posixpath.join(protos.package, proto)[:-len(".proto")]
                self.providers[base + ending].add(target.label)
                if ending == ".grpc.pb.h":  # comes with its deps, the messages
                    self.providers[base + ".pb.h"].add(target.label)


def _strings(value):
    return [n.value for n in ast.walk(value)
            if isinstance(n, ast.Constant) and isinstance(n.value, str)]
