#!/usr/bin/env -S python3 -B
"""The pool over the health services of gRPC C++, of Node's grpc-health-check, and bad ones."""
import os
import sys

sys.path[:0] = ["bazel", "interop_tests/harness", "interop_tests/driven",
                os.path.dirname(os.path.realpath(__file__))]

import case_xml
import health_cases
import namespace
from processes import end_on_sigterm


class CppHealthTest(health_cases.HealthCases):

    @classmethod
    def make(cls, name):
        return cls.stage.server(name, "--health=default")


class CppNoHealthTest(health_cases.NoHealthServiceCases):

    @classmethod
    def make(cls, name):
        return cls.stage.server(name, "--health=none")


class ScriptedHealthTest(health_cases.BadMannersCases, health_cases.UnknownStatusCases):

    @classmethod
    def make(cls, name):
        return cls.stage.server(name, "--health=scripted")


class NodeHealthTest(health_cases.HealthCases, health_cases.UnknownStatusCases):

    @classmethod
    def make(cls, name):
        return cls.stage.node_server(name)


class NodeNoHealthTest(health_cases.NoHealthServiceCases):

    @classmethod
    def make(cls, name):
        return cls.stage.node_server(name, health=False)


if __name__ == "__main__":
    namespace.enter()
    end_on_sigterm()
    case_xml.main()
