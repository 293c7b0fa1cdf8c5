#!/usr/bin/env -S python3 -B
"""The whole matrix. Takes the packages that `matrix.py --packages` prints."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import cells_test_util  # first: it makes case_xml's directory known
import case_xml
import namespace
from processes import end_on_sigterm

MatrixAllTest = cells_test_util.case_class("MatrixAllTest", [])

if __name__ == "__main__":
    namespace.enter()
    end_on_sigterm()
    case_xml.main()
