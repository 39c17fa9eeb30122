// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/cpu/int8_product.hpp>

#include "support/backend_agreement.hpp"

#include <graft/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace graft::test {

namespace {

/// Activations in int8 with the memory they lie in.
struct QuantizedRows {
  std::vector<std::uint8_t> q;
  std::vector<float> scales;
  detail::Int8Rows rows;

  explicit QuantizedRows(In<float> x) {
    Index const blocks = detail::int8_blocks(x.cols);
    q.resize(static_cast<std::size_t>(x.rows * blocks * detail::int8_block));
    scales.resize(static_cast<std::size_t>(x.rows * blocks));
    rows = {q.data(), scales.data(), blocks};
    for (Index t = 0; t < x.rows; ++t) detail::quantize_int8_row(x, t, rows);
  }
};

/// w (out, in) packed for y = x·wᵀ.
std::vector<detail::Int8Block> packed_rows(In<float> w) {
  Index const blocks = detail::int8_blocks(w.cols), strips = (w.rows + 15) / 16;
  std::vector<detail::Int8Block> packed(static_cast<std::size_t>(strips * blocks));
  for (Index s = 0; s < strips; ++s)
    detail::pack_int8_rows(w.rows_between(16 * s, std::min(w.rows, 16 * s + 16)), packed.data() + s * blocks);
  return packed;
}

/// The elements of a row, quantised and decoded again, by the definition: scale a/127 of 32 elements.
std::vector<double> decoded(float const* row, Index n) {
  std::vector<double> result;
  for (Index first = 0; first < n; first += 32) {
    float largest = 0;
    Index const end = std::min(n, first + 32);
    for (Index j = first; j < end; ++j) largest = std::max(largest, std::abs(row[j]));
    double const scale = static_cast<double>(largest) / 127;
    for (Index j = first; j < end; ++j)
      result.push_back(scale == 0 ? 0 : std::nearbyint(static_cast<double>(row[j]) / scale) * scale);
  }
  return result;
}

}  // namespace

TEST_CASE("int8: a block's integers are the nearest, zeros and what is not finite stay what they are") {
  float block[32], scale = -1;
  std::uint8_t q[32];
  for (int j = 0; j < 32; ++j) block[j] = static_cast<float>(j - 16) / 4;  // largest 4
  detail::quantize_int8_block(block, q, scale);
  CHECK(scale == doctest::Approx(4.0 / 127));
  for (int j = 0; j < 32; ++j) CHECK(q[j] - 128 == std::nearbyint(static_cast<double>(block[j]) * 127 / 4));
  QuantizedRows const cut(In<float>(block, 1, 3));  // -4, -3.75, -3.5 and nothing
  CHECK(cut.scales[0] == scale);
  for (std::size_t j = 0; j < 32; ++j) CHECK(cut.q[j] == (j < 3 ? q[j] : 128));
  for (float& value : block) value = 1e-38f;
  detail::quantize_int8_block(block, q, scale);
  CHECK(scale == 0);
  for (std::uint8_t const byte : q) CHECK(byte == 128);
  for (float const bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    block[7] = bad;
    detail::quantize_int8_block(block, q, scale);
    CHECK_FALSE(std::isfinite(scale));
  }
}

TEST_CASE("int8: quantising by lanes gives the bits of the plain loops") {
#if GRAFT_HAS_INT8_LANES
  Rng rng(5);
  for (int round = 0; round < 200; ++round) {
    auto const w = HostMatrix<float>::random(32, 32, rng, std::pow(10.0, rng.uniform(-34, 6)));
    std::uint8_t q[32], expected[32];
    float scale = 0, expected_scale = 0;
    detail::quantize_int8_block_by_lanes(w.values.data(), q, scale);
    detail::quantize_int8_block_plainly(w.values.data(), expected, expected_scale);
    CHECK(std::equal(q, q + 32, expected));
    CHECK(scale == expected_scale);
    detail::Int8Tile rows, cols;
    for (std::size_t k = 0; k < 32; ++k)
      for (std::size_t l = 0; l < 16; ++l) {
        rows[k][l] = w.values[32 * l + k];
        cols[k][l] = w.values[32 * k + l];
      }
    detail::Int8Block block, plain;
    for (bool const along_rows : {true, false}) {
      detail::pack_int8_tile(along_rows ? rows : cols, plain);
      along_rows ? detail::pack_int8_rows_by_lanes(w.values.data(), 32, block)
                 : detail::pack_int8_cols_by_lanes(w.values.data(), 32, block);
      CHECK(block.words == plain.words);
      CHECK(block.scale == plain.scale);
      CHECK(block.base == plain.base);
    }
  }
#endif
}

