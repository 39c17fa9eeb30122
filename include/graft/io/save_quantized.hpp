// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/atomic_directory.hpp>
#include <graft/io/bitsandbytes.hpp>
#include <graft/io/save_model.hpp>
#include <graft/quant/decode.hpp>
#include <graft/quant/encode.hpp>
#include <graft/quant/encode_scaled.hpp>

#include <cmath>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

/// What quantising a model came to.
struct QuantizationReport {
  Index quantized_weights = 0;    ///< elements that were quantised
  Index quantized_bytes = 0;      ///< of those, with all constants
  Index other_bytes = 0;          ///< embedding, head, norms and biases
  double squared_error = 0;       ///< Σ (decoded - exact)² over the quantised weights
  double squares = 0;             ///< Σ exact²

  [[nodiscard]] double bits_per_weight() const { return 8.0 * static_cast<double>(quantized_bytes) / static_cast<double>(quantized_weights); }
  /// √(Σ error² / Σ exact²).
  [[nodiscard]] double relative_error() const { return std::sqrt(squared_error / squares); }

  /// Counts one weight.
  void add(std::vector<float> const& exact, std::vector<float> const& decoded, Index bytes) {
    quantized_weights += static_cast<Index>(exact.size());
    quantized_bytes += bytes;
    for (std::size_t i = 0; i < exact.size(); ++i) {
      auto const x = static_cast<double>(exact[i]), off = static_cast<double>(decoded[i]) - x;
      squared_error += off * off;
      squares += x * x;
    }
  }
};

namespace detail {

/// Linear modules are quantised; the embedding, the head, vectors are not, as transformers does it.
[[nodiscard]] inline bool is_quantized_by_transformers(std::string_view name, std::vector<Index> const& shape) {
  return shape.size() == 2 && name.ends_with(".weight") && name.find("embed_tokens") == std::string_view::npos &&
         !name.starts_with("lm_head");
}

[[nodiscard]] inline HostTensor encode_for_checkpoint(FourBit const* four_bit, std::vector<float>& values, std::vector<Index> shape) {
  if (four_bit != nullptr) return encode_4bit(*four_bit, values, std::move(shape));
  for (float& value : values) value = to_float(to_f16(value));  // what Int8Params quantises
  return encode_int8(values, std::move(shape));
}

template <class Model>
[[nodiscard]] std::vector<float> merged_weight(Model const& model, std::size_t number, std::vector<Index> const& shape) {
  using T = typename Model::ScalarType;
  Index size = 1;
  for (Index const n : shape) size *= n;
  std::vector<T> values(static_cast<std::size_t>(size));
  model.download_weight(number, true, values);
  if constexpr (std::is_same_v<T, float>) return values;
  else return {values.begin(), values.end()};
}

}  // namespace detail

/// Writes the model, with its adapter merged in, as a Hugging Face directory that transformers loads with bitsandbytes and that
/// graft loads too: linear modules as nf4 or fp4 (`four_bit`) or, where that is null, as int8; the rest as `rest` (bf16, f16 or
/// f32). Weights pass through memory one at a time, twice: for their scales and for their elements.
template <class Model>
QuantizationReport save_quantized(Model const& model, ModelFiles const& files, std::filesystem::path const& directory,
                                  FourBit const* four_bit, Storage rest = Storage::bf16) {
  require(rest == Storage::bf16 || rest == Storage::f16 || rest == Storage::f32, "quantize",
          "what is not quantised can be written as bf16, f16 or f32: got ", name(rest));
  std::string const dtype = rest == Storage::bf16 ? "bfloat16" : rest == Storage::f16 ? "float16" : "float32";
  QuantizationReport report;
  auto const weights = model.weights();
  write_directory_atomically(directory, [&](std::filesystem::path const& fresh) {
    std::vector<BitsAndBytesParts> parts;
    std::vector<std::size_t> numbers;
    std::vector<TensorToWrite> tensors;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      auto const& weight = weights[i];
      if (detail::is_quantized_by_transformers(weight.name, weight.shape)) {
        auto values = detail::merged_weight(model, i, weight.shape);
        std::vector<float> const exact = values;
        HostTensor const encoded = detail::encode_for_checkpoint(four_bit, values, weight.shape);
        decode_rows(encoded.matrix(), 0, encoded.rows(), MatrixView<float>(values.data(), encoded.rows(), encoded.cols()));
        numbers.push_back(i);
        parts.emplace_back(weight.name, encoded, dtype);
        report.add(exact, values, parts.back().bytes());
      } else {
        Index size = 1;
        for (Index const n : weight.shape) size *= n;
        report.other_bytes += row_bytes(rest, size);
        tensors.push_back({weight.name, dtype_of_storage(rest), weight.shape, {}, [&, i](AtomicFile& file) {
                             auto const values = detail::merged_weight(model, i, weights[i].shape);
                             auto const count = static_cast<Index>(values.size());
                             std::vector<std::byte> bytes(static_cast<std::size_t>(row_bytes(rest, count)));
                             encode_row(rest, values.data(), count, bytes.data());
                             file.write(bytes);
                           }});
      }
    }
    for (std::size_t k = 0; k < parts.size(); ++k)
      parts[k].append(tensors, [&, i = numbers[k]](AtomicFile& file) {
        auto values = detail::merged_weight(model, i, weights[i].shape);
        HostTensor const encoded = detail::encode_for_checkpoint(four_bit, values, weights[i].shape);
        file.write({encoded.data, static_cast<std::size_t>(encoded.matrix().bytes())});
      });
    write_safetensors(fresh / "model.safetensors", tensors);
    ModelConfig config = model.config();
    config.dtype = dtype;
    write_hf_config(config, fresh, files.generation);
    write_quantization_config(fresh, four_bit, dtype);
    write_hf_tokenizer(files.tokenizer->spec(), fresh);
  });
  return report;
}

}  // namespace graft
