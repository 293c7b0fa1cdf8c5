#!/usr/bin/env -S python3 -B
"""The pool over health services on Python's grpcio."""
import os
import sys

sys.path[:0] = ["bazel", "interop_tests/harness", "interop_tests/driven",
                os.path.dirname(os.path.realpath(__file__))]

import case_xml
import health_cases
import namespace
from processes import end_on_sigterm


class PythonHealthTest(health_cases.BadMannersCases, health_cases.HealthCases,
                       health_cases.UnknownStatusCases):

    @classmethod
    def make(cls, name):
        return cls.stage.python_server(name)


class PythonNoHealthTest(health_cases.NoHealthServiceCases):

    @classmethod
    def make(cls, name):
        return cls.stage.python_server(name, health=False)


if __name__ == "__main__":
    namespace.enter()
    end_on_sigterm()
    case_xml.main()
