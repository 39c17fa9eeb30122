// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/concept.hpp>
#include <graft/adapter/module_pattern.hpp>
#include <graft/adapter/target_modules.hpp>
#include <graft/backend/buffer.hpp>
#include <graft/backend/concept.hpp>
#include <graft/core/error.hpp>
#include <graft/core/rng.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace graft {

/// Which biases of the base an adapter trains, as PEFT's `bias`.
enum class TrainBias : std::uint8_t { none, all, lora_only };

/// Low-rank adaptation: y = W·x + b + s·B·A·drop(x), A (r, in), B (out, r), s = alpha/r, or alpha/sqrt(r) when
/// rank-stabilised. A starts uniform in ±1/sqrt(in), B at zero, so Δ = 0 at first.
/// Sources: Hu et al., "LoRA: low-rank adaptation of large language models", 2021, section 4.1; Kalajdzievski, "A rank
/// stabilization scaling factor for fine-tuning with LoRA", 2023. Defaults and meaning of the fields are PEFT's.
struct Lora {
  Index rank = 8;
  double alpha = 8;
  double dropout = 0;  ///< probability of dropping an element of the adapter's input, in [0, 1)
  bool rank_stabilized = false;
  TargetModules target_modules = all_linear;
  TrainBias bias = TrainBias::none;
  std::vector<std::string> modules_to_save = {};    ///< modules trained whole, by name or suffix, e.g. "lm_head"
  std::uint64_t seed = 0;                           ///< of the initial A
  TargetModules exclude_modules = TargetModules();  ///< have no adapter, whatever target_modules says
  std::vector<Index> layers_to_transform = {};      ///< adapters in these layers only; empty: in all
  std::vector<std::string> layers_pattern = {};     ///< what stands before a layer's number; empty: anything
  /// Other ranks and alphas for some modules: regular expressions of the names or of their ends; the first that fits.
  std::vector<std::pair<std::string, Index>> rank_pattern = {};
  std::vector<std::pair<std::string, double>> alpha_pattern = {};

  [[nodiscard]] bool targets(std::string_view module) const;
  /// Whether `module` is trained whole.
  [[nodiscard]] bool saves(std::string_view module) const;
  [[nodiscard]] bool trains(std::string_view parameter) const;
  [[nodiscard]] double scaling() const {
    return rank_stabilized ? alpha / std::sqrt(static_cast<double>(rank)) : alpha / static_cast<double>(rank);
  }
  /// What holds for one module: this, with its own rank and alpha.
  [[nodiscard]] Lora for_module(std::string_view module) const;
  /// Refuses a pattern or a layer that none of the adapted modules fits.
  void check(std::vector<std::string> const& adapted) const;
  friend bool operator==(Lora const&, Lora const&) = default;

  template <Scalar T, class B>
  class Layer;
};

/// The matrices of one module. Saves nothing in forward: backward makes U = drop(x)·Aᵀ again, which costs r·in·T.
template <Scalar T, class B>
class Lora::Layer {
 public:
  Layer(Lora const& adapter, LinearShape const& shape, B& backend)
      : shape_(shape), spec_(adapter.for_module(shape.name)) {
    Lora const& spec = spec_;
    Index const limit = std::min(shape.in, shape.out);
    require(spec.rank >= 1 && spec.rank <= limit, "lora", "rank must be in 1..min(in, out): got rank=", spec.rank,
            " for ", shape.name, " of shape (", shape.out, ", ", shape.in, ")");
    require(spec.dropout >= 0 && spec.dropout < 1, "lora", "dropout must be in [0, 1): got ", spec.dropout);
    require(std::isfinite(spec.alpha), "lora", "alpha must be finite: got ", spec.alpha);
    a_ = Buffer<T, B>(backend, spec.rank * shape.in);
    b_ = Buffer<T, B>(backend, shape.out * spec.rank);
    a_grad_ = Buffer<T, B>(backend, spec.rank * shape.in);
    b_grad_ = Buffer<T, B>(backend, shape.out * spec.rank);
    if constexpr (requires { B::computes_nothing; }) return;
    std::vector<T> initial(static_cast<std::size_t>(spec.rank * shape.in));
    Rng rng(spec.seed, static_cast<std::uint64_t>(shape.number));
    double const bound = 1 / std::sqrt(static_cast<double>(shape.in));
    for (T& value : initial) value = static_cast<T>(rng.uniform(-bound, bound));
    a_.upload(initial);
  }

