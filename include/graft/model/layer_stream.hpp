// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

namespace graft {

/// What streaming came to so far.
struct StreamStatistics {
  std::size_t bytes = 0;    ///< brought into this process's memory, from the disk or the system's cache
  double read_seconds = 0;  ///< that the reader took, beside the computation
  double wait_seconds = 0;  ///< that the computation waited for it

  friend bool operator==(StreamStatistics const&, StreamStatistics const&) = default;
};

/// Keeps the frozen weights of a model's layers in a mapped file and at most `window` bytes of them in memory. While a layer
/// computes, a thread reads the one that comes next, in either direction; layers are dropped farthest first, so a backward
/// pass finds the last layers of its forward pass, and the next forward pass the first ones, still there. One pass then
/// reads the layers' bytes less the window.
class LayerStream {
 public:
  /// The pages of a mapped file that hold the weights of a layer, weight by weight.
  using Ranges = std::vector<std::span<std::byte const>>;

  /// Error: a window smaller than the two largest neighbours, one to compute with and one to read.
  LayerStream(std::vector<Ranges> layers, std::size_t window);
  LayerStream(LayerStream const&) = delete;
  LayerStream& operator=(LayerStream const&) = delete;
  ~LayerStream();

  /// The smallest window for layers of these bytes.
  [[nodiscard]] static std::size_t least_window(std::span<std::size_t const> layer_bytes);

  /// Call before layer `now` computes: waits until it is in memory, and begins to read `next`, if there is one.
  /// Error: the file cannot give the bytes.
  void enter(std::size_t now, std::optional<std::size_t> next);

  [[nodiscard]] std::size_t window() const { return window_; }
  [[nodiscard]] std::size_t resident_bytes() const;
  [[nodiscard]] StreamStatistics statistics() const;

 private:
  enum class State : std::uint8_t { absent, wanted, present, unreadable };

  void read();
  void request(std::size_t layer, std::size_t now);
  void make_room(std::size_t bytes, std::size_t now);

  std::vector<Ranges> layers_;
  std::vector<std::size_t> bytes_;
  std::size_t window_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<State> states_;
  std::size_t resident_ = 0;
  std::vector<std::size_t> queue_;
  StreamStatistics statistics_;
  bool stop_ = false;
  std::thread reader_;
};

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/model/layer_stream.tpp>
#endif
