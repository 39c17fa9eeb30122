// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/line_reader.hpp>

#include <graft/core/error.hpp>
#include <graft/data/line_errors.hpp>

#include <cstring>
#include <string_view>
#include <utility>

namespace graft {

GRAFT_INLINE LineReader::LineReader(std::string path, LineReaderOptions options)
    : path_(std::move(path)), options_(options), buffer_(std::size_t{1} << 16) {
  try {
    source_.emplace(path_);
  } catch (Error const& error) {
    fail("data", path_, " ", detail::reason_of(error));
  }
}

GRAFT_INLINE bool LineReader::next(std::string& line) {
  line.clear();
  bool found = false;
  while (begin_ != end_ || fill()) {
    found = true;
    char const* const from = buffer_.data() + begin_;
    auto const* const newline = static_cast<char const*>(std::memchr(from, '\n', end_ - begin_));
    std::size_t const length = newline != nullptr ? static_cast<std::size_t>(newline - from) : end_ - begin_;
    require(length <= options_.max_line_bytes && line.size() <= options_.max_line_bytes - length, "data", path_, ":",
            line_ + 1, ": the line is longer than ", options_.max_line_bytes, " bytes");
    line.append(from, length);
    begin_ += length;
    if (newline != nullptr) {
      ++begin_;
      break;
    }
  }
  if (!found) return false;
  ++line_;
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (line_ == 1) check_beginning(line);
  return true;
}

GRAFT_INLINE bool LineReader::fill() {
  begin_ = 0;
  end_ = 0;
  try {
    end_ = source_->read(buffer_.data(), buffer_.size());
  } catch (Error const& error) {
    fail("data", path_, ":", line_ + 1, ": ", detail::reason_of(error));
  }
  return end_ != 0;
}

GRAFT_INLINE void LineReader::check_beginning(std::string& line) const {
  struct Kind {
    std::string_view magic;
    std::string_view name;
  };
  static constexpr Kind kinds[] = {{"\xff\xfe", "UTF-16"},
                                   {"\xfe\xff", "UTF-16"},
                                   {"PAR1", "Parquet"},
                                   {"PK\x03\x04", "a zip archive"},
                                   {"\x28\xb5\x2f\xfd", "zstd"},
                                   {"BZh", "bzip2"},
                                   {"\xfd"
                                    "7zXZ",
                                    "xz"}};
  for (Kind const& kind : kinds)
    require(!line.starts_with(kind.magic), "data", path_, ":1: must be plain or gzip UTF-8 text: this is ", kind.name);
  if (line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
}

}  // namespace graft
