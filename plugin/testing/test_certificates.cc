#include "plugin/testing/test_certificates.h"

#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "plugin/io/exit_guard.h"

namespace predial {

namespace {

constexpr int kDays = 2;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "TestCertificates: %s\n", why.c_str());
  std::abort();
}

void RunOpenssl(const std::string& directory, const std::string& arguments) {
  const std::string command =
      absl::StrCat("cd '", directory, "' && exec openssl ", arguments, " >openssl.log 2>&1");
  if (std::system(command.c_str()) != 0) {
    Die(absl::StrCat(command, "\n", ReadFile(absl::StrCat(directory, "/openssl.log"))));
  }
}

bool IsIp(const std::string& name) {
  return name.find(':') != std::string::npos ||
         name.find_first_not_of("0123456789.") == std::string::npos;
}

std::string SubjectAltName(const std::vector<std::string>& names) {
  return absl::StrCat("subjectAltName=",
                      absl::StrJoin(names, ",", [](std::string* out, const std::string& name) {
                        absl::StrAppend(out, IsIp(name) ? "IP:" : "DNS:", name);
                      }));
}

// Of an authority's certificate.
constexpr char kAuthority[] = "basicConstraints=critical,CA:TRUE";

const std::vector<std::string>& LocalNames() {
  static const auto* const names = new std::vector<std::string>{"localhost", "127.0.0.1", "::1"};
  return *names;
}

}  // namespace

TestCertificates::TestCertificates() {
  ArmExitGuard();
  const char* const parent = std::getenv("TEST_TMPDIR");
  directory_ = absl::StrCat(parent == nullptr ? "/tmp" : parent, "/certificates.XXXXXX");
  if (mkdtemp(directory_.data()) == nullptr) Die(absl::StrCat("cannot make ", directory_));
  ca_ = Make("ca", kAuthority, "", kDays);
}

TestCertificates::~TestCertificates() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

TestCertificates::Identity TestCertificates::Make(const std::string& name,
                                                  const std::string& extensions,
                                                  const std::string& signer, int days) {
  const std::string subject = name == "other-ca" ? "ca" : name;
  const std::string request = absl::StrCat(
      "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -batch -subj /CN=", subject,
      " -addext '", extensions, "' -keyout ", name, ".key");
  if (signer.empty()) {
    RunOpenssl(directory_, absl::StrCat(request, " -x509 -days ", days, " -out ", name, ".pem"));
  } else {
    RunOpenssl(directory_, absl::StrCat(request, " -out ", name, ".csr"));
    RunOpenssl(directory_,
               absl::StrCat("x509 -req -in ", name, ".csr -CA ", signer, ".pem -CAkey ", signer,
                            ".key -days ", days, " -copy_extensions copyall -out ", name, ".pem"));
  }
  Identity identity;
  identity.certificate_path = absl::StrCat(directory_, "/", name, ".pem");
  identity.key_path = absl::StrCat(directory_, "/", name, ".key");
  identity.certificate = ReadFile(identity.certificate_path);
  identity.key = ReadFile(identity.key_path);
  return identity;
}

const TestCertificates::Identity& TestCertificates::Once(const std::string& name,
                                                         const std::string& extensions,
                                                         const std::string& signer, int days) {
  const std::lock_guard lock(mutex_);
  const auto known = made_.find(name);
  if (known != made_.end()) return known->second;
  return made_.emplace(name, Make(name, extensions, signer, days)).first->second;
}

TestCertificates::Identity TestCertificates::Server(const std::vector<std::string>& names) {
  const std::lock_guard lock(mutex_);
  return Make(absl::StrCat("server-", servers_++), SubjectAltName(names), "ca", kDays);
}

const TestCertificates::Identity& TestCertificates::server() {
  return Once("server", SubjectAltName(LocalNames()), "ca", kDays);
}

const TestCertificates::Identity& TestCertificates::client() {
  return Once("client", SubjectAltName({"client.example"}), "ca", kDays);
}

const TestCertificates::Identity& TestCertificates::expired() {
  return Once("expired", SubjectAltName(LocalNames()), "ca", -1);
}

const TestCertificates::Identity& TestCertificates::self_signed() {
  return Once("self-signed", SubjectAltName(LocalNames()), "", kDays);
}

const TestCertificates::Identity& TestCertificates::wrong_host() {
  return Once("wrong-host", SubjectAltName({"wrong.example"}), "ca", kDays);
}

const TestCertificates::Identity& TestCertificates::stranger() {
  Once("other-ca", kAuthority, "", kDays);
  return Once("stranger", SubjectAltName(LocalNames()), "other-ca", kDays);
}

}  // namespace predial
