#!/usr/bin/env -S python3 -B
"""This checkout keeps the rules of tidy.py: one case for each of them."""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))  # in the checkout, not in the runfiles
sys.path.insert(0, HERE)

import case_xml
import source_tree
import tidy


class TidyTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.tree = source_tree.Tree(os.path.dirname(HERE))
        # What would make every rule look kept: not being where the sources are.
        for file in ("WORKSPACE", "plugin/BUILD", "bazel/tidy.py"):
            if file not in cls.tree.files:
                raise AssertionError("%s is not the checkout: no %s" % (cls.tree.root, file))


def _case(check):
    def run(self):
        findings = check(self.tree)
        if findings:
            self.fail("\n".join([check.__doc__.splitlines()[0], *findings]))
    return run


for _name, _check in tidy.CHECKS.items():
    setattr(TidyTest, _name.replace("check_", "test_", 1), _case(_check))

if __name__ == "__main__":
    case_xml.main()
