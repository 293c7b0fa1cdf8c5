#include "plugin/io/target.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace predial {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct NameCase {
  const char* text;
  const char* host;
  const char* port;
  const char* authority;
};

TEST(TargetTest, Names) {
  const NameCase cases[] = {
      {"dns:///orders:50051", "orders", "50051", "orders:50051"},
      {"dns:orders:50051", "orders", "50051", "orders:50051"},
      {"dns:/orders:50051", "orders", "50051", "orders:50051"},
      {"orders:50051", "orders", "50051", "orders:50051"},
      {"Orders.example.com.:1", "Orders.example.com.", "1", "Orders.example.com.:1"},
      {"localhost:65535", "localhost", "65535", "localhost:65535"},
      {"my_svc-1:grpc", "my_svc-1", "grpc", "my_svc-1:grpc"},
      {"dns:///or%64ers:5005%31", "orders", "50051", "orders:50051"},
      {"127.1:80", "127.1", "80", "127.1:80"},
      {"[::1]:http", "::1", "http", "[::1]:http"},
      {"DNS:50051", "DNS", "50051", "DNS:50051"},
      {"ipv5:50051", "ipv5", "50051", "ipv5:50051"},
  };
  for (const NameCase& c : cases) {
    SCOPED_TRACE(c.text);
    auto target = ParseTarget(c.text);
    ASSERT_TRUE(target.ok()) << target.status();
    EXPECT_EQ(target->text, c.text);
    EXPECT_EQ(target->kind, Target::Kind::kDns);
    EXPECT_EQ(target->host, c.host);
    EXPECT_EQ(target->port, c.port);
    EXPECT_EQ(target->authority, c.authority);
    EXPECT_THAT(target->addresses, ElementsAre());
  }
}

struct AddressCase {
  const char* text;
  std::vector<std::string> addresses;
  const char* authority;
};

TEST(TargetTest, Addresses) {
  const AddressCase cases[] = {
      {"127.0.0.1:80", {"127.0.0.1:80"}, "127.0.0.1:80"},
      {"dns:///[::1]:80", {"[::1]:80"}, "[::1]:80"},
      {"[::1]:80", {"[::1]:80"}, "[::1]:80"},
      {"[::1%25lo]:80", {"[::1%lo]:80"}, "[::1%lo]:80"},
      {"ipv4:1.2.3.4:50051", {"1.2.3.4:50051"}, "1.2.3.4:50051"},
      {"ipv4:///1.2.3.4:50051", {"1.2.3.4:50051"}, "1.2.3.4:50051"},
      {"ipv4:1.2.3.4:1,5.6.7.8:2", {"1.2.3.4:1", "5.6.7.8:2"}, "1.2.3.4:1,5.6.7.8:2"},
      {"ipv4:,1.2.3.4:1,,5.6.7.8:2,", {"1.2.3.4:1", "5.6.7.8:2"}, ",1.2.3.4:1,,5.6.7.8:2,"},
      {"ipv6:[::1]:1,[fe80::1%25eth0]:2",
       {"[::1]:1", "[fe80::1%eth0]:2"},
       "[::1]:1,[fe80::1%eth0]:2"},
      {"ipv6:%5B::1%5d:1", {"[::1]:1"}, "[::1]:1"},
      {"unix:relative/path", {"unix:relative/path"}, "localhost"},
      {"unix:/absolute/path", {"unix:/absolute/path"}, "localhost"},
      {"unix:///absolute/path", {"unix:/absolute/path"}, "localhost"},
      {"unix:/a%20b%3F%25%zz%4", {"unix:/a b?%%zz%4"}, "localhost"},
      {"unix:/a,/b", {"unix:/a", "unix:/b"}, "localhost"},
      {"unix-abstract:name", {"unix-abstract:name"}, "localhost"},
      {"unix-abstract:///name", {"unix-abstract:/name"}, "localhost"},
      {"unix-abstract:a%00b", {std::string("unix-abstract:a\0b", 17)}, "localhost"},
  };
  for (const AddressCase& c : cases) {
    SCOPED_TRACE(c.text);
    auto target = ParseTarget(c.text);
    ASSERT_TRUE(target.ok()) << target.status();
    EXPECT_EQ(target->text, c.text);
    EXPECT_EQ(target->kind, Target::Kind::kAddresses);
    EXPECT_EQ(target->addresses, c.addresses);
    EXPECT_EQ(target->authority, c.authority);
    EXPECT_EQ(target->host, "");
  }
}

TEST(TargetTest, UnixPathsOfTheGreatestLength) {
  const std::string longest(107, 'p');
  EXPECT_TRUE(ParseTarget("unix:" + longest).ok());
  EXPECT_TRUE(ParseTarget("unix-abstract:" + longest).ok());
  EXPECT_THAT(ParseTarget("unix:" + longest + "p").status().message(),
              HasSubstr("has 108 bytes; at most 107"));
}

struct ErrorCase {
  std::string text;
  const char* cause;
};

