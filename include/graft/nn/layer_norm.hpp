// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/nn/builder.hpp>

#include <string>

namespace graft {

/// y = (x - mean)·gain / sqrt(var + eps) + bias, row by row over C. Source: Ba, Kiros, Hinton, "Layer normalization", 2016.
template <Scalar T, class B>
class LayerNorm {
 public:
  template <class A>
  LayerNorm(Builder<T, B, A>& builder, std::string const& name, Index width, double eps)
      : gain_(builder.weight(name + ".weight", {width})),
        bias_(builder.weight(name + ".bias", {width})),
        eps_(static_cast<T>(eps)) {}

  void forward(Workspace<B>& workspace, In<T> x, Out<T> y) const {
    workspace.backend.layer_norm_forward(x, In<T>(gain_.value()), In<T>(bias_.value()), eps_, y);
  }
  /// dx += …, and the gradients of gain and bias += … if they are trained.
  void backward(Workspace<B>& workspace, In<T> x, In<T> dy, Out<T> dx) const {
    workspace.backend.layer_norm_backward(x, In<T>(gain_.value()), eps_, dy, dx, gain_.grad(), bias_.grad());
  }

  void append(Params<T>& params) const {
    gain_.append(params);
    bias_.append(params);
  }
  [[nodiscard]] bool trained() const { return gain_.trained() || bias_.trained(); }
  template <class F>
  void visit(F&& visit) const {
    visit(gain_, nullptr);
    visit(bias_, nullptr);
  }

 private:
  Weight<T, B> gain_, bias_;
  T eps_;
};

}  // namespace graft
