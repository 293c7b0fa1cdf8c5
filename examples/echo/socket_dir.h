// SocketDir: a directory for the sockets of one test. Not in testing::TempDir(), whose path may be
// longer than the 107 characters that a socket's may have.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "gtest/gtest.h"

namespace predial {

class SocketDir {
 public:
  SocketDir() { EXPECT_NE(mkdtemp(path_.data()), nullptr); }
  ~SocketDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  SocketDir(const SocketDir&) = delete;
  SocketDir& operator=(const SocketDir&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/predial.XXXXXX";
};

}  // namespace predial
