// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/trainable.hpp>
#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>

#include <filesystem>
#include <utility>

namespace graft {

/// Optimizer O with its state in a file of `directory` instead of memory: the same bits and the same checkpoints. A step goes through
/// the parameters in pieces of `paged_state_piece` elements, of which one is in memory; the system writes what has changed when
/// it wants the memory. On a file system that is memory itself (tmpfs) nothing is gained.
///   auto optimizer = bind(Paged{AdamW{}, "/var/tmp"}, model.trainable());
/// Source: Dettmers et al., "QLoRA", 2023, section 3 (paged optimizers). Errors: those of `PagedMemory`; no directory.
template <class O>
struct Paged {
  O optimizer;
  std::filesystem::path directory;

  friend bool operator==(Paged const&, Paged const&) = default;

  template <Scalar T, class B>
  class State;
};

template <class O, class Directory>
Paged(O, Directory) -> Paged<O>;

template <class O>
template <Scalar T, class B>
class Paged<O>::State : public O::template State<T, B> {
  using Base = typename O::template State<T, B>;
  static_assert(
      requires { requires B::reads_host_memory; },
      "paged state is in host memory: take a backend that reads it – see docs/optim.md");
  static_assert(Base::pages_state,
                "this optimizer's state cannot be paged: derive it from BasicState, and step by for_each_piece – see "
                "docs/optim.md");

 public:
  State(Paged const& spec, Trainable<T, B> trainable)
      : Base(spec.optimizer, paged(std::move(trainable), spec.directory)) {}

 private:
  [[nodiscard]] static Trainable<T, B> paged(Trainable<T, B> trainable, std::filesystem::path const& directory) {
    require(!directory.empty(), "pages", "a paged optimizer needs a directory for its state");
    trainable.page_directory = directory;
    return trainable;
  }
};

}  // namespace graft