  void forward(Workspace<B>& workspace, In<T> x, Out<T> y) {
    auto scope = workspace.arena.scope();
    auto const u = project(workspace, dropped(workspace, x));
    workspace.backend.gemm(Op::none, Op::transpose, scaling(), In<T>(u), In<T>(b()), T{1}, y);
  }

  void backward(Workspace<B>& workspace, In<T> x, In<T> dy, Out<T> dx) {
    auto scope = workspace.arena.scope();
    auto& backend = workspace.backend;
    In<T> const dropped_x = dropped(workspace, x);
    In<T> const u = project(workspace, dropped_x);
    auto const du = workspace.template take<T>(x.rows, spec_.rank);                     // (T, r)
    backend.gemm(Op::none, Op::none, scaling(), dy, In<T>(b()), T{0}, du);              // s·dy·B
    backend.gemm(Op::transpose, Op::none, scaling(), dy, u, T{1}, b_grad());            // s·dyᵀ·U
    backend.gemm(Op::transpose, Op::none, T{1}, In<T>(du), dropped_x, T{1}, a_grad());  // duᵀ·drop(x)
    if (dx.empty()) return;
    if (!drops(workspace)) return backend.gemm(Op::none, Op::none, T{1}, In<T>(du), In<T>(a()), T{1}, dx);
    auto const dropped_dx = workspace.template take<T>(x.rows, shape_.in);
    backend.gemm(Op::none, Op::none, T{1}, In<T>(du), In<T>(a()), T{0}, dropped_dx);
    backend.dropout(In<T>(dropped_dx), static_cast<T>(spec_.dropout), mask(workspace), true, dx);
  }

  void append(Params<T>& params) {
    params.push_back({shape_.name + ".lora_A.weight", {spec_.rank, shape_.in}, a(), a_grad(), true});
    params.push_back({shape_.name + ".lora_B.weight", {shape_.out, spec_.rank}, b(), b_grad(), true});
  }

  void merge_into(Workspace<B>& workspace, Out<T> w) const {
    workspace.backend.gemm(Op::none, Op::none, scaling(), In<T>(b()), In<T>(a()), T{1}, w);
  }

 private:
  Out<T> a() const { return a_.view(spec_.rank, shape_.in); }
  Out<T> b() const { return b_.view(shape_.out, spec_.rank); }
  Out<T> a_grad() const { return a_grad_.view(spec_.rank, shape_.in); }
  Out<T> b_grad() const { return b_grad_.view(shape_.out, spec_.rank); }
  T scaling() const { return static_cast<T>(spec_.scaling()); }
  bool drops(Workspace<B> const& workspace) const { return workspace.training && spec_.dropout > 0; }
  Philox mask(Workspace<B> const& workspace) const {
    return {workspace.dropout_seed, workspace.pass << 20 | static_cast<std::uint64_t>(shape_.number)};
  }
  /// x·mask/(1 - p), or x itself; valid until the caller's scope ends.
  In<T> dropped(Workspace<B>& workspace, In<T> x) {
    if (!drops(workspace)) return x;
    auto const result = workspace.template take<T>(x.rows, x.cols);
    workspace.backend.dropout(x, static_cast<T>(spec_.dropout), mask(workspace), false, result);
    return result;
  }
  /// U = x·Aᵀ, (T, r).
  Out<T> project(Workspace<B>& workspace, In<T> x) {
    auto const u = workspace.template take<T>(x.rows, spec_.rank);
    workspace.backend.gemm(Op::none, Op::transpose, T{1}, x, In<T>(a()), T{0}, u);
    return u;
  }

  LinearShape shape_;
  Lora spec_;
  Buffer<T, B> a_, b_, a_grad_, b_grad_;
};

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/adapter/lora.tpp>
#endif
