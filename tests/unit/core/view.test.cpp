// SPDX-License-Identifier: Apache-2.0
#include <graft/core/view.hpp>

#include <doctest/doctest.h>

#include <array>
#include <numeric>
#include <type_traits>
#include <utility>

using graft::Index;
using graft::MatrixView;

namespace {

/// 4 rows of 3, padded to a stride of 5; element (r, c) holds 10 r + c, padding holds -1.
struct Padded {
  std::array<int, 20> memory{};
  Padded() {
    memory.fill(-1);
    for (Index r = 0; r < 4; ++r)
      for (Index c = 0; c < 3; ++c) view().row(r)[c] = static_cast<int>(10 * r + c);
  }
  MatrixView<int> view() { return {memory.data(), 4, 3, 5}; }
};

}  // namespace

TEST_CASE("view: rows lie a stride apart and size counts the elements, not the padding") {
  Padded padded;
  auto const view = padded.view();
  CHECK(view.size() == 12);
  CHECK_FALSE(view.contiguous());
  CHECK_FALSE(view.empty());
  for (Index r = 0; r < 4; ++r) {
    CHECK(view.row(r) == padded.memory.data() + 5 * r);
    for (Index c = 0; c < 3; ++c) CHECK(view.row(r)[c] == 10 * r + c);
  }
  CHECK(padded.memory[3] == -1);
  CHECK(padded.memory[4] == -1);
}

TEST_CASE("view: a part of a part addresses the elements of the whole") {
  Padded padded;
  auto const part = padded.view().rows_between(1, 4).cols_between(1, 3).rows_between(1, 3);
  CHECK(part.rows == 2);
  CHECK(part.cols == 2);
  CHECK(part.stride == 5);
  CHECK(part.row(0)[0] == 21);
  CHECK(part.row(1)[1] == 32);
  part.row(1)[1] = 99;
  CHECK(padded.view().row(3)[2] == 99);
}

TEST_CASE("view: empty parts at both ends are legal and stay inside the memory") {
  Padded padded;
  auto const view = padded.view();
  CHECK(view.rows_between(0, 0).empty());
  CHECK(view.rows_between(4, 4).rows == 0);
  CHECK(view.rows_between(4, 4).data == padded.memory.data() + 20);
  CHECK(view.cols_between(3, 3).empty());
  CHECK(view.cols_between(3, 3).size() == 0);
  CHECK(MatrixView<float>{}.empty());
  CHECK(MatrixView<float>{}.size() == 0);
}

TEST_CASE("view: one row is contiguous whatever its stride, and reshaping keeps the order of the elements") {
  Padded padded;
  CHECK(padded.view().rows_between(2, 3).contiguous());
  std::array<int, 12> dense{};
  std::iota(dense.begin(), dense.end(), 0);
  MatrixView<int> const view(dense.data(), 3, 4);
  CHECK(view.contiguous());
  auto const tall = view.reshaped(6, 2);
  CHECK(tall.rows == 6);
  CHECK(tall.stride == 2);
  for (Index r = 0; r < 6; ++r)
    for (Index c = 0; c < 2; ++c) CHECK(tall.row(r)[c] == 2 * r + c);
  CHECK(view.rows_between(1, 3).reshaped(1, 8).row(0)[7] == 11);
}

TEST_CASE("view: sizes beyond 32 bits are computed in full") {
  float one = 0;
  MatrixView<float> const view(&one, 70000, 70000);
  CHECK(view.size() == Index{4'900'000'000});
}

TEST_CASE("view: a writable view becomes read-only, never the other way round, and copies are trivial") {
  using Writable = graft::Out<float>;
  using ReadOnly = graft::In<float>;
  CHECK(std::is_convertible_v<Writable, ReadOnly>);
  CHECK_FALSE(std::is_constructible_v<Writable, ReadOnly>);
  CHECK_FALSE(std::is_convertible_v<graft::Out<double>, ReadOnly>);
  CHECK(std::is_trivially_copyable_v<Writable>);
  CHECK(std::is_same_v<decltype(std::declval<ReadOnly>().row(0)), float const*>);
  Padded padded;
  graft::In<int> const read = padded.view();
  CHECK(read.data == padded.memory.data());
  CHECK(read.stride == 5);
}
