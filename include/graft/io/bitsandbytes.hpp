// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/io/safetensors.hpp>
#include <graft/io/safetensors_writer.hpp>
#include <graft/quant/encode_scaled.hpp>
#include <graft/quant/host_tensor.hpp>

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

namespace detail {

/// The tensor of a file with that name, or null.
using FindTensor = std::function<TensorInfo const*(std::string_view name)>;

/// The weight that a tensor of bitsandbytes' belongs to as a part ("….weight" for "….weight.absmax" and for "….SCB"), or "".
[[nodiscard]] std::string whole_of_part(std::string_view name);

/// Whether the weight `name` is stored as bitsandbytes stores it.
[[nodiscard]] bool stored_by_bitsandbytes(FindTensor const& find, std::string const& name);

/// The weight `name` of a file that transformers saved with load_in_4bit or load_in_8bit. Elements and scales stay in the file's
/// memory, which `owner` keeps. Errors: a part that is missing or does not fit, levels other than NF4's or FP4's.
[[nodiscard]] HostTensor read_bitsandbytes(FindTensor const& find, std::string const& name, std::shared_ptr<void const> owner,
                                           std::string const& place);

}  // namespace detail

/// What a weight needs beside its elements in a checkpoint of bitsandbytes: `weight.absmax`, `weight.quant_map`, … of nf4 and fp4,
/// `SCB` and `weight_format` of int8. Keeps copies: the elements may go.
class BitsAndBytesParts {
 public:
  /// `weight`: encoded; `dtype`: what bitsandbytes decodes it to, "bfloat16", "float16" or "float32".
  BitsAndBytesParts(std::string name, HostTensor const& weight, std::string_view dtype);

  /// Adds them to the tensors of a file, and with them the weight, whose elements `write` appends.
  void append(std::vector<TensorToWrite>& tensors, std::function<void(AtomicFile&)> write) const;
  /// Bytes of the elements and of all parts.
  [[nodiscard]] Index bytes() const;

 private:
  std::string name_;
  Storage storage_;
  std::vector<Index> shape_;
  std::array<float, 16> levels_;
  std::array<float, 256> map_;
  std::vector<std::byte> absmax_, codes_;
  std::string state_;  ///< JSON of what is not a tensor
};

/// Adds `quantization_config` to the config.json in `directory`, as transformers writes it. `four_bit` null: 8 bits.
void write_quantization_config(std::filesystem::path const& directory, FourBit const* four_bit, std::string_view dtype);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/io/bitsandbytes.tpp>
#endif
