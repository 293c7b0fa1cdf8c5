#include "benchmarks/compare/byte_queue.h"

#include <algorithm>
#include <random>
#include <string>

#include "gtest/gtest.h"

namespace predial {
namespace {

std::string Front(ByteQueue& queue, size_t limit) {
  iovec pieces[2];
  std::string bytes;
  for (int i = 0, count = queue.Front(limit, pieces); i < count; ++i) {
    EXPECT_GT(pieces[i].iov_len, 0u);
    bytes.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  }
  return bytes;
}

TEST(ByteQueueTest, IsEmptyAtFirst) {
  ByteQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(Front(queue, 10), "");
  queue.Append("", 0);
  EXPECT_TRUE(queue.empty());
}

TEST(ByteQueueTest, IsAStringThatIsCutAtItsFront) {
  std::mt19937 random(20);
  ByteQueue queue;
  std::string model;
  int wraps = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (model.size() < 1000 && random() % 2 == 0) {
      std::string piece(random() % 300, '\0');
      std::generate(piece.begin(), piece.end(), [&random] { return static_cast<char>(random()); });
      queue.Append(piece.data(), piece.size());
      model += piece;
    } else {
      const size_t limit = random() % 400;
      iovec pieces[2];
      wraps += queue.Front(limit, pieces) == 2;
      const std::string front = Front(queue, limit);
      ASSERT_EQ(front, model.substr(0, limit)) << "step " << step;
      const size_t popped = front.empty() ? 0 : random() % (front.size() + 1);
      queue.Pop(popped);
      model.erase(0, popped);
    }
    ASSERT_EQ(queue.size(), model.size()) << "step " << step;
  }
  EXPECT_GT(wraps, 100) << "the ring never closed";
  EXPECT_EQ(Front(queue, model.size()), model);
}

TEST(ByteQueueTest, ClearedItStartsAfresh) {
  ByteQueue queue;
  queue.Append("abc", 3);
  queue.Pop(1);
  queue.Clear();
  EXPECT_TRUE(queue.empty());
  queue.Append("de", 2);
  EXPECT_EQ(Front(queue, 10), "de");
}

}  // namespace
}  // namespace predial
