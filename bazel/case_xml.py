"""Runs unittest cases as a Bazel test: each is a case of its test.xml, as with GoogleTest."""
import os
import sys
import time
import unittest
import xml.etree.ElementTree as ElementTree


class _Result(unittest.TextTestResult):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.suite = ElementTree.Element("testsuite", name="python")
        self._case = None
        self._started = 0.0

    def startTest(self, test):
        super().startTest(test)
        self._case = ElementTree.SubElement(
            self.suite, "testcase", classname=type(test).__name__, name=test._testMethodName)
        self._started = time.monotonic()

    def stopTest(self, test):
        self._case.set("time", "%.3f" % (time.monotonic() - self._started))
        super().stopTest(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        ElementTree.SubElement(self._case, "failure", message=str(err[1]))

    def addError(self, test, err):
        super().addError(test, err)
        if self._case is None:  # outside any case: setUpClass, setUpModule
            self._case = ElementTree.SubElement(
                self.suite, "testcase", classname="python", name=str(test))
        ElementTree.SubElement(self._case, "error", message=str(err[1]))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            ElementTree.SubElement(self._case, "failure", message=str(err[1]))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        ElementTree.SubElement(self._case, "skipped", message=reason)


def main():
    """The cases of __main__; ends the process with 0 if there are some and all pass."""
    tests = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = unittest.TextTestRunner(verbosity=2, resultclass=_Result).run(tests)
    suites = ElementTree.Element("testsuites")
    suites.append(result.suite)
    path = os.environ.get("XML_OUTPUT_FILE")
    if path:
        ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)
    sys.exit(0 if result.testsRun and result.wasSuccessful() else 1)
