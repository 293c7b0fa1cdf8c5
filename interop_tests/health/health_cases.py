"""What becomes of a pool over two servers whose health services say this and that.

The cases are the same for every implementation; subclasses say how a server is made. Both servers
live as long as the class, each case has a pool of its own. In all of them RPCs go on.
"""
import unittest

from stage import Stage

BINARIES = "interop_tests/driven"
SERVING = "its health service says SERVING"
NOT_SERVING = "its health service says NOT_SERVING"


class Base(unittest.TestCase):
    """`a` is what a case changes, `b` is well."""

    resets = ["set - SERVING"]  # commands that make the servers well again

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage(BINARIES)
        cls.addClassCleanup(cls.stage.__exit__, None)
        cls.a, cls.b = cls.make("a"), cls.make("b")

    @classmethod
    def make(cls, name):
        """A server of that name."""
        raise NotImplementedError

    def setUp(self):
        for server in (self.a, self.b):
            for command in self.resets:
                server.ask(command)

    def probe(self, *flags, to_a=True):
        """One whose channel is connected to b, and also, if `to_a`, to a. Ends with the case."""
        probe = self.stage.probe("ipv4:%s,%s" % (self.a.address, self.b.address),
                                 "--backoff=100ms", *flags)
        self.addCleanup(self.stage.end, probe)
        probe.await_pool(lambda pool: pool.ready(self.b.address)
                         and (pool.ready(self.a.address) or not to_a), "its connections")
        return probe

    def await_left(self, probe):
        """Waits until the pool has left `a`, and `b` alone gets RPCs."""
        def left(pool):
            return (not pool.panic and not pool.endpoints[self.a.address]["serving"]
                    and pool.ready(self.a.address) == 0
                    and pool.endpoints[self.a.address]["draining"] == 0)

        self.await_calls(probe, left, ["b"])
        pool = probe.pool()
        self.assertEqual(pool.state, "READY", pool)
        self.assertIn("unhealthy", pool.decisions("drain", self.a.address), pool)
        self.assertTrue(pool.endpoints[self.b.address]["serving"], pool)
        # Its server says the same.
        seen = self.a.ask("seen")["rpcs"]
        self.expect_calls(probe, ["b"])
        self.assertEqual(self.a.ask("seen")["rpcs"], seen)

    def await_both(self, probe):
        """Waits until both take RPCs."""
        def both(pool):
            return not pool.panic and all(
                pool.ready(address) and pool.endpoints[address]["serving"]
                for address in (self.a.address, self.b.address))

        self.await_calls(probe, both, ["a", "b"])
        self.assertEqual(probe.pool().state, "READY")

    def await_calls(self, probe, condition, servers):
        """Waits until the pool is as it should be, and RPCs go to just these servers.

        What the servers have said may be on its way: both have to be true at one time.
        """
        for _ in range(100):
            pool = probe.await_pool(condition, "RPCs to go to " + " and ".join(servers))
            # Enough of them for one that gets 1/8 of a full share, as it does in its first moments.
            calls = probe.calls(40)
            self.assertEqual((calls["ok"], calls["failed"]), (40, 0), calls)
            if sorted(calls["servers"]) == servers and condition(probe.pool()):
                return pool
        return self.fail("RPCs go to %s: %s" % (calls["servers"], pool))

    def expect_calls(self, probe, servers):
        calls = probe.calls(40)
        self.assertEqual((calls["ok"], calls["failed"]), (40, 0), calls)
        self.assertEqual(sorted(calls["servers"]), servers, calls)

    def expect_none_lost(self, pool):
        """No connection was closed, but for those that a young pool replaces after a second."""
        closed = {reason for reason, count in pool.report["closed"].items() if count > 0}
        self.assertLessEqual(closed, {"rotated"}, pool)

    def expect_no_loss(self, probe):
        """Ends the load."""
        load = probe.ask("end")
        self.assertEqual(load["failed"], 0, load)
        self.assertGreater(load["ok"], 0)
        # Its members took them.
        self.assertEqual(probe.pool().report["on_anchor"], 0)


