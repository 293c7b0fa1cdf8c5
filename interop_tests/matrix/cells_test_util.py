"""The cells of a matrix as the cases of a Bazel test: one run of it, then each cell is looked at."""
import os
import sys
import unittest

sys.path.insert(0, "bazel")

import matrix
import unsupported
import verdict


def case_class(name, arguments):
    """A TestCase with a case for each cell that `arguments` of matrix.py ask for."""
    options = matrix.parse(arguments)

    def set_up(cls):
        # ThreadSanitizer cannot see into gRPC. What it can say it says in the tests of the parts.
        os.environ["TSAN_OPTIONS"] = "report_bugs=0"
        cls.record = matrix.measure(options)
        cls.cells = cls.record.cells()
        print(*matrix.table.legend(cls.cells), cls.record.summary(), sep="\n", file=sys.stderr)

    methods = {"setUpClass": classmethod(set_up)}
    for peer in options.peer:
        for proxy in options.proxy:
            for case in options.case:
                title = "test_%s_%s_%s" % (peer, proxy.replace("-", "_"), case)
                if unsupported.reason(peer, proxy, case):
                    title += "_is_not_supported"
                methods[title] = _look(peer, proxy, case)
    return type(name, (unittest.TestCase,), methods)


def _look(peer, proxy, case):
    wanted = verdict.UNSUPPORTED if unsupported.reason(peer, proxy, case) else verdict.PASS

    def look(self):
        cell = self.cells[peer, proxy, case]
        # verdict.RACE is given to cells in unsupported.RACES only.
        if cell.name not in (wanted, verdict.RACE):
            self.fail("\n".join(["%s, and not %s" % (cell.name, wanted), *cell.reasons]))
        # What passes without a single result has shown nothing.
        self.assertGreater(cell.passed + cell.failed, 0)
    return look
