// TestCertificates: a certificate authority in a directory of its own, and what it has signed, made
// with the openssl command. For tests of TLS, good and bad.
//
//   TestCertificates certificates;
//   auto server = certificates.server();       // for localhost, 127.0.0.1 and ::1
//   grpc::SslCredentials({certificates.ca()})  // believes it
//
// The first one arms the exit guard (io/exit_guard.h), before a server of the test has used
// OpenSSL. Each is made when it is first asked for, in about 20 ms, and the directory goes with the
// object. Keys are P-256 and not encrypted. Valid from now on for two days.
//
// Threads: safe from any thread.
// Errors:  aborts if openssl cannot be run or refuses, with what it said.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace predial {

class TestCertificates {
 public:
  // A certificate and its key, PEM, and the files that have them.
  struct Identity {
    std::string certificate;
    std::string key;
    std::string certificate_path;
    std::string key_path;
  };

  TestCertificates();
  ~TestCertificates();
  TestCertificates(const TestCertificates&) = delete;

  const std::string& directory() const { return directory_; }

  // The authority's certificate, PEM.
  const std::string& ca() const { return ca_.certificate; }
  const std::string& ca_path() const { return ca_.certificate_path; }

  // What a server for `names`, IP addresses or host names, shows.
  Identity Server(const std::vector<std::string>& names);
  const Identity& server();
  const Identity& client();  // CN=client

  // What is wrong about them, as a server's, is only what they are named for.
  const Identity& expired();      // yesterday
  const Identity& self_signed();  // by no authority
  const Identity& wrong_host();   // for wrong.example
  const Identity& stranger();     // by another authority of the same name; good for a client, too

 private:
  // Makes NAME.pem and NAME.key; `signer` is the name of an authority's, or empty for itself.
  Identity Make(const std::string& name, const std::string& extensions, const std::string& signer,
                int days);
  const Identity& Once(const std::string& name, const std::string& extensions,
                       const std::string& signer, int days);

  std::string directory_;
  Identity ca_;
  std::mutex mutex_;  // of what follows, and held while one is made
  std::map<std::string, Identity> made_;
  int servers_ = 0;
};

}  // namespace predial
