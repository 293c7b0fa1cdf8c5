"""The rules of this project that a program can see. Each check gives a list of findings.

    python3 -B bazel/tidy.py       all checks on this checkout
"""
import os
import posixpath
import re
import shutil
import subprocess
import sys

from build_files import Targets
from source_tree import Tree, line_of

LINES_MAX = 400
CPP = (".cc", ".h")
FROM_FD_HOME = "plugin/io/channel_factory.cc"
# May ask for a channel's connectivity: the pool answers it for itself, the anchor is an ordinary
# channel, as are managed members (which the table knows), and what is outside plugin/ only ever
# holds ordinary channels or the pool.
CONNECTIVITY_HOMES = ("plugin/pooled_channel", "plugin/connectivity", "plugin/io/anchor",
                      "plugin/io/scout", "plugin/io/channel_connect", "plugin/io/state_watch",
                      "plugin/member_table")

_SLEEP_CPP = re.compile(
    r"\b(sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep|SleepFor|sleep)\s*\(")
_SLEEP_SCRIPT = re.compile(r"^(?!\s*#).*?(\bsleep\s*\(|\bsleep\s+[\d.$\"])", re.MULTILINE)
_FROM_FD = re.compile(r"\bCreate\w*FromFd\b")
_CONNECTIVITY = re.compile(r"(?:->|\.)\s*(GetState|WaitForConnected|WaitForStateChange|"
                           r"NotifyOnStateChange)\s*\(")
_ABSL_LOCK = re.compile(
    r"\babsl::(Mutex|MutexLock|MutexLockMaybe|ReleasableMutexLock|ReaderMutexLock|"
    r"WriterMutexLock|CondVar|Notification|BlockingCounter|Barrier)\b")
_IMPURE = re.compile(r"\b(absl::Now|absl::GetCurrentTimeNanos|std::rand|std::random_device|"
                     r"absl::BitGen|absl::InsecureBitGen)\b|(?:Clock|_clock)::now\s*\(")
_THREADS = {"atomic", "barrier", "condition_variable", "future", "latch", "mutex", "semaphore",
            "shared_mutex", "stop_token", "thread"}


def is_test(path):
    """Tests, and what only tests are built from."""
    return (path.endswith(("_test.cc", "_test_util.h", "_test.py", "_test.sh"))
            or path.startswith(("plugin/testing/", "interop_tests/")))


def _grep(tree, paths, pattern, message):
    """Matches in C++ code, comments and strings left out; {} in message is what matched."""
    return ["%s:%d: %s" % (path, line_of(tree.code(path), match.start()),
                           message.format(match[0].strip("(->. ")))
            for path in paths for match in pattern.finditer(tree.code(path))]


def check_files_are_short(tree):
    """One noun per file, under 400 lines."""
    counts = [(p, tree.text(p).count("\n")) for p in tree.named(".cc", ".h", ".py", ".sh", ".bzl")]
    return ["%s: %d lines, more than %d: it is more than one thing" % (path, count, LINES_MAX)
            for path, count in counts if count > LINES_MAX]


def check_tests_do_not_sleep(tree):
    """A test waits for what it waits for."""
    message = "{} in a test: wait for the event itself"
    findings = _grep(tree, filter(is_test, tree.named(*CPP)), _SLEEP_CPP, message)
    for path in filter(is_test, tree.named(".py", ".sh")):
        text = tree.text(path)
        findings += ["%s:%d: %s" % (path, line_of(text, match.start(1)), message.format("sleep"))
                     for match in _SLEEP_SCRIPT.finditer(text)]
    return findings


def check_one_file_creates_channels_from_descriptors(tree):
    """Every fd is handed over to gRPC in one file."""
    paths = [path for path in tree.named(*CPP) if path != FROM_FD_HOME]
    return _grep(tree, paths, _FROM_FD, "{} belongs into " + FROM_FD_HOME)


def check_members_are_not_asked_for_connectivity(tree):
    """On a channel from a descriptor these calls give nonsense or abort the process."""
    paths = [path for path in tree.named(*CPP, under="plugin")
             if not path.startswith(CONNECTIVITY_HOMES) and not is_test(path)]
    return _grep(tree, paths, _CONNECTIVITY, "{}(): a member aborts or lies; ask the pool")


def check_locks_are_our_own(tree):
    """ThreadSanitizer cannot see into the installed Abseil."""
    return _grep(tree, tree.named(*CPP), _ABSL_LOCK,
                 "{} is invisible to ThreadSanitizer: use plugin/mutex.h")


def check_core_is_pure(tree):
    """plugin/core: std and absl only; no threads, no clock, no randomness of its own."""
    findings = []
    paths = [path for path in tree.named(*CPP, under="plugin/core") if not is_test(path)]
    for path in paths:
        for line, include, angled in tree.includes(path):
            if angled:
                allowed = re.fullmatch(r"[a-z_0-9]+", include) and include not in _THREADS
            else:
                allowed = (include.startswith(("absl/", "plugin/core/"))
                           and not include.startswith(("absl/synchronization/", "absl/random/")))
            if not allowed:
                findings.append("%s:%d: core is pure: not with %s" % (path, line, include))
    return findings + _grep(tree, paths, _IMPURE, "core is pure: {} has to be passed in")


