"""Tree: the files of a checkout, as the checks of tidy.py look at them."""
import functools
import os
import re
import subprocess

_CPP_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/'                          # comments
    r'|R"(?P<raw>[^()\\\s]{0,16})\(.*?\)(?P=raw)"'  # raw strings
    r'|"(?:\\.|[^"\\\n])*"'                        # strings
    r"|'(?:\\[^'\n]{1,9}|[^'\\\n])'",              # characters
    re.DOTALL)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


class Tree:
    """Files below `root`, by paths relative to it: what git tracks or would add, if git knows."""

    def __init__(self, root):
        self.root = root
        self.files = sorted(_git_files(root) or _walked_files(root))

    def named(self, *endings, under=""):
        """The files below the directory `under` whose names end in one of `endings`."""
        prefix = under + "/" if under else ""
        return [f for f in self.files if f.endswith(endings) and f.startswith(prefix)]

    @functools.lru_cache(maxsize=None)
    def text(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as f:
            return f.read()

    @functools.lru_cache(maxsize=None)
    def code(self, path):
        """A C++ file without comments and without what stands in quotes; same lines."""
        return _CPP_TOKEN.sub(_blank, self.text(path))

    @functools.lru_cache(maxsize=None)
    def includes(self, path):
        """(line, path, whether in angle brackets) of a C++ file's #includes."""
        text = _CPP_TOKEN.sub(lambda m: m[0] if m[0][0] == '"' else _blank(m), self.text(path))
        return [(line_of(text, m.start()), m[2], m[1] == "<") for m in _INCLUDE.finditer(text)]


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def _blank(match):
    token = match[0]
    quotes = token[-1] * 2 if token[-1] in "\"'" and not token.startswith("/") else " "
    return quotes + "\n" * token.count("\n")


def _git_files(root):
    """None where there is no git, or no repository at `root` (an archive of the sources)."""
    if not os.path.exists(os.path.join(root, ".git")):
        return None
    try:
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z", "--cached", "--others",
             "--exclude-standard"],
            stdout=subprocess.PIPE, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        return None
    # A file deleted but not yet committed is listed, too; a link is somebody else's text.
    paths = {f for f in listed.split("\0") if f}
    return [f for f in paths if _is_plain(os.path.join(root, f))]


def _walked_files(root):
    for directory, directories, files in os.walk(root):
        directories[:] = [d for d in directories
                          if d == ".ci" or not d.startswith((".", "bazel-", "node_modules"))]
        for file in files:
            path = os.path.join(directory, file)
            if _is_plain(path):
                yield os.path.relpath(path, root)


def _is_plain(path):
    return os.path.isfile(path) and not os.path.islink(path)
