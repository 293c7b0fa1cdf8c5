#include "plugin/io/address.h"

#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "plugin/io/unique_fd.h"

namespace predial {
namespace {

using ::testing::HasSubstr;

TEST(AddressTest, ParseAndBack) {
  struct {
    std::string text;
    int family;
    std::string grpc_target;
  } cases[] = {
      {"1.2.3.4:50051", AF_INET, "ipv4:1.2.3.4:50051"},
      {"127.0.0.1:0", AF_INET, "ipv4:127.0.0.1:0"},
      {"255.255.255.255:65535", AF_INET, "ipv4:255.255.255.255:65535"},
      {"[::1]:50051", AF_INET6, "ipv6:[::1]:50051"},
      {"[2001:db8::7]:1", AF_INET6, "ipv6:[2001:db8::7]:1"},
      {"[::ffff:1.2.3.4]:1", AF_INET6, "ipv6:[::ffff:1.2.3.4]:1"},
      {"[fe80::1%1]:1", AF_INET6, "ipv6:[fe80::1%251]:1"},
      {"unix:/run/a.sock", AF_UNIX, "unix:/run/a.sock"},
      {"unix:relative", AF_UNIX, "unix:relative"},
      {"unix:/a b?c#d%20", AF_UNIX, "unix:/a%20b%3fc%23d%2520"},
      {"unix-abstract:name", AF_UNIX, "unix-abstract:name"},
      {std::string("unix-abstract:a\0b", 17), AF_UNIX, "unix-abstract:a%00b"},
      {"unix:" + std::string(107, 'p'), AF_UNIX, "unix:" + std::string(107, 'p')},
      {"unix-abstract:" + std::string(107, 'p'), AF_UNIX, "unix-abstract:" + std::string(107, 'p')},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    auto address = Address::Parse(c.text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->family(), c.family);
    EXPECT_EQ(address->ToString(), c.text);
    EXPECT_EQ(address->ToGrpcTarget(), c.grpc_target);
    EXPECT_EQ(*address, Address(address->sockaddr_ptr(), address->size()));
  }
  for (const auto& a : cases) {
    for (const auto& b : cases) {
      EXPECT_EQ(*Address::Parse(a.text) == *Address::Parse(b.text), a.text == b.text);
    }
  }
}

TEST(AddressTest, SeveralAddressesAreOneTarget) {
  const auto target = [](const std::vector<std::string>& texts) {
    std::vector<Address> addresses;
    for (const std::string& text : texts) addresses.push_back(*Address::Parse(text));
    return ToGrpcTarget(addresses);
  };
  EXPECT_EQ(target({"1.2.3.4:5"}), "ipv4:1.2.3.4:5");
  EXPECT_EQ(target({"unix:/a,b"}), "unix:/a,b");
  EXPECT_EQ(target({"[2001:db8::7]:5", "1.2.3.4:5"}), "ipv6:[::ffff:1.2.3.4]:5,[2001:db8::7]:5");
  EXPECT_EQ(target({"1.2.3.4:5", "[fe80::1%1]:5"}), "ipv6:[fe80::1%251]:5,[::ffff:1.2.3.4]:5");
}

TEST(AddressTest, AnInterfaceByItsName) {
  auto address = Address::Parse("[fe80::1%lo]:1");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_THAT(address->ToString(), ::testing::MatchesRegex("\\[fe80::1%[0-9]+\\]:1"));
}

TEST(AddressTest, Errors) {
  struct {
    std::string text;
    const char* cause;
  } cases[] = {
      {"", "port is missing"},
      {"1.2.3.4", "port is missing"},
      {"1.2.3.4:", "port is not a number"},
      {"1.2.3.4:x", "port is not a number"},
      {"1.2.3.4:-1", "port is not a number"},
      {"1.2.3.4:+1", "port is not a number"},
      {"1.2.3.4: 1", "port is not a number"},
      {"1.2.3.4:1 ", "port is not a number"},
      {"1.2.3.4:65536", "port is not a number"},
      {"1.2.3.4:4294967297", "port is not a number"},
      {"localhost:1", "not an IPv4 address"},
      {"1.2.3:1", "not an IPv4 address"},
      {"::1:1", "not an IPv4 address (an IPv6 address stands in brackets)"},
      {":1", "not an IPv4 address"},
      {std::string("1.2.3.4\0:1", 10), "a zero byte"},
      {"[::1:1", "']' is missing"},
      {"[::1]x:1", "']' is missing"},
      {"[1.2.3.4]:1", "not an IPv6 address"},
      {"[]:1", "not an IPv6 address"},
      {"[fe80::1%]:1", "no such network interface"},
      {"[fe80::1%0]:1", "no such network interface"},
      {"[fe80::1%no-such-if]:1", "no such network interface"},
      {"unix:", "the path is missing"},
      {"unix-abstract:", "the path is missing"},
      {"unix:" + std::string(108, 'p'), "a path of 108 bytes; at most 107"},
      {"unix-abstract:" + std::string(108, 'p'), "a path of 108 bytes; at most 107"},
      {std::string("unix:a\0b", 8), "a zero byte"},
      {"\xff:1", "address \"\\xff:1\""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    const absl::Status status = Address::Parse(c.text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr(c.cause));
  }
}

TEST(AddressTest, WhatDoesNotTellPlacesApartIsIgnored) {
  const Address ipv6 = *Address::Parse("[::1]:1");
  sockaddr_in6 labelled;
  std::memcpy(&labelled, ipv6.sockaddr_ptr(), sizeof(labelled));
  labelled.sin6_flowinfo = 7;
  EXPECT_EQ(Address(reinterpret_cast<sockaddr*>(&labelled), sizeof(labelled)), ipv6);

  sockaddr_un path = {};
  path.sun_family = AF_UNIX;
  std::strcpy(path.sun_path, "/a");
  // As bind(2) callers give it: the whole structure, or without the zero at the end.
  const Address whole(reinterpret_cast<sockaddr*>(&path), sizeof(path));
  const Address exact(reinterpret_cast<sockaddr*>(&path), offsetof(sockaddr_un, sun_path) + 2);
  EXPECT_EQ(whole, exact);
  EXPECT_EQ(whole, *Address::Parse("unix:/a"));
}

TEST(AddressTest, WhatTheKernelGivesRoundTrips) {
  const Address loopback = *Address::Parse("127.0.0.1:0");
  const sockaddr any_name = {AF_UNIX, {}};  // the kernel chooses a free abstract one
  const Address addresses[] = {loopback, Address(&any_name, sizeof(sa_family_t))};
  for (const Address& address : addresses) {
    UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(bind(fd.get(), address.sockaddr_ptr(), address.size()), 0) << strerror(errno);
    sockaddr_storage storage;
    socklen_t size = sizeof(storage);
    ASSERT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &size), 0);
    const Address bound(reinterpret_cast<sockaddr*>(&storage), size);
    auto parsed = Address::Parse(bound.ToString());
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, bound);
  }
}

TEST(AddressTest, UnnamedAndForeignOnesAreKept) {
  const sockaddr unnamed = {AF_UNIX, {}};
  EXPECT_EQ(Address(&unnamed, sizeof(sa_family_t)).ToString(), "unix:");
  const sockaddr vsock = {40, {}};
  EXPECT_EQ(Address(&vsock, sizeof(vsock)).ToString(), "family 40");
}

TEST(AddressDeathTest, ASizeThatDoesNotFitIsABug) {
  sockaddr_storage storage = {};
  storage.ss_family = AF_INET6;
  const auto* address = reinterpret_cast<sockaddr*>(&storage);
  EXPECT_DEATH(Address(address, sizeof(sockaddr_in)), "16 bytes are no socket address");
  EXPECT_DEATH(Address(address, sizeof(storage) + 1), "129 bytes are no socket address");
  EXPECT_DEATH(Address(address, 1), "1 bytes are no socket address");
}

}  // namespace
}  // namespace predial
