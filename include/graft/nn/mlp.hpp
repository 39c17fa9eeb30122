// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/concept.hpp>
#include <graft/nn/elementwise.hpp>
#include <graft/nn/linear.hpp>

#include <string>

namespace graft {

/// y = act(x·W1ᵀ + b1)·W2ᵀ + b2 with W1 (F, C), W2 (C, F), under GPT-2's names c_fc and c_proj.
/// Source: Vaswani et al., "Attention is all you need", 2017, section 3.3; Hendrycks and Gimpel, "GELU", 2016.
template <Scalar T, class B, class A, Activation Act>
class Mlp {
 public:
  /// What backward needs: the values before the activation; it overwrites them with their gradients.
  struct Saved {
    Out<T> raw;  // (T, F)
  };

  Mlp(Builder<T, B, A>& builder, std::string const& name, Index hidden, Index intermediate, bool bias)
      : in_(builder, name + ".c_fc", intermediate, hidden, bias),
        out_(builder, name + ".c_proj", hidden, intermediate, bias),
        width_(intermediate) {}

  [[nodiscard]] Saved take(Workspace<B>& workspace, Index tokens) const { return {workspace.template take<T>(tokens, width_)}; }

  /// The first product alone: what a backward pass that did not save it makes again.
  void expand(Workspace<B>& workspace, In<T> x, Saved const& saved) { in_.forward(workspace, x, saved.raw); }

  void forward(Workspace<B>& workspace, In<T> x, Saved const& saved, Out<T> y) {
    expand(workspace, x, saved);
    auto scope = workspace.arena.scope();
    out_.forward(workspace, activate(workspace, saved), y);
  }

  /// dx += … unless it is empty.
  void backward(Workspace<B>& workspace, In<T> x, Saved const& saved, In<T> dy, Out<T> dx) {
    auto scope = workspace.arena.scope();
    auto const dh = workspace.template take<T>(x.rows, width_);
    set_zero(workspace.backend, dh);
    {
      auto inner = workspace.arena.scope();
      out_.backward(workspace, out_.trained() ? activate(workspace, saved) : Out<T>(nullptr, x.rows, width_), dy, dh);
    }
    workspace.backend.gated_backward(Act, In<T>(saved.raw), In<T>(), In<T>(dh), saved.raw, Out<T>());
    in_.backward(workspace, x, saved.raw, dx);
  }

  void append(Params<T>& params) {
    in_.append(params);
    out_.append(params);
  }
  [[nodiscard]] bool trained() const { return in_.trained() || out_.trained(); }
  template <class F>
  void visit(F&& f) const {
    in_.visit(f);
    out_.visit(f);
  }
  template <class F>
  void visit_linears(F&& f) const {
    f(in_);
    f(out_);
  }

 private:
  /// act(raw), (T, F), in the caller's scope.
  Out<T> activate(Workspace<B>& workspace, Saved const& saved) {
    auto const h = workspace.template take<T>(saved.raw.rows, width_);
    workspace.backend.gated_forward(Act, In<T>(saved.raw), In<T>(), h);
    return h;
  }

  Linear<T, B, A> in_, out_;
  Index width_;
};

}  // namespace graft
