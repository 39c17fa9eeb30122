// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace graft {

namespace detail {

/// What an error of this layer says, without its tag: for a message that adds the place. Other layers keep their tag.
[[nodiscard]] std::string reason_of(Error const& error);

}  // namespace detail

/// Collects what is wrong with the lines of one file, so that one error reports them all before training starts.
class LineErrors {
 public:
  static constexpr std::size_t limit = 20;

  explicit LineErrors(std::string path) : path_(std::move(path)) {}

  void add(Index line, Error const& error);
  /// Whether so many lines are bad that reading on is of no use.
  [[nodiscard]] bool full() const { return count_ >= limit; }

  /// Error, if there was any: `[data] FILE:LINE: reason`, or a list with one entry for each reason.
  void report() const;

 private:
  struct Group {
    std::string reason;
    std::vector<Index> lines;
  };

  std::string path_;
  std::vector<Group> groups_;
  std::size_t count_ = 0;
};

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/data/line_errors.tpp>
#endif
