// SPDX-License-Identifier: Apache-2.0
#include <graft/quant/decode.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace graft;
using test::fixtures;
using test::read_elements;

namespace {

Storage const block_formats[] = {Storage::f16,  Storage::q8_0, Storage::q4_0, Storage::q4_1, Storage::q5_0,
                                 Storage::q5_1, Storage::q4_k, Storage::q5_k, Storage::q6_k, Storage::q2_k,
                                 Storage::q3_k, Storage::iq4_nl, Storage::iq4_xs};

std::string fixture(Storage storage, char const* extension) {
  return (fixtures / "quant" / (std::string(name(storage)) + extension)).string();
}

bool same_bits(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) || std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

struct Golden {
  std::vector<std::byte> blocks;
  std::vector<float> values;
  explicit Golden(Storage storage)
      : blocks(read_elements<std::byte>(fixture(storage, ".blocks"))), values(read_elements<float>(fixture(storage, ".f32"))) {}
  [[nodiscard]] Index cols() const { return static_cast<Index>(values.size()); }
};

}  // namespace

TEST_CASE("decode: every format gives gguf's values to the bit, edge scales included") {
  for (Storage const storage : block_formats) {
    CAPTURE(name(storage));
    Golden const golden(storage);
    REQUIRE(row_bytes(storage, golden.cols()) == static_cast<Index>(golden.blocks.size()));
    std::vector<float> out(golden.values.size(), -123.0f);
    decode_row(storage, golden.blocks.data(), golden.cols(), out.data());
    Index different = 0, infinite = 0;
    for (std::size_t j = 0; j < out.size(); ++j) {
      different += same_bits(out[j], golden.values[j]) ? 0 : 1;
      infinite += std::isfinite(out[j]) ? 0 : 1;
    }
    CHECK(different == 0);
    CHECK(infinite > 0);  // the fixture does hold infinite scales
    CHECK(infinite < golden.cols() * 3 / 4);
  }
}

TEST_CASE("decode: double receives the float values, bf16 the same rounded to nearest") {
  for (Storage const storage : block_formats) {
    CAPTURE(name(storage));
    Golden const golden(storage);
    std::vector<double> wide(golden.values.size());
    std::vector<bf16> narrow(golden.values.size());
    decode_row(storage, golden.blocks.data(), golden.cols(), wide.data());
    decode_row(storage, golden.blocks.data(), golden.cols(), narrow.data());
    Index different = 0;
    for (std::size_t j = 0; j < wide.size(); ++j) {
      float const value = golden.values[j];
      bool const same_wide = std::isnan(value) ? std::isnan(wide[j]) : wide[j] == static_cast<double>(value);
      bool const same_narrow = std::isnan(value) ? std::isnan(to_float(narrow[j])) : narrow[j] == to_bf16(value);
      different += same_wide && same_narrow ? 0 : 1;
    }
    CHECK(different == 0);
  }
}

TEST_CASE("decode: blocks may lie at any address") {
  for (Storage const storage : block_formats) {
    CAPTURE(name(storage));
    Golden const golden(storage);
    std::vector<std::byte> shifted(golden.blocks.size() + 1);
    std::copy(golden.blocks.begin(), golden.blocks.end(), shifted.begin() + 1);
    std::vector<float> out(golden.values.size());
    decode_row(storage, shifted.data() + 1, golden.cols(), out.data());
    Index different = 0;
    for (std::size_t j = 0; j < out.size(); ++j) different += same_bits(out[j], golden.values[j]) ? 0 : 1;
    CHECK(different == 0);
  }
}

TEST_CASE("decode: floats and bf16, in vectors, are the plain decoder's values; rows of several pieces") {
  for (Storage const storage : block_formats) {
    CAPTURE(name(storage));
    Index const cols = 5 * 256;
    std::vector<std::byte> row(static_cast<std::size_t>(row_bytes(storage, cols)));
    std::uint32_t random = 7;
    for (std::byte& byte : row) byte = static_cast<std::byte>((random = random * 1664525 + 1013904223) >> 24);
    std::vector<double> plain(cols);
    std::vector<float> wide(cols);
    std::vector<bf16> narrow(cols);
    decode_row(storage, row.data(), cols, plain.data());
    decode_row(storage, row.data(), cols, wide.data());
    decode_row(storage, row.data(), cols, narrow.data());
    Index different = 0;
    for (std::size_t j = 0; j < plain.size(); ++j) {
      auto const value = static_cast<float>(plain[j]);
      bool const nan = std::isnan(value) && std::isnan(wide[j]) && std::isnan(to_float(narrow[j]));
      different += nan || (same_bits(wide[j], value) && narrow[j] == to_bf16(value)) ? 0 : 1;
    }
    CHECK(different == 0);
  }
}

TEST_CASE("decode: all 65536 halves widen as to_float does") {
  Index different = 0;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    auto const half = static_cast<std::uint16_t>(bits);
    different += std::bit_cast<std::uint32_t>(detail::widen_half(half)) == std::bit_cast<std::uint32_t>(to_float(f16{half})) ? 0 : 1;
  }
  CHECK(different == 0);
}

TEST_CASE("decode: plain formats keep every value that the target holds") {
  double const wide[] = {1.0 / 3, -0.0, std::numeric_limits<double>::infinity(), 1e300};
  auto const* const bytes = reinterpret_cast<std::byte const*>(wide);
  double same[4];
  decode_row(Storage::f64, bytes, 4, same);
  CHECK(std::equal(wide, wide + 4, same));
  CHECK(std::signbit(same[1]));
  float narrow[4];
  decode_row(Storage::f64, bytes, 4, narrow);
  CHECK(narrow[0] == 1.0f / 3.0f);
  CHECK(std::isinf(narrow[3]));

  float const single[] = {0.1f, 1e-40f, -3.0f};
  float copy[3];
  decode_row(Storage::f32, reinterpret_cast<std::byte const*>(single), 3, copy);
  CHECK(std::equal(single, single + 3, copy));

  std::uint16_t const brain[] = {0x3f80, 0xc040, 0x0001, 0x7f80};
  float from_brain[4];
  decode_row(Storage::bf16, reinterpret_cast<std::byte const*>(brain), 4, from_brain);
  CHECK(from_brain[0] == 1.0f);
  CHECK(from_brain[1] == -3.0f);
  CHECK(from_brain[2] == std::bit_cast<float>(0x00010000u));
  CHECK(std::isinf(from_brain[3]));
}

TEST_CASE("decode_rows: fills exactly the rows asked for, into rows with a stride") {
  Golden const golden(Storage::q4_1);
  Index const rows = golden.cols() / 32;
  StoredMatrix const matrix{Storage::q4_1, golden.blocks.data(), rows, 32};
  std::vector<float> out(3 * 40, 7.0f);
  decode_rows(matrix, 2, 5, MatrixView<float>(out.data(), 3, 32, 40));
  for (Index r = 0; r < 3; ++r)
    for (Index c = 0; c < 40; ++c) {
      float const value = out[static_cast<std::size_t>(r * 40 + c)];
      CHECK(same_bits(value, c < 32 ? golden.values[static_cast<std::size_t>((r + 2) * 32 + c)] : 7.0f));
    }
  decode_rows(matrix, 4, 4, MatrixView<float>(out.data(), 0, 32, 40));
}

TEST_CASE("decode: a row of no columns writes nothing") {
  float out = 5;
  for (int i = 0; i < 12; ++i) decode_row(static_cast<Storage>(i), static_cast<std::byte const*>(nullptr), 0, &out);
  CHECK(out == 5);
}
