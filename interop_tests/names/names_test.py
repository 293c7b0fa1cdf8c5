#!/usr/bin/env -S python3 -B
"""Names and addresses: what an ordinary channel reaches the pool reaches, by the same :authority.

In a namespace with its own /etc/hosts. Loopback has 127.0.0.0/8 and ::1, and no default route.
"""
import os
import sys
import time
import unittest

sys.path[:0] = ["bazel", "interop_tests/harness", "interop_tests/driven",
                os.path.dirname(os.path.realpath(__file__))]

import case_xml
import namespace
import proxies
from processes import end_on_sigterm
from stage import Stage

BINARIES = "interop_tests/driven"
# Of an ordinary channel; its own default is 20 s.
PATIENCE = "--connect_timeout=500ms"


def set_hosts(**addresses):
    """/etc/hosts from now on: NAME.test has these addresses, in this order."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    lines += ["%s %s.test" % (address, name) for name in addresses for address in addresses[name]]
    namespace.replace_file("/etc/hosts", "\n".join(lines) + "\n")


def set_up_files():
    """Names come from /etc/hosts alone."""
    for path, text in (("/etc/nsswitch.conf", "hosts: files\nservices: files\n"),
                       ("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")):
        if os.path.exists(path):
            namespace.replace_file(path, text)
    set_hosts()


class NamesCase(unittest.TestCase):

    def setUp(self):
        self.stage = Stage(BINARIES)
        self.addCleanup(self.stage.__exit__, None)

    def ordinary(self, target, *flags):
        return self.stage.probe(target, "--channel=ordinary", PATIENCE, *flags)

    def pooled(self, target, *flags):
        """One with at least one member ready."""
        probe = self.stage.probe(target, "--backoff=100ms", "--resolve_interval=1s", *flags)
        probe.await_pool(lambda pool: pool.state == "READY", "connections to " + target)
        return probe

    def expect_calls(self, probe, servers, count=20):
        """All end well, and on just these servers; a pool's on its members."""
        on_anchor = probe.pool().report["on_anchor"]
        calls = probe.calls(count)
        self.assertEqual((calls["ok"], calls["failed"]), (count, 0), calls)
        self.assertEqual(sorted(calls["servers"]), sorted(servers), calls)
        self.assertEqual(probe.pool().report["on_anchor"], on_anchor)
        return calls

    def expect_both_reach(self, target, servers, *flags):
        """An ordinary channel and a pool; gives the :authority that both send."""
        ordinary, pooled = self.ordinary(target, *flags), self.pooled(target, *flags)
        for probe in (ordinary, pooled):
            calls = self.expect_calls(probe, servers, 4)
            self.assertEqual(len(calls["authorities"]), 1, calls)
            if probe is ordinary:
                authorities = calls["authorities"]
            self.stage.end(probe)
        self.assertEqual(calls["authorities"], authorities)
        return list(authorities)[0]


