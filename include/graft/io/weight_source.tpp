// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/io/bitsandbytes.hpp>
#include <graft/io/conv1d.hpp>
#include <graft/io/gguf_names.hpp>
#include <graft/io/gguf_rotary.hpp>
#include <graft/io/mapped_file.hpp>
#include <graft/io/printable.hpp>
#include <graft/io/weight_source.hpp>
#include <graft/quant/decode.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

namespace graft {

namespace detail {

template <class Map>
[[nodiscard]] std::vector<std::string> keys_of(Map const& map) {
  std::vector<std::string> keys;
  keys.reserve(map.size());
  for (auto const& [key, value] : map) keys.push_back(key);
  return keys;
}

/// The name that a causal language model has for a tensor of a safetensors file. `bare`: the file lacks the prefix "model."
/// (GPT-2: "transformer.").
[[nodiscard]] inline std::string language_model_name(std::string_view name, bool bare) {
  for (std::string_view const prefix : {"model.language_model.", "language_model.model."})
    if (name.starts_with(prefix)) return "model." + std::string(name.substr(prefix.size()));
  if (name.starts_with("language_model.")) return std::string(name.substr(15));
  bool const part = name.starts_with("embed_tokens.") || name.starts_with("layers.") || name.starts_with("norm.");
  if (bare && part) return "model." + std::string(name);
  bool const gpt2 = name.starts_with("wte.") || name.starts_with("wpe.") || name.starts_with("h.") || name.starts_with("ln_f.");
  return bare && gpt2 ? "transformer." + std::string(name) : std::string(name);
}

[[nodiscard]] inline std::shared_ptr<std::byte[]> allocate_bytes(Index size) {
  return std::shared_ptr<std::byte[]>(new std::byte[static_cast<std::size_t>(size)]);
}

}  // namespace detail

GRAFT_INLINE SafetensorsWeights::SafetensorsWeights(std::filesystem::path const& path) : path_(path), files_(path) {
  std::vector<std::string> const names = files_.names();
  bool const bare = std::ranges::none_of(names, [](auto const& name) {
    return name.starts_with("model.") || name.starts_with("language_model.") || name.starts_with("transformer.");
  });
  for (std::string const& name : names) {
    std::string const canonical = detail::language_model_name(name, bare);
    TensorInfo const* const tensor = files_.find(name);
    auto const [known, fresh] = tensors_.emplace(canonical, tensor);
    if (!fresh)
      fail("weights", path.string(), ": the tensors ", printable(known->second->name), " and ", printable(name),
           " are both the model's ", printable(canonical));
  }
  auto const find = [this](std::string_view name) -> TensorInfo const* {
    auto const found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : found->second;
  };
  for (auto const& [name, tensor] : tensors_)
    if (std::string const whole = detail::whole_of_part(name); !whole.empty() && detail::stored_by_bitsandbytes(find, whole))
      parts_.emplace(name, tensor);
  for (auto const& [name, tensor] : parts_) tensors_.erase(name);
}

GRAFT_INLINE HostTensor SafetensorsWeights::get(std::string_view name) const {
  auto const found = tensors_.find(name);
  require(found != tensors_.end(), "weights", path_.string(), " has no tensor ", name);
  TensorInfo const& tensor = *found->second;
  auto const find = [this](std::string_view part) -> TensorInfo const* {
    for (auto const* const map : {&parts_, &tensors_})
      if (auto const at = map->find(part); at != map->end()) return at->second;
    return nullptr;
  };
  if (std::string const whole(name); detail::stored_by_bitsandbytes(find, whole))
    return detail::read_bitsandbytes(find, whole, files_.owner(), path_.string());
  auto const storage = storage_of_dtype(tensor.dtype);
  require(storage.has_value(), "weights", path_.string(), ": tensor ", printable(tensor.name), " has dtype ", tensor.dtype,
          ", which graft does not compute with: F32, F16, BF16 and F64 are possible");
  HostTensor const stored{*storage, tensor.shape, tensor.bytes.data(), files_.owner(), nullptr, true};
  return is_conv1d_weight(name) && tensor.shape.size() == 2 ? detail::transposed(stored) : stored;
}

GRAFT_INLINE std::vector<std::string> SafetensorsWeights::names() const { return detail::keys_of(tensors_); }

GRAFT_INLINE GgufWeights::GgufWeights(GgufFile file) : file_(std::move(file)), architecture_(file_.architecture()) {
  std::string const place = file_.path().string();
  std::string const type = file_.find<std::string>("general.type").value_or("model");
  require(type != "adapter", "weights", place, " is an adapter, not a model");
  require(file_.find<std::int64_t>("split.count").value_or(1) <= 1, "weights", place,
          " is one part of a split model: join the parts with llama.cpp's gguf-split --merge");
  require(detail::find_gguf_names(architecture_) != nullptr, "weights", place, ": the architecture must be ",
          detail::gguf_architectures, ": got ", printable(architecture_));
  for (GgufTensor const& tensor : file_.tensors()) {
    if (tensor.name == "rope_freqs.weight") continue;
    std::string const name = hf_name_of_gguf(architecture_, tensor.name).value_or(tensor.name);
    if (!tensors_.emplace(name, &tensor).second)
      fail("weights", place, ": two tensors are the model's ", printable(name));
  }
}

GRAFT_INLINE HostTensor GgufWeights::get(std::string_view name) const {
  auto const found = tensors_.find(name);
  require(found != tensors_.end(), "weights", file_.path().string(), " has no tensor ", name);
  GgufTensor const& tensor = *found->second;
  HostTensor out{tensor.storage(), tensor.shape, tensor.bytes.data(), file_.mapping().owner(), nullptr, true};
  std::string_view const own = tensor.name;
  bool const rotary = own.starts_with("blk.") && (own.ends_with(".attn_q.weight") || own.ends_with(".attn_k.weight") ||
                                                  own.ends_with(".attn_q.bias") || own.ends_with(".attn_k.bias"));
  if (detail::interleaves_rotary_pairs(architecture_) && rotary) split_rotary_pairs(tensor, out);
  if (architecture_ == "gemma3" && own.ends_with("norm.weight")) subtract_one(out);
  return out;
}

/// Within a head of D rows the file's row 2i + s is Hugging Face's row s·D/2 + i.
GRAFT_INLINE void GgufWeights::split_rotary_pairs(GgufTensor const& tensor, HostTensor& out) const {
  bool const query = tensor.name.find(".attn_q.") != std::string::npos;
  Index const all_heads = file_.get<std::int64_t>(architecture_ + ".attention.head_count");
  Index const heads = query ? all_heads : file_.find<std::int64_t>(architecture_ + ".attention.head_count_kv").value_or(all_heads);
  bool const matrix = tensor.shape.size() > 1;
  Index const rows = matrix ? out.rows() : out.cols();
  require(heads >= 1 && rows % heads == 0 && rows / heads % 2 == 0, "weights", file_.path().string(), ": the ", rows, " rows of tensor ",
          tensor.name, " do not make ", heads, " heads of an even size");
  require(matrix || !is_quantized(out.storage), "weights", file_.path().string(), ": the bias ", tensor.name, " is quantised");
  std::scoped_lock const lock(mutex_);
  auto& copy = copies_[&tensor];
  auto memory = copy.lock();
  if (!memory) {
    auto const row_size = static_cast<std::size_t>(matrix ? row_bytes(out.storage, out.cols()) : block_bytes(out.storage));
    memory = detail::allocate_bytes(rows * static_cast<Index>(row_size));
    Index const size = rows / heads, half = size / 2;
    for (Index row = 0; row < rows; ++row) {
      Index const inside = row % size;
      Index const target = row - inside + inside % 2 * half + inside / 2;
      std::memcpy(memory.get() + target * static_cast<Index>(row_size), out.data + row * static_cast<Index>(row_size), row_size);
    }
    copy = memory;
  }
  out.data = memory.get();
  out.owner = memory;
  out.mapped = false;
}

GRAFT_INLINE void GgufWeights::subtract_one(HostTensor& out) const {
  Index const size = out.rows() * out.cols();
  auto const memory = detail::allocate_bytes(size * static_cast<Index>(sizeof(float)));
  auto* const values = reinterpret_cast<float*>(memory.get());
  decode_rows(out.matrix(), 0, out.rows(), MatrixView<float>(values, out.rows(), out.cols()));
  for (Index i = 0; i < size; ++i) values[i] -= 1.0f;
  out.storage = Storage::f32;
  out.data = memory.get();
  out.owner = memory;
  out.mapped = false;
}

GRAFT_INLINE std::vector<std::string> GgufWeights::names() const { return detail::keys_of(tensors_); }

GRAFT_INLINE std::unique_ptr<WeightSource> open_weights(std::filesystem::path const& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  require(fs::exists(path, ignored), "weights", "there is no file or directory ", path.string());
  constexpr std::string_view pickle = "is a pickle, which can run code when it is read: convert it to safetensors";
  if (fs::is_directory(path, ignored)) {
    if (fs::exists(path / "model.safetensors", ignored) || fs::exists(path / "model.safetensors.index.json", ignored))
      return std::make_unique<SafetensorsWeights>(path);
    std::string hint;
    for (auto const& entry : fs::directory_iterator(path, ignored)) {
      std::string const file = entry.path().filename().string();
      if (file.ends_with(".gguf")) hint = "; give the file itself: " + entry.path().string();
      if (hint.empty() && file.ends_with(".bin")) hint = "; " + file + " " + std::string(pickle);
    }
    fail("weights", path.string(), " holds neither model.safetensors nor model.safetensors.index.json", hint);
  }
  if (path.string().ends_with(".index.json")) return std::make_unique<SafetensorsWeights>(path);
  MappedFile const file(path, "weights");
  std::string_view const begin(reinterpret_cast<char const*>(file.bytes().data()), std::min<std::size_t>(file.bytes().size(), 9));
  if (begin.starts_with("GGUF")) return std::make_unique<GgufWeights>(GgufFile(path));
  if (path.extension() == ".safetensors" || (begin.size() == 9 && begin[8] == '{' && begin.substr(4, 4) == std::string_view("\0\0\0\0", 4)))
    return std::make_unique<SafetensorsWeights>(path);
  require(!begin.starts_with("PK\3\4") && !begin.starts_with("\x80"), "weights", path.string(), " ", pickle);
  fail("weights", path.string(), " is neither a GGUF nor a safetensors file: it begins with \"", printable(begin), "\"");
}

}  // namespace graft
