// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/concept.hpp>
#include <graft/config.hpp>
#include <graft/optim/basic_state.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace graft {

/// Adafactor: the second moment of a matrix (R, C) is kept as the means v of its rows and w of its columns, R + C numbers. With
/// t = 1, 2, …, β = 1 - t^decay_rate and G = g² + eps1:
///   v ← βv + (1-β)·mean over columns of G,   w ← βw + (1-β)·mean over rows of G
///   u = g / √(v·wᵀ / mean(v))                (vectors: v ← βv + (1-β)G, u = g/√v)
///   u ← u / max(1, rms(u)/clip_threshold);   a = lr, times max(eps2, rms(p)) if scale_parameter
///   m ← β₁m + (1-β₁)·a·u if beta1 > 0, else m = a·u;   p ← p·(1 - a·weight_decay) - m    (decay: parameters with `decay`)
/// With relative_step, lr is multiplied by min(10⁻², 1/√t), or min(10⁻⁶·t, 1/√t) with warmup_init: step with 1 then.
/// Source: Shazeer and Stern, "Adafactor", 2018, algorithms 4 and 5; arithmetic and names are transformers'. The defaults are
/// what its Trainer sets. State: exp_avg_sq_row and exp_avg_sq_col, or exp_avg_sq, and exp_avg with beta1.
struct Adafactor {
  double eps1 = 1e-30;
  double eps2 = 1e-3;
  double clip_threshold = 1;
  double decay_rate = -0.8;
  double beta1 = 0;  ///< 0: no first moment
  double weight_decay = 0;
  bool scale_parameter = false;
  bool relative_step = false;
  bool warmup_init = false;

  friend bool operator==(Adafactor const&, Adafactor const&) = default;

  template <Scalar T, class B>
  class State;
};

template <Scalar T, class B>
class Adafactor::State : public BasicState<T, B> {
 public:
  static constexpr bool pages_state = false;  // its moments are small, and its update needs whole matrices

  State(Adafactor const& spec, Trainable<T, B> const& trainable)
      : BasicState<T, B>(trainable, spec.beta1 > 0 ? std::vector<std::string>{"exp_avg"} : std::vector<std::string>{}), spec_(spec) {
    detail::require_rate(spec.beta1, "adafactor", "beta1");
    for (auto const& [value, name] : {std::pair(spec.eps1, "eps1"), std::pair(spec.eps2, "eps2"), std::pair(spec.weight_decay, "weight_decay")})
      detail::require_not_negative(value, "adafactor", name);
    require(std::isfinite(spec.clip_threshold) && spec.clip_threshold > 0, "adafactor", "clip_threshold must be finite and above 0: got ",
            spec.clip_threshold);
    require(std::isfinite(spec.decay_rate) && spec.decay_rate < 0, "adafactor", "decay_rate must be below 0: got ", spec.decay_rate);
    require(!spec.warmup_init || spec.relative_step, "adafactor", "warmup_init needs relative_step");
    Index factors = 0, largest = 0, longest = 1;
    for (auto const& param : this->trainable().params) {
      offsets_.push_back(factors);
      factors += factored(param) ? param.value.rows + param.value.cols : param.value.size();
      largest = std::max(largest, param.value.size());
      longest = std::max({longest, param.value.rows, param.value.cols});
    }
    moments_ = Buffer<T, B>(this->backend(), factors);
    update_ = Buffer<T, B>(this->backend(), largest);
    vectors_ = Buffer<T, B>(this->backend(), 3 * longest + 1);
    longest_ = longest;
    std::vector<T> const ones(static_cast<std::size_t>(longest), T{1});
    this->backend().upload(ones.data(), vectors_.data(), ones.size() * sizeof(T));
  }

  void step(double learning_rate) {
    auto const t = static_cast<double>(this->begin_step(learning_rate));
    double rate = learning_rate;
    if (spec_.relative_step) rate *= std::min(spec_.warmup_init ? 1e-6 * t : 1e-2, 1 / std::sqrt(t));
    double const beta = 1 - std::pow(t, spec_.decay_rate);
    this->for_each([&](Param<T> const& param, std::size_t i) {
      Out<T> const u(update_.data(), param.value.rows, param.value.cols);
      double const n = static_cast<double>(u.size());
      auto& b = this->backend();
      b.map(u.size(), Square{static_cast<T>(spec_.eps1)}, param.grad.data, u.data);
      if (factored(param))
        precondition_matrix(param, i, beta, u);
      else
        b.map(u.size(), Precondition{static_cast<T>(beta), static_cast<T>(1 - beta)}, param.grad.data, moments(i), u.data);
      double scale = rate;
      if (spec_.scale_parameter) scale *= std::max(spec_.eps2, std::sqrt(b.sum_of_squares(In<T>(param.value)) / n));
      double const factor = scale / std::max(1.0, std::sqrt(b.sum_of_squares(In<T>(u)) / n) / spec_.clip_threshold);
      auto const keep = static_cast<T>(param.decay ? 1 - scale * spec_.weight_decay : 1.0);
      if (spec_.beta1 > 0)
        b.map(u.size(), Momentum{static_cast<T>(factor), keep, static_cast<T>(spec_.beta1), static_cast<T>(1 - spec_.beta1)},
              static_cast<T const*>(u.data), this->slot(0, i), param.value.data);
      else
        b.map(u.size(), Descend{static_cast<T>(factor), keep}, static_cast<T const*>(u.data), param.value.data);
    });
  }

