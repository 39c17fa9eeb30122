// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/nn/attention.hpp>
#include <graft/nn/gated_mlp.hpp>

#include <optional>
#include <string>

namespace graft {

/// What a forward pass keeps for backward. `none` of the products is computed twice; `selective` makes the gate and up
/// projections again; `full` keeps the block's input only and runs the block again.
enum class Recompute : std::uint8_t { none, selective, full };

struct BlockConfig {
  AttentionConfig attention;
  Index intermediate_size = 0;
  double norm_eps = 1e-6;
  bool mlp_bias = false;
};

/// One layer: mid = x + Attention(Norm(x)), out = mid + Mlp(Norm(mid)). Where `Arch::post_norms`, each branch's output is
/// normalised before it is added. `Arch` is a traits struct, see model/llama.hpp.
template <class Arch, Scalar T, class B, class A>
class Block {
 public:
  using Norm = typename Arch::template Norm<T, B>;
  using AttentionModule = Attention<T, B, A, Arch::qk_norm, typename Arch::template Qkv<T, B, A>>;
  using Mlp = typename Arch::template Mlp<T, B, A>;

  /// Activations of one pass through the block. Views that a recompute level drops are taken again in backward.
  struct Saved {
    In<T> x;     // (T, C), the block's input
    Out<T> mid;  // (T, C)
    typename AttentionModule::Saved attention;
    typename Mlp::Saved mlp;
    Out<T> attention_output, mlp_output;  // (T, C), only with post norms
    bool has_mlp = false;
    bool has_rest = false;
  };

  Block(Builder<T, B, A>& builder, std::string const& name, BlockConfig const& config)
      : input_norm_(builder, name + "." + Arch::input_norm_name, config.attention.hidden_size, config.norm_eps),
        attention_(builder, name + "." + Arch::attention_name, config.attention),
        mlp_norm_(builder, name + "." + Arch::mlp_norm_name, config.attention.hidden_size, config.norm_eps),
        mlp_(builder, name + "." + Arch::mlp_name, config.attention.hidden_size, config.intermediate_size, config.mlp_bias) {
    if constexpr (Arch::post_norms) {
      attention_post_norm_.emplace(builder, name + "." + Arch::attention_post_norm_name, config.attention.hidden_size,
                                   config.norm_eps);
      mlp_post_norm_.emplace(builder, name + "." + Arch::mlp_post_norm_name, config.attention.hidden_size,
                             config.norm_eps);
    }
  }

  /// Memory for what `level` saves of a pass over x.
  [[nodiscard]] Saved take(Workspace<B>& workspace, In<T> x, Recompute level) const {
    Saved saved;
    saved.x = x;
    if (level == Recompute::full) return saved;
    take_rest(workspace, saved);
    if (level == Recompute::none) take_mlp(workspace, saved);
    return saved;
  }

  /// Fills what `saved` has room for, and `out` unless it is empty.
  void forward(Workspace<B>& workspace, Positions<T> const& positions, Saved const& kept, Out<T> out) {
    auto scope = workspace.arena.scope();
    Saved saved = kept;
    if (!saved.has_rest) take_rest(workspace, saved);
    if (!saved.has_mlp) take_mlp(workspace, saved);
    attention_branch(workspace, saved, [&](In<T> normed, Out<T> y) {
      attention_.forward(workspace, normed, positions, saved.attention, y);
    });
    mlp_branch(workspace, saved, out);
  }

  /// d (T, C) comes in as the gradient of the output and leaves as the gradient of the input; the latter only if
  /// `input_gradient`.
  void backward(Workspace<B>& workspace, Positions<T> const& positions, Saved const& kept, bool input_gradient, Out<T> d) {
    auto scope = workspace.arena.scope();
    Saved saved = kept;
    if (!saved.has_rest) {
      take_rest(workspace, saved);
      take_mlp(workspace, saved);
      forward(workspace, positions, saved, Arch::post_norms ? workspace.template take<T>(d.rows, d.cols) : Out<T>());
    } else if (!saved.has_mlp) {
      take_mlp(workspace, saved);
      auto inner = workspace.arena.scope();
      mlp_.expand(workspace, normed(workspace, mlp_norm_, saved.mid), saved.mlp);
    }
    bool const below_mlp = input_gradient || input_norm_.trained() || attention_.trained() ||
                           (attention_post_norm_ && attention_post_norm_->trained());
    branch_backward(workspace, mlp_norm_, mlp_post_norm_, saved.mid, saved.mlp_output, below_mlp, d,
                    [&](In<T> x, In<T> dy, Out<T> dx) { mlp_.backward(workspace, x, saved.mlp, dy, dx); });
    if (!below_mlp) return;
    branch_backward(workspace, input_norm_, attention_post_norm_, saved.x, saved.attention_output, input_gradient, d,
                    [&](In<T> x, In<T> dy, Out<T> dx) {
                      attention_.backward(workspace, x, positions, saved.attention, dy, dx);
                    });
  }

