// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/combine.hpp>
#include <graft/io/atomic_directory.hpp>
#include <graft/io/lora_factors.hpp>
#include <graft/io/peft_config.hpp>
#include <graft/io/safetensors.hpp>
#include <graft/quant/decode.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace graft {

/// A LoRA adapter as it lies on disk, without a model: its settings and the factors of each module, by the module's name.
struct LoraFiles {
  Lora lora;
  PeftOrigin origin;
  std::map<std::string, LowRank, std::less<>> modules;
};

/// Reads a PEFT directory. Errors: [combine] tensors that are not lora_A or lora_B of a module (trained biases, whole modules),
/// one without the other, shapes that do not fit.
[[nodiscard]] inline LoraFiles read_lora(std::filesystem::path const& directory) {
  LoraFiles adapter;
  adapter.lora = read_peft_config(directory, &adapter.origin);
  SafetensorsFile const file(directory / "adapter_model.safetensors");
  constexpr std::string_view prefix = "base_model.model.", a_end = ".lora_A.weight", b_end = ".lora_B.weight";
  auto const decode = [&](TensorInfo const& tensor, std::vector<double>& values) {
    auto const storage = storage_of_dtype(tensor.dtype);
    require(storage.has_value() && tensor.shape.size() == 2, "combine", file.path().string(), ": ", tensor.name,
            " must be a matrix of F32, F16, BF16 or F64");
    values.resize(static_cast<std::size_t>(tensor.shape[0] * tensor.shape[1]));
    decode_rows(StoredMatrix{*storage, tensor.bytes.data(), tensor.shape[0], tensor.shape[1]}, 0, tensor.shape[0],
                MatrixView<double>(values.data(), tensor.shape[0], tensor.shape[1]));
  };
  for (TensorInfo const& a : file.tensors()) {
    bool const is_a = a.name.ends_with(a_end);
    require(a.name.starts_with(prefix) && (is_a || a.name.ends_with(b_end)), "combine", file.path().string(), ": the tensor ", a.name,
            " is no LoRA matrix; adapters that also train weights of the base cannot be combined or converted");
    std::string const module = a.name.substr(prefix.size(), a.name.size() - prefix.size() - a_end.size());
    auto const* const other = file.find(std::string(prefix) + module + std::string(is_a ? b_end : a_end));
    require(other != nullptr, "combine", file.path().string(), " has ", a.name, " without its other half");
    if (!is_a) continue;
    LowRank factors;
    decode(a, factors.a);
    decode(*other, factors.b);
    factors.rank = a.shape[0];
    factors.in = a.shape[1];
    factors.out = other->shape[0];
    require(other->shape[1] == factors.rank, "combine", file.path().string(), ": ", a.name, " and ", other->name, " have ranks ",
            factors.rank, " and ", other->shape[1]);
    adapter.modules.emplace(module, std::move(factors));
  }
  require(!adapter.modules.empty(), "combine", file.path().string(), " has no LoRA matrices");
  return adapter;
}

namespace detail {

/// The same product by factors of a larger rank, whose other rows and columns are zero.
[[nodiscard]] inline LowRank widened(LowRank const& product, Index rank) {
  LowRank wide = LowRank::zeros(rank, product.in, product.out);
  std::copy(product.a.begin(), product.a.end(), wide.a.begin());
  for (Index o = 0; o < product.out; ++o)
    for (Index r = 0; r < product.rank; ++r) wide.b_at(o, r) = product.b_at(o, r);
  return wide;
}

}  // namespace detail

/// Makes one adapter of several, as PEFT's `add_weighted_adapter`, and writes it as a PEFT directory: rank and alpha are the new
/// rank (the largest that a module has; smaller factors are filled with zeros), so its scaling is 1. A module that only some
/// adapters have gets those. One adapter alone is only scaled (linear), or cut to a rank by svd. Errors: [combine] see `read_lora` and `combine`.
inline void combine_adapters(std::vector<std::filesystem::path> const& directories, std::vector<double> const& weights,
                             CombineOptions options, std::filesystem::path const& output) {
  if (directories.size() == 1 && options.combination != Combination::svd) options.combination = Combination::linear;
  require(!directories.empty() && directories.size() == weights.size(), "combine", "each adapter needs one weight: got ",
          directories.size(), " adapters and ", weights.size(), " weights");
  std::vector<LoraFiles> adapters;
  std::set<std::string> names;
  bool turned = false;
  for (auto const& directory : directories) {
    adapters.push_back(read_lora(directory));
    for (auto const& [module, factors] : adapters.back().modules) names.insert(module);
    turned = turned || adapters.back().origin.fan_in_fan_out;
  }
  std::map<std::string, LowRank> combined;
  Index rank = 0;
  for (std::uint64_t stream = 0; auto const& module : names) {
    std::vector<LowRank> factors;
    std::vector<double> scaled;
    for (std::size_t i = 0; i < adapters.size(); ++i) {
      auto const found = adapters[i].modules.find(module);
      if (found == adapters[i].modules.end()) continue;
      factors.push_back(found->second);
      scaled.push_back(weights[i] * adapters[i].lora.for_module(module).scaling());
    }
    try {
      rank = std::max(rank, (combined[module] = combine(factors, scaled, options, stream++)).rank);
    } catch (Error const& error) {
      fail("combine", module, ": ", error.what());
    }
  }
  write_directory_atomically(output, [&](std::filesystem::path const& fresh) {
    for (auto& entry : combined) entry.second = detail::widened(entry.second, rank);
    write_lora_factors(fresh, combined);
    Lora const lora{.rank = rank, .alpha = static_cast<double>(rank)};
    write_peft_config(fresh, lora, {adapters.front().origin.base_model, turned}, {names.begin(), names.end()});
  });
}

}  // namespace graft
