// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/rollout.hpp>
#include <graft/io/safetensors.hpp>
#include <graft/io/safetensors_writer.hpp>

#include <cstring>
#include <filesystem>
#include <string>
#include <type_traits>
#include <vector>

namespace graft {

namespace detail {

template <class T>
[[nodiscard]] constexpr char const* rollout_dtype() {
  if constexpr (std::is_same_v<T, double>) return "F64";
  if constexpr (std::is_same_v<T, float>) return "F32";
  if constexpr (std::is_same_v<T, std::int32_t>) return "I32";
  if constexpr (std::is_same_v<T, std::uint8_t>) return "U8";
  static_assert(sizeof(T) <= 8);
  return "I64";
}

/// Calls f(name, member) for every array of a rollout.
template <class R, class F>
void visit_rollout(R& rollout, F&& f) {
  f("ids", rollout.ids);
  f("cu_seqlens", rollout.cu_seqlens);
  f("completions", rollout.completions);
  R::visit(rollout, [&](char const* name, auto& member, bool) { f(name, member); });
}

}  // namespace detail

/// Writes a rollout as a safetensors file of its members' names, atomically and bit for bit. numpy and torch read it.
inline void save_rollout(std::filesystem::path const& path, Rollout const& rollout) {
  rollout.validate();
  std::vector<double> const head{static_cast<double>(rollout.samples), rollout.temperature};
  std::vector<TensorToWrite> tensors;
  auto const add = [&](char const* name, auto const& member) {
    using T = typename std::decay_t<decltype(member)>::value_type;
    if (!member.empty())
      tensors.push_back({name, detail::rollout_dtype<T>(), {static_cast<Index>(member.size())}, std::as_bytes(std::span(member))});
  };
  detail::visit_rollout(rollout, add);
  add("samples_and_temperature", head);
  write_safetensors(path, tensors);
}

/// Reads what `save_rollout` wrote, to replay it. Errors: [rollout] an array of another type, members that do not fit.
[[nodiscard]] inline Rollout load_rollout(std::filesystem::path const& path) {
  SafetensorsFile const file(path);
  Rollout rollout;
  rollout.cu_seqlens.clear();
  rollout.completions.clear();
  std::vector<double> head;
  auto const read = [&](char const* name, auto& member) {
    using T = typename std::decay_t<decltype(member)>::value_type;
    auto const* tensor = file.find(name);
    if (tensor == nullptr) return;
    require(tensor->dtype == detail::rollout_dtype<T>() && tensor->shape.size() == 1, "rollout", path.string(), ": ", name,
            " must be one dimension of ", detail::rollout_dtype<T>(), ": got ", tensor->dtype);
    member.resize(static_cast<std::size_t>(tensor->shape[0]));
    if (!member.empty()) std::memcpy(member.data(), tensor->bytes.data(), tensor->bytes.size());
  };
  detail::visit_rollout(rollout, read);
  read("samples_and_temperature", head);
  require(head.size() == 2 && !rollout.cu_seqlens.empty(), "rollout", path.string(), " is no rollout: it lacks ",
          head.size() == 2 ? "cu_seqlens" : "samples_and_temperature");
  rollout.samples = static_cast<Index>(head[0]);
  rollout.temperature = head[1];
  rollout.validate();
  return rollout;
}

}  // namespace graft
