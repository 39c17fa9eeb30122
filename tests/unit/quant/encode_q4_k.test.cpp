// SPDX-License-Identifier: Apache-2.0
#include <graft/quant/encode_q4_k.hpp>

#include <graft/core/rng.hpp>
#include <graft/quant/decode.hpp>
#include <graft/quant/encode.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace graft;

namespace {

double relative_error(Storage storage, std::vector<float> const& x) {
  auto const cols = static_cast<Index>(x.size());
  std::vector<std::byte> bytes(static_cast<std::size_t>(row_bytes(storage, cols)));
  std::vector<float> back(x.size());
  encode_row(storage, x.data(), cols, bytes.data());
  decode_row(storage, bytes.data(), cols, back.data());
  double error = 0, squares = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    error += std::pow(static_cast<double>(back[i] - x[i]), 2);
    squares += std::pow(static_cast<double>(x[i]), 2);
  }
  return std::sqrt(error / squares);
}

}  // namespace

TEST_CASE("encode_q4_k: normal values come back within 8 %, better than q4_0, whose blocks have no minimum") {
  Rng rng(3);
  std::vector<float> x(256 * 40);
  for (float& value : x) value = static_cast<float>(0.02 * rng.normal());
  CHECK(relative_error(Storage::q4_k, x) < 0.08);
  CHECK(relative_error(Storage::q4_k, x) < relative_error(Storage::q4_0, x));
  for (float& value : x) value = std::abs(value) + 0.1f;  // all positive: the minimum of a group must not be negative
  CHECK(relative_error(Storage::q4_k, x) < 0.05);
}

TEST_CASE("encode_q4_k: what sixteen even steps hold exactly comes back exactly, zeros too") {
  std::vector<float> x(256);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 63.0f * static_cast<float>(i * 7 % 16) - 63.0f * 4;
  CHECK(relative_error(Storage::q4_k, x) < 1e-6);
  std::vector<float> const zeros(256);
  std::vector<std::byte> bytes(144);
  std::vector<float> back(256, 1.0f);
  encode_row(Storage::q4_k, zeros.data(), 256, bytes.data());
  decode_row(Storage::q4_k, bytes.data(), 256, back.data());
  CHECK(back == zeros);
}
