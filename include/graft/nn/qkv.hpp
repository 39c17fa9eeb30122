// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/concept.hpp>
#include <graft/nn/linear.hpp>

#include <array>
#include <string>

namespace graft {

/// Sizes of the projections that attention begins with: heads·D columns of q, kv_heads·D each of k and v.
struct QkvShape {
  Index hidden = 0;
  Index q_width = 0;
  Index kv_width = 0;
  bool bias = false;
};

/// q, k, v = x·Wqᵀ, x·Wkᵀ, x·Wvᵀ (+ biases), three modules: q_proj, k_proj, v_proj.
template <Scalar T, class B, class A>
class SeparateQkv {
 public:
  static constexpr char const* output_name = "o_proj";

  SeparateQkv(Builder<T, B, A>& builder, std::string const& name, QkvShape const& shape)
      : q_(builder, name + ".q_proj", shape.q_width, shape.hidden, shape.bias),
        k_(builder, name + ".k_proj", shape.kv_width, shape.hidden, shape.bias),
        v_(builder, name + ".v_proj", shape.kv_width, shape.hidden, shape.bias) {}

  void forward(Workspace<B>& workspace, In<T> x, Out<T> q, Out<T> k, Out<T> v) {
    q_.forward(workspace, x, q);
    k_.forward(workspace, x, k);
    v_.forward(workspace, x, v);
  }
  /// dx += … unless it is empty.
  void backward(Workspace<B>& workspace, In<T> x, In<T> dq, In<T> dk, In<T> dv, Out<T> dx) {
    q_.backward(workspace, x, dq, dx);
    k_.backward(workspace, x, dk, dx);
    v_.backward(workspace, x, dv, dx);
  }

  void append(Params<T>& params) {
    for (auto* linear : {&q_, &k_, &v_}) linear->append(params);
  }
  [[nodiscard]] bool trained() const { return q_.trained() || k_.trained() || v_.trained(); }
  template <class F>
  void visit(F&& f) const {
    visit_linears([&](auto const& linear) { linear.visit(f); });
  }
  template <class F>
  void visit_linears(F&& f) const {
    for (auto const* linear : {&q_, &k_, &v_}) f(*linear);
  }

 private:
  Linear<T, B, A> q_, k_, v_;
};

/// (q | k | v) = x·Wᵀ + b, one module c_attn whose rows are those of q, then k, then v. GPT-2's.
/// Source: Radford et al., "Language models are unsupervised multitask learners", 2019, released code.
template <Scalar T, class B, class A>
class FusedQkv {
 public:
  static constexpr char const* output_name = "c_proj";

  FusedQkv(Builder<T, B, A>& builder, std::string const& name, QkvShape const& shape)
      : all_(builder, name + ".c_attn", shape.q_width + 2 * shape.kv_width, shape.hidden, shape.bias), shape_(shape) {}

  void forward(Workspace<B>& workspace, In<T> x, Out<T> q, Out<T> k, Out<T> v) {
    auto scope = workspace.arena.scope();
    auto const all = workspace.template take<T>(x.rows, width());
    all_.forward(workspace, x, all);
    auto const from = parts(all);
    workspace.backend.copy(In<T>(from[0]), q);
    workspace.backend.copy(In<T>(from[1]), k);
    workspace.backend.copy(In<T>(from[2]), v);
  }
  /// dx += … unless it is empty.
  void backward(Workspace<B>& workspace, In<T> x, In<T> dq, In<T> dk, In<T> dv, Out<T> dx) {
    auto scope = workspace.arena.scope();
    auto const all = workspace.template take<T>(x.rows, width());
    auto const to = parts(all);
    workspace.backend.copy(dq, to[0]);
    workspace.backend.copy(dk, to[1]);
    workspace.backend.copy(dv, to[2]);
    all_.backward(workspace, x, all, dx);
  }

  void append(Params<T>& params) { all_.append(params); }
  [[nodiscard]] bool trained() const { return all_.trained(); }
  template <class F>
  void visit(F&& f) const {
    all_.visit(f);
  }
  template <class F>
  void visit_linears(F&& f) const {
    f(all_);
  }

 private:
  [[nodiscard]] Index width() const { return shape_.q_width + 2 * shape_.kv_width; }
  /// The columns of q, k and v.
  [[nodiscard]] std::array<Out<T>, 3> parts(Out<T> all) const {
    Index const k = shape_.q_width, v = k + shape_.kv_width;
    return {all.cols_between(0, k), all.cols_between(k, v), all.cols_between(v, all.cols)};
  }

  Linear<T, B, A> all_;
  QkvShape shape_;
};

}  // namespace graft
