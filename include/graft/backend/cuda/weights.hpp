// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/cuda/device.hpp>
#include <graft/core/parallel.hpp>
#include <graft/core/view.hpp>
#include <graft/quant/decode.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>

namespace graft::detail {

/// Frozen weights in the device's memory, decoded, uploaded the first time that they are used. An entry is known by where its
/// rows lie in host memory and is thrown away when that memory is written through the backend (`forget`) or, at its next use, when
/// a sample of 32 words there has changed: memory that was freed and holds another model's weights now.
/// Where the limit is reached nothing more is kept: a weight that has no place is uploaded at each use.
class CudaWeights {
 public:
  explicit CudaWeights(std::size_t limit) : limit_(limit) {}

  /// The weight as rows of E, in the order of `queue`.
  template <class E>
  E const* get(StoredMatrix const& w, CudaQueue& queue) {
    if (w.exact) return upload<E>(w, visiting_, queue);  // trained: new values each step
    Key const key{w.data, w.rows, w.cols, w.storage, sizeof(E)};
    std::uint64_t const sample = sampled(w);
    if (auto const found = entries_.find(key); found != entries_.end()) {
      if (found->second.sample == sample) return static_cast<E const*>(found->second.memory.data());
      erase(found);
    }
    if (!fits<E>(w)) return upload<E>(w, visiting_, queue);
    Entry entry{{}, sample};
    E const* const data = upload<E>(w, entry.memory, queue);
    kept_ += entry.memory.bytes();
    entries_.emplace(key, std::move(entry));
    return data;
  }
  /// Whether a use of it costs no upload.
  template <class E>
  [[nodiscard]] bool resident(StoredMatrix const& w) const {
    return !w.exact && (entries_.contains(Key{w.data, w.rows, w.cols, w.storage, sizeof(E)}) || fits<E>(w));
  }
  /// Host memory [data, data + bytes) changes.
  void forget(void const* data, std::size_t bytes) {
    auto const* begin = static_cast<std::byte const*>(data);
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      auto const next = std::next(entry);
      auto const* first = std::get<0>(entry->first);
      auto const* last = first + StoredMatrix{std::get<3>(entry->first), first, std::get<1>(entry->first), std::get<2>(entry->first)}.bytes();
      if (std::less<>{}(begin, last) && std::less<>{}(first, begin + bytes)) erase(entry);
      entry = next;
    }
  }
  [[nodiscard]] std::size_t bytes() const { return kept_; }

 private:
  using Key = std::tuple<std::byte const*, Index, Index, Storage, std::size_t>;
  struct Entry {
    DeviceMemory memory;
    std::uint64_t sample = 0;
  };
  using Entries = std::map<Key, Entry>;

  template <class E>
  [[nodiscard]] bool fits(StoredMatrix const& w) const {
    return kept_ + static_cast<std::size_t>(w.size()) * sizeof(E) <= limit_;
  }
  void erase(Entries::iterator entry) {
    kept_ -= entry->second.memory.bytes();
    entries_.erase(entry);
  }

  static std::uint64_t sampled(StoredMatrix const& w) {
    constexpr Index words = 32;
    Index const bytes = w.bytes(), word = static_cast<Index>(sizeof(std::uint64_t));
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (Index i = 0; i < words && word <= bytes; ++i) {
      std::uint64_t value = 0;
      std::memcpy(&value, w.data + (bytes - word) / (words - 1) * i, sizeof value);
      hash = (hash ^ value) * 0x100000001b3u;
    }
    return hash;
  }

  /// Decodes panels on all threads while the device copies the panel before.
  template <class E>
  E const* upload(StoredMatrix const& w, DeviceMemory& memory, CudaQueue& queue) {
    constexpr Index panel_elements = Index{1} << 22;
    queue.wait();  // the memory, or the panels, may be in use
    E* const device = memory.elements<E>(w.size());
    Index const rows = std::clamp<Index>(panel_elements / std::max<Index>(w.cols, 1), 1, std::max<Index>(w.rows, 1));
    std::size_t turn = 0;
    for (Index first = 0; first < w.rows; first += rows, turn = 1 - turn) {
      Index const last = std::min(w.rows, first + rows);
      E* const panel = panels_[turn].elements<E>(rows * w.cols);
      parallel_blocks(last - first, 16, [&](Index from, Index to) {
        decode_rows(w, first + from, first + to, MatrixView<E>(panel + from * w.cols, to - from, w.cols));
      });
      queue.wait();
      queue.copy(panel, device + first * w.cols, static_cast<std::size_t>((last - first) * w.cols) * sizeof(E));
    }
    queue.wait();
    return device;
  }

  std::size_t limit_;
  std::size_t kept_ = 0;
  Entries entries_;
  DeviceMemory visiting_;
  std::array<PinnedMemory, 2> panels_;
};

}  // namespace graft::detail
