// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/io/atomic_file.hpp>
#include <graft/io/bitsandbytes.hpp>
#include <graft/io/json_file.hpp>
#include <graft/io/printable.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace graft {

namespace detail {

inline constexpr std::string_view quant_state_prefix = ".quant_state.bitsandbytes__";

/// A part of `name` that must be there with that dtype and number of elements.
class PartReader {
 public:
  PartReader(FindTensor const& find, std::string const& name, std::string const& place) : find_(find), name_(name), place_(place) {}

  [[nodiscard]] std::byte const* get(std::string const& part, std::string_view dtype, Index count) const {
    TensorInfo const* const tensor = find_(part);
    require(tensor != nullptr, "bitsandbytes", place_, ": the weight ", name_, " lacks its part ", part);
    require(tensor->dtype == dtype, "bitsandbytes", place_, ": ", part, " must be ", dtype, ": got ", tensor->dtype);
    auto const size = static_cast<std::size_t>(count * (dtype == "F32" ? 4 : 1));
    require(tensor->bytes.size() == size, "bitsandbytes", place_, ": ", part, " must have ", size, " bytes: got ", tensor->bytes.size());
    return tensor->bytes.data();
  }

 private:
  FindTensor const& find_;
  std::string const& name_;
  std::string const& place_;
};

/// The shape in `quant_state`, whose elements two to a byte must be as many as `bytes`.
[[nodiscard]] inline std::vector<Index> state_shape(JsonObject const& state, std::size_t bytes) {
  std::vector<Index> shape;
  Index left = static_cast<Index>(bytes) * 2;
  for (Json const& extent : state.array("shape")) {
    Index const n = shape.emplace_back(state.to_integer(extent, "shape"));
    state.require_that(n > 0 && left % n == 0, "shape ", JsonObject::shown(state.at("shape")), " does not fit the ", bytes,
                       " bytes of the weight");
    left /= n;
  }
  state.require_that(!shape.empty() && left == 1 && shape.back() % 2 == 0, "shape ", JsonObject::shown(state.at("shape")),
                     " does not fit the ", bytes, " bytes of the weight, or has an odd number of columns");
  return shape;
}

[[nodiscard]] inline HostTensor read_4bit(FindTensor const& find, std::string const& name, Storage storage,
                                          std::shared_ptr<void const> owner, std::string const& place) {
  std::string const state_name = name + std::string(quant_state_prefix) + std::string(graft::name(storage));
  TensorInfo const* const state_tensor = find(state_name);
  TensorInfo const* const elements = find(name);
  std::string const state_place = place + ": " + printable(state_name);
  Json const json = parse_json({reinterpret_cast<char const*>(state_tensor->bytes.data()), state_tensor->bytes.size()}, "bitsandbytes", state_place);
  JsonObject const state(json, "bitsandbytes", state_place);
  state.require_that(state.string("quant_type") == graft::name(storage), "quant_type must be ", graft::name(storage));
  std::vector<Index> const shape = state_shape(state, elements->bytes.size());

  auto const scales = std::make_shared<BlockScales>();
  Index const size = static_cast<Index>(elements->bytes.size()) * 2;
  scales->block = state.integer("blocksize");
  state.require_that(scales->block >= 2 && scales->block % 2 == 0 && scales->block <= 1 << 20, "blocksize must be even and 2 or more: got ",
                     scales->block);
  PartReader const part(find, name, place);
  float levels[16];
  std::memcpy(levels, part.get(name + ".quant_map", "F32", 16), sizeof levels);
  for (std::size_t i = 0; i < 16; ++i)
    require(std::abs(levels[i] - levels_of(storage)[i]) < 1e-6f, "bitsandbytes", place, ": ", name, ".quant_map has other levels than ",
            graft::name(storage), "'s: ", levels[i], " for ", levels_of(storage)[i]);
  if (find(name + ".nested_absmax") == nullptr) {
    scales->absmax = part.get(name + ".absmax", "F32", scales->blocks(size));
  } else {
    scales->nested_block = state.integer("nested_blocksize");
    state.require_that(scales->nested_block >= 1 && scales->nested_block <= 1 << 20, "nested_blocksize must be positive: got ",
                       scales->nested_block);
    scales->offset = static_cast<float>(state.number("nested_offset"));
    scales->codes = part.get(name + ".absmax", "U8", scales->blocks(size));
    scales->absmax = part.get(name + ".nested_absmax", "F32", scales->absmax_count(size));
    std::memcpy(scales->map.data(), part.get(name + ".nested_quant_map", "F32", 256), sizeof scales->map);
  }
  return {storage, shape, elements->bytes.data(), std::move(owner), scales, true};
}

GRAFT_INLINE std::string whole_of_part(std::string_view name) {
  for (std::string_view const part : {".weight.absmax", ".weight.quant_map", ".weight.nested_absmax", ".weight.nested_quant_map",
                                      ".weight.quant_state.bitsandbytes__nf4", ".weight.quant_state.bitsandbytes__fp4", ".SCB",
                                      ".weight_format"})
    if (name.ends_with(part)) return std::string(name.substr(0, name.size() - part.size())) + ".weight";
  return "";
}

GRAFT_INLINE bool stored_by_bitsandbytes(FindTensor const& find, std::string const& name) {
  TensorInfo const* const weight = find(name);
  if (weight == nullptr || !name.ends_with(".weight")) return false;
  std::string const state = name + std::string(quant_state_prefix);
  bool const int8 = weight->dtype == "I8" && find(name.substr(0, name.size() - 6) + "SCB") != nullptr;
  return int8 || find(state + "nf4") != nullptr || find(state + "fp4") != nullptr;
}

GRAFT_INLINE HostTensor read_bitsandbytes(FindTensor const& find, std::string const& name, std::shared_ptr<void const> owner,
                                          std::string const& place) {
  for (Storage const storage : {Storage::nf4, Storage::fp4})
    if (find(name + std::string(quant_state_prefix) + std::string(graft::name(storage))) != nullptr)
      return read_4bit(find, name, storage, std::move(owner), place);
  TensorInfo const& weight = *find(name);
  std::string const module = name.substr(0, name.size() - 6);
  require(weight.shape.size() == 2, "bitsandbytes", place, ": the int8 weight ", name, " must be a matrix");
  if (TensorInfo const* const format = find(module + "weight_format"); format != nullptr)
    require(format->dtype == "U8" && format->bytes.size() == 1 && format->bytes[0] == std::byte{0}, "bitsandbytes", place, ": ", module,
            "weight_format must be 0, rows: other orders are for old GPUs");
  auto const scales = std::make_shared<BlockScales>();
  scales->block = weight.shape[1];
  scales->absmax = PartReader(find, name, place).get(module + "SCB", "F32", weight.shape[0]);
  return {Storage::int8, weight.shape, weight.bytes.data(), std::move(owner), scales, true};
}

}  // namespace detail

