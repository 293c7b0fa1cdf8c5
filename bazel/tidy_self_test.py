#!/usr/bin/env -S python3 -B
"""Every check of tidy.py finds what it is there for, and lets pass what is right."""
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import case_xml
import source_tree
import tidy

NAP = "sl" + "eep"  # not spelled out, or this file would break the rule itself
HEADER = "// A thing.\n#pragma once\n"
LIBRARY = 'cc_library(name = "%s", %s = ["%s"], deps = [%s])\n'

# check: (files, where the finding begins) …; None: there must be none.
CASES = {
    "check_files_are_short": [
        ({"a.cc": "\n" * 401}, "a.cc: 401 lines"),
        ({"a.py": "\n" * 401}, "a.py: "),
        ({"a.bzl": "\n" * 401, "b.sh": "\n" * 400}, "a.bzl: "),
        ({"a.cc": "\n" * 400, "long.md": "\n" * 999}, None),
    ],
    "check_tests_do_not_sleep": [
        ({"plugin/a_test.cc": "\nvoid F() { std::this_thread::sleep_for(d); }"},
         "plugin/a_test.cc:2: "),
        ({"plugin/a_test.cc": "absl::SleepFor (d);"}, "plugin/a_test.cc:1: SleepFor"),
        ({"examples/echo/a_test.cc": "usleep(1);"}, "examples/echo/a_test.cc:1: "),
        ({"plugin/testing/a.cc": "::nanosleep(&t, 0);"}, "plugin/testing/a.cc:1: "),
        ({"plugin/testing/a.h": "std::this_thread::sleep_until(t);"}, "plugin/testing/a.h:1: "),
        ({"interop_tests/a.cc": NAP + "(1);"}, "interop_tests/a.cc:1: "),
        ({"interop_tests/run.sh": "# x\n  %s 1\n" % NAP}, "interop_tests/run.sh:2: "),
        ({"interop_tests/run.py": "time.%s(1)\n" % NAP}, "interop_tests/run.py:1: "),
        ({"plugin/a_test.cc": '// sleep_for(d)\n/* usleep(1) */ auto s = "%s(1)"; Asleep();' % NAP,
          "plugin/a.cc": "absl::SleepFor(d);", "interop_tests/run.sh": "# %s 1\n" % NAP}, None),
    ],
    "check_one_file_creates_channels_from_descriptors": [
        ({"plugin/io/a.cc": "\n\ngrpc::CreateInsecureChannelFromFd(t, fd);"}, "plugin/io/a.cc:3: "),
        ({"plugin/a_test.cc": "CreateCustomInsecureChannelWithInterceptorsFromFd("},
         "plugin/a_test.cc:1: "),
        ({tidy.FROM_FD_HOME: "grpc::CreateCustomInsecureChannelFromFd(t, fd, args);",
          "plugin/a.h": "// CreateInsecureChannelFromFd() is called in one file."}, None),
    ],
    "check_members_are_not_asked_for_connectivity": [
        ({"plugin/io/a.cc": "member.channel->GetState(true);"}, "plugin/io/a.cc:1: GetState"),
        ({"plugin/a.cc": "channel.WaitForConnected(t);"}, "plugin/a.cc:1: "),
        ({"plugin/a.cc": "channel\n    ->WaitForStateChange(s, t);"}, "plugin/a.cc:2: "),
        ({"plugin/a.h": "channel->NotifyOnStateChange(s, t, cq, tag);"}, "plugin/a.h:1: "),
        ({"plugin/io/anchor.cc": "channel_->GetState(true);",
          "plugin/pooled_channel.cc": "channel_->GetState(true);",
          "plugin/connectivity.cc": "signal->NotifyOnStateChange(s, t, q, g);",
          "examples/echo/client.cc": "channel->WaitForConnected(t);",
          "plugin/a.h": "grpc_connectivity_state GetState(bool try_to_connect) override;"}, None),
    ],
    "check_locks_are_our_own": [
        ({"plugin/a.h": "absl::Mutex mu_;"}, "plugin/a.h:1: absl::Mutex is"),
        ({"examples/a.cc": "absl::MutexLock lock(&mu_);"}, "examples/a.cc:1: absl::MutexLock is"),
        ({"plugin/a_test.cc": "absl::Notification done;"}, "plugin/a_test.cc:1: "),
        ({"plugin/a.h": "// Not absl::Mutex.\nMutex mu_;"}, None),
    ],
    "check_core_is_pure": [
        ({"plugin/core/a.h": "\n#include <thread>"}, "plugin/core/a.h:2: "),
        ({"plugin/core/a.h": "#include <mutex>"}, "plugin/core/a.h:1: "),
        ({"plugin/core/a.cc": "#include <sys/socket.h>"}, "plugin/core/a.cc:1: "),
        ({"plugin/core/a.cc": "#include <unistd.h>"}, "plugin/core/a.cc:1: "),
        ({"plugin/core/a.cc": "#include <grpcpp/grpcpp.h>"}, "plugin/core/a.cc:1: "),
        ({"plugin/core/a.cc": '#include "plugin/io/dialer.h"'}, "plugin/core/a.cc:1: "),
        ({"plugin/core/a.cc": '#include "plugin/mutex.h"'}, "plugin/core/a.cc:1: "),
        ({"plugin/core/a.cc": '#include "absl/synchronization/mutex.h"'}, "plugin/core/a.cc:1: "),
        ({"plugin/core/a.cc": "auto now = Clock::now();"}, "plugin/core/a.cc:1: "),
        ({"plugin/core/a.cc": "auto now = std::chrono::steady_clock::now();"},
         "plugin/core/a.cc:1: "),
        ({"plugin/core/a.cc": '#include <cstdint>\n#include "absl/strings/str_cat.h"\n'
                              '#include "plugin/core/b.h"\n// #include <thread>\n',
          "plugin/core/a_test.cc": "#include <thread>\n#include <gtest/gtest.h>",
          "plugin/io/a.cc": "#include <sys/socket.h>\nauto now = Clock::now();"}, None),
    ],
    "check_metrics_is_a_leaf": [
        ({"plugin/io/a.cc": '#include "plugin/metrics/b.h"'}, "plugin/io/a.cc:1: "),
        ({"plugin/a.h": '\n#include "plugin/metrics/b.h"'}, "plugin/a.h:2: "),
        ({"plugin/a.cc": "#include <prometheus/registry.h>"}, "plugin/a.cc:1: "),
        ({"plugin/metrics/a.cc": '#include "plugin/metrics/b.h"',
          "plugin/a_test.cc": '#include "plugin/metrics/b.h"',
          "examples/a.cc": '#include "plugin/metrics/b.h"'}, None),
    ],
    "check_headers_are_contracts": [
        ({"plugin/a.h": "#pragma once\n// A thing.\n"}, "plugin/a.h: does not begin"),
        ({"plugin/a.h": "// A thing.\n#ifndef A\n"}, "plugin/a.h: has no #pragma once"),
        ({"plugin/a.h": "// A thing with\n// #pragma once\n"}, "plugin/a.h: has no #pragma once"),
        ({"plugin/a.h": HEADER, "plugin/a.cc": "int x;"}, None),
    ],
    "check_deps_are_complete": [
        ({"plugin/a.h": HEADER, "plugin/BUILD": ""}, "plugin/a.h: no BUILD target"),
        ({"plugin/a.h": HEADER, "plugin/b.cc": '\n#include "plugin/a.h"\n',
          "plugin/BUILD": LIBRARY % ("a", "hdrs", "a.h", "")
                          + LIBRARY % ("b", "srcs", "b.cc", "")},
         "plugin/b.cc:2: //plugin:b includes plugin/a.h, but its deps lack //plugin:a"),
        # Only reached through another: still not its own.
        ({"plugin/a.h": HEADER, "plugin/b.h": HEADER, "plugin/c.cc": '#include "plugin/a.h"\n',
          "plugin/BUILD": LIBRARY % ("a", "hdrs", "a.h", "")
                          + LIBRARY % ("b", "hdrs", "b.h", '":a"')
                          + LIBRARY % ("c", "srcs", "c.cc", '":b"')}, "plugin/c.cc:1: "),
        ({"plugin/p.h": HEADER, "plugin/b.cc": '#include "plugin/p.h"\n',
          "plugin/BUILD": LIBRARY % ("p", "srcs", "p.h", "")
                          + LIBRARY % ("b", "srcs", "b.cc", '":p"')},
         "plugin/b.cc:1: //plugin:b includes plugin/p.h, but no target has that in hdrs"),
        ({"plugin/b.cc": '#include "absl/time/time.h"\n',
          "plugin/BUILD": LIBRARY % ("b", "srcs", "b.cc", '"@com_google_absl//absl/strings"')},
         "plugin/b.cc:1: //plugin:b includes absl/time/time.h, but its deps reach nothing of "
         "@com_google_absl//absl/time"),
        ({"plugin/b.cc": "#include <grpcpp/grpcpp.h>\n",
          "plugin/BUILD": LIBRARY % ("b", "srcs", "b.cc", "")}, "plugin/b.cc:1: "),
        ({"plugin/b.cc": '#include "proto/e.pb.h"\n',
          "plugin/BUILD": LIBRARY % ("b", "srcs", "b.cc", ""),
          "proto/BUILD": 'proto_library(name = "e", srcs = ["e.proto"])\n'
                         'cc_proto_library(name = "e_cc", deps = [":e"])\n'},
         "plugin/b.cc:1: //plugin:b includes proto/e.pb.h, but its deps lack //proto:e_cc"),
        ({"plugin/io/a.h": HEADER, "plugin/io/io.h": HEADER,
          "plugin/io/BUILD": LIBRARY % ("a", "hdrs", "a.h", '"@com_google_absl//absl/time"')
                             + LIBRARY % ("io", "hdrs", "io.h", "")
                             + 'alias(name = "other", actual = ":a")\n',
          "plugin/b.cc": '#include <vector>\n#include "plugin/io/a.h"\n#include "plugin/io/io.h"\n'
                         '#include "plugin/own.h"\n#include "absl/time/time.h"\n'
                         '// #include "plugin/io/none.h"\n',
          "plugin/own.h": HEADER,
          "plugin/b_test.cc": "#include <gtest/gtest.h>\n",
          "plugin/BUILD": 'cc_library(name = "b", srcs = ["b.cc", "own.h"],'
                          ' deps = ["//plugin/io:other"] + select({"x": ["//plugin/io"]}))\n'
                          'predial_cc_test(name = "b_test", srcs = ["b_test.cc"])\n',
          "proto/BUILD": 'proto_library(name = "e", srcs = ["e.proto"])\n'
                         'cc_proto_library(name = "e_cc", deps = [":e"])\n'
                         'cc_grpc_library(name = "g", srcs = [":e"], deps = [":e_cc"])\n'
                         'cc_library(name = "u", srcs = ["u.cc"], deps = [":g"])\n',
          "proto/u.cc": '#include "proto/e.pb.h"\n#include "proto/e.grpc.pb.h"\n'
                        "#include <grpcpp/grpcpp.h>\n",
          "examples/consumer/WORKSPACE": "",
          "examples/consumer/main.cc": '#include "plugin/x.h"\n'},
         None),
    ],
    "check_cpp_is_formatted": [
        ({".clang-format": "BasedOnStyle: Google\n", "a.cc": "int  x;\n"}, "a.cc:1: "),
        ({".clang-format": "BasedOnStyle: Google\n", "a.h": "// A.\n\nclass  A {};\n",
          "b.cc": "int x;\n"},
         "a.h:3: "),
        ({".clang-format": "BasedOnStyle: Google\n", "a.cc": "int x;\n"}, None),
    ],
}


