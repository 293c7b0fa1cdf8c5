"""Contest: where one scenario runs: its servers, its link, its clients."""
import json
import os
import subprocess
import tempfile

from processes import Error, Processes


class Contest:
    """A context: what it starts has ended when its `with` has.

    `binaries`: {name of a program: its path}. `short`: as short as it makes sense, to see that it
    works; nothing is to be made of the figures. `tls`: servers and clients speak TLS, with
    certificates made for this contest.
    """

    def __init__(self, binaries, repeat, short=False, tls=False):
        self.repeat = 1 if short else repeat
        self.short = short
        self._binaries = binaries
        self._scratch = tempfile.TemporaryDirectory(prefix="predial-compare.",
                                                    ignore_cleanup_errors=True)
        self.processes = Processes(self._scratch.name)
        self.tls = tls
        self._server_flags = []
        # Of every program that speaks to a server.
        self.client_flags = []
        if tls:
            self._make_certificates()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.processes.__exit__()
        self._scratch.cleanup()

    def _make_certificates(self):
        def make(name, *options):
            argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=" + name,
                    "-keyout", self.path(name + ".key"), "-out", self.path(name + ".pem"), *options]
            try:
                subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
            except FileNotFoundError as error:
                raise Error("--tls takes openssl, which is not installed") from error
            except subprocess.CalledProcessError as error:
                raise Error("openssl: " + error.stderr.decode(errors="replace")) from error
        make("ca")
        make("server", "-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key"),
             "-addext", "basicConstraints=critical,CA:FALSE",
             "-addext", "subjectAltName=IP:127.0.0.1")
        self._server_flags = ["--tls_cert=" + self.path("server.pem"),
                              "--tls_key=" + self.path("server.key")]
        self.client_flags = ["--tls_ca=" + self.path("ca.pem")]

    def binary(self, name):
        return self._binaries[name]

    def path(self, name):
        """Of a file that goes with the contest."""
        return os.path.join(self._scratch.name, name)

    def server(self, *flags):
        """An echo server's address."""
        return self._listener([self.binary("echo_server"), "--lame_duck=0", *self._server_flags,
                               *flags])

    def link(self, server, delay, *flags):
        """The address of a link to `server`, `delay` each way."""
        return self._listener([self.binary("link_relay"), "--upstream=" + server,
                               "--delay=" + delay, *flags])

    def _listener(self, argv):
        return self.processes.start(argv).await_line("listening on ")

    def start_client(self, contender, address, **flags):
        """A compare_client, begun; see there for `flags`."""
        argv = [self.binary("compare_client"), "--contender=" + contender, "--address=" + address]
        argv += self.client_flags + ["--%s=%s" % flag for flag in flags.items()]
        return self.processes.start(argv)

    @staticmethod
    def result_of(client, timeout=600):
        """What a client has measured, once it has ended."""
        client.await_success(timeout)
        lines = client.output().splitlines()
        if len(lines) != 1:
            raise Error("%s printed %d lines instead of one" % (client.name, len(lines)))
        return json.loads(lines[0])

    def run(self, contender, address, **flags):
        return self.result_of(self.start_client(contender, address, **flags))

    def rounds(self, contenders, run):
        """{contender: [run(contender)]}: in turn, and each round begins with another one."""
        results = {contender: [] for contender in contenders}
        for number in range(self.repeat):
            for index in range(len(contenders)):
                contender = contenders[(number + index) % len(contenders)]
                results[contender].append(run(contender))
        return results

    def seconds(self, full):
        """A flag's value: `full`, or a moment if it is to be short."""
        return "%gs" % (min(full, 0.3) if self.short else full)
