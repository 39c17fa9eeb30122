// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/paged_buffer.hpp>
#include <graft/core/error.hpp>
#include <graft/core/pages.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>

namespace graft {

/// Stack memory for the activations and scratch of a step: one allocation, made before the step from the peak that a dry
/// run found (backend/dry.hpp). Views stay valid until the scope in which they were taken ends.
template <class B>
class Arena {
 public:
  static constexpr std::size_t alignment = 64;

  /// An arena of `capacity` bytes, in a file of `page_directory` if there is one.
  Arena(B& backend, std::size_t capacity, std::filesystem::path const& page_directory = {})
      : memory_(backend, static_cast<Index>(capacity), page_directory), base_(memory_.data()), capacity_(capacity) {}

  /// rows × cols elements, uninitialised.
  template <class T>
  [[nodiscard]] MatrixView<T> take(Index rows, Index cols) {
    std::size_t const bytes = static_cast<std::size_t>(rows * cols) * sizeof(T);
    std::size_t const begin = used_;
    used_ += (bytes + alignment - 1) / alignment * alignment;
    peak_ = std::max(peak_, used_);
    require(used_ <= capacity_, "arena", "a step needs more memory than was planned: ", used_, " of ", capacity_,
            " bytes; call reserve() with the largest batch before the first step");
    return {reinterpret_cast<T*>(base_ + begin), rows, cols};
  }

  /// Gives back at its end what was taken since its beginning.
  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(&arena), mark_(arena.used_) {}
    Scope(Scope const&) = delete;
    Scope& operator=(Scope const&) = delete;
    ~Scope() { arena_->used_ = mark_; }

   private:
    Arena* arena_;
    std::size_t mark_;
  };
  [[nodiscard]] Scope scope() { return Scope(*this); }

  /// What was taken between two marks.
  struct Range {
    std::size_t begin = 0, end = 0;
    [[nodiscard]] std::size_t bytes() const { return end - begin; }
  };
  /// In a file: the content of `range` leaves memory until it is touched, or asked for ahead of that. Else nothing happens.
  void page_out(Range range) const {
    if (memory_.paged()) drop_pages({base_ + range.begin, range.bytes()});
  }
  void page_in(Range range) const {
    if (memory_.paged()) want_pages({base_ + range.begin, range.bytes()});
  }

  [[nodiscard]] std::size_t mark() const { return used_; }
  void release(std::size_t mark) { used_ = mark; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::size_t peak() const { return peak_; }
  void reset_peak() { peak_ = used_ = 0; }

 private:
  PagedBuffer<std::byte, B> memory_;
  std::byte* base_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
  std::size_t peak_ = 0;
};

/// What a module needs besides its own state: where to compute, where to put things, and what step it is.
template <class B>
struct Workspace {
  B& backend;
  Arena<B>& arena;
  bool training = false;         ///< dropout acts
  bool adapters = true;          ///< false: the base model alone
  std::uint64_t dropout_seed = 0;
  std::uint64_t pass = 0;  ///< numbers the forward passes of a training run; with the module's number it names a mask

  template <class T>
  [[nodiscard]] MatrixView<T> take(Index rows, Index cols) {
    return arena.template take<T>(rows, cols);
  }
};

}  // namespace graft
