// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/concept.hpp>
#include <graft/nn/builder.hpp>

#include <optional>
#include <string>

namespace graft {

/// y = x·Wᵀ + b + Δ(x), with W (out, in), b (out) if there is one, and Δ an adapter if the module has one.
/// Backward, each part only if asked for or trained: dx += dy·W + (∂Δ/∂x)ᵀ·dy, dW += dyᵀ·x, db += Σ_t dy.
template <Scalar T, class B, class A>
class Linear {
 public:
  using AdapterLayer = typename A::template Layer<T, B>;

  Linear(Builder<T, B, A>& builder, std::string const& name, Index out, Index in, bool with_bias)
      : name_(name),
        weight_(builder.weight(name + ".weight", {out, in})),
        bias_(builder.weight_if(with_bias, name + ".bias", {out})) {
    Index const number = builder.modules++;
    if (!builder.adapter.targets(name)) return;
    layer_.emplace(builder.adapter, LinearShape{name, in, out, number}, builder.backend);
    builder.adapted.push_back(name);
  }

  void forward(Workspace<B>& workspace, In<T> x, Out<T> y) {
    workspace.backend.linear_forward(x, weight_.stored(), y);
    if (bias_.present()) workspace.backend.add_bias(In<T>(bias_.value()), y);
    if (layer_ && workspace.adapters) layer_->forward(workspace, x, y);
  }

  /// `dx` may be empty: then nothing is computed for it.
  void backward(Workspace<B>& workspace, In<T> x, In<T> dy, Out<T> dx) {
    auto& backend = workspace.backend;
    if (!dx.empty()) backend.linear_backward_input(dy, weight_.stored(), dx);
    if (weight_.trained()) backend.gemm(Op::transpose, Op::none, T{1}, dy, x, T{1}, weight_.grad());
    if (bias_.trained()) backend.sum_rows(dy, bias_.grad());
    if (layer_ && workspace.adapters) layer_->backward(workspace, x, dy, dx);
  }

  void append(Params<T>& params) {
    weight_.append(params);
    bias_.append(params);
    if (layer_) layer_->append(params);
  }

  [[nodiscard]] bool trained() const { return weight_.trained() || bias_.trained() || layer_.has_value(); }
  [[nodiscard]] bool adapted() const { return layer_.has_value(); }
  [[nodiscard]] std::string const& name() const { return name_; }
  [[nodiscard]] Weight<T, B> const& weight() const { return weight_; }
  [[nodiscard]] Weight<T, B> const& bias() const { return bias_; }
  [[nodiscard]] std::optional<AdapterLayer> const& layer() const { return layer_; }

  /// Calls visit(weight, layer) for each weight; layer is the adapter on it or nullptr.
  template <class F>
  void visit(F&& visit) const {
    visit(weight_, layer_ ? &*layer_ : nullptr);
    if (bias_.present()) visit(bias_, static_cast<AdapterLayer const*>(nullptr));
  }

 private:
  std::string name_;
  Weight<T, B> weight_, bias_;
  std::optional<AdapterLayer> layer_;
};

}  // namespace graft
