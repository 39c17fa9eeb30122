// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/model/transformer.hpp>

#include <cmath>
#include <string>
#include <type_traits>
#include <utility>

namespace graft {

template <class Arch, Scalar T, class B, class A>
Transformer<Arch, T, B, A>::Transformer(ModelConfig config, A adapter, B& backend, WeightProvider const& weights)
    : config_(std::move(config)), adapter_(std::move(adapter)), backend_(&backend) {
  require(config_.final_logit_softcap == 0, "model", "final_logit_softcap=", config_.final_logit_softcap,
          " is not supported: the head computes plain logits");
  Builder<T, B, A> builder{backend, adapter_, weights, Arch::norm_offset};
  Index const hidden = config_.hidden_size;
  double const scale = Arch::scaled_embedding ? std::sqrt(static_cast<double>(hidden)) : 1.0;
  embedding_ = std::make_unique<Embedding<T, B>>(builder, Arch::embedding_name, config_.vocab_size, hidden, scale);
  if constexpr (Arch::learned_positions)
    position_embedding_ = std::make_unique<Embedding<T, B>>(builder, Arch::positions_name, config_.max_position_embeddings, hidden, 1.0);
  for (Index layer = 0; layer < config_.num_hidden_layers; ++layer)
    blocks_.emplace_back(builder, Arch::layers_name + ("." + std::to_string(layer)), block_config(layer));
  final_norm_.emplace(builder, Arch::final_norm_name, hidden, config_.norm_eps);
  if (!config_.tie_word_embeddings)
    head_weight_ = std::make_unique<Weight<T, B>>(
        builder.weight(std::string(Arch::head_name) + ".weight", {config_.vocab_size, hidden}));
  head_.emplace(head_weight_ ? *head_weight_ : embedding_->weight());
  check_adapter(builder);
  collect_trainable();
  first_trained_ = 0;
  while (first_trained_ < blocks_.size() && !blocks_[first_trained_].trained()) ++first_trained_;
  if (embeddings_trained()) first_trained_ = 0;
  global_rope_ = rope_frequencies(config_.head_dim, config_.rope_theta, config_.rope_scaling);
  local_rope_ = rope_frequencies(config_.head_dim, config_.rope_local_theta, RopeScaling{});
}

template <class Arch, Scalar T, class B, class A>
std::vector<WeightInfo> Transformer<Arch, T, B, A>::weights() const {
  std::vector<WeightInfo> infos;
  visit_weights([&](auto const& weight, auto const* layer) {
    infos.push_back({weight.name(), weight.shape(), weight.storage(), weight.trained(), layer != nullptr, weight.bytes()});
  });
  return infos;
}

template <class Arch, Scalar T, class B, class A>
std::vector<std::string> Transformer<Arch, T, B, A>::linear_modules() const {
  std::vector<std::string> names;
  for (auto const& block : blocks_)
    block.visit_linears([&](auto const& linear) { names.push_back(linear.name()); });
  return names;
}

template <class Arch, Scalar T, class B, class A>
BlockConfig Transformer<Arch, T, B, A>::block_config(Index layer) const {
  BlockConfig block;
  block.attention.hidden_size = config_.hidden_size;
  block.attention.shape = {config_.num_attention_heads, config_.num_key_value_heads, config_.head_dim,
                           config_.softmax_scale(), config_.is_sliding(layer) ? config_.sliding_window : 0};
  block.attention.norm_eps = config_.norm_eps;
  block.attention.rope = !Arch::learned_positions && config_.uses_rope(layer);
  block.attention.qkv_bias = Arch::qkv_bias || config_.attention_bias;
  block.attention.output_bias = !Arch::qkv_bias && config_.attention_bias;
  block.intermediate_size = config_.intermediate_size;
  block.norm_eps = config_.norm_eps;
  block.mlp_bias = config_.mlp_bias;
  return block;
}

template <class Arch, Scalar T, class B, class A>
template <class F>
void Transformer<Arch, T, B, A>::visit_weights(F&& visit) const {
  AdapterLayer const* const none = nullptr;
  auto const with_layer = [&](auto const& weight, auto layer) {
    if constexpr (std::is_null_pointer_v<decltype(layer)>)
      visit(weight, none);
    else
      visit(weight, layer);
  };
  visit(embedding_->weight(), none);
  if (position_embedding_) visit(position_embedding_->weight(), none);
  for (auto const& block : blocks_) block.visit(with_layer);
  final_norm_->visit(with_layer);
  if (head_weight_) visit(*head_weight_, none);
}

template <class Arch, Scalar T, class B, class A>
void Transformer<Arch, T, B, A>::check_adapter(Builder<T, B, A>& builder) {
  adapted_ = builder.adapted;
  std::string const head = Arch::head_name;
  require(!config_.tie_word_embeddings || !trains_base_parameter(adapter_, head + ".weight") || embedding_->trained(),
          "model", head, " shares its weight with ", Arch::embedding_name, ": name the latter to train it");
  if constexpr (!std::is_null_pointer_v<decltype(target_modules_of(adapter_))>)
    if (auto const* targets = target_modules_of(adapter_)) check_targets(*targets, adapted_, linear_modules());
  if constexpr (requires { adapter_.check(adapted_); }) adapter_.check(adapted_);
}

template <class Arch, Scalar T, class B, class A>
void Transformer<Arch, T, B, A>::collect_trainable() {
  trainable_.backend = backend_;
  embedding_->append(trainable_.params);
  if (position_embedding_) position_embedding_->append(trainable_.params);
  for (auto& block : blocks_) block.append(trainable_.params);
  final_norm_->append(trainable_.params);
  if (head_weight_) head_weight_->append(trainable_.params);
}

template <class Arch, Scalar T, class B, class A>
void Transformer<Arch, T, B, A>::add_score_head(ScoreHeadSpec const& spec) {
  require(!score_head_, "score", "this model has a score head already");
  score_head_.emplace(*backend_, spec, config_.hidden_size);
  score_head_->append(trainable_.params);
  twin_.reset();
}

template <class Arch, Scalar T, class B, class A>
void Transformer<Arch, T, B, A>::download_weight(std::size_t number, bool merged, std::span<T> host) const {
  std::size_t i = 0;
  visit_weights([&](Weight<T, B> const& weight, AdapterLayer const* layer) {
    if (i++ != number) return;
    weight.download(*backend_, host);
    if (!merged || layer == nullptr) return;
    // An adapter may need as much again, twice, to make its Δ.
    Arena<B> arena(*backend_, static_cast<std::size_t>(4 * weight.rows() * weight.cols()) * sizeof(T) + (1u << 20));
    Workspace<B> ws{*backend_, arena};
    auto const dense = ws.template take<T>(weight.rows(), weight.cols());
    backend_->upload(host.data(), dense.data, host.size_bytes());
    layer->merge_into(ws, dense);
    backend_->download(dense.data, host.data(), host.size_bytes());
  });
}

}  // namespace graft
