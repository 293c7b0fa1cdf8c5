#include "plugin/io/target.h"

#include <arpa/inet.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace predial {
namespace {

constexpr size_t kQuotedBytesMax = 200;
// sockaddr_un::sun_path less its terminating, or for an abstract name its leading, zero.
constexpr size_t kUnixPathBytesMax = 107;

std::string Quoted(absl::string_view text) {
  const bool cut = text.size() > kQuotedBytesMax;
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, kQuotedBytesMax)), cut ? "…" : "",
                      "\"");
}

absl::Status Error(absl::string_view target, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(
      "target ", Quoted(target), ": ", what,
      "; forms that work: dns:///host:port, host:port, ipv4:1.2.3.4:50051,5.6.7.8:50051, "
      "ipv6:[::1]:50051, unix:path, unix:///absolute/path, unix-abstract:name"));
}

int HexDigit(char c) {
  if (absl::ascii_isdigit(c)) return c - '0';
  return absl::ascii_isxdigit(c) ? absl::ascii_tolower(c) - 'a' + 10 : -1;
}

// Decodes every "%41"; what is no escape stays as it is.
std::string PercentDecode(absl::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
        HexDigit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

// Schemes that are read here.
bool IsKnownScheme(absl::string_view scheme) {
  return scheme == "dns" || scheme == "ipv4" || scheme == "ipv6" || scheme == "unix" ||
         scheme == "unix-abstract";
}

bool IsScheme(absl::string_view text) {
  if (text.empty() || !absl::ascii_isalpha(text[0])) return false;
  for (char c : text) {
    if (!absl::ascii_isalnum(c) && c != '+' && c != '-' && c != '.') return false;
  }
  return true;
}

struct Uri {
  absl::string_view scheme;  // empty if there is none of those known here
  absl::string_view authority;
  std::string path;  // decoded
};

bool IsLiteral(int family, absl::string_view host) {
  in6_addr ignored;  // room for either
  return !absl::StrContains(host, '\0') &&
         inet_pton(family, std::string(host).c_str(), &ignored) == 1;
}

bool IsIpv4(absl::string_view host) { return IsLiteral(AF_INET, host); }

// With or without a scope: "::1", "fe80::1%eth0".
bool IsIpv6(absl::string_view host) {
  const size_t percent = host.find('%');
  if (percent != absl::string_view::npos) {
    const absl::string_view scope = host.substr(percent + 1);
    if (scope.empty()) return false;
    for (char c : scope) {
      if (!absl::ascii_isgraph(c) || c == ']' || c == '%') return false;
    }
  }
  return IsLiteral(AF_INET6, host.substr(0, percent));
}

bool IsHostName(absl::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  for (char c : host) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_' && c != '.') return false;
  }
  return true;
}

struct HostPort {
  std::string host;  // without brackets
  std::string port;
  bool bracketed = false;
};

bool AllDigits(absl::string_view text) {
  for (char c : text) {
    if (!absl::ascii_isdigit(c)) return false;
  }
  return !text.empty();
}

// The port is a number from 1 to 65535 or, if `names_allowed`, the name of a service. Empty: fine.
std::string PortProblem(absl::string_view port, bool names_allowed) {
  int number;
  if (AllDigits(port)) {
    if (absl::SimpleAtoi(port, &number) && number >= 1 && number <= 65535) return "";
    return absl::StrCat("port ", Quoted(port), " is not in the range 1 to 65535");
  }
  bool named = names_allowed;
  bool has_letter = false;
  for (char c : port) {
    has_letter |= absl::ascii_isalpha(c);
    named &= absl::ascii_isalnum(c) || c == '-' || c == '_';
  }
  if (named && has_letter) return "";
  return absl::StrCat(Quoted(port), " is not a port");
}

// Splits "host:port" and "[host]:port". What is wrong, or empty.
std::string SplitHostPort(absl::string_view text, bool names_allowed, HostPort* result) {
  absl::string_view host, port;
  if (absl::StartsWith(text, "[")) {
    const size_t end = text.find(']');
    if (end == absl::string_view::npos) return absl::StrCat(Quoted(text), " lacks a ']'");
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!port.empty() && port[0] != ':') {
      return absl::StrCat(Quoted(text), " has something else than a port after the ']'");
    }
    if (!IsIpv6(host)) return absl::StrCat(Quoted(host), " is not an IPv6 address");
    result->bracketed = true;
  } else {
    const size_t colon = text.find(':');
    host = text.substr(0, colon);
    port = text.substr(host.size());
    if (port.size() > 1 && port.find(':', 1) != absl::string_view::npos) {
      return absl::StrCat(Quoted(text),
                          " has more than one ':' (an IPv6 address stands in "
                          "brackets: [::1]:50051)");
    }
    if (host.empty()) return "the host is missing";
  }
  if (port.size() <= 1) return absl::StrCat("the port is missing after ", Quoted(host));
  port.remove_prefix(1);
  result->host = std::string(host);
  result->port = std::string(port);
  return PortProblem(port, names_allowed);
}

