// SPDX-License-Identifier: Apache-2.0
#include <graft/adapter/low_rank_start.hpp>

#include <graft/core/rng.hpp>
#include <graft/quant/decode.hpp>
#include <graft/quant/encode_scaled.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <cmath>
#include <vector>

namespace graft::test {

namespace {

constexpr Index out = 48, in = 64;

std::vector<float> weight() {
  Rng rng(8);
  std::vector<float> values(static_cast<std::size_t>(out * in));
  for (float& x : values) x = static_cast<float>(rng.uniform(-1, 1) * rng.uniform(0, 1));
  return values;
}

void in_nf4(std::span<float> values) {
  FourBit const format{.storage = Storage::nf4, .block = 64, .double_quant = true};
  HostTensor const encoded = encode_4bit(format, std::vector<float>(values.begin(), values.end()), {out, in});
  decode_rows(encoded.matrix(), 0, out, MatrixView<float>(values.data(), out, in));
}

/// base + scaling·b·a - w, its Frobenius norm; base = w - subtracted, quantised if asked.
double distance(std::vector<float> const& w, LowRankStartResult const& start, double scaling, bool quantised) {
  In<float> const view(w.data(), out, in);
  std::vector<float> base(w.size());
  MatrixView<float> const to(base.data(), out, in);
  subtract_low_rank(view, start.subtracted, to);
  if (quantised) in_nf4(base);
  LowRank minus = start.factors;
  for (double& x : minus.b) x *= -scaling;
  subtract_low_rank(In<float>(to), minus, to);
  double squares = 0;
  for (std::size_t i = 0; i < w.size(); ++i) squares += std::pow(static_cast<double>(base[i]) - static_cast<double>(w[i]), 2);
  return std::sqrt(squares);
}

}  // namespace

TEST_CASE("low-rank start: base and adapter together are the weight, for PiSSA and OLoRA, whatever the scaling") {
  auto const w = weight();
  In<float> const view(w.data(), out, in);
  for (char const* name : {"pissa", "pissa_niter_4", "olora"})
    for (double const scaling : {0.5, 2.0}) {
      auto const start = low_rank_start(view, 6, scaling, low_rank_start_named(name));
      CHECK(start.factors.rank == 6);
      CHECK(distance(w, start, scaling, false) < 1e-5);
    }
  // PiSSA's two halves weigh the same: ‖column r of b‖ = ‖row r of a‖.
  auto const pissa = low_rank_start(view, 4, 2.0, low_rank_start_named("pissa"));
  for (Index r = 0; r < 4; ++r) {
    double left = 0, right = 0;
    for (Index o = 0; o < out; ++o) left += std::pow(pissa.factors.b_at(o, r), 2);
    for (Index i = 0; i < in; ++i) right += std::pow(pissa.factors.a_at(r, i), 2);
    CHECK(std::abs(left - right) < 1e-9);
  }
}

TEST_CASE("low-rank start: LoftQ is nearer to the weight than quantising alone, and nearer with more turns") {
  auto const w = weight();
  In<float> const view(w.data(), out, in);
  double const alone = distance(w, {LowRank::zeros(8, in, out), LowRank::zeros(8, in, out)}, 1, true);
  auto options = low_rank_start_named("loftq");
  auto const one = low_rank_start(view, 8, 2.0, options, in_nf4);
  options.loftq_iterations = 5;
  auto const five = low_rank_start(view, 8, 2.0, options, in_nf4);
  double const after_one = distance(w, one, 2.0, true), after_five = distance(w, five, 2.0, true);
  CHECK(after_one < 0.9 * alone);
  CHECK(after_five < after_one);
  for (double const x : one.subtracted.a) CHECK(x == 0);  // the first turn quantises the weight itself
  auto const fast = low_rank_start(view, 8, 2.0, low_rank_start_named("loftq_niter_8"), in_nf4);
  CHECK(distance(w, fast, 2.0, true) < 1.001 * after_one);
}

TEST_CASE("low-rank start: names, and what is refused") {
  CHECK(low_rank_start_named("pissa_niter_16").svd_iterations == 16);
  CHECK(!low_rank_start_named("loftq").svd_iterations.has_value());
  for (char const* name : {"", "pisa", "pissa_niter_", "pissa_niter_x", "pissa_niter_-1", "olora_niter_2", "pissa_niter_4 "})
    CHECK(!message_of([&] { (void)low_rank_start_named(name); }).empty());
  auto const w = weight();
  In<float> const view(w.data(), out, in);
  CHECK(message_of([&] { (void)low_rank_start(view, 4, 1, low_rank_start_named("loftq")); }).find("quantised base") != std::string::npos);
  auto options = low_rank_start_named("loftq");
  options.loftq_iterations = 0;
  CHECK(message_of([&] { (void)low_rank_start(view, 4, 1, options, in_nf4); }).find("got 0") != std::string::npos);
}

}  // namespace graft::test
