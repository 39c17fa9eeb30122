// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/low_rank_svd.hpp>
#include <graft/io/safetensors_writer.hpp>

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace graft {

/// Writes adapter_model.safetensors into `directory`: lora_A and lora_B of each module, by its name, in F32 under PEFT's names.
inline void write_lora_factors(std::filesystem::path const& directory, std::map<std::string, LowRank> const& modules) {
  std::vector<std::vector<float>> memory;
  std::vector<TensorToWrite> tensors;
  memory.reserve(2 * modules.size());
  auto const add = [&](std::string const& name, std::vector<Index> shape, std::vector<double> const& values) {
    auto const& floats = memory.emplace_back(values.begin(), values.end());
    tensors.push_back({"base_model.model." + name, "F32", std::move(shape), std::as_bytes(std::span(floats)), {}});
  };
  for (auto const& [module, factors] : modules) {
    add(module + ".lora_A.weight", {factors.rank, factors.in}, factors.a);
    add(module + ".lora_B.weight", {factors.out, factors.rank}, factors.b);
  }
  write_safetensors(directory / "adapter_model.safetensors", tensors);
}

}  // namespace graft
