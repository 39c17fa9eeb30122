// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/pages.hpp>
#include <graft/model/layer_stream.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace graft {

namespace detail {

[[nodiscard]] inline double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace detail

GRAFT_INLINE std::size_t LayerStream::least_window(std::span<std::size_t const> layer_bytes) {
  std::size_t least = layer_bytes.empty() ? 0 : layer_bytes[0];
  for (std::size_t i = 0; i + 1 < layer_bytes.size(); ++i) least = std::max(least, layer_bytes[i] + layer_bytes[i + 1]);
  return least;
}

GRAFT_INLINE LayerStream::LayerStream(std::vector<Ranges> layers, std::size_t window)
    : layers_(std::move(layers)), window_(window), states_(layers_.size(), State::absent) {
  for (auto const& ranges : layers_) {
    std::size_t bytes = 0;
    for (auto const& range : ranges) bytes += range.size();
    bytes_.push_back(bytes);
  }
  std::size_t const least = least_window(bytes_);
  require(window_ >= least, "stream", "a window of ", window_, " bytes cannot hold two neighbouring layers, ", least, " bytes");
  for (auto const& ranges : layers_)
    for (auto const& range : ranges) drop_pages(range);
  reader_ = std::thread([this] { read(); });
}

GRAFT_INLINE LayerStream::~LayerStream() {
  {
    std::scoped_lock const lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  reader_.join();
}

GRAFT_INLINE void LayerStream::read() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || !queue_.empty(); });
    if (stop_) return;
    std::size_t const layer = queue_.front();
    queue_.erase(queue_.begin());
    lock.unlock();
    auto const begin = std::chrono::steady_clock::now();
    bool readable = true;
    for (auto const& range : layers_[layer]) readable = readable && read_pages(range);
    double const seconds = detail::seconds_since(begin);
    lock.lock();
    states_[layer] = readable ? State::present : State::unreadable;
    statistics_.bytes += bytes_[layer];
    statistics_.read_seconds += seconds;
    changed_.notify_all();
  }
}

/// Drops layers until `bytes` more fit, farthest from `now` first; `now` stays, and what is being read.
GRAFT_INLINE void LayerStream::make_room(std::size_t bytes, std::size_t now) {
  auto const distance = [now](std::size_t layer) { return layer < now ? now - layer : layer - now; };
  while (resident_ + bytes > window_) {
    std::optional<std::size_t> farthest;
    for (std::size_t i = 0; i < layers_.size(); ++i)
      if (states_[i] == State::present && i != now && (!farthest || distance(i) > distance(*farthest))) farthest = i;
    if (!farthest) return;  // a layer that nobody waits for is still being read: the next call drops it
    for (auto const& range : layers_[*farthest]) drop_pages(range);
    states_[*farthest] = State::absent;
    resident_ -= bytes_[*farthest];
  }
}

GRAFT_INLINE void LayerStream::request(std::size_t layer, std::size_t now) {
  if (states_[layer] != State::absent) return;
  make_room(bytes_[layer], now);
  states_[layer] = State::wanted;
  resident_ += bytes_[layer];
  queue_.push_back(layer);
  changed_.notify_all();
}

GRAFT_INLINE void LayerStream::enter(std::size_t now, std::optional<std::size_t> next) {
  std::unique_lock lock(mutex_);
  request(now, now);
  if (states_[now] == State::wanted) {
    auto const begin = std::chrono::steady_clock::now();
    changed_.wait(lock, [&] { return states_[now] != State::wanted; });
    statistics_.wait_seconds += detail::seconds_since(begin);
  }
  require(states_[now] == State::present, "stream", "the weights of layer ", now,
          " cannot be read from their file: it was shortened, or the disk failed");
  if (next) request(*next, now);
}

GRAFT_INLINE std::size_t LayerStream::resident_bytes() const {
  std::scoped_lock const lock(mutex_);
  return resident_;
}

GRAFT_INLINE StreamStatistics LayerStream::statistics() const {
  std::scoped_lock const lock(mutex_);
  return statistics_;
}

}  // namespace graft
