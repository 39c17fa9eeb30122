// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/concept.hpp>
#include <graft/nn/elementwise.hpp>
#include <graft/nn/linear.hpp>

#include <string>

namespace graft {

/// y = (act(x·Wgᵀ)·(x·Wuᵀ))·Wdᵀ with Wg, Wu (F, C), Wd (C, F): SwiGLU with silu, GeGLU with gelu_tanh.
/// Source: Shazeer, "GLU variants improve transformer", 2020.
template <Scalar T, class B, class A, Activation Act>
class GatedMlp {
 public:
  /// What backward needs; it overwrites both with their gradients.
  struct Saved {
    Out<T> gate, up;  // (T, F)
  };

  GatedMlp(Builder<T, B, A>& builder, std::string const& name, Index hidden, Index intermediate, bool bias)
      : gate_(builder, name + ".gate_proj", intermediate, hidden, bias),
        up_(builder, name + ".up_proj", intermediate, hidden, bias),
        down_(builder, name + ".down_proj", hidden, intermediate, bias),
        width_(intermediate) {}

  [[nodiscard]] Saved take(Workspace<B>& workspace, Index tokens) const {
    return {workspace.template take<T>(tokens, width_), workspace.template take<T>(tokens, width_)};
  }

  /// gate and up alone: what a backward pass that did not save them makes again.
  void expand(Workspace<B>& workspace, In<T> x, Saved const& saved) {
    gate_.forward(workspace, x, saved.gate);
    up_.forward(workspace, x, saved.up);
  }

  void forward(Workspace<B>& workspace, In<T> x, Saved const& saved, Out<T> y) {
    expand(workspace, x, saved);
    auto scope = workspace.arena.scope();
    down_.forward(workspace, activate(workspace, saved), y);
  }

  /// dx += … unless it is empty.
  void backward(Workspace<B>& workspace, In<T> x, Saved const& saved, In<T> dy, Out<T> dx) {
    auto scope = workspace.arena.scope();
    auto& backend = workspace.backend;
    auto const dh = workspace.template take<T>(x.rows, width_);
    set_zero(backend, dh);
    {
      auto inner = workspace.arena.scope();
      down_.backward(workspace, down_.trained() ? activate(workspace, saved) : Out<T>(nullptr, x.rows, width_), dy, dh);
    }
    backend.gated_backward(Act, In<T>(saved.gate), In<T>(saved.up), In<T>(dh), saved.gate, saved.up);
    gate_.backward(workspace, x, saved.gate, dx);
    up_.backward(workspace, x, saved.up, dx);
  }

  void append(Params<T>& params) {
    for (auto* linear : {&gate_, &up_, &down_}) linear->append(params);
  }
  [[nodiscard]] bool trained() const { return gate_.trained() || up_.trained() || down_.trained(); }
  template <class F>
  void visit(F&& f) const {
    for (auto const* linear : {&gate_, &up_, &down_}) linear->visit(f);
  }
  template <class F>
  void visit_linears(F&& f) const {
    for (auto const* linear : {&gate_, &up_, &down_}) f(*linear);
  }

 private:
  /// h = act(gate)·up, (T, F), in the caller's scope.
  Out<T> activate(Workspace<B>& workspace, Saved const& saved) {
    auto const h = workspace.template take<T>(saved.gate.rows, width_);
    workspace.backend.gated_forward(Act, In<T>(saved.gate), In<T>(saved.up), h);
    return h;
  }

  Linear<T, B, A> gate_, up_, down_;
  Index width_;
};

}  // namespace graft
