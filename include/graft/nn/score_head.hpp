// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/arena.hpp>
#include <graft/backend/concept.hpp>
#include <graft/core/rng.hpp>
#include <graft/nn/weight.hpp>

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace graft {

/// What a score head is made from. The weight starts normal with `initializer_range` as its standard deviation.
struct ScoreHeadSpec {
  Index num_labels = 1;  ///< values for each row: one for a reward or a value function
  std::uint64_t seed = 0;
  double initializer_range = 0.02;
  friend bool operator==(ScoreHeadSpec const&, ScoreHeadSpec const&) = default;
};

/// s = h·Wᵀ: `num_labels` numbers for each of N hidden states (N, C), with W (num_labels, C) and no bias. It is the head
/// `score` of Hugging Face's sequence classifiers, and of TRL's reward and value models; its parameter is `score.weight`,
/// always trained. Backward: dh += ds·W, dW += dsᵀ·h. Source: Stiennon et al., "Learning to summarize from human feedback",
/// 2020, section 3.4.
template <Scalar T, class B>
class ScoreHead {
 public:
  ScoreHead(B& backend, ScoreHeadSpec const& spec, Index width) : spec_(spec) {
    require(spec.num_labels >= 1, "score", "num_labels must be 1 or more: got ", spec.num_labels);
    require(std::isfinite(spec.initializer_range) && spec.initializer_range >= 0, "score",
            "initializer_range must be 0 or more: got ", spec.initializer_range);
    host_.resize(static_cast<std::size_t>(spec.num_labels * width));
    Rng rng(spec.seed, stream);
    for (T& value : host_) value = static_cast<T>(spec.initializer_range * rng.normal());
    HostTensor const initial{Weight<T, B>::dense_storage(), {spec.num_labels, width}, reinterpret_cast<std::byte const*>(host_.data()), nullptr};
    weight_ = Weight<T, B>(backend, "score.weight", initial, true);
  }

  /// The scores of `hidden` (N, C) to `scores` (N·num_labels), row by row.
  void forward(Workspace<B>& workspace, In<T> hidden, std::span<double> scores) {
    auto scope = workspace.arena.scope();
    auto const device = workspace.template take<T>(hidden.rows, spec_.num_labels);
    workspace.backend.linear_forward(hidden, weight_.stored(), device);
    host_.resize(scores.size());
    workspace.backend.download(device.data, host_.data(), host_.size() * sizeof(T));
    for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = static_cast<double>(host_[i]);
  }

  /// For the gradient (N·num_labels) of the scores: d_hidden (N, C) += …, and the weight's gradient += ….
  void backward(Workspace<B>& workspace, In<T> hidden, std::span<double const> gradient, Out<T> d_hidden) {
    auto scope = workspace.arena.scope();
    auto& backend = workspace.backend;
    auto const device = workspace.template take<T>(hidden.rows, spec_.num_labels);
    host_.assign(gradient.begin(), gradient.end());
    backend.upload(host_.data(), device.data, host_.size() * sizeof(T));
    backend.linear_backward_input(In<T>(device), weight_.stored(), d_hidden);
    backend.gemm(Op::transpose, Op::none, T{1}, In<T>(device), hidden, T{1}, weight_.grad());
  }

  void append(Params<T>& params) const { weight_.append(params); }
  [[nodiscard]] ScoreHeadSpec const& spec() const { return spec_; }
  [[nodiscard]] Weight<T, B> const& weight() const { return weight_; }

 private:
  static constexpr std::uint64_t stream = 0x73636f7265;  // apart from the adapters' streams, which count modules

  ScoreHeadSpec spec_;
  Weight<T, B> weight_;
  std::vector<T> host_;
};

}  // namespace graft
