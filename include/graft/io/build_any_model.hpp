// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/build_model.hpp>
#include <graft/model/any_transformer.hpp>
#include <graft/model/gemma3.hpp>
#include <graft/model/gpt2.hpp>
#include <graft/model/llama.hpp>
#include <graft/model/qwen2.hpp>
#include <graft/model/qwen3.hpp>

#include <algorithm>

namespace graft {

/// Builds the model of `files`, whatever architecture of graft's it is.
template <Scalar T, class B, class A>
[[nodiscard]] AnyTransformer<T, B, A> build_any_model(ModelFiles const& files, A adapter, B& backend) {
  auto const is = [&](auto const& types) {
    return std::find(types.begin(), types.end(), files.config.model_type) != types.end();
  };
  using Any = AnyTransformer<T, B, A>;
  if (is(Llama::model_types)) return Any(build_model<Llama, T>(files, std::move(adapter), backend));
  if (is(Qwen2::model_types)) return Any(build_model<Qwen2, T>(files, std::move(adapter), backend));
  if (is(Qwen3::model_types)) return Any(build_model<Qwen3, T>(files, std::move(adapter), backend));
  if (is(Gemma3::model_types)) return Any(build_model<Gemma3, T>(files, std::move(adapter), backend));
  if (is(Gpt2::model_types)) return Any(build_model<Gpt2, T>(files, std::move(adapter), backend));
  fail("model", files.path.string(), " is a model of type ", files.config.model_type,
       "; graft has llama, mistral, smollm3, qwen2, qwen3, gemma3_text and gpt2");
}

}  // namespace graft