GRAFT_INLINE BitsAndBytesParts::BitsAndBytesParts(std::string name, HostTensor const& weight, std::string_view dtype)
    : name_(std::move(name)), storage_(weight.storage), shape_(weight.shape), levels_(detail::levels_of(weight.storage)) {
  require(has_scales(storage_) && weight.scales != nullptr, "bitsandbytes", name_, " must be nf4, fp4 or int8: got ", graft::name(storage_));
  BlockScales const& scales = *weight.scales;
  Index const size = weight.rows() * weight.cols();
  absmax_.assign(scales.absmax, scales.absmax + 4 * scales.absmax_count(size));
  if (scales.nested()) codes_.assign(scales.codes, scales.codes + scales.blocks(size));
  map_ = scales.map;
  nlohmann::ordered_json state = {{"quant_type", graft::name(storage_)}, {"blocksize", scales.block}, {"dtype", dtype}, {"shape", shape_}};
  if (scales.nested()) {
    state["nested_blocksize"] = scales.nested_block;
    state["nested_dtype"] = "float32";
    state["nested_offset"] = static_cast<double>(scales.offset);
  }
  state_ = state.dump();
}

GRAFT_INLINE void BitsAndBytesParts::append(std::vector<TensorToWrite>& tensors, std::function<void(AtomicFile&)> write) const {
  auto const floats = [](auto const& values) { return std::as_bytes(std::span(values)); };
  auto const count = [](std::vector<std::byte> const& bytes, std::size_t size) { return static_cast<Index>(bytes.size() / size); };
  if (storage_ == Storage::int8) {
    static constexpr std::byte row_format[1] = {};
    std::string const module = name_.substr(0, name_.size() - 6);
    tensors.push_back({name_, "I8", shape_, {}, std::move(write)});
    tensors.push_back({module + "SCB", "F32", {count(absmax_, 4)}, absmax_, {}});
    tensors.push_back({module + "weight_format", "U8", {}, row_format, {}});
    return;
  }
  Index size = 1;
  for (Index const n : shape_) size *= n;
  tensors.push_back({name_, "U8", {size / 2, 1}, {}, std::move(write)});
  tensors.push_back({name_ + ".quant_map", "F32", {16}, floats(levels_), {}});
  if (codes_.empty()) {
    tensors.push_back({name_ + ".absmax", "F32", {count(absmax_, 4)}, absmax_, {}});
  } else {
    tensors.push_back({name_ + ".absmax", "U8", {count(codes_, 1)}, codes_, {}});
    tensors.push_back({name_ + ".nested_absmax", "F32", {count(absmax_, 4)}, absmax_, {}});
    tensors.push_back({name_ + ".nested_quant_map", "F32", {256}, floats(map_), {}});
  }
  tensors.push_back({name_ + std::string(detail::quant_state_prefix) + std::string(graft::name(storage_)), "U8",
                     {static_cast<Index>(state_.size())}, std::as_bytes(std::span(state_)), {}});
}

GRAFT_INLINE Index BitsAndBytesParts::bytes() const {
  std::vector<TensorToWrite> tensors;
  append(tensors, {});
  Index total = 0;
  for (TensorToWrite const& tensor : tensors) total += static_cast<Index>(tensor.bytes.size());
  Index size = 1;
  for (Index const n : shape_) size *= n;
  return total + row_bytes(storage_, size);
}

GRAFT_INLINE void write_quantization_config(std::filesystem::path const& directory, FourBit const* four_bit, std::string_view dtype) {
  auto config = detail::parse_json_file(directory / "config.json", "config");
  bool const four = four_bit != nullptr;
  config["quantization_config"] = {{"quant_method", "bitsandbytes"},
                                   {"load_in_4bit", four},
                                   {"load_in_8bit", !four},
                                   {"bnb_4bit_quant_type", four ? name(four_bit->storage) : "fp4"},
                                   {"bnb_4bit_use_double_quant", four && four_bit->double_quant},
                                   {"bnb_4bit_compute_dtype", dtype},
                                   {"bnb_4bit_quant_storage", "uint8"},
                                   {"llm_int8_threshold", 6.0},
                                   {"llm_int8_skip_modules", nullptr},
                                   {"llm_int8_enable_fp32_cpu_offload", false},
                                   {"llm_int8_has_fp16_weight", false}};
  write_atomically(directory / "config.json", config.dump(2) + "\n");
}

}  // namespace graft
