// SPDX-License-Identifier: Apache-2.0
#include <graft/quant/encode.hpp>

#include <graft/quant/decode.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace graft;
using test::fixtures;
using test::message_of;
using test::read_elements;

namespace {
Storage const written[] = {Storage::f16,  Storage::bf16, Storage::q8_0, Storage::q4_0,
                           Storage::q4_1, Storage::q5_0, Storage::q5_1};
}

TEST_CASE("encode: gives the bytes of gguf's quantisers") {
  auto const values = read_elements<float>(fixtures / "quant" / "encode.f32");
  for (Storage const storage : written) {
    CAPTURE(name(storage));
    auto const expected = read_elements<std::byte>(fixtures / "quant" / ("encode." + std::string(name(storage))));
    std::vector<std::byte> out(expected.size());
    encode_row(storage, values.data(), static_cast<Index>(values.size()), out.data());
    CHECK(out == expected);
    std::vector<double> const wide(values.begin(), values.end());
    std::vector<std::byte> from_double(expected.size());
    encode_row(storage, wide.data(), static_cast<Index>(wide.size()), from_double.data());
    CHECK(from_double == expected);
  }
}

TEST_CASE("encode: decoding gives each value back within the format's step") {
  auto const values = read_elements<float>(fixtures / "quant" / "encode.f32");
  struct Case {
    Storage storage;
    float steps;  // distance of neighbouring values, as a part of the block's range
  };
  for (auto const& one : {Case{Storage::q8_0, 254}, Case{Storage::q4_0, 16}, Case{Storage::q4_1, 15},
                          Case{Storage::q5_0, 32}, Case{Storage::q5_1, 31}}) {
    Storage const storage = one.storage;
    CAPTURE(name(storage));
    for (std::size_t block = 0; block < values.size() / 32; ++block) {
      float const* const x = values.data() + 32 * block;
      std::vector<std::byte> out(static_cast<std::size_t>(block_bytes(storage)));
      float back[32];
      encode_row(storage, x, 32, out.data());
      decode_row(storage, out.data(), 32, back);
      float largest = 0, low = x[0], high = x[0];
      for (int j = 0; j < 32; ++j) {
        largest = std::max(largest, std::abs(x[j]));
        low = std::min(low, x[j]);
        high = std::max(high, x[j]);
      }
      bool const affine = storage == Storage::q4_1 || storage == Storage::q5_1;
      float const step = (affine ? high - low : 2 * largest) / one.steps;
      // Symmetric formats lack the mirror image of their extreme value: it is clamped by a whole step.
      float const limit = (storage == Storage::q4_0 || storage == Storage::q5_0 ? 1.0f : 0.5f) * step * 1.02f + largest * 1e-3f;
      for (int j = 0; j < 32; ++j) CHECK(std::abs(back[j] - x[j]) <= limit);
    }
  }
}

TEST_CASE("encode: zeros and constants are exact") {
  for (Storage const storage : written) {
    CAPTURE(name(storage));
    for (float const value : {0.0f, 2.0f, -0.5f}) {
      std::vector<float> const x(64, value);
      std::vector<std::byte> out(static_cast<std::size_t>(row_bytes(storage, 64)));
      std::vector<float> back(64);
      encode_row(storage, x.data(), 64, out.data());
      decode_row(storage, out.data(), 64, back.data());
      float const tolerance = storage == Storage::q8_0 ? std::abs(value) * 1e-3f : 0.0f;
      for (float const y : back) CHECK(std::abs(y - value) <= tolerance);
    }
  }
}

TEST_CASE("encode: values so small that the scale vanishes become zero, not NaN") {
  for (Storage const storage : {Storage::q8_0, Storage::q4_0, Storage::q4_1, Storage::q5_0, Storage::q5_1}) {
    std::vector<float> x(32, 1e-44f);
    x[3] = -1e-44f;
    std::vector<std::byte> out(static_cast<std::size_t>(block_bytes(storage)));
    float back[32];
    encode_row(storage, x.data(), 32, out.data());
    decode_row(storage, out.data(), 32, back);
    for (float const y : back) CHECK(y == 0.0f);
  }
}

TEST_CASE("encode: f32 and f64 are stored unchanged") {
  float const x[] = {0.1f, -0.0f, 1e-40f};
  std::byte out[24];
  encode_row(Storage::f32, x, 3, out);
  float back[3];
  decode_row(Storage::f32, out, 3, back);
  CHECK(std::equal(x, x + 3, back));
  double const wide[] = {0.1, 1e300, -1.0 / 3};
  encode_row(Storage::f64, wide, 3, out);
  double wide_back[3];
  decode_row(Storage::f64, out, 3, wide_back);
  CHECK(std::equal(wide, wide + 3, wide_back));
}

TEST_CASE("encode: what a format cannot hold is refused") {
  std::vector<float> x(32, 1.0f);
  std::vector<std::byte> out(64);
  auto const refusal = [&](Storage storage, Index cols) {
    return message_of([&] { encode_row(storage, x.data(), cols, out.data()); });
  };
  CHECK(refusal(Storage::q5_k, 0) == "[quant] writing q5_k is not supported: use f32, f16, bf16 or q8_0");
  CHECK(refusal(Storage::q8_0, 31).find("multiple of 32 columns: got 31") != std::string::npos);
  for (float const bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    x[31] = bad;
    for (Storage const storage : {Storage::q8_0, Storage::q4_0, Storage::q4_1, Storage::q5_0, Storage::q5_1})
      CHECK(refusal(storage, 32) == "[quant] a value that is not finite cannot be stored as " + std::string(name(storage)));
    CHECK(refusal(Storage::bf16, 32) == "no error");
  }
  x[31] = 1e30f;
  CHECK(refusal(Storage::q8_0, 32).find("too large for the half-precision scale of q8_0") != std::string::npos);
  CHECK(refusal(Storage::q4_1, 32).find("too large for the half-precision scale of q4_1") != std::string::npos);
}
