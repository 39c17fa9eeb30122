// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/leading_svd.hpp>
#include <graft/adapter/low_rank_svd.hpp>
#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/core/view.hpp>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

/// Where an adapter starts that is made from the weight it sits on, which keeps the rest.
enum class LowRankStart : std::uint8_t { pissa, olora, loftq };

struct LowRankStartOptions {
  LowRankStart start = LowRankStart::pissa;
  std::optional<Index> svd_iterations = {};  ///< of `leading_svd`; none: exact
  Index loftq_iterations = 1;
  std::uint64_t seed = 0;
};

/// As PEFT's init_lora_weights spells it: "pissa", "pissa_niter_N", "olora" or "loftq"; "loftq_niter_N" is graft's own. Error: another name.
[[nodiscard]] inline LowRankStartOptions low_rank_start_named(std::string_view name) {
  LowRankStartOptions options;
  std::string_view const niter = "_niter_";
  auto const at = name.find(niter);
  std::string_view const kind = name.substr(0, at);
  if (at != std::string_view::npos) {
    std::string_view const digits = name.substr(at + niter.size());
    Index count = -1;
    auto const read = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    require(read.ec == std::errc() && read.ptr == digits.data() + digits.size() && count >= 0 && kind != "olora", "init_lora_weights", "\"", name,
            "\" must end in a number of iterations of the singular value decomposition");
    options.svd_iterations = count;
  }
  require(kind == "pissa" || kind == "olora" || kind == "loftq", "init_lora_weights", "\"", name,
          "\" is none of pissa, pissa_niter_N, olora, loftq, loftq_niter_N");
  options.start = kind == "pissa" ? LowRankStart::pissa : kind == "olora" ? LowRankStart::olora : LowRankStart::loftq;
  return options;
}

/// An adapter's first values b (out, r), a (r, in) and what is taken off the weight they sit on before it is stored: the base is
/// quantised(w - subtracted.b·subtracted.a), and base + s·b·a ≈ w.
struct LowRankStartResult {
  LowRank factors;
  LowRank subtracted;
};

/// PiSSA: s·b·a is the best approximation of w of rank r, b = U·√(Σ/s), a = √(Σ/s)·Vᵀ, and is subtracted.
///   Meng, Wang, Zhang, "PiSSA: principal singular values and singular vectors adaptation of large language models", 2024, section 3.
/// OLoRA: b = Q, a = R of w = Q·R, cut to rank r; s·b·a is subtracted. Büyükakyüz, "OLoRA", 2024.
/// LoftQ: from b·a = 0 on, in turn q = quantised(w - b·a) and s·b·a the best approximation of w - q; what is subtracted is the b·a of the
///   turn before, so that the stored base is q. Li et al., "LoftQ: LoRA-fine-tuning-aware quantization", 2023, algorithm 1.
/// s is the adapter's scaling. PEFT leaves it out in LoftQ, which then wants alpha = r.
/// `quantised` replaces values, rows of w.cols, by what they are once stored; only LoftQ asks.
[[nodiscard]] inline LowRankStartResult low_rank_start(In<float> w, Index rank, double scaling, LowRankStartOptions const& options,
                                                       std::function<void(std::span<float>)> const& quantised = {}) {
  auto const times = [](LowRank factors, double factor) {
    for (double& value : factors.b) value *= factor;
    return factors;
  };
  if (options.start == LowRankStart::olora) {
    LowRank factors = leading_qr(w, rank);
    LowRank subtracted = times(factors, scaling);
    return {std::move(factors), std::move(subtracted)};
  }
  /// √(Σ/s) to either side.
  auto const balanced = [&](LowRank svd) {
    for (Index r = 0; r < rank; ++r) {
      double squares = 0;
      for (Index o = 0; o < svd.out; ++o) squares += svd.b_at(o, r) * svd.b_at(o, r);
      double const sigma = std::sqrt(squares), root = std::sqrt(sigma / scaling);
      for (Index o = 0; o < svd.out; ++o) svd.b_at(o, r) = sigma > 0 ? svd.b_at(o, r) / sigma * root : 0;
      for (Index i = 0; i < svd.in; ++i) svd.a_at(r, i) *= root;
    }
    return svd;
  };
  if (options.start == LowRankStart::pissa) {
    LowRank svd = leading_svd(w, rank, options.svd_iterations, options.seed);
    return {balanced(svd), svd};
  }
  require(static_cast<bool>(quantised), "loftq", "needs a quantised base");
  require(options.loftq_iterations >= 1, "loftq", "needs one iteration at least: got ", options.loftq_iterations);
  LowRank subtracted = LowRank::zeros(rank, w.cols, w.rows), svd = subtracted;
  for (Index turn = 0; turn < options.loftq_iterations; ++turn) {
    subtracted = svd;
    std::vector<float> rest(static_cast<std::size_t>(w.rows * w.cols));
    MatrixView<float> const view(rest.data(), w.rows, w.cols);
    subtract_low_rank(w, subtracted, view);
    quantised(rest);
    for (Index r = 0; r < w.rows; ++r)
      for (Index c = 0; c < w.cols; ++c) view.row(r)[c] = w.row(r)[c] - view.row(r)[c];
    svd = leading_svd(In<float>(view), rank, options.svd_iterations, options.seed);
  }
  return {balanced(svd), subtracted};
}

}  // namespace graft
