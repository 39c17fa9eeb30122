// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/nn/builder.hpp>

#include <string>

namespace graft {

/// y = x·gain / sqrt(mean(x²) + eps), row by row over C. Source: Zhang and Sennrich, "Root mean square layer
/// normalization", 2019. Gemma stores gain - 1; the loader adds the one.
template <Scalar T, class B>
class RmsNorm {
 public:
  template <class A>
  RmsNorm(Builder<T, B, A>& builder, std::string const& name, Index width, double eps)
      : gain_(builder.weight(name + ".weight", {width}, builder.norm_offset)), eps_(static_cast<T>(eps)) {}

  void forward(Workspace<B>& workspace, In<T> x, Out<T> y) const {
    workspace.backend.rms_norm_forward(x, In<T>(gain_.value()), eps_, y);
  }
  /// dx += …, and the gain's gradient += … if it is trained.
  void backward(Workspace<B>& workspace, In<T> x, In<T> dy, Out<T> dx) const {
    workspace.backend.rms_norm_backward(x, In<T>(gain_.value()), eps_, dy, dx, gain_.grad());
  }

  void append(Params<T>& params) const { gain_.append(params); }
  [[nodiscard]] bool trained() const { return gain_.trained(); }
  template <class F>
  void visit(F&& visit) const {
    visit(gain_, nullptr);
  }

 private:
  Weight<T, B> gain_;
  T eps_;
};

}  // namespace graft