  [[nodiscard]] std::vector<StateTensor<T>> tensors() const {
    auto list = BasicState<T, B>::tensors();
    this->for_each([&](Param<T> const& param, std::size_t i) {
      Index const rows = param.value.rows, cols = param.value.cols;
      if (!factored(param)) {
        list.push_back({param.name + ".exp_avg_sq", param.shape, {moments(i), rows, cols}});
        return;
      }
      list.push_back({param.name + ".exp_avg_sq_row", {rows}, {moments(i), 1, rows}});
      list.push_back({param.name + ".exp_avg_sq_col", {cols}, {moments(i) + rows, 1, cols}});
    });
    return list;
  }
  /// Memory of the state tensors.
  [[nodiscard]] std::size_t bytes() const { return BasicState<T, B>::bytes() + moments_.bytes(); }

 private:
  [[nodiscard]] static bool factored(Param<T> const& param) { return param.shape.size() > 1; }
  [[nodiscard]] T* moments(std::size_t i) const { return moments_.data() + offsets_[i]; }

  /// u = G comes in, the preconditioned gradient leaves.
  void precondition_matrix(Param<T> const& param, std::size_t i, double beta, Out<T> u) {
    auto& b = this->backend();
    Index const rows = u.rows, cols = u.cols;
    T* const v = moments(i);
    T* const w = v + rows;
    T* const ones = vectors_.data();
    T* const row_factor = ones + longest_;
    T* const col_factor = row_factor + longest_;
    T* const mean = col_factor + longest_;
    auto const share = [&](Index count) { return static_cast<T>((1 - beta) / static_cast<double>(count)); };
    b.gemm(Op::none, Op::none, share(cols), In<T>(u), In<T>(ones, cols, 1), static_cast<T>(beta), Out<T>(v, rows, 1));
    b.gemm(Op::none, Op::none, share(rows), In<T>(ones, 1, rows), In<T>(u), static_cast<T>(beta), Out<T>(w, 1, cols));
    b.gemm(Op::none, Op::none, T{1} / static_cast<T>(rows), In<T>(ones, 1, rows), In<T>(v, rows, 1), T{0}, Out<T>(mean, 1, 1));
    T mean_row{};
    b.download(mean, &mean_row, sizeof(T));
    b.map(rows, RootOfRatio{mean_row}, static_cast<T const*>(v), row_factor);
    b.map(cols, RootOfRatio{T{1}}, static_cast<T const*>(w), col_factor);
    b.gemm(Op::none, Op::none, T{1}, In<T>(row_factor, rows, 1), In<T>(col_factor, 1, cols), T{0}, u);
    b.map(u.size(), Multiply{}, param.grad.data, u.data);
  }

  struct Square {
    T eps;
    GRAFT_HOST_DEVICE void operator()(T const& g, T& u) const { u = g * g + eps; }
  };
  struct Precondition {
    T beta, rest;
    GRAFT_HOST_DEVICE void operator()(T const& g, T& v, T& u) const {
      v = beta * v + rest * u;
      u = g / std::sqrt(v);
    }
  };
  struct RootOfRatio {
    T over;
    GRAFT_HOST_DEVICE void operator()(T const& x, T& y) const { y = std::sqrt(over / x); }
  };
  struct Multiply {
    GRAFT_HOST_DEVICE void operator()(T const& g, T& u) const { u *= g; }
  };
  struct Descend {
    T factor, keep;
    GRAFT_HOST_DEVICE void operator()(T const& u, T& p) const { p = keep * p - factor * u; }
  };
  struct Momentum {
    T factor, keep, beta, rest;
    GRAFT_HOST_DEVICE void operator()(T const& u, T& m, T& p) const {
      m = beta * m + rest * factor * u;
      p = keep * p - m;
    }
  };

  Adafactor spec_;
  std::vector<Index> offsets_;
  Buffer<T, B> moments_;  // of all parameters, one after the other
  Buffer<T, B> update_;   // of the largest parameter
  Buffer<T, B> vectors_;  // ones, row factors, column factors, one number
  Index longest_ = 0;
};

}  // namespace graft
