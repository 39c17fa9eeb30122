// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/low_rank_start.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/adapter/strict_targets.hpp>
#include <graft/core/error.hpp>
#include <graft/io/atomic_directory.hpp>
#include <graft/io/lora_factors.hpp>
#include <graft/io/peft_config.hpp>
#include <graft/io/save_quantized.hpp>
#include <graft/io/stored_model.hpp>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace graft {

/// A model's files for the functions that write models, less what an adapter starts with (`low_rank_start`): what it gives for an
/// adapted weight is the base beneath the adapter. One weight at a time is in memory, and the adapter.
class StartedModel {
 public:
  using ScalarType = float;
  /// Replaces the values of a weight of that shape by what they are once stored.
  using Quantised = std::function<void(std::span<float>, std::vector<Index> const&)>;

  /// `files` must outlive this. `lora` says which modules, ranks and scaling. Errors: [lora] a model of another layout of weights; what
  /// `check_targets` and `Lora::check` say.
  StartedModel(ModelFiles const& files, Lora lora, LowRankStartOptions options, Quantised quantised)
      : stored_(files), lora_(std::move(lora)), options_(options), quantised_(std::move(quantised)) {
    require(files.config.model_type != "gpt2", "lora", "adapters that start from their weight are not made for gpt2");
    for (auto const& weight : stored_.weights())
      if (detail::is_quantized_by_transformers(weight.name, weight.shape)) {
        modules_.push_back(module_of(weight.name));
        if (lora_.targets(modules_.back())) adapted_.push_back(modules_.back());
      }
    check_targets(lora_.target_modules, adapted_, modules_);
    lora_.check(adapted_);
  }

  [[nodiscard]] ModelConfig const& config() const { return stored_.config(); }
  [[nodiscard]] static constexpr bool score_head() { return false; }
  [[nodiscard]] std::vector<WeightInfo> const& weights() const { return stored_.weights(); }
  [[nodiscard]] std::vector<std::string> const& adapted_modules() const { return adapted_; }

  void download_weight(std::size_t number, bool merged, std::span<float> host) const {
    stored_.download_weight(number, merged, host);
    auto const& weight = stored_.weights().at(number);
    if (!is_adapted(weight.name)) return;
    MatrixView<float> const w(host.data(), weight.shape[0], weight.shape[1]);
    subtract_low_rank(In<float>(w), start_of(weight, In<float>(w)).subtracted, w);
  }

  /// Writes the adapter's first values as a PEFT directory. `base`: its base_model_name_or_path.
  void save_adapter(std::filesystem::path const& directory, std::string const& base) const {
    std::map<std::string, LowRank> factors;
    for (std::size_t i = 0; i < stored_.weights().size(); ++i) {
      auto const& weight = stored_.weights()[i];
      if (!is_adapted(weight.name)) continue;
      std::vector<float> values(static_cast<std::size_t>(weight.shape[0] * weight.shape[1]));
      if (!starts_.contains(weight.name)) download_weight(i, true, values);
      factors.emplace(module_of(weight.name), starts_.at(weight.name).factors);
    }
    write_directory_atomically(directory, [&](std::filesystem::path const& fresh) {
      write_lora_factors(fresh, factors);
      write_peft_config(fresh, lora_, {.base_model = base}, peft_target_modules(adapted_, modules_));
    });
  }

 private:
  [[nodiscard]] static std::string module_of(std::string const& weight) { return weight.substr(0, weight.rfind('.')); }
  [[nodiscard]] bool is_adapted(std::string const& weight) const {
    return std::find(adapted_.begin(), adapted_.end(), module_of(weight)) != adapted_.end();
  }
  /// Found once: a format that is written in two passes must be given the same bits twice.
  [[nodiscard]] LowRankStartResult const& start_of(WeightInfo const& weight, In<float> w) const {
    auto const found = starts_.find(weight.name);
    if (found != starts_.end()) return found->second;
    Lora const own = lora_.for_module(module_of(weight.name));
    try {
      return starts_
          .emplace(weight.name, low_rank_start(w, own.rank, own.scaling(), options_,
                                               [&](std::span<float> values) { quantised_(values, weight.shape); }))
          .first->second;
    } catch (Error const& error) {
      fail("lora", weight.name, ": ", error.what());
    }
  }

  StoredModel stored_;
  Lora lora_;
  LowRankStartOptions options_;
  Quantised quantised_;
  std::vector<std::string> modules_, adapted_;
  mutable std::map<std::string, LowRankStartResult> starts_;
};

}  // namespace graft