def check_metrics_is_a_leaf(tree):
    """Only who wants Prometheus links it."""
    return ["%s:%d: only plugin/metrics includes %s" % (path, line, include)
            for path in tree.named(*CPP, under="plugin")
            if not path.startswith("plugin/metrics/") and not is_test(path)
            for line, include, _ in tree.includes(path)
            if include.startswith(("plugin/metrics/", "prometheus/"))]


def check_headers_are_contracts(tree):
    """The first thing in a header says what it is; then #pragma once."""
    findings = []
    for path in tree.named(".h"):
        if not tree.text(path).startswith(("// ", "/*")):
            findings.append("%s: does not begin with a comment that says what it is" % path)
        if not re.search(r"^#pragma once$", tree.code(path), re.MULTILINE):
            findings.append("%s: has no #pragma once" % path)
    return findings


# Where headers come from that are not of this project.
_EXTERNAL = [
    ("absl/", "@com_google_absl//"),
    ("benchmark/", "@com_github_google_benchmark//"),
    ("gmock/", "@com_google_googletest//"),
    ("google/protobuf/", "@com_google_protobuf//"),
    ("grpc/", "@com_github_grpc_grpc//"),
    ("grpcpp/", "@com_github_grpc_grpc//"),
    ("gtest/", "@com_google_googletest//"),
    ("prometheus/", "@com_github_jupp0r_prometheus_cpp//"),
]
# What targets of these kinds have in their closure beyond their deps.
_IMPLIED = {
    "cc_grpc_library": {"@com_github_grpc_grpc//:grpc++", "@com_google_protobuf//:protobuf"},
    "cc_proto_library": {"@com_google_protobuf//:protobuf"},
    "predial_cc_test": {"@com_google_googletest//:gtest_main"},
}


def check_deps_are_complete(tree):
    """A target depends on what its files include.

    On Debian's packages all headers lie in one directory and a missing deps entry goes unnoticed;
    it fails for who builds on the upstream archives. For a header of this project its target has to
    stand in deps; for another's it is enough that its repository (of Abseil: its package) is
    reached through them.
    """
    targets = Targets(tree)
    findings = []
    for path in filter(targets.covers, tree.named(*CPP)):
        if path not in targets.owners:
            findings.append("%s: no BUILD target lists it" % path)
        for label in sorted(targets.owners.get(path, ())):
            findings += _missing_deps(tree, targets, path, targets.by_label[label])
    return findings


def _missing_deps(tree, targets, path, target):
    direct = targets.deps(target)
    reached = targets.closure(target)
    for label in list(reached):
        if label in targets.by_label:
            reached |= _IMPLIED.get(targets.by_label[label].kind, set())
    ours = {file.partition("/")[0] for file in tree.files if "/" in file}
    for line, include, _ in tree.includes(path):
        problem = None
        external = [repository for prefix, repository in _EXTERNAL if include.startswith(prefix)]
        if external:
            wanted = external[0]
            if include.startswith("absl/"):
                wanted += posixpath.dirname(include) + ":"
            if not any(label.startswith(wanted) for label in reached):
                problem = "its deps reach nothing of " + wanted.rstrip(":")
        elif target.label in targets.owners.get(include, ()):
            continue
        elif include in targets.providers:
            if not targets.providers[include] & direct:
                problem = "its deps lack " + " or ".join(sorted(targets.providers[include]))
        elif include.partition("/")[0] in ours:
            problem = "no target has that in hdrs"
        if problem:
            yield "%s:%d: %s includes %s, but %s" % (path, line, target.label, include, problem)


def check_cpp_is_formatted(tree):
    """clang-format has nothing to change."""
    tool = shutil.which("clang-format-14")
    if tool is None:
        return ["clang-format-14 is not installed: bazel/install.sh does that"]
    paths = tree.named(*CPP)
    if not paths:
        return []
    run = subprocess.run([tool, "--dry-run", "--ferror-limit=1", *paths], cwd=tree.root, text=True,
                         stderr=subprocess.PIPE, check=False)
    pattern = r"^(\S+:\d+):\d+: \w+: code should be clang-formatted"
    found = re.findall(pattern, run.stderr, re.MULTILINE)
    if run.returncode and not found:
        found = [run.stderr.strip()]
    return ["%s: is not as clang-format has it: bazel/format.sh" % where for where in found]


CHECKS = {name: check for name, check in list(globals().items()) if name.startswith("check_")}


def main():
    tree = Tree(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    findings = [finding for check in CHECKS.values() for finding in check(tree)]
    print("\n".join(findings + ["%d findings in %d files" % (len(findings), len(tree.files))]))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
