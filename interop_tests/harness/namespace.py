"""A network namespace of the harness's own, and what can be done to the traffic in it.

In it nobody else listens and nobody else is hit: no port can be taken, `ss -K` and nft are allowed
and end with the namespace. Takes root, or a kernel that lets users have user namespaces.
"""
import itertools
import os
import pwd
import subprocess
import sys

from processes import Error

_INSIDE = "PREDIAL_NAMESPACE"
_HOME = "PREDIAL_HOME"
# Below the ephemeral ports: else a client could get the port of a server that is down as its own.
_ports = itertools.count(20000)


def enter():
    """Runs this program again, in a namespace with nothing but loopback."""
    if os.environ.get(_INSIDE) == str(os.getpid()):  # exec keeps the pid
        _run("ip", "link", "set", "lo", "up")
        return
    unshare = ["unshare", "--net"]
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


def kill_connections(port):
    """Resets all connections to `port`; returns how many there were."""
    # What it cannot kill it does not list.
    return len(_run("ss", "-H", "-t", "-K", "dport", "=", str(port)).splitlines())


def drop_traffic(port):
    """Packets to and from `port` vanish until pass_traffic()."""
    _run("nft", "add table inet predial; "
         "add chain inet predial input { type filter hook input priority 0; }; "
         "add rule inet predial input tcp dport %d drop; "
         "add rule inet predial input tcp sport %d drop" % (port, port))


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