TEST(TargetTest, Errors) {
  const ErrorCase cases[] = {
      {"", "it is empty"},
      {"orders", "the port is missing after \"orders\""},
      {"dns:///orders", "the port is missing after \"orders\""},
      {"orders:", "the port is missing"},
      {"dns:50051", "the port is missing after \"50051\""},
      {"dns:", "the host is missing"},
      {"dns:///", "the host is missing"},
      {"dns", "the address is missing"},
      {":50051", "the host is missing"},
      {"dns:///:50051", "the host is missing"},
      {"[]:50051", "\"\" is not an IPv6 address"},
      {"orders:0", "port \"0\" is not in the range 1 to 65535"},
      {"ipv4:1.2.3.4:0", "port \"0\" is not in the range 1 to 65535"},
      {"ipv4:1.2.3.4:65536", "port \"65536\" is not in the range"},
      {"orders:99999999999999999999", "is not in the range"},
      {"orders:-1", "\"-1\" is not a port"},
      {"orders:50 051", "\"50 051\" is not a port"},
      {"orders:50051/x", "\"50051/x\" is not a port"},
      {"ipv4:1.2.3.4:http", "\"http\" is not a port"},
      {"::1:50051", "an IPv6 address stands in brackets"},
      {"dns:///::1", "an IPv6 address stands in brackets"},
      {"[::1]", "the port is missing after \"::1\""},
      {"[::1]50051", "something else than a port after the ']'"},
      {"[::1:50051", "lacks a ']'"},
      {"[orders]:50051", "\"orders\" is not an IPv6 address"},
      {"[::1%25]:50051", "is not an IPv6 address"},
      {"[::1%00]:50051", "\"::1\\x00\" is not an IPv6 address"},
      {"/orders:50051", "\"/orders\" is not a host name"},
      {"dns:////orders:50051", "\"/orders\" is not a host name"},
      {"or ders:50051", "is not a host name"},
      {"b\xc3\xbc"
       "cher:50051",
       "\"b\\xc3\\xbc\\x63her\" is not a host name"},
      {std::string(254, 'a') + ":50051", "is not a host name"},
      {"dns://orders:50051", "a DNS server of its own (\"orders:50051\") is not supported"},
      {"dns://8.8.8.8/orders:50051", "a DNS server of its own (\"8.8.8.8\") is not supported"},
      {"ipv4:orders:50051", "\"orders:50051\" is not an IPv4 address"},
      {"ipv4:[::1]:50051", "is not an IPv4 address"},
      {"ipv4:1.2.3:50051", "is not an IPv4 address"},
      {"ipv4:1.2.3.4", "the port is missing after \"1.2.3.4\""},
      {"ipv4:1.2.3.4:1,orders:2", "\"orders:2\" is not an IPv4 address"},
      {"ipv4:1.2.3.4:1,[::1]:2", "\"[::1]:2\" is not an IPv4 address"},
      {"ipv4:1.2.3.4:1 ,5.6.7.8:2", "\"1 \" is not a port"},
      {"ipv4:1.2.3.4%00:1", "is not an IPv4 address"},
      {"ipv6:1.2.3.4:1", "is not an IPv6 address"},
      {"ipv6:::1", "more than one ':'"},
      {"ipv4:", "the address is missing"},
      {"ipv4:,,", "the address is missing"},
      {"ipv4://1.2.3.4:1", "write ipv4:1.2.3.4:1"},
      {"unix:", "the address is missing"},
      {"unix://relative/path", "write unix:relative/path"},
      {"unix:a%00b", "zero byte"},
      {"unix-abstract:", "the address is missing"},
      {"http://orders:50051",
       "the scheme http is unknown; dns, ipv4, ipv6, unix and unix-abstract"},
      {"DNS:///orders:50051", "the scheme DNS is unknown"},
      {"xds:///orders", "only gRPC can resolve the scheme xds"},
      {"xds:orders", "only gRPC can resolve the scheme xds"},
      {"google-c2p:///orders", "only gRPC can resolve the scheme google-c2p"},
      {"dns:///orders:50051?a=b", "a query ('?')"},
      {"unix:/a#b", "write %3F or %23"},
      {"\x01\xff", "the port is missing after \"\\x01\\xff\""},
  };
  for (const ErrorCase& c : cases) {
    SCOPED_TRACE(c.text);
    const absl::Status status = ParseTarget(c.text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), AllOf(HasSubstr(c.cause), HasSubstr("dns:///host:port")));
  }
}

TEST(TargetTest, ErrorsAreBounded) {
  const absl::Status status = ParseTarget(std::string(100000, '\xff')).status();
  EXPECT_LT(status.message().size(), 3000u);
  EXPECT_THAT(status.message(), HasSubstr("\\xff…"));
}

// Anything at all gives a target or an error; a target has what its kind promises.
TEST(TargetTest, EveryShortTextOfTheAlphabet) {
  const std::string alphabet = ":/[]%,1a.";
  std::vector<std::string> texts = {""};
  for (size_t first = 0, length = 0; length < 5; ++length) {
    const size_t last = texts.size();
    for (; first < last; ++first) {
      for (char c : alphabet) texts.push_back(texts[first] + c);
    }
  }
  for (const char* prefix : {"", "dns:", "ipv4:1.1.1.1:1", "ipv6:[::1]:1", "unix:"}) {
    for (const std::string& text : texts) {
      auto target = ParseTarget(prefix + text);
      if (!target.ok()) continue;
      const bool dns = target->kind == Target::Kind::kDns;
      EXPECT_EQ(target->addresses.empty(), dns) << prefix << text;
      EXPECT_EQ(target->host.empty() || target->port.empty(), !dns) << prefix << text;
      EXPECT_FALSE(target->authority.empty()) << prefix << text;
    }
  }
}

}  // namespace
}  // namespace predial