class KindsOfNamesTest(NamesCase):

    def test_every_kind_of_target(self):
        set_hosts(host=["127.0.0.1"], six=["::1"], both=["127.0.0.1", "::1"])
        port = namespace.new_port()
        path = os.path.join(self.stage.new_folder(), "socket")
        self.stage.server("all", addresses=[
            "127.0.0.1:%d" % port, "[::1]:%d" % port, "127.0.0.1:80", "[::1]:80", "unix:" + path,
            "unix-abstract:predial.%d" % port])
        for target, authority in (
                ("ipv4:127.0.0.1:PORT", "127.0.0.1:PORT"),
                ("127.0.0.1:PORT", "127.0.0.1:PORT"),
                ("dns:///127.0.0.1:PORT", "127.0.0.1:PORT"),
                ("ipv6:[::1]:PORT", "[::1]:PORT"),
                ("[::1]:PORT", "[::1]:PORT"),
                ("dns:///[::1]:PORT", "[::1]:PORT"),
                ("unix:" + path, "localhost"),
                ("unix://" + path, "localhost"),
                ("unix-abstract:predial.PORT", "localhost"),
                ("localhost:PORT", "localhost:PORT"),
                ("host.test:PORT", "host.test:PORT"),
                ("dns:host.test:PORT", "host.test:PORT"),
                ("dns:///host.test:PORT", "host.test:PORT"),
                ("dns:///Host.TEST:PORT", "Host.TEST:PORT"),
                ("dns:///six.test:PORT", "six.test:PORT"),
                ("dns:///both.test:PORT", "both.test:PORT"),
                ("host.test:http", "host.test:http"),
                ("dns:///six.test:http", "six.test:http")):
            with self.subTest(target):
                self.assertEqual(self.expect_both_reach(target.replace("PORT", str(port)), ["all"]),
                                 authority.replace("PORT", str(port)))

    def test_the_users_authority_goes_before_that_of_the_name(self):
        set_hosts(host=["127.0.0.1"])
        path = os.path.join(self.stage.new_folder(), "socket")
        port = namespace.new_port()
        self.stage.server("one", addresses=["127.0.0.1:%d" % port, "unix:" + path])
        for target in ("ipv4:127.0.0.1:%d" % port, "dns:///host.test:%d" % port,
                       "unix:" + path):
            with self.subTest(target):
                self.assertEqual(
                    self.expect_both_reach(target, ["one"], "--authority=orders.example"),
                    "orders.example")

    def test_http_and_https_need_no_services_file(self):
        """gRPC knows these two ports by itself."""
        before = ""
        if os.path.exists("/etc/services"):
            with open("/etc/services", encoding="utf-8") as f:
                before = f.read()
            namespace.replace_file("/etc/services", "# nothing\n")
            self.addCleanup(namespace.replace_file, "/etc/services", before)
        set_hosts(host=["127.0.0.1"])
        self.stage.server("one", addresses=["127.0.0.1:80", "127.0.0.1:443"])
        for service in ("http", "https"):
            with self.subTest(service):
                self.assertEqual(self.expect_both_reach("host.test:" + service, ["one"]),
                                 "host.test:" + service)

    def test_a_host_that_matches_names(self):
        """Behind nginx, which goes by the authority."""
        set_hosts(right=["127.0.0.1"], wrong=["127.0.0.1"])
        nginx = proxies.nginx_host(self.stage, self.stage.server("one"), "right.test")
        for target, flags in (("dns:///right.test:%d", []),
                              ("ipv4:127.0.0.1:%d", ["--authority=right.test"]),
                              ("dns:///wrong.test:%d", ["--authority=right.test"])):
            with self.subTest(target):
                self.expect_both_reach(target % nginx.port, ["one"], *flags)
        for target, flags in (("dns:///wrong.test:%d", []), ("ipv4:127.0.0.1:%d", []),
                              ("dns:///right.test:%d", ["--authority=wrong.test"])):
            with self.subTest(target):
                target %= nginx.port
                errors = [probe.calls(4)["errors"] for probe in (self.ordinary(target, *flags),
                                                                 self.pooled(target, *flags))]
                self.assertEqual(len(errors[0]), 4)
                self.assertEqual(*errors)


class FamiliesTest(NamesCase):
    """Of which one does not work."""

    def setUp(self):
        super().setUp()
        set_hosts(dual=["::1", "127.0.0.1"], four=["127.0.0.1"], six=["::1"])
        self.port = namespace.new_port()
        self.target = "dns:///dual.test:%d" % self.port
        self.four, self.six = "127.0.0.1:%d" % self.port, "[::1]:%d" % self.port

    def expect_one_endpoint(self):
        """Reached, and its health watched, over the family that works."""
        self.expect_calls(self.ordinary(self.target), ["one"])
        probe = self.pooled(self.target)
        self.expect_calls(probe, ["one"])
        self.assertEqual(len(probe.pool().endpoints), 1)
        return probe

    def await_not_serving(self, server, probe):
        """What its health service says is heard: by the watch, for busy members are not checked."""
        probe.ask("begin 1")
        server.set("NOT_SERVING")
        probe.await_pool(lambda pool: not any(endpoint["serving"]
                                              for endpoint in pool.endpoints.values()),
                         "the word of the watch", timeout=10)
        load = probe.ask("end")
        self.assertEqual(load["failed"], 0, load)

    def test_ipv6_refused(self):
        server = self.stage.server("one", addresses=[self.four])
        self.await_not_serving(server, self.expect_one_endpoint())

    def test_ipv4_refused(self):
        server = self.stage.server("one", addresses=[self.six])
        self.await_not_serving(server, self.expect_one_endpoint())

    def test_ipv6_blackholed(self):
        server = self.stage.server("one", addresses=[self.four, self.six])
        self.blackhole("ipv6")
        self.await_not_serving(server, self.expect_one_endpoint())

    def test_ipv4_blackholed(self):
        self.stage.server("one", addresses=[self.four, self.six])
        self.blackhole("ipv4")
        self.expect_one_endpoint()

    def blackhole(self, family):
        namespace.drop_traffic(self.port, family)
        self.addCleanup(namespace.pass_traffic)

    def test_a_name_in_the_family_in_which_the_host_has_no_address(self):
        """But for loopback's: it is there, and an ordinary channel uses it."""
        self.stage.server("one", addresses=[self.four, self.six])
        for own, name in (("10.7.0.1/32", "six"), ("fd00:7::1/128", "four")):
            with self.subTest(name):
                namespace.add_address(own)
                try:
                    self.expect_both_reach("dns:///%s.test:%d" % (name, self.port), ["one"])
                finally:
                    namespace.remove_address(own)

    def test_a_first_address_that_cannot_be_reached(self):
        # Nobody listens; there is no route.
        for first in ("127.0.0.9", "10.255.0.1"):
            with self.subTest(first):
                set_hosts(two=[first, "127.0.0.2"])
                server = self.stage.server("one", addresses=["127.0.0.2:%d" % self.port])
                target = "dns:///two.test:%d" % self.port
                self.expect_calls(self.ordinary(target), ["one"])
                probe = self.pooled(target)
                self.expect_calls(probe, ["one"])
                endpoints = probe.pool().endpoints
                self.assertEqual(endpoints["%s:%d" % (first, self.port)]["ready"], 0)
                self.assertGreater(endpoints["127.0.0.2:%d" % self.port]["ready"], 0)
                self.stage.end(server)

    def test_a_first_address_that_swallows_everything(self):
        set_hosts(two=["::1", "127.0.0.2", "127.0.0.3"])
        self.stage.server("one", addresses=["127.0.0.2:%d" % self.port, "127.0.0.3:%d" % self.port])
        self.blackhole("ipv6")
        target = "dns:///two.test:%d" % self.port
        self.expect_calls(self.ordinary(target), ["one"])
        probe = self.pooled(target)
        self.expect_calls(probe, ["one"])
        self.assertEqual(probe.pool().ready("[::1]:%d" % self.port), 0)


