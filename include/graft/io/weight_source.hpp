// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/io/gguf.hpp>
#include <graft/io/sharded_safetensors.hpp>
#include <graft/quant/host_tensor.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

/// Model weights under their Hugging Face names ("model.layers.0.self_attn.q_proj.weight"), whatever file they are in.
class WeightSource {
 public:
  WeightSource() = default;
  WeightSource(WeightSource const&) = delete;
  WeightSource& operator=(WeightSource const&) = delete;
  virtual ~WeightSource() = default;

  [[nodiscard]] virtual bool has(std::string_view name) const = 0;

  /// The tensor in Hugging Face's layout, but linear modules always (out, in) (see io/conv1d.hpp); its memory is usually the mapped file's and may be unaligned.
  /// Errors: no such tensor; a type that graft does not compute with.
  [[nodiscard]] virtual HostTensor get(std::string_view name) const = 0;

  /// Everything that `get` gives, sorted. A loader that asks for each name once finds what a model has no place for.
  [[nodiscard]] virtual std::vector<std::string> names() const = 0;

  /// The file or directory, for messages.
  [[nodiscard]] virtual std::filesystem::path path() const = 0;

  /// Takes what was read so far out of this process's memory: weights that a model copied, to train them, would count twice.
  /// Weights that it reads in place come back when they are touched.
  virtual void drop_pages() const = 0;
};

/// Weights of a Hugging Face directory or a single safetensors file: F64, F32, F16, BF16, and what bitsandbytes quantised
/// (nf4, fp4, int8: a weight with its parts is one tensor here). The prefix that multimodal models put before their language
/// model ("language_model.", or "model.language_model.") is taken off, and the "model." (GPT-2: "transformer.") that
/// checkpoints of the bare decoder lack is put before. Errors: two tensors that get the same name.
class SafetensorsWeights final : public WeightSource {
 public:
  explicit SafetensorsWeights(std::filesystem::path const& path);

  [[nodiscard]] bool has(std::string_view name) const override { return tensors_.find(name) != tensors_.end(); }
  [[nodiscard]] HostTensor get(std::string_view name) const override;
  [[nodiscard]] std::vector<std::string> names() const override;
  [[nodiscard]] std::filesystem::path path() const override { return path_; }
  void drop_pages() const override {
    for (auto const& file : files_.files()) file.mapping().drop_pages();
  }

 private:
  std::filesystem::path path_;
  ShardedSafetensors files_;
  std::map<std::string, TensorInfo const*, std::less<>> tensors_;
  std::map<std::string, TensorInfo const*, std::less<>> parts_;  ///< of weights that bitsandbytes quantised
};

/// Weights of a GGUF model of architecture llama, smollm3, qwen2, qwen3, gemma3 or gpt2, in their block formats. What
/// llama.cpp's converter changed is undone: for llama and smollm3 the rows of q and k go back from interleaved to split
/// rotary pairs (whole rows are copied, so blocks stay exact, once for all who hold them at a time); for gemma3 the norms,
/// stored as 1 + w, become w again, subtracted in float (exact where
/// 1 + w ≥ 1/2, else within 2^-25). A tensor without a Hugging Face name keeps its own; `rope_freqs.weight` belongs to the
/// configuration (`read_gguf_config`) and is not listed.
class GgufWeights final : public WeightSource {
 public:
  /// Errors: another architecture, an adapter instead of a model, one part of a split file.
  explicit GgufWeights(GgufFile file);

  [[nodiscard]] bool has(std::string_view name) const override { return tensors_.find(name) != tensors_.end(); }
  [[nodiscard]] HostTensor get(std::string_view name) const override;
  [[nodiscard]] std::vector<std::string> names() const override;
  [[nodiscard]] std::filesystem::path path() const override { return file_.path(); }
  void drop_pages() const override { file_.mapping().drop_pages(); }

  [[nodiscard]] GgufFile const& file() const { return file_; }

 private:
  void split_rotary_pairs(GgufTensor const& tensor, HostTensor& out) const;
  void subtract_one(HostTensor& out) const;

  GgufFile file_;
  std::string architecture_;
  std::map<std::string, GgufTensor const*, std::less<>> tensors_;
  mutable std::mutex mutex_;  // guards the copies, which models share while one of them lives
  mutable std::map<GgufTensor const*, std::weak_ptr<std::byte[]>> copies_;
};

/// Opens the weights at `path`: a GGUF file, a safetensors file or its index, or a directory that holds safetensors.
/// Errors: nothing there, a pickle (.bin, .pt: it could run code), anything else.
[[nodiscard]] std::unique_ptr<WeightSource> open_weights(std::filesystem::path const& path);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/io/weight_source.tpp>
#endif
