// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/pages.hpp>
#include <graft/io/atomic_directory.hpp>
#include <graft/io/peft.hpp>
#include <graft/optim/bind.hpp>
#include <graft/train/trainer_state.hpp>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace graft {

namespace detail {

/// State tensors of an optimizer as parameters without gradients, for the functions that read and write those.
template <Scalar T, class B>
[[nodiscard]] Trainable<T, B> as_trainable(B& backend, std::vector<StateTensor<T>> const& tensors) {
  Trainable<T, B> result{&backend, {}};
  for (auto const& tensor : tensors)
    if (tensor.codes.empty()) result.params.push_back({tensor.name, tensor.shape, tensor.value, {}, false});
  return result;
}

/// The bytes of a state tensor in host memory.
template <Scalar T>
[[nodiscard]] std::span<std::byte const> bytes_of(StateTensor<T> const& tensor) {
  return tensor.codes.empty() ? std::as_bytes(std::span(tensor.value.data, static_cast<std::size_t>(tensor.value.size()))) : tensor.codes;
}

/// Writes a state tensor in a mapped file piece by piece, each of which then leaves memory.
inline void write_paged(std::span<std::byte const> bytes, AtomicFile& file) {
  constexpr std::size_t piece = std::size_t{4} << 20;
  for (std::size_t begin = 0; begin < bytes.size(); begin += piece) {
    auto const part = bytes.subspan(begin, std::min(piece, bytes.size() - begin));
    file.write(part);
    drop_pages(part);
  }
}

/// All state tensors, those in 8 bits as they are.
template <Scalar T, class B>
[[nodiscard]] std::vector<TensorToWrite> state_to_write(B& backend, std::vector<StateTensor<T>> const& state) {
  std::vector<TensorToWrite> tensors;
  for (auto const& tensor : state) {
    if (tensor.codes.empty())
      tensors.push_back(tensors_to_write(as_trainable<T, B>(backend, {tensor}), std::identity{}).front());
    else
      tensors.push_back({tensor.name, "U8", tensor.shape, tensor.codes, {}});
    if (tensor.paged) tensors.back().write = [bytes = bytes_of(tensor)](AtomicFile& file) { write_paged(bytes, file); };
  }
  return tensors;
}

/// Reads them back, and returns their names. Errors: one that is missing or has another size.
template <Scalar T>
std::set<std::string, std::less<>> read_codes(std::vector<StateTensor<T>> const& state, SafetensorsFile const& file) {
  std::set<std::string, std::less<>> names;
  for (auto const& tensor : state) {
    if (tensor.codes.empty()) continue;
    auto const* found = file.find(tensor.name);
    require(found != nullptr && found->dtype == "U8" && found->bytes.size() == tensor.codes.size(), "checkpoint", file.path().string(),
            " must hold ", tensor.name, " as ", tensor.codes.size(), " numbers of dtype U8");
    std::copy(found->bytes.begin(), found->bytes.end(), tensor.codes.begin());
    names.insert(tensor.name);
  }
  return names;
}

}  // namespace detail

/// Writes a checkpoint from which a run goes on to the same bits: trainable.safetensors (what is trained),
/// optimizer.safetensors (its state) and trainer_state.json. The directory appears complete or not at all.
template <class Model, class O>
void save_checkpoint(std::filesystem::path const& directory, Model const& model, O const& optimizer,
                     TrainerState const& state) {
  write_directory_atomically(directory, [&](std::filesystem::path const& fresh) {
    write_safetensors(fresh / "trainable.safetensors", detail::tensors_to_write(model.trainable(), std::identity{}));
    write_safetensors(fresh / "optimizer.safetensors", detail::state_to_write(model.backend(), optimizer.tensors()));
    write_trainer_state(fresh, state);
  });
}

/// Reads what `save_checkpoint` wrote into a model and optimizer of the same kind. Strict, as `load_peft` is.
template <class Model, class O>
[[nodiscard]] TrainerState load_checkpoint(std::filesystem::path const& directory, Model& model, O& optimizer) {
  TrainerState state = read_trainer_state(directory);
  auto const same = [](std::string const& name) { return name; };
  detail::read_parameters(model.trainable(), SafetensorsFile(directory / "trainable.safetensors"), same, "checkpoint");
  SafetensorsFile const file(directory / "optimizer.safetensors");
  auto const state_tensors = optimizer.tensors();
  detail::read_parameters(detail::as_trainable(model.backend(), state_tensors), file, same, "checkpoint",
                          detail::read_codes(state_tensors, file));
  for (auto const& tensor : state_tensors)
    if (tensor.paged) drop_pages(detail::bytes_of(tensor));
  optimizer.set_steps(state.step);
  return state;
}

/// Removes the oldest checkpoint-<step> directories of `output` but for the `keep` newest and the one of step `spare`.
inline void prune_checkpoints(std::filesystem::path const& output, Index keep, Index spare) {
  std::set<Index> steps;
  for (auto const& entry : std::filesystem::directory_iterator(output))
    if (auto const step = checkpoint_step(entry.path())) steps.insert(*step);
  auto excess = static_cast<Index>(steps.size()) - keep;
  for (auto step = steps.begin(); step != steps.end() && excess > 0; ++step, --excess)
    if (*step != spare) std::filesystem::remove_all(output / ("checkpoint-" + std::to_string(*step)));
}

}  // namespace graft
