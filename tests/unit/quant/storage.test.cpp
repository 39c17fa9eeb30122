// SPDX-License-Identifier: Apache-2.0
#include <graft/quant/storage.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <array>
#include <limits>
#include <set>
#include <string>

using namespace graft;
using test::message_of;

TEST_CASE("storage: traits are usable at compile time and those of the formats' definitions") {
  static_assert(block_elements(Storage::q4_1) == 32 && block_bytes(Storage::q4_1) == 20);
  static_assert(block_elements(Storage::q6_k) == 256 && block_bytes(Storage::q6_k) == 210);
  static_assert(row_bytes(Storage::q4_k, 512) == 288);
  static_assert(row_bytes(Storage::bf16, 3) == 6);
  static_assert(name(Storage::q5_0) == "q5_0");
  static_assert(is_quantized(Storage::q8_0) && !is_quantized(Storage::bf16));
}

TEST_CASE("storage: every format has its own name") {
  std::set<std::string_view> names;
  for (int i = 0; i < 15; ++i) names.insert(name(static_cast<Storage>(i)));
  CHECK(names.size() == 15);
}

TEST_CASE("storage: a row that is no multiple of the block is refused with the format's name") {
  CHECK(message_of([] { (void)row_bytes(Storage::q4_k, 576); }) ==
        "[quant] a row of q4_k must have a multiple of 256 columns: got 576");
  CHECK(message_of([] { (void)row_bytes(Storage::q8_0, -32); }) ==
        "[quant] a row of q8_0 must have a multiple of 32 columns: got -32");
  CHECK(row_bytes(Storage::q8_0, 0) == 0);
}

TEST_CASE("storage: a row whose bytes overflow is refused") {
  Index const most = std::numeric_limits<Index>::max();
  CHECK(message_of([&] { (void)row_bytes(Storage::f64, most / 4); }).find("too large for this machine") != std::string::npos);
  CHECK(row_bytes(Storage::q8_0, 32 * (most / 34)) == 34 * (most / 34));
}

TEST_CASE("StoredMatrix: rows follow each other in whole blocks") {
  std::array<std::byte, 4 * 40> memory{};
  StoredMatrix const matrix{Storage::q4_1, memory.data(), 4, 64};
  CHECK(matrix.row_bytes() == 40);
  CHECK(matrix.bytes() == 160);
  CHECK(matrix.size() == 256);
  CHECK(matrix.row(3) == memory.data() + 120);
  StoredMatrix const part = matrix.rows_between(1, 3);
  CHECK(part.rows == 2);
  CHECK(part.data == memory.data() + 40);
  CHECK(part.cols == 64);
  CHECK(part.storage == Storage::q4_1);
  CHECK(matrix.rows_between(4, 4).empty());
  CHECK(StoredMatrix{}.empty());
}
