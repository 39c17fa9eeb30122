// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <string_view>

namespace graft {

/// The traits of a model family, see model/llama.hpp for a commented one. All numbers live in `ModelConfig`.
template <class Arch>
concept Architecture = requires {
  { Arch::model_types[0] } -> std::convertible_to<std::string_view>;
  { Arch::qk_norm } -> std::convertible_to<bool>;
  { Arch::qkv_bias } -> std::convertible_to<bool>;
  { Arch::post_norms } -> std::convertible_to<bool>;
  { Arch::learned_positions } -> std::convertible_to<bool>;
  { Arch::scaled_embedding } -> std::convertible_to<bool>;
  { Arch::norm_offset } -> std::convertible_to<double>;
  { Arch::embedding_name } -> std::convertible_to<std::string_view>;
  { Arch::layers_name } -> std::convertible_to<std::string_view>;
  { Arch::final_norm_name } -> std::convertible_to<std::string_view>;
  { Arch::head_name } -> std::convertible_to<std::string_view>;
  { Arch::input_norm_name } -> std::convertible_to<std::string_view>;
  { Arch::attention_name } -> std::convertible_to<std::string_view>;
  { Arch::mlp_norm_name } -> std::convertible_to<std::string_view>;
  { Arch::mlp_name } -> std::convertible_to<std::string_view>;
};

}  // namespace graft