class ChangingNamesTest(NamesCase):
    """/etc/hosts changes while RPCs run."""

    def setUp(self):
        super().setUp()
        self.port = namespace.new_port()
        self.target = "dns:///many.test:%d" % self.port

    def server(self, name, *addresses):
        return self.stage.server(name, addresses=[self.key(address) for address in addresses])

    def key(self, address):
        return ("[%s]:%d" if ":" in address else "%s:%d") % (address, self.port)

    def await_endpoints(self, probe, *addresses):
        """Waits until the pool has just these, each with a member."""
        keys = sorted(map(self.key, addresses))
        pool = probe.await_pool(lambda pool: sorted(pool.endpoints) == keys
                                and all(map(pool.ready, keys)), "members of %s" % keys)
        self.assertEqual(pool.state, "READY")

    def expect_no_loss(self, *probes):
        """Ends their loads."""
        for probe in probes:
            load = probe.ask("end")
            self.assertEqual(load["failed"], 0, load)
            self.assertGreater(load["ok"], 0)
        self.assertEqual(probes[0].pool().report["on_anchor"], 0)

    def test_addresses_come_and_go_and_no_rpc_is_lost(self):
        servers = {name: self.server(name, address) for name, address in
                   (("a", "127.0.0.2"), ("b", "127.0.0.3"), ("c", "127.0.0.4"))}
        set_hosts(many=["127.0.0.2", "127.0.0.3"])
        pooled, ordinary = self.pooled(self.target), self.ordinary(self.target)
        for probe in (pooled, ordinary):
            probe.ask("begin 2")
        self.await_endpoints(pooled, "127.0.0.2", "127.0.0.3")

        set_hosts(many=["127.0.0.2", "127.0.0.3", "127.0.0.4"])
        self.await_endpoints(pooled, "127.0.0.2", "127.0.0.3", "127.0.0.4")
        self.expect_calls(pooled, ["a", "b", "c"], 60)

        set_hosts(many=["127.0.0.3", "127.0.0.4"])
        self.await_endpoints(pooled, "127.0.0.3", "127.0.0.4")
        self.expect_calls(pooled, ["b", "c"], 60)

        # A name without addresses keeps those that it had.
        set_hosts()
        lookups = self.stage.probe(self.target)  # one that never had any
        until = time.monotonic() + 2.5  # two lookups
        while time.monotonic() < until:
            self.expect_calls(pooled, ["b", "c"], 60)
        self.await_endpoints(pooled, "127.0.0.3", "127.0.0.4")
        self.assertNotIn("endpoint_gone", pooled.pool().decisions("drain", self.key("127.0.0.3")))
        self.assertEqual(lookups.pool().state, "TRANSIENT_FAILURE")
        self.assertIn("looking up many.test", lookups.pool().report["last_error"])

        set_hosts(many=["127.0.0.2", "127.0.0.4"])
        self.await_endpoints(pooled, "127.0.0.2", "127.0.0.4")
        self.expect_calls(pooled, ["a", "c"], 60)
        self.expect_no_loss(pooled, ordinary)
        self.assertEqual(pooled.pool().report["closed"]["peer_closed"], 0)
        self.assertGreater(servers["c"].ask("seen")["rpcs"], 0)

    def test_all_addresses_are_others(self):
        self.server("blue", "127.0.0.2")
        self.server("green", "127.0.0.3")
        set_hosts(many=["127.0.0.2"])
        pooled = self.pooled(self.target)
        pooled.ask("begin 2")
        self.expect_calls(pooled, ["blue"])
        set_hosts(many=["127.0.0.3"])
        self.await_endpoints(pooled, "127.0.0.3")
        self.expect_calls(pooled, ["green"])
        load = pooled.ask("end")
        self.assertEqual(load["failed"], 0, load)

    def test_all_addresses_are_others_and_nobody_is_there(self):
        self.server("blue", "127.0.0.2")
        set_hosts(many=["127.0.0.2"])
        ordinary, pooled = self.ordinary(self.target), self.pooled(self.target)
        self.expect_calls(ordinary, ["blue"])
        set_hosts(many=["127.0.0.3"])
        there = self.key("127.0.0.3")
        pooled.await_pool(lambda pool: pool.endpoints.get(there, {}).get("last_error"),
                          "dials to the new address")
        for probe in (ordinary, pooled):
            self.expect_calls(probe, ["blue"])
        self.server("green", "127.0.0.3")
        pooled.await_pool(lambda pool: pool.report["closed"]["endpoint_gone"] > 0,
                          "members at the new address")
        self.expect_calls(pooled, ["green"])

    def test_a_host_gets_a_second_family(self):
        self.server("one", "127.0.0.2", "::1")
        set_hosts(many=["127.0.0.2"])
        pooled = self.pooled(self.target)
        pooled.ask("begin 2")
        both = "%s|%s" % (self.key("127.0.0.2"), self.key("::1"))
        for addresses, key in ((["127.0.0.2", "::1"], both), (["::1"], self.key("::1")),
                               (["127.0.0.2", "::1"], both)):
            set_hosts(many=addresses)
            pooled.await_pool(lambda pool, key=key: list(pool.endpoints) == [key]
                              and pool.ready(key), "members of " + key)
            self.expect_calls(pooled, ["one"])
        load = pooled.ask("end")
        self.assertEqual(load["failed"], 0, load)

    def test_more_addresses_of_both_families(self):
        self.server("a", "127.0.0.2", "127.0.0.3")
        self.server("b", "::1")
        set_hosts(many=["::1", "127.0.0.2", "127.0.0.3"])
        pooled = self.pooled(self.target)
        self.await_endpoints(pooled, "::1", "127.0.0.2", "127.0.0.3")
        self.expect_calls(pooled, ["a", "b"])
        set_hosts(many=["127.0.0.2", "127.0.0.3"])
        self.await_endpoints(pooled, "127.0.0.2", "127.0.0.3")
        self.expect_calls(pooled, ["a"])

    def test_a_server_that_moved_is_found_by_the_failure(self):
        """Long before the next lookup is due."""
        server = self.server("old", "127.0.0.2")
        self.server("new", "127.0.0.3")
        set_hosts(many=["127.0.0.2"])
        probes = [self.pooled(self.target, "--resolve_interval=10m"), self.ordinary(self.target)]
        for probe in probes:
            self.expect_calls(probe, ["old"])
        set_hosts(many=["127.0.0.3"])
        self.stage.end(server)
        for probe in probes:
            deadline = time.monotonic() + 30
            calls = probe.calls(1)
            while not calls["ok"]:
                self.assertLess(time.monotonic(), deadline, calls)
                calls = probe.calls(1)
            self.assertEqual(list(calls["servers"]), ["new"])
        self.await_endpoints(probes[0], "127.0.0.3")

    def test_a_name_that_comes_late(self):
        self.server("one", "127.0.0.2")
        set_hosts()
        probe = self.stage.probe(self.target, "--resolve_interval=1s", "--backoff=100ms")
        probe.await_pool(lambda pool: pool.state == "TRANSIENT_FAILURE", "the lookup to fail")
        set_hosts(many=["127.0.0.2"])
        self.await_endpoints(probe, "127.0.0.2")
        self.expect_calls(probe, ["one"])


if __name__ == "__main__":
    namespace.enter(own_files=True)
    end_on_sigterm()
    set_up_files()
    case_xml.main()
