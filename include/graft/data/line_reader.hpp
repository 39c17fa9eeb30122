// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/data/byte_source.hpp>
#include <graft/data/line_errors.hpp>

#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace graft {

struct LineReaderOptions {
  std::size_t max_line_bytes = std::size_t{64} << 20;  ///< a longer line is an error, not a giant allocation
};

/// The lines of a UTF-8 text file, plain or gzip. A line ends with LF or CR LF; the last one may lack it. A byte order
/// mark is dropped. Every error has the form `[data] FILE:LINE: reason`.
class LineReader {
 public:
  explicit LineReader(std::string path, LineReaderOptions options = {})
      : path_(std::move(path)), options_(options), buffer_(std::size_t{1} << 16) {
    try {
      source_.emplace(path_);
    } catch (Error const& error) {
      fail("data", path_, " ", detail::reason_of(error));
    }
  }

  /// Reads the next line, without its end, into `line`. False at the end of the file.
  [[nodiscard]] bool next(std::string& line) {
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

  /// The number of the line that `next` gave last, from 1.
  [[nodiscard]] Index line_number() const { return line_; }
  [[nodiscard]] std::string const& path() const { return path_; }

 private:
  bool fill() {
    begin_ = 0;
    end_ = 0;
    try {
      end_ = source_->read(buffer_.data(), buffer_.size());
    } catch (Error const& error) {
      fail("data", path_, ":", line_ + 1, ": ", detail::reason_of(error));
    }
    return end_ != 0;
  }
  /// Drops the byte order mark; names the formats that are often taken for text.
  void check_beginning(std::string& line) const {
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
      require(!line.starts_with(kind.magic), "data", path_, ":1: must be plain or gzip UTF-8 text: this is ",
              kind.name);
    if (line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
  }

  std::string path_;
  LineReaderOptions options_;
  std::optional<ByteSource> source_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // what is unread of `buffer_`
  std::size_t end_ = 0;
  Index line_ = 0;
};

}  // namespace graft
