#!/usr/bin/env -S python3 -B
"""Writes compile_commands.json, for clangd and clang-tidy, from Bazel's C++ compile actions.

    bazel build --config=system //... && bazel/compile_commands.py

Arguments go to `bazel aquery`; without any it is --config=system. The build makes the generated
headers that the commands refer to.
"""
import json
import os
import subprocess
import sys

# Options of gcc that clang does not know.
GCC_ONLY = {
    "-Wno-free-nonheap-object",
    "-Wunused-but-set-parameter",
    "-fno-canonical-system-headers",
}


def main():
    root = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    flags = sys.argv[1:] or ["--config=system"]
    query = ["bazel", "aquery", *flags, "--output=jsonproto", 'mnemonic("CppCompile", //...)']
    done = subprocess.run(query, cwd=root, check=True, stdout=subprocess.PIPE)
    commands = []
    for action in json.loads(done.stdout).get("actions", []):
        arguments = [a for a in action["arguments"] if a not in GCC_ONLY]
        if "-c" not in arguments:
            continue
        source = arguments[arguments.index("-c") + 1]
        if not source.startswith(("bazel-out/", "external/")):
            commands.append({"directory": root, "file": source, "arguments": arguments})
    if not commands:
        sys.exit("bazel/compile_commands.py: bazel aquery lists no compile action")
    with open(os.path.join(root, "compile_commands.json"), "w", encoding="utf-8") as f:
        json.dump(commands, f, indent=1)
    print("compile_commands.json: %d commands" % len(commands))


if __name__ == "__main__":
    main()
