// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/atomic_directory.hpp>
#include <graft/io/conv1d.hpp>
#include <graft/io/peft_config.hpp>
#include <graft/io/safetensors.hpp>
#include <graft/io/safetensors_writer.hpp>
#include <graft/model/transformer.hpp>
#include <graft/quant/decode.hpp>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace graft {

namespace detail {

/// PEFT's key of a parameter: the prefix of its wrappers, and base_layer for the bias of an adapted module.
[[nodiscard]] std::string peft_key(std::string const& parameter, std::vector<std::string> const& adapted);

/// The shape of a parameter in a file: Conv1D weights are turned.
template <class P>
[[nodiscard]] std::vector<Index> stored_shape(P const& param) {
  return is_conv1d_weight(param.name) ? std::vector<Index>(param.shape.rbegin(), param.shape.rend()) : param.shape;
}

/// Parameters under the names that `key` gives them; each comes to host memory when it is written, in pieces where it is not turned.
template <Scalar T, class B, class F>
[[nodiscard]] std::vector<TensorToWrite> tensors_to_write(Trainable<T, B> const& trainable, F&& key) {
  std::vector<TensorToWrite> tensors;
  for (auto const& param : trainable.params) {
    auto const write = [backend = trainable.backend, value = param.value,
                        turned = is_conv1d_weight(param.name)](AtomicFile& file) {
      Index const piece = turned ? std::max<Index>(value.size(), 1) : Index{1} << 20;
      std::vector<T> values;
      for (Index begin = 0; begin < value.size(); begin += piece) {
        values.resize(static_cast<std::size_t>(std::min(piece, value.size() - begin)));
        backend->download(value.data + begin, values.data(), values.size() * sizeof(T));
        if (turned) values = transposed(values, value.rows, value.cols);
        file.write(std::as_bytes(std::span(values)));
      }
    };
    tensors.push_back({key(param.name),
                       dtype_of_storage(std::is_same_v<T, double> ? Storage::f64 : Storage::f32),
                       stored_shape(param),
                       {},
                       write});
  }
  return tensors;
}

/// Fills the parameters from the file, each from the tensor of its key. Errors: a key that is missing, has another shape
/// or another kind of number, and a tensor that no parameter asked for and that is none of `others`.
template <Scalar T, class B, class F>
void read_parameters(Trainable<T, B> const& trainable, SafetensorsFile const& file, F&& key, std::string_view tag,
                     std::set<std::string, std::less<>> const& others = {}) {
  std::set<std::string, std::less<>> used = others;
  for (auto const& param : trainable.params) {
    std::string const name = key(param.name);
    auto const* tensor = file.find(name);
    require(tensor != nullptr, tag, file.path().string(), " has no tensor ", name,
            ", which the configuration asks for");
    require(tensor->shape == stored_shape(param), tag, file.path().string(), ": ", name, " has shape ",
            shape_text(tensor->shape), ", but the model needs ", shape_text(stored_shape(param)));
    auto const storage = storage_of_dtype(tensor->dtype);
    require(storage.has_value(), tag, file.path().string(), ": ", name, " is ", tensor->dtype,
            "; it must be F32, F16, BF16 or F64");
    used.insert(name);
    std::vector<T> host(static_cast<std::size_t>(param.value.size()));
    decode_rows(StoredMatrix{*storage, tensor->bytes.data(), param.value.rows, param.value.cols}, 0, param.value.rows,
                MatrixView<T>(host.data(), param.value.rows, param.value.cols));
    if (is_conv1d_weight(param.name)) host = transposed(host, param.value.cols, param.value.rows);
    trainable.backend->upload(host.data(), param.value.data, host.size() * sizeof(T));
  }
  for (auto const& tensor : file.tensors())
    require(used.count(tensor.name) != 0, tag, file.path().string(), ": the tensor ", tensor.name,
            " belongs to nothing in this model");
}

}  // namespace detail

/// The LoRA hyper-parameters of an adapter: itself, or its member `lora`.
[[nodiscard]] inline Lora const& lora_of(Lora const& lora) { return lora; }
template <class A>
  requires requires(A const& adapter) {
    { adapter.lora } -> std::convertible_to<Lora const&>;
  }
[[nodiscard]] Lora const& lora_of(A const& adapter) { return adapter.lora; }

/// Writes the adapter as PEFT does: adapter_config.json and adapter_model.safetensors, complete or not at all. A score head
/// goes with it, and the task is then SEQ_CLS.
/// Error: the model has no LoRA on any module.
template <class Model>
void save_peft(Model const& model, std::filesystem::path const& directory, std::string const& base_model = "") {
  require(!model.adapted_modules().empty(), "peft", "this model has no LoRA to save in ", directory.string(),
          "; save_model writes whole models");
  write_directory_atomically(directory, [&](std::filesystem::path const& fresh) {
    auto const tensors = detail::tensors_to_write(
        model.trainable(), [&](auto const& name) { return detail::peft_key(name, model.adapted_modules()); });
    write_safetensors(fresh / "adapter_model.safetensors", tensors);
    auto const turned = [](auto const& module) { return is_conv1d_weight(module + ".weight"); };
    write_peft_config(fresh, lora_of(model.adapter()),
                      {base_model, std::ranges::any_of(model.adapted_modules(), turned),
                       model.score_head() ? "SEQ_CLS" : "CAUSAL_LM"},
                      peft_target_modules(model.adapted_modules(), model.linear_modules()));
  });
}

/// Reads the weights of an adapter that PEFT or `save_peft` wrote into a model that was built with
/// `read_peft_config(directory)`. If there is a score head among them, a model without one gets it: load before an optimizer
/// is bound. Strict: every tensor must find its place and every place its tensor.
template <class Model>
void load_peft(Model& model, std::filesystem::path const& directory) {
  SafetensorsFile const file(directory / "adapter_model.safetensors");
  if (auto const* score = file.find("base_model.model.score.weight");
      score != nullptr && !model.score_head() && score->shape.size() == 2)
    model.add_score_head({.num_labels = score->shape.front()});
  detail::read_parameters(
      model.trainable(), file, [&](auto const& name) { return detail::peft_key(name, model.adapted_modules()); },
      "peft");
}

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/io/peft.tpp>
#endif