TEST_CASE("int8: the product is that of the quantised operands, by lanes to the bit of the plain loop's") {
  Rng rng(3);
  for (Index const tokens : {1, 3, 4, 9})
    for (Index const out : {1, 16, 40, 48, 67, 112})
      for (Index const in : {7, 32, 100, 256}) {
        CAPTURE(tokens);
        CAPTURE(out);
        CAPTURE(in);
        auto const x = HostMatrix<float>::random(tokens, in, rng, 1, 3), w = HostMatrix<float>::random(out, in, rng);
        In<float> const view(x.values.data(), tokens, in, x.stride), weights(w.values.data(), out, in, w.stride);
        QuantizedRows const operand(view);
        auto const strips = packed_rows(weights);
        for (bool const accumulate : {false, true}) {
          std::vector<float> plain(static_cast<std::size_t>(tokens * out), 0.5f), lanes = plain;
          Index const blocks = operand.rows.blocks;
          detail::int8_product_plainly(operand.rows, strips.data(), blocks, blocks, accumulate,
                                       {plain.data(), tokens, out});
          detail::int8_product(operand.rows, strips.data(), blocks, blocks, accumulate, {lanes.data(), tokens, out});
          CHECK(same_bits(plain, lanes));
#if GRAFT_HAS_INT8_HALVES
          std::vector<float> halves(plain.size(), 0.5f);
          detail::int8_product_by_halves(operand.rows, strips.data(), blocks, blocks, accumulate,
                                         {halves.data(), tokens, out});
          CHECK(same_bits(plain, halves));
#endif
          for (Index t = 0; t < tokens; ++t)
            for (Index r = 0; r < out; ++r) {
              auto const a = decoded(view.row(t), in), b = decoded(weights.row(r), in);
              double sum = accumulate ? 0.5 : 0;
              for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
              CHECK(static_cast<double>(plain[static_cast<std::size_t>(t * out + r)]) ==
                    doctest::Approx(sum).epsilon(1e-4));
            }
        }
      }
}

TEST_CASE("int8: weights packed along their columns are those of the transposed matrix packed along its rows") {
  Rng rng(4);
  Index const rows = 70, cols = 37;
  auto const w = HostMatrix<float>::random(rows, cols, rng);
  HostMatrix<float> turned = HostMatrix<float>::filled(cols, rows, 0.0f);
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < cols; ++c)
      turned.values[static_cast<std::size_t>(c * turned.stride + r)] =
          w.values[static_cast<std::size_t>(r * w.stride + c)];
  auto const expected = packed_rows({turned.values.data(), cols, rows, turned.stride});
  Index const blocks = detail::int8_blocks(rows);
  std::vector<detail::Int8Block> packed(expected.size());
  In<float> const view(w.values.data(), rows, cols, w.stride);
  for (Index b = 0; b < blocks; ++b)
    detail::pack_int8_cols(view.rows_between(32 * b, std::min(rows, 32 * b + 32)), packed.data() + b, blocks);
  for (std::size_t i = 0; i < packed.size(); ++i) {
    CHECK(packed[i].words == expected[i].words);
    CHECK(packed[i].scale == expected[i].scale);
    CHECK(packed[i].base == expected[i].base);
  }
}

}  // namespace graft::test
