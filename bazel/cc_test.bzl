"""predial_cc_test: a cc_test as every test here wants it.

    load("//bazel:cc_test.bzl", "predial_cc_test")

    predial_cc_test(
        name = "target_test",
        srcs = ["target_test.cc"],
        deps = [":target"],
    )

It adds GoogleTest's main and what the sanitizers have to be told, so neither stands in deps, and
makes the size small (a limit of one minute; --config=asan, tsan and ubsan give three times that).
Everything else is cc_test's own:

    tags = ["extra"]             takes long: only bazel/test.sh --all runs it
    tags = ["manual"]            not part of //...: benchmarks
    tags = ["block-network"]     a network namespace of its own, with loopback up
    size = "medium"              five minutes
"""

load("@rules_cc//cc:defs.bzl", "cc_test")

_COMMON = [
    "//bazel:sanitizer_defaults",
    "@com_google_googletest//:gtest_main",
]

def predial_cc_test(name, deps = [], size = "small", **kwargs):
    """cc_test with GoogleTest's main and the sanitizers' defaults.

    Args:
      name: ends in _test.
      deps: besides what is added.
      size: cc_test's.
      **kwargs: cc_test's.
    """
    if not name.endswith("_test"):
        fail("the name of a test ends in _test: " + name)
    cc_test(
        name = name,
        size = size,
        deps = deps + [d for d in _COMMON if d not in deps],
        **kwargs
    )
