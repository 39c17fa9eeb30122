// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/default_backend.hpp>
#include <graft/io/build_model.hpp>
#include <graft/io/peft.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

namespace graft {

namespace detail {

/// What a `LanguageModel` owns and its transformer refers to: made before it, gone after it.
template <class B>
struct ModelHome {
  std::unique_ptr<ModelFiles> home_files;
  std::unique_ptr<B> home_backend;
  std::unique_ptr<StrictWeights> home_weights;

  explicit ModelHome(ModelFiles opened)
      : home_files(std::make_unique<ModelFiles>(std::move(opened))),
        home_backend(std::make_unique<B>()),
        home_weights(std::make_unique<StrictWeights>(*home_files)) {}
};

}  // namespace detail

/// A transformer with what belongs to it: its tokenizer, its files and the backend it computes on.
template <class Arch, Scalar T, class B, class A>
class LanguageModel : private detail::ModelHome<B>, public Transformer<Arch, T, B, A> {
 public:
  LanguageModel(ModelFiles files, A adapter)
      : detail::ModelHome<B>(std::move(files)),
        Transformer<Arch, T, B, A>(detail::checked_config<Arch>(*this->home_files), std::move(adapter), *this->home_backend,
                                   this->home_weights->provider()) {
    this->home_weights->check_all_used();
  }

  [[nodiscard]] Tokenizer const& tokenizer() const { return *this->home_files->tokenizer; }
  [[nodiscard]] ModelFiles const& model_files() const { return *this->home_files; }
};

/// Loads a model with an adapter on it:  auto model = load<Llama>("model.gguf", Lora{.rank = 16, .alpha = 32});
/// `path` is a GGUF file or a Hugging Face directory.
template <class Arch, Scalar T = float, class B = DefaultBackend, class A>
[[nodiscard]] LanguageModel<Arch, T, B, A> load(std::filesystem::path const& path, A adapter) {
  return {open_model(path), std::move(adapter)};
}

/// Loads a model with the LoRA adapter that stands in a PEFT directory.
template <class Arch, Scalar T = float, class B = DefaultBackend>
[[nodiscard]] LanguageModel<Arch, T, B, Lora> load_adapted(std::filesystem::path const& path,
                                                           std::filesystem::path const& adapter) {
  LanguageModel<Arch, T, B, Lora> model(open_model(path), read_peft_config(adapter));
  load_peft(model, adapter);
  return model;
}

}  // namespace graft