class HealthCases(Base):
    """What every health service can say."""

    def test_serving(self):
        probe = self.probe()
        pool = probe.await_pool(lambda pool: pool.report["health_checks"]["serving"] >= 2,
                                "the words of both watches")
        self.expect_calls(probe, ["a", "b"])
        for address in (self.a.address, self.b.address):
            self.assertTrue(pool.endpoints[address]["serving"])
            self.assertEqual(pool.decisions("eject", address), [])

    def test_not_serving_is_left_and_serving_returned_to(self):
        probe = self.probe()
        probe.ask("begin 2")
        self.a.set("NOT_SERVING")
        self.await_left(probe)
        self.assertEqual(probe.pool().decisions("eject", self.a.address), [NOT_SERVING])
        self.a.set("SERVING")
        self.await_both(probe)
        self.assertEqual(probe.pool().decisions("readmit", self.a.address), [SERVING])
        self.expect_no_loss(probe)

    def test_when_none_is_serving_health_is_ignored(self):
        probe = self.probe()
        probe.ask("begin 2")
        self.a.set("NOT_SERVING")
        self.await_left(probe)
        self.b.set("NOT_SERVING")
        pool = probe.await_pool(lambda pool: pool.panic and pool.ready(self.a.address)
                                and pool.ready(self.b.address), "panic, and both to be used")
        self.assertEqual(pool.state, "READY")
        self.assertEqual([pool.endpoints[address]["serving"]
                          for address in (self.a.address, self.b.address)], [False, False])
        self.assertEqual(len(pool.decisions("panic", "")), 1, pool)
        self.expect_calls(probe, ["a", "b"])
        self.b.set("SERVING")
        self.await_left(probe)
        self.assertEqual(len(probe.pool().decisions("calm", "")), 1)
        self.a.set("SERVING")
        self.await_both(probe)
        self.expect_no_loss(probe)

    def test_the_word_on_the_pools_own_service_counts(self):
        for server in (self.a, self.b):
            server.set("SERVING", "payments")
        self.a.set("NOT_SERVING", "orders")
        self.b.set("SERVING", "orders")
        self.await_left(self.probe("--health_service=orders", to_a=False))
        # The others' pools are not concerned.
        for flags in ([], ["--health_service=payments"]):
            probe = self.probe(*flags)
            probe.await_pool(lambda pool: pool.report["health_checks"]["serving"] >= 2,
                             "the words of both watches")
            self.await_both(probe)
            self.assertEqual(probe.pool().decisions("eject", self.a.address), [])
        self.b.set("NOT_SERVING")
        self.await_left(self.probe("--health_service=orders", to_a=False))

    def test_a_service_that_is_unknown_counts_as_healthy_until_it_is_known(self):
        probe = self.probe("--health_service=late", "--health_interval=200ms")
        pool = probe.await_pool(lambda pool: pool.report["health_checks"]["unimplemented"] >= 6,
                                "the words of both watches, and of checks")
        self.assertEqual(pool.report["closed"]["unhealthy"], 0, pool)
        self.await_both(probe)
        probe.ask("begin 2")
        # The watch that said SERVICE_UNKNOWN is open: it is the one to tell.
        self.a.set("NOT_SERVING", "late")
        self.await_left(probe)
        self.a.set("SERVING", "late")
        self.await_both(probe)
        self.expect_no_loss(probe)

    def test_quick_changes_come_to_the_last_one(self):
        probe = self.probe()
        probe.ask("begin 2")
        for _ in range(50):
            self.a.set("NOT_SERVING")
            self.a.set("SERVING")
        self.await_both(probe)
        for _ in range(50):
            self.a.set("SERVING")
            self.a.set("NOT_SERVING")
        self.await_left(probe)
        self.expect_no_loss(probe)


class UnknownStatusCases(Base):
    """For those that can say UNKNOWN."""

    def test_unknown_is_as_bad_as_not_serving(self):
        probe = self.probe()
        probe.ask("begin 2")
        self.a.set("UNKNOWN")
        self.await_left(probe)
        self.a.set("SERVING")
        self.await_both(probe)
        self.expect_no_loss(probe)


class NoHealthServiceCases(Base):
    """Servers without a health service."""

    resets = []

    def test_servers_without_health_service_count_as_healthy(self):
        probe = self.probe("--health_interval=200ms")
        pool = probe.await_pool(lambda pool: pool.report["health_checks"]["unimplemented"] >= 8,
                                "what two watches and some checks came to")
        for address in (self.a.address, self.b.address):
            self.assertTrue(pool.endpoints[address]["serving"])
            self.assertEqual(pool.endpoints[address]["ready"], 1)
            self.assertEqual(pool.decisions("eject", address), [])
        self.expect_none_lost(pool)
        self.assertEqual(pool.report["health_checks"]["not_serving"], 0, pool)
        self.expect_calls(probe, ["a", "b"])


