#include "plugin/io/socket_options.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace predial {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(SocketOptionsTest, DefaultsAreValid) {
  EXPECT_EQ(SocketOptions().Validate(), absl::OkStatus());
}

TEST(SocketOptionsTest, TheEndsOfTheRangesAreValid) {
  const std::vector<std::function<void(SocketOptions&)>> changes = {
      [](SocketOptions& o) { o.connect_timeout = absl::Nanoseconds(1); },
      [](SocketOptions& o) { o.connect_timeout = absl::Minutes(10); },
      [](SocketOptions& o) { o.attempt_delay = absl::Milliseconds(10); },
      [](SocketOptions& o) { o.attempt_delay = absl::Seconds(2); },
      [](SocketOptions& o) { o.user_timeout = absl::ZeroDuration(); },
      [](SocketOptions& o) { o.user_timeout = absl::Milliseconds(1); },
      [](SocketOptions& o) { o.user_timeout = absl::Hours(1); },
      [](SocketOptions& o) { o.keepalive_idle = absl::Seconds(1); },
      [](SocketOptions& o) { o.keepalive_interval = absl::Hours(1); },
      [](SocketOptions& o) { o.keepalive_probes = 1; },
      [](SocketOptions& o) { o.keepalive_probes = 127; },
      [](SocketOptions& o) { o.source_address = "192.0.2.7"; },
      [](SocketOptions& o) { o.source_address = "2001:db8::7"; },
      [](SocketOptions& o) { o.bind_device = std::string(15, 'd'); },
      [](SocketOptions& o) { o.dscp = 0; },
      [](SocketOptions& o) { o.dscp = 63; },
      [](SocketOptions& o) { o.congestion_control = std::string(15, 'c'); },
      [](SocketOptions& o) { o.send_buffer_bytes = 4 << 10; },
      [](SocketOptions& o) { o.receive_buffer_bytes = 64 << 20; },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    SocketOptions options;
    changes[i](options);
    EXPECT_EQ(options.Validate(), absl::OkStatus()) << i;
  }
}

TEST(SocketOptionsTest, ErrorsNameFieldValueAndRange) {
  const struct {
    std::function<void(SocketOptions&)> change;
    const char* field;
    const char* value;
    const char* range;
  } cases[] = {
      {[](SocketOptions& o) { o.connect_timeout = absl::ZeroDuration(); }, "connect_timeout",
       "is 0;", "to 10m"},
      {[](SocketOptions& o) { o.connect_timeout = absl::InfiniteDuration(); }, "connect_timeout",
       "inf", "to 10m"},
      {[](SocketOptions& o) { o.attempt_delay = absl::Milliseconds(9); }, "attempt_delay", "9ms",
       "from 10ms to 2s"},
      {[](SocketOptions& o) { o.attempt_delay = absl::Milliseconds(2001); }, "attempt_delay",
       "2.001s", "from 10ms to 2s"},
      {[](SocketOptions& o) { o.user_timeout = absl::Microseconds(999); }, "user_timeout", "999us",
       "from 1ms to 1h"},
      {[](SocketOptions& o) { o.user_timeout = -absl::Seconds(1); }, "user_timeout", "-1s",
       "from 1ms to 1h"},
      {[](SocketOptions& o) { o.keepalive_idle = absl::Milliseconds(1500); }, "keepalive_idle",
       "1.5s", "whole seconds, from 1s to 1h"},
      {[](SocketOptions& o) { o.keepalive_interval = absl::ZeroDuration(); }, "keepalive_interval",
       "is 0;", "whole seconds"},
      {[](SocketOptions& o) { o.keepalive_interval = absl::Seconds(3601); }, "keepalive_interval",
       "1h1s", "whole seconds"},
      {[](SocketOptions& o) { o.keepalive_probes = 0; }, "keepalive_probes", "is 0;", "1 to 127"},
      {[](SocketOptions& o) { o.keepalive_probes = 128; }, "keepalive_probes", "128", "1 to 127"},
      {[](SocketOptions& o) { o.source_address = "1.2.3.4:5"; }, "source_address", "\"1.2.3.4:5\"",
       "without a port"},
      {[](SocketOptions& o) { o.source_address = "eth0"; }, "source_address", "\"eth0\"", "IPv4"},
      {[](SocketOptions& o) { o.bind_device = std::string(16, 'd'); }, "bind_device", "\"dddd",
       "fewer than 16 bytes"},
      {[](SocketOptions& o) { o.dscp = -2; }, "dscp", "-2", "from 0 to 63"},
      {[](SocketOptions& o) { o.dscp = 64; }, "dscp", "64", "from 0 to 63"},
      {[](SocketOptions& o) { o.congestion_control = std::string(16, 'c'); }, "congestion_control",
       "\"cccc", "fewer than 16 bytes"},
      {[](SocketOptions& o) { o.send_buffer_bytes = 4095; }, "send_buffer_bytes", "4095",
       "from 4096 to 67108864"},
      {[](SocketOptions& o) { o.receive_buffer_bytes = (64 << 20) + 1; }, "receive_buffer_bytes",
       "67108865", "from 4096 to 67108864"},
      {[](SocketOptions& o) { o.send_buffer_bytes = std::numeric_limits<int>::min(); },
       "send_buffer_bytes", "-2147483648", "from 4096"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.field);
    SocketOptions options;
    c.change(options);
    const absl::Status status = options.Validate();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(c.field), HasSubstr(c.value), HasSubstr(c.range)));
  }
}

}  // namespace
}  // namespace predial
