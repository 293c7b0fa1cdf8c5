#!/usr/bin/env -S python3 -B
"""The part of the matrix that every run of the tests has: two servers, three ways to them."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import cells_test_util  # first: it makes case_xml's directory known
import case_xml
import namespace
from processes import end_on_sigterm

MatrixTest = cells_test_util.case_class(
    "MatrixTest", ["--peer=cpp,node", "--proxy=direct,nginx,haproxy", "--soak-rpcs=10",
                   "--long-lived-ms=100"])

if __name__ == "__main__":
    namespace.enter()
    end_on_sigterm()
    case_xml.main()
