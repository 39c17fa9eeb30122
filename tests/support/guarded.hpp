// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/concept.hpp>

#include <cstdint>
#include <memory>
#include <new>
#include <set>
#include <span>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace graft::test {

/// Pages that nobody may touch except while their backend computes. A block ends where its last page ends (up to 64 bytes
/// of alignment), and the page behind stays closed for ever: an access past the end is a crash, as any access outside.
class GuardedPages {
 public:
  struct Block {
    std::byte* pages;
    std::size_t bytes;  // of the pages that open and close
    auto operator<=>(Block const&) const = default;
  };

  Block take(std::size_t bytes) {
    auto const page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    std::size_t const usable = (bytes + page - 1) / page * page;
    void* const memory = mmap(nullptr, usable + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    Block const block{static_cast<std::byte*>(memory), usable};
    blocks_.insert(block);
    return block;
  }
  void give_back(Block block) {
    blocks_.erase(block);
    munmap(block.pages, block.bytes + static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
  }
  void protect(int protection) const {
    for (Block const& block : blocks_)
      if (block.bytes > 0) mprotect(block.pages, block.bytes, protection);
  }

 private:
  std::set<Block> blocks_;
};

/// A backend whose memory cannot be read or written outside its own operations: what a device's memory is to the host.
/// A model that passes on it dereferences no backend memory. Test only.
template <class Inner>
class Guarded {
 public:
  class Memory {
   public:
    Memory() = default;
    Memory(std::shared_ptr<GuardedPages> pages, std::size_t bytes)
        : pages_(std::move(pages)), block_(pages_->take(bytes)), data_(block_.pages + block_.bytes - (bytes + 63) / 64 * 64) {}
    Memory(Memory&& other) noexcept
        : pages_(std::move(other.pages_)), block_(other.block_), data_(std::exchange(other.data_, nullptr)) {}
    Memory& operator=(Memory&& other) noexcept {
      std::swap(pages_, other.pages_);
      std::swap(block_, other.block_);
      std::swap(data_, other.data_);
      return *this;
    }
    ~Memory() {
      if (pages_) pages_->give_back(block_);
    }
    [[nodiscard]] void* data() const noexcept { return data_; }

   private:
    std::shared_ptr<GuardedPages> pages_;
    GuardedPages::Block block_{};
    std::byte* data_ = nullptr;
  };

  Guarded() = default;
  template <class Options>
  explicit Guarded(Options options) : inner_(options) {}
  static constexpr char const* name() { return "guarded"; }

  Memory allocate(std::size_t bytes) { return Memory(pages_, bytes); }
  void upload(void const* host, void* device, std::size_t bytes) { Open _(*pages_); inner_.upload(host, device, bytes); }
  void download(void const* device, void* host, std::size_t bytes) { Open _(*pages_); inner_.download(device, host, bytes); }
  void zero(void* device, std::size_t bytes) { Open _(*pages_); inner_.zero(device, bytes); }
  void synchronize() { inner_.synchronize(); }

  // clang-format off
  template <Scalar T> void gemm(Op a, Op b, ValueArg<T> alpha, InArg<T> x, InArg<T> y, ValueArg<T> beta, Out<T> c) { Open _(*pages_); inner_.gemm(a, b, alpha, x, y, beta, c); }
  template <Scalar T> void linear_forward(InArg<T> x, StoredMatrix w, Out<T> y) { Open _(*pages_); inner_.linear_forward(x, w, y); }
  template <Scalar T> void linear_backward_input(InArg<T> dy, StoredMatrix w, Out<T> dx) { Open _(*pages_); inner_.linear_backward_input(dy, w, dx); }

  template <class F, class... P> void map(Index n, F f, P*... p) { Open _(*pages_); inner_.map(n, f, p...); }
  template <Scalar T> void copy(InArg<T> x, Out<T> y) { Open _(*pages_); inner_.copy(x, y); }
  template <Scalar T> void add_bias(InArg<T> bias, Out<T> y) { Open _(*pages_); inner_.add_bias(bias, y); }
  template <Scalar T> void sum_rows(InArg<T> dy, Out<T> bias) { Open _(*pages_); inner_.sum_rows(dy, bias); }
  template <Scalar T> void scale_rows(PointerArg<T> factor, Out<T> y) { Open _(*pages_); inner_.scale_rows(factor, y); }
  template <class T> double sum_of_squares(MatrixView<T> x) { Open _(*pages_); return inner_.sum_of_squares(x); }
  template <Scalar T> void dropout(InArg<T> x, ValueArg<T> p, Philox random, bool accumulate, Out<T> y) { Open _(*pages_); inner_.dropout(x, p, random, accumulate, y); }
  template <Scalar T> void rms_norm_forward(InArg<T> x, InArg<T> gain, ValueArg<T> eps, Out<T> y) { Open _(*pages_); inner_.rms_norm_forward(x, gain, eps, y); }
  template <Scalar T> void rms_norm_backward(InArg<T> x, InArg<T> gain, ValueArg<T> eps, InArg<T> dy, Out<T> dx, Out<T> dgain) { Open _(*pages_); inner_.rms_norm_backward(x, gain, eps, dy, dx, dgain); }
  template <Scalar T> void layer_norm_forward(InArg<T> x, InArg<T> gain, InArg<T> bias, ValueArg<T> eps, Out<T> y) { Open _(*pages_); inner_.layer_norm_forward(x, gain, bias, eps, y); }
  template <Scalar T> void layer_norm_backward(InArg<T> x, InArg<T> gain, ValueArg<T> eps, InArg<T> dy, Out<T> dx, Out<T> dgain, Out<T> dbias) { Open _(*pages_); inner_.layer_norm_backward(x, gain, eps, dy, dx, dgain, dbias); }
  template <Scalar T> void gated_forward(Activation act, InArg<T> gate, InArg<T> up, Out<T> h) { Open _(*pages_); inner_.gated_forward(act, gate, up, h); }
  template <Scalar T> void gated_backward(Activation act, InArg<T> gate, InArg<T> up, InArg<T> dh, Out<T> dgate, Out<T> dup) { Open _(*pages_); inner_.gated_backward(act, gate, up, dh, dgate, dup); }
  template <Scalar T> void rope_tables(std::int32_t const* positions, std::span<double const> frequencies, ValueArg<T> factor, Out<T> cos, Out<T> sin) { Open _(*pages_); inner_.rope_tables(positions, frequencies, factor, cos, sin); }
  template <Scalar T> void rope(Out<T> x, Index heads, InArg<T> cos, InArg<T> sin, bool inverse) { Open _(*pages_); inner_.rope(x, heads, cos, sin, inverse); }
  template <Scalar T> void embedding_forward(std::int32_t const* ids, StoredMatrix table, ValueArg<T> scale, Out<T> x) { Open _(*pages_); inner_.embedding_forward(ids, table, scale, x); }
  template <Scalar T> void embedding_backward(std::int32_t const* ids, InArg<T> dx, ValueArg<T> scale, Out<T> dtable) { Open _(*pages_); inner_.embedding_backward(ids, dx, scale, dtable); }

  template <Scalar T> void attention_forward(InArg<T> q, InArg<T> k, InArg<T> v, AttentionShape shape, PackedSequences const& cu, Out<T> o, Out<T> lse) { Open _(*pages_); inner_.attention_forward(q, k, v, shape, cu, o, lse); }
  template <Scalar T> void attention_backward(InArg<T> q, InArg<T> k, InArg<T> v, InArg<T> o, InArg<T> lse, InArg<T> d_o, AttentionShape shape, PackedSequences const& cu, Out<T> dq, Out<T> dk, Out<T> dv) { Open _(*pages_); inner_.attention_backward(q, k, v, o, lse, d_o, shape, cu, dq, dk, dv); }
  template <Scalar T> void attention_cached(InArg<T> q, AttentionShape shape, std::span<CachedSequence<T> const> sequences, Out<T> o) { Open _(*pages_); inner_.attention_cached(q, shape, sequences, o); }

  template <Scalar T> void softmax_panel(Out<T> panel, std::int32_t const* targets, Index first, SoftmaxState<T> state) { Open _(*pages_); inner_.softmax_panel(panel, targets, first, state); }
  template <Scalar T> void softmax_panel_weighted(InArg<T> panel, SoftmaxState<T> state, Out<T> weighted) { Open _(*pages_); inner_.softmax_panel_weighted(panel, state, weighted); }
  template <Scalar T> void token_stats(SoftmaxState<T> state, Index vocabulary, Out<T> stats) { Open _(*pages_); inner_.token_stats(state, vocabulary, stats); }
  template <Scalar T> void softmax_panel_backward(Out<T> panel, std::int32_t const* targets, Index first, Index vocabulary, SoftmaxState<T> state, InArg<T> grad) { Open _(*pages_); inner_.softmax_panel_backward(panel, targets, first, vocabulary, state, grad); }
  // clang-format on

 private:
  /// Opens all pages for its lifetime.
  class Open {
   public:
    explicit Open(GuardedPages& pages) : pages_(pages) { pages_.protect(PROT_READ | PROT_WRITE); }
    Open(Open const&) = delete;
    Open& operator=(Open const&) = delete;
    ~Open() { pages_.protect(PROT_NONE); }

   private:
    GuardedPages& pages_;
  };

  std::shared_ptr<GuardedPages> pages_ = std::make_shared<GuardedPages>();
  Inner inner_;
};

}  // namespace graft::test