  /// The forward pass of generation: x (T, C) is replaced by the block's output.
  void forward_cached(Workspace<B>& workspace, Positions<T> const& positions, CacheLayer<T> const& cache,
                      std::span<CacheEntry const> entries, Out<T> x) {
    auto scope = workspace.arena.scope();
    Saved saved;
    saved.x = x;
    saved.mid = workspace.template take<T>(x.rows, x.cols);
    take_outputs(workspace, saved);
    attention_branch(workspace, saved, [&](In<T> normed, Out<T> y) {
      attention_.forward_cached(workspace, normed, positions, cache, entries, y);
    });
    take_mlp(workspace, saved);
    mlp_branch(workspace, saved, x);
  }

  void append(Params<T>& params) {
    input_norm_.append(params);
    attention_.append(params);
    if (attention_post_norm_) attention_post_norm_->append(params);
    mlp_norm_.append(params);
    mlp_.append(params);
    if (mlp_post_norm_) mlp_post_norm_->append(params);
  }
  [[nodiscard]] bool trained() const {
    return input_norm_.trained() || attention_.trained() || mlp_norm_.trained() || mlp_.trained() ||
           (attention_post_norm_ && (attention_post_norm_->trained() || mlp_post_norm_->trained()));
  }
  template <class F>
  void visit(F&& f) const {
    input_norm_.visit(f);
    attention_.visit(f);
    if (attention_post_norm_) attention_post_norm_->visit(f);
    mlp_norm_.visit(f);
    mlp_.visit(f);
    if (mlp_post_norm_) mlp_post_norm_->visit(f);
  }
  template <class F>
  void visit_linears(F&& f) const {
    attention_.visit_linears(f);
    mlp_.visit_linears(f);
  }

 private:
  void take_rest(Workspace<B>& workspace, Saved& saved) const {
    saved.mid = workspace.template take<T>(saved.x.rows, saved.x.cols);
    saved.attention = attention_.take(workspace, saved.x.rows);
    take_outputs(workspace, saved);
    saved.has_rest = true;
  }
  void take_mlp(Workspace<B>& workspace, Saved& saved) const {
    saved.mlp = mlp_.take(workspace, saved.x.rows);
    saved.has_mlp = true;
  }
  void take_outputs(Workspace<B>& workspace, Saved& saved) const {
    if constexpr (Arch::post_norms) {
      saved.attention_output = workspace.template take<T>(saved.x.rows, saved.x.cols);
      saved.mlp_output = workspace.template take<T>(saved.x.rows, saved.x.cols);
    }
  }

  [[nodiscard]] Out<T> normed(Workspace<B>& workspace, Norm const& norm, In<T> x) const {
    auto const y = workspace.template take<T>(x.rows, x.cols);
    norm.forward(workspace, x, y);
    return y;
  }

  /// y = x + [post norm of] branch(norm(x)). `output` keeps the branch's output for the post norm's backward.
  template <class F>
  void branch(Workspace<B>& workspace, Norm const& norm, std::optional<Norm> const& post_norm, In<T> x, Out<T> output,
              Out<T> y, F&& f) {
    auto scope = workspace.arena.scope();
    auto const normed_x = normed(workspace, norm, x);
    auto const result = post_norm ? output : workspace.template take<T>(x.rows, x.cols);
    f(In<T>(normed_x), result);
    if (y.empty()) return;
    if (post_norm) post_norm->forward(workspace, result, normed_x);
    if (x.data != y.data) workspace.backend.copy(x, y);
    add(workspace.backend, In<T>(post_norm ? normed_x : result), y);
  }
  template <class F>
  void attention_branch(Workspace<B>& workspace, Saved const& saved, F&& f) {
    branch(workspace, input_norm_, attention_post_norm_, saved.x, saved.attention_output, saved.mid, f);
  }
  void mlp_branch(Workspace<B>& workspace, Saved const& saved, Out<T> out) {
    branch(workspace, mlp_norm_, mlp_post_norm_, saved.mid, saved.mlp_output, out, [&](In<T> normed_mid, Out<T> y) {
      if (out.empty())
        mlp_.expand(workspace, normed_mid, saved.mlp);  // a second run for backward: the output is not needed
      else
        mlp_.forward(workspace, normed_mid, saved.mlp, y);
    });
  }

  /// d += gradient through norm and branch, if `input_gradient`; the parameters' gradients in any case.
  template <class F>
  void branch_backward(Workspace<B>& workspace, Norm const& norm, std::optional<Norm> const& post_norm, In<T> x,
                       In<T> output, bool input_gradient, Out<T> d, F&& f) {
    auto scope = workspace.arena.scope();
    auto& backend = workspace.backend;
    auto const normed_x = normed(workspace, norm, x);
    In<T> dy = d;
    if (post_norm) {
      auto const before = workspace.template take<T>(d.rows, d.cols);
      set_zero(backend, before);
      post_norm->backward(workspace, output, d, before);
      dy = before;
    }
    Out<T> d_normed;
    if (input_gradient || norm.trained()) {
      d_normed = workspace.template take<T>(d.rows, d.cols);
      set_zero(backend, d_normed);
    }
    f(In<T>(normed_x), dy, d_normed);
    if (!d_normed.empty()) norm.backward(workspace, x, d_normed, d);
  }

  Norm input_norm_;
  AttentionModule attention_;
  Norm mlp_norm_;
  Mlp mlp_;
  std::optional<Norm> attention_post_norm_, mlp_post_norm_;
};

}  // namespace graft