def make_tree(test, files):
    directory = tempfile.TemporaryDirectory()
    test.addCleanup(directory.cleanup)
    for path, text in files.items():
        path = os.path.join(directory.name, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    return directory.name


class CheckTest(unittest.TestCase):

    def test_each_has_a_bad_and_a_good_example(self):
        for name in tidy.CHECKS:
            examples = [expected is None for _, expected in CASES.get(name, [])]
            self.assertIn(True, examples, name)
            self.assertIn(False, examples, name)


def _case(name):
    def run(self):
        for files, expected in CASES[name]:
            findings = tidy.CHECKS[name](source_tree.Tree(make_tree(self, files)))
            if expected is None:
                self.assertEqual(findings, [])
            else:
                self.assertEqual(len(findings), 1, findings)
                self.assertTrue(findings[0].startswith(expected), findings)
    return run


for _name in CASES:
    setattr(CheckTest, _name.replace("check_", "test_", 1), _case(_name))


class ClangFormatTest(unittest.TestCase):

    def test_is_not_taken_for_clean_when_it_is_missing(self):
        tree = source_tree.Tree(make_tree(self, {"a.cc": "int x;\n"}))
        path = os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", path)
        os.environ["PATH"] = "/nowhere"
        self.assertIn("not installed", tidy.check_cpp_is_formatted(tree)[0])


class TreeTest(unittest.TestCase):

    FILES = {"a.cc": "", ".ci/run.sh": "", "b/c.h": "", "bazel-out/d.cc": "", ".hidden/e.cc": ""}

    def test_walks_where_there_is_no_git(self):
        root = make_tree(self, self.FILES)
        os.symlink("a.cc", os.path.join(root, "link.cc"))
        self.assertEqual(source_tree.Tree(root).files, [".ci/run.sh", "a.cc", "b/c.h"])

    def test_asks_git_where_there_is(self):
        more = {".gitignore": "bazel-*\n.hidden\n", "gone.cc": ""}
        root = make_tree(self, dict(self.FILES, **more))
        git = ["git", "-C", root, "-c", "user.name=x", "-c", "user.email=x"]
        subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "add", "a.cc", "gone.cc", ".gitignore"], check=True)
        os.unlink(os.path.join(root, "gone.cc"))
        self.assertEqual(source_tree.Tree(root).files,
                         [".ci/run.sh", ".gitignore", "a.cc", "b/c.h"])

    def test_code_keeps_line_numbers(self):
        text = 'a; // x\n/* y\n y */ b("//", \'"\', 1\'000);\nR"(\n"z")" c;\n'
        tree = source_tree.Tree(make_tree(self, {"a.cc": text}))
        self.assertEqual(tree.code("a.cc"), 'a;  \n \n b("", \'\', 1\'000);\n""\n c;\n')


if __name__ == "__main__":
    case_xml.main()