class BadMannersCases(Base):
    """Health services that hang or end the Watch: the commands `check` and `watch` of server.cc."""

    resets = [*Base.resets, "check answer", "watch answer"]

    def test_a_watch_that_never_answers_says_nothing(self):
        for server in (self.a, self.b):
            server.ask("watch hang")
        before = [server.ask("seen") for server in (self.a, self.b)]
        probe = self.probe("--health_interval=200ms")
        probe.await_pool(lambda pool: pool.report["health_checks"]["serving"] >= 6, "some checks")
        self.await_both(probe)
        pool = probe.pool()
        self.expect_none_lost(pool)
        for server, was in zip((self.a, self.b), before):
            seen = server.ask("seen")
            self.assertEqual(seen["watches"] - was["watches"], 1)
            self.assertGreater(seen["checks"], was["checks"])
            self.assertEqual(pool.decisions("eject", server.address), [])

    def test_connections_whose_checks_are_never_answered_are_replaced(self):
        self.a.ask("check hang")
        probe = self.probe("--health_interval=100ms")
        pool = probe.await_pool(lambda pool: pool.report["closed"]["unhealthy"] >= 3
                                and pool.ready(self.a.address), "three to be replaced")
        self.assertGreaterEqual(pool.decisions("drain", self.a.address).count("unhealthy"), 3, pool)
        self.assertNotIn("unhealthy", pool.decisions("drain", self.b.address), pool)
        self.assertTrue(pool.endpoints[self.a.address]["serving"], pool)
        # Busy ones prove themselves.
        probe.ask("begin 2")
        self.await_both(probe)
        self.expect_no_loss(probe)

    def test_a_watch_that_ends_is_begun_again_with_backoff(self):
        # OK and UNAVAILABLE. One that says something first is young again: always the first delay.
        for manner, growth in (("end 0", 1.6), ("end 14", 1.6), ("answer-end 0", 1),
                               ("answer-end 14", 1)):
            with self.subTest(manner):
                self.a.ask("watch " + manner)
                self.expect_backoff(growth)

    def expect_backoff(self, growth):
        before = self.a.ask("seen")["watches"]
        probe = self.probe("--backoff=50ms")
        probe.ask("begin 1")
        probe.await_pool(lambda _: self.a.ask("seen")["watches"] >= before + 5, "5 watches")
        self.await_both(probe)
        pool = probe.pool()
        self.assertEqual(pool.decisions("eject", self.a.address), [], pool)
        self.expect_none_lost(pool)
        self.expect_no_loss(probe)
        self.stage.end(probe)
        began = self.a.ask("seen")["watch_began_ms"][before:before + 5]
        for i, (one, next_one) in enumerate(zip(began, began[1:])):
            # From its end, which came later, to the next. Both times are in whole milliseconds.
            self.assertGreaterEqual(next_one - one + 1, int(50 * growth ** i), began)

    def test_a_watch_that_ends_with_another_error_is_left_alone(self):
        # As UNIMPLEMENTED: it is asked again after a minute. INTERNAL, PERMISSION_DENIED.
        for code in (13, 7):
            with self.subTest(code):
                self.a.ask("watch end %d" % code)
                before = self.a.ask("seen")["watches"]
                probe = self.probe("--backoff=50ms")
                probe.await_pool(lambda pool: pool.report["health_checks"]["unimplemented"] >= 1,
                                 "its end")
                # For longer than several backoffs would take.
                self.b.ask("watch end 14")
                watched = self.b.ask("seen")["watches"]
                other = self.probe("--backoff=50ms")
                other.await_pool(lambda _, watched=watched:
                                 self.b.ask("seen")["watches"] >= watched + 4, "4 watches of b")
                self.b.ask("watch answer")
                self.await_both(probe)
                # One of each probe.
                self.assertEqual(self.a.ask("seen")["watches"] - before, 2)

    def test_not_serving_lasts_as_long_as_the_watch(self):
        """A server that says NOT_SERVING and ends the Watch is tried again, and left again."""
        self.a.set("NOT_SERVING")
        self.a.ask("watch answer-end 0")
        before = self.a.ask("seen")["watches"]
        probe = self.probe(to_a=False)
        probe.ask("begin 2")
        pool = probe.await_pool(lambda pool: len(pool.decisions("eject", self.a.address)) >= 4,
                                "it to be left four times")
        self.assertEqual(set(pool.decisions("eject", self.a.address)), {NOT_SERVING}, pool)
        self.assertEqual(set(pool.decisions("readmit", self.a.address)),
                         {"its health watch has ended"}, pool)
        self.expect_no_loss(probe)
        began = self.a.ask("seen")["watch_began_ms"][before:]
        for one, next_one in zip(began, began[1:]):
            self.assertGreaterEqual(next_one - one + 1, 100, began)