absl::Status ParseDns(const Uri& uri, Target& target) {
  if (!uri.authority.empty()) {
    return Error(target.text, absl::StrCat("a DNS server of its own (", Quoted(uri.authority),
                                           ") is not supported: the system's resolver is used. A "
                                           "host has three slashes before it"));
  }
  const absl::string_view name = absl::StripPrefix(uri.path, "/");
  HostPort parts;
  if (name.empty()) return Error(target.text, "the host is missing");
  const std::string problem = SplitHostPort(name, /*names_allowed=*/true, &parts);
  if (!problem.empty()) return Error(target.text, problem);
  if (!parts.bracketed && !IsHostName(parts.host)) {
    return Error(target.text, absl::StrCat(Quoted(parts.host),
                                           " is not a host name (letters, digits, '-', '_' and "
                                           "'.'; an international name in its xn-- form)"));
  }
  target.authority = std::string(name);
  if ((parts.bracketed || IsIpv4(parts.host)) && AllDigits(parts.port)) {
    target.addresses.push_back(std::string(name));
    return absl::OkStatus();
  }
  target.kind = Target::Kind::kDns;
  target.host = std::move(parts.host);
  target.port = std::move(parts.port);
  return absl::OkStatus();
}

absl::Status ParseIp(const Uri& uri, bool ipv6, Target& target) {
  for (absl::string_view item : absl::StrSplit(uri.path, ',', absl::SkipEmpty())) {
    item = absl::StripPrefix(item, "/");
    HostPort parts;
    const std::string problem = SplitHostPort(item, /*names_allowed=*/false, &parts);
    if (!problem.empty()) return Error(target.text, problem);
    if (ipv6 ? !parts.bracketed : parts.bracketed || !IsIpv4(parts.host)) {
      return Error(target.text, absl::StrCat(Quoted(item), " is not an IPv", ipv6 ? 6 : 4,
                                             " address with its port (names need dns:///)"));
    }
    target.addresses.push_back(std::string(item));
  }
  target.authority = std::string(absl::StripPrefix(uri.path, "/"));
  return absl::OkStatus();
}

absl::Status ParseUnix(const Uri& uri, Target& target) {
  const bool abstract = uri.scheme == "unix-abstract";
  for (absl::string_view item : absl::StrSplit(uri.path, ',', absl::SkipEmpty())) {
    if (item.size() > kUnixPathBytesMax) {
      return Error(target.text, absl::StrCat(Quoted(item), " has ", item.size(), " bytes; at most ",
                                             kUnixPathBytesMax, " are possible"));
    }
    if (!abstract && absl::StrContains(item, '\0')) {
      return Error(target.text, "a path cannot have a zero byte");
    }
    target.addresses.push_back(absl::StrCat(uri.scheme, ":", item));
  }
  target.authority = "localhost";
  return absl::OkStatus();
}

absl::Status ParseAddresses(const Uri& uri, Target& target) {
  if (!uri.authority.empty()) {
    return Error(target.text, absl::StrCat(Quoted(uri.authority),
                                           " stands after two slashes, where an authority "
                                           "would; write ",
                                           uri.scheme, ":", uri.authority, uri.path));
  }
  const absl::Status status = absl::StartsWith(uri.scheme, "unix")
                                  ? ParseUnix(uri, target)
                                  : ParseIp(uri, uri.scheme == "ipv6", target);
  if (!status.ok()) return status;
  if (target.addresses.empty()) return Error(target.text, "the address is missing");
  return absl::OkStatus();
}

}  // namespace

bool IsSchemeOfGrpc(absl::string_view scheme) {
  return scheme == "xds" || scheme == "google-c2p" || scheme == "google-c2p-experimental";
}

absl::string_view ForeignScheme(absl::string_view text) {
  const absl::string_view scheme = text.substr(0, text.find(':'));
  if (scheme.size() == text.size() || IsKnownScheme(scheme)) return "";
  const bool is_one = IsSchemeOfGrpc(scheme) ||
                      (IsScheme(scheme) && absl::StartsWith(text.substr(scheme.size()), "://"));
  return is_one ? scheme : "";
}

absl::StatusOr<Target> WholeTarget(absl::string_view text) {
  if (text.empty()) return Error(text, "it is empty");
  Target target;
  target.text = std::string(text);
  target.kind = Target::Kind::kWhole;
  return target;
}

absl::StatusOr<Target> ParseTarget(absl::string_view text) {
  Target target;
  target.text = std::string(text);
  if (text.empty()) return Error(text, "it is empty");
  if (text.find_first_of("?#") != absl::string_view::npos) {
    return Error(text,
                 "a query ('?') or fragment ('#') has no meaning here; in a path, write "
                 "%3F or %23");
  }

  Uri uri;
  absl::string_view rest = text;
  const absl::string_view scheme = text.substr(0, text.find(':'));
  if (IsSchemeOfGrpc(scheme)) {
    return Error(text, absl::StrCat("only gRPC can resolve the scheme ", scheme));
  }
  if (IsKnownScheme(scheme)) {
    if (scheme.size() == text.size()) return Error(text, "the address is missing");
    uri.scheme = scheme;
    rest.remove_prefix(scheme.size() + 1);
    if (absl::ConsumePrefix(&rest, "//")) {
      uri.authority = rest.substr(0, rest.find('/'));
      rest.remove_prefix(uri.authority.size());
    }
  } else if (!ForeignScheme(text).empty()) {
    return Error(text, absl::StrCat("the scheme ", scheme,
                                    " is unknown; dns, ipv4, ipv6, unix and unix-abstract work"));
  }
  const bool dns = uri.scheme.empty() || uri.scheme == "dns";
  uri.path = absl::StrCat(uri.scheme.empty() ? "/" : "", PercentDecode(rest));
  const absl::Status status = dns ? ParseDns(uri, target) : ParseAddresses(uri, target);
  if (!status.ok()) return status;
  return target;
}

}  // namespace predial
