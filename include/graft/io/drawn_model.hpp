// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/parallel.hpp>
#include <graft/core/rng.hpp>
#include <graft/io/model_files.hpp>
#include <graft/model/transformer.hpp>
#include <graft/text/byte_alphabet.hpp>
#include <graft/text/tokenizer_spec.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace graft {

/// A tokenizer of the 256 bytes and an end-of-text token: for models without one.
[[nodiscard]] inline TokenizerSpec byte_tokenizer_spec() {
  TokenizerSpec spec;
  for (unsigned byte = 0; byte < 256; ++byte) spec.tokens.push_back(detail::byte_alphabet().symbol(static_cast<unsigned char>(byte)));
  spec.tokens.emplace_back("<|endoftext|>");
  spec.added_tokens.push_back({.id = 256, .content = "<|endoftext|>", .special = true});
  spec.eos = spec.bos = spec.pad = 256;
  return spec;
}

/// A model of given sizes whose weights are drawn: to measure speed and memory at sizes whose files are not at hand. For the
/// functions that write models, like `StoredModel`. Weights have mean 0 and standard deviation 0.02, those that write to the
/// residual stream 0.02/√(2·layers), so that activations keep their size; gains are 1, biases 0. The distribution is the sum
/// of four uniform bytes, near to normal. Any weight can be drawn alone, to the same bits with any number of threads.
class DrawnModel {
 public:
  using ScalarType = float;

  /// `weights`: the names and shapes of the model's weights in order, as a transformer lists them.
  DrawnModel(ModelConfig config, std::vector<WeightInfo> weights, std::uint64_t seed)
      : config_(std::move(config)), weights_(std::move(weights)), seed_(seed) {}

  [[nodiscard]] ModelConfig const& config() const { return config_; }
  [[nodiscard]] static constexpr bool score_head() { return false; }
  [[nodiscard]] std::vector<WeightInfo> const& weights() const { return weights_; }

  /// Draws weight `number`.
  void download_weight(std::size_t number, bool, std::span<float> host) const {
    WeightInfo const& weight = weights_.at(number);
    if (weight.shape.size() == 1) {
      std::ranges::fill(host, weight.name.ends_with(".bias") ? 0.0f : 1.0f);
      return;
    }
    bool const to_residual = weight.name.ends_with("o_proj.weight") || weight.name.ends_with("down_proj.weight");
    double const deviation = 0.02 / (to_residual ? std::sqrt(2.0 * static_cast<double>(config_.num_hidden_layers)) : 1.0);
    constexpr double deviation_of_sum = 147.8016;  // √(4·(256² - 1)/12)
    auto const unit = static_cast<float>(deviation / deviation_of_sum);
    Philox const random{seed_, number};
    parallel_blocks(static_cast<Index>(host.size() + 3) / 4, 1 << 14, [&](Index first, Index last) {
      for (Index block = first; block < last; ++block) {
        auto const words = random.block(static_cast<std::uint64_t>(block));
        for (std::size_t k = 0; k < 4; ++k) {
          auto const at = static_cast<std::size_t>(block) * 4 + k;
          if (at >= host.size()) break;
          std::uint32_t const w = words[k];
          auto const sum = static_cast<int>((w & 255) + (w >> 8 & 255) + (w >> 16 & 255) + (w >> 24));
          host[at] = static_cast<float>(sum - 510) * unit;
        }
      }
    });
  }

 private:
  ModelConfig config_;
  std::vector<WeightInfo> weights_;
  std::uint64_t seed_;
};

}  // namespace graft
