// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/model/config.hpp>
#include <graft/nn/attention.hpp>

#include <span>
#include <vector>

namespace graft {

/// Keys and values of up to `slots` sequences of up to `capacity` tokens, for every layer, in backend memory.
template <Scalar T, class B>
class KvCache {
 public:
  KvCache(B& backend, ModelConfig const& config, Index slots, Index capacity)
      : backend_(&backend), capacity_(capacity), width_(config.num_key_value_heads * config.head_dim) {
    for (Index layer = 0; layer < config.num_hidden_layers; ++layer) {
      memory_.emplace_back(backend, 2 * slots * capacity * width_);
      T* const keys = memory_.back().data();
      layers_.push_back({keys, keys + slots * capacity * width_, capacity});
    }
  }

  [[nodiscard]] static std::size_t bytes_per_token(ModelConfig const& config) {
    return static_cast<std::size_t>(2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim) * sizeof(T);
  }

  [[nodiscard]] std::span<CacheLayer<T> const> layers() const { return layers_; }
  [[nodiscard]] Index capacity() const { return capacity_; }

  /// Makes the first `tokens` tokens of slot `to` those of slot `from`.
  void copy_prefix(Index from, Index to, Index tokens) {
    for (auto const& layer : layers_)
      for (T* base : {layer.keys, layer.values})
        backend_->copy(In<T>(base + from * capacity_ * width_, tokens, width_),
                       Out<T>(base + to * capacity_ * width_, tokens, width_));
  }

 private:
  B* backend_;
  Index capacity_;
  Index width_;
  std::vector<Buffer<T, B>> memory_;
  std::vector<CacheLayer<T>> layers_;
};

}  // namespace graft
