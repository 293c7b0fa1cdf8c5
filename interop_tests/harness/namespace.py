"""A network namespace of the harness's own, and what can be done to the traffic in it.

In it nobody else listens and nobody else is hit: no port can be taken, `ss -K` and nft are allowed
and end with the namespace. Takes root, or a kernel that lets users have user namespaces.
"""
import atexit
import itertools
import os
import pwd
import subprocess
import sys
import tempfile

from processes import Error

_INSIDE = "PREDIAL_NAMESPACE"
_HOME = "PREDIAL_HOME"
# Below the ephemeral ports: else a client could get the port of a server that is down as its own.
_ports = itertools.count(20000)
_own_files = []  # of replace_file(): (path, what is mounted there), the oldest first


def enter(own_files=False):
    """Runs this program again, in a namespace with nothing but loopback.

    With `own_files`, replace_file() works.
    """
    if os.environ.get(_INSIDE) == str(os.getpid()):  # exec keeps the pid
        _run("ip", "link", "set", "lo", "up")
        return
    unshare = ["unshare", "--net"]
    if own_files:
        unshare.append("--mount")
    if os.geteuid() != 0:
        unshare += ["--user", "--map-root-user"]
    probe = subprocess.run([*unshare, "true"], stderr=subprocess.PIPE, text=True, check=False)
    if probe.returncode:
        raise Error("no network namespace: this takes root, or user namespaces: " + probe.stderr)
    os.environ[_INSIDE] = str(os.getpid())
    os.environ[_HOME] = pwd.getpwuid(os.getuid()).pw_dir
    os.execvp(unshare[0], [*unshare, "--", sys.executable, "-B", *sys.argv])


def home():
    """The home directory of who started this: inside, everybody may be root."""
    return os.environ[_HOME]


def new_port():
    """One that nothing in this namespace has had yet."""
    port = next(_ports)
    if port > 30000:
        raise Error("out of ports")
    return port


def replace_file(path, text):
    """What `path`, a file that exists, has from now on for whoever is in this namespace.

    Each reader sees the old text or the new one, never a part.
    """
    path = os.path.realpath(path)
    if not _own_files:
        atexit.register(_restore_files)
    # It has to stay while it is mounted, or nothing could be mounted over it.
    descriptor, new = tempfile.mkstemp(prefix="predial-file.")
    _own_files.append((path, new))
    with os.fdopen(descriptor, "w", encoding="utf-8") as f:
        f.write(text)
        os.fchmod(f.fileno(), 0o644)
    _run("mount", "--bind", new, path)


def _restore_files():
    for path, new in reversed(_own_files):
        _run("umount", "--lazy", path)
        os.unlink(new)


def add_address(address):
    """On the loopback interface, until remove_address()."""
    _run("ip", "address", "add", address, "dev", "lo",
         *(["nodad"] if ":" in address else []))


def remove_address(address):
    _run("ip", "address", "del", address, "dev", "lo")


def kill_connections(port):
    """Resets all connections to `port`; returns how many there were."""
    # What it cannot kill it does not list.
    return len(_run("ss", "-H", "-t", "-K", "dport", "=", str(port)).splitlines())


def drop_traffic(port, family=None):
    """Packets to and from `port` vanish until pass_traffic(); of `family` ("ipv4", "ipv6") only."""
    only = "meta nfproto %s " % family if family else ""
    _run("nft", "add table inet predial; "
         "add chain inet predial input { type filter hook input priority 0; }; "
         "add rule inet predial input %stcp dport %d drop; "
         "add rule inet predial input %stcp sport %d drop" % (only, port, only, port))


def pass_traffic():
    _run("nft", "delete table inet predial")


def _run(*argv):
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    try:
        run = subprocess.run(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env={**os.environ, "PATH": path}, check=False)
    except FileNotFoundError:
        raise Error("%s is not installed: bazel/install.sh does that" % argv[0]) from None
    if run.returncode:
        raise Error("%s: %s" % (" ".join(argv), run.stderr.strip()))
    return run.stdout
