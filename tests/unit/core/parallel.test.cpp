// SPDX-License-Identifier: Apache-2.0
#include <graft/core/parallel.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <utility>
#include <vector>

using graft::Index;

namespace {

/// Runs a test with n threads and puts the number back.
struct Threads {
  int before = graft::num_threads();
  explicit Threads(int n) { graft::set_num_threads(n); }
  Threads(Threads const&) = delete;
  Threads& operator=(Threads const&) = delete;
  ~Threads() { graft::set_num_threads(before); }
};

}  // namespace

TEST_CASE("parallel: parallel_for calls each index exactly once, for any number of threads") {
  for (int threads : {1, 2, 3, 8}) {
    Threads const guard(threads);
    for (Index n : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(n) + 1);
      graft::parallel_for(n, [&](Index i) { ++calls[static_cast<std::size_t>(i)]; });
      for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) CHECK(calls[i] == 1);
      CHECK(calls.back() == 0);
    }
  }
}

TEST_CASE("parallel: a negative count is no work") {
  bool called = false;
  graft::parallel_for(-3, [&](Index) { called = true; });
  CHECK_FALSE(called);
}

TEST_CASE("parallel: nested calls run each pair once") {
  Threads const guard(4);
  std::vector<std::atomic<int>> calls(20 * 30);
  graft::parallel_for(20, [&](Index i) {
    graft::parallel_for(30, [&](Index j) { ++calls[static_cast<std::size_t>(i * 30 + j)]; });
  });
  for (auto const& count : calls) CHECK(count == 1);
}

TEST_CASE("parallel: blocks cover the range without gap or overlap, the last one shorter") {
  Threads const guard(3);
  for (Index n : {0, 1, 9, 10, 11, 100}) {
    std::vector<std::atomic<int>> calls(static_cast<std::size_t>(n));
    std::atomic<Index> blocks = 0;
    graft::parallel_blocks(n, 10, [&](Index begin, Index end) {
      ++blocks;
      if (begin % 10 != 0 || end - begin < 1 || end - begin > 10) blocks = -1000;
      for (Index i = begin; i < end; ++i) ++calls[static_cast<std::size_t>(i)];
    });
    CHECK(blocks == (n + 9) / 10);
    for (auto const& count : calls) CHECK(count == 1);
  }
}

TEST_CASE("parallel: a sum over blocks is the same to the bit with one thread and with many") {
  auto const sum_of_blocks = [](int threads) {
    Threads const guard(threads);
    Index const n = 100'003;
    std::vector<float> partial(static_cast<std::size_t>((n + 255) / 256));
    graft::parallel_blocks(n, 256, [&](Index begin, Index end) {
      float sum = 0;
      for (Index i = begin; i < end; ++i) sum += 1.0f / static_cast<float>(i + 1);
      partial[static_cast<std::size_t>(begin / 256)] = sum;
    });
    float total = 0;
    for (float value : partial) total += value;
    return total;
  };
  float const serial = sum_of_blocks(1);
  for (int threads : {2, 3, 7}) CHECK(sum_of_blocks(threads) == serial);
}

TEST_CASE("parallel: the number of threads is at least one, whatever was asked for") {
  Threads const guard(1);
  for (int asked : {0, -5, 1}) {
    graft::set_num_threads(asked);
    CHECK(graft::num_threads() == 1);
  }
#ifdef _OPENMP
  graft::set_num_threads(3);
  CHECK(graft::num_threads() == 3);
#endif
}
