// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/scalar.hpp>
#include <graft/data/byte_source.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace graft {

struct LineReaderOptions {
  std::size_t max_line_bytes = std::size_t{64} << 20;  ///< a longer line is an error, not a giant allocation
};

/// The lines of a UTF-8 text file, plain or gzip. A line ends with LF or CR LF; the last one may lack it. A byte order
/// mark is dropped. Every error has the form `[data] FILE:LINE: reason`.
class LineReader {
 public:
  explicit LineReader(std::string path, LineReaderOptions options = {});

  /// Reads the next line, without its end, into `line`. False at the end of the file.
  [[nodiscard]] bool next(std::string& line);

  /// The number of the line that `next` gave last, from 1.
  [[nodiscard]] Index line_number() const { return line_; }
  [[nodiscard]] std::string const& path() const { return path_; }

 private:
  bool fill();
  /// Drops the byte order mark; names the formats that are often taken for text.
  void check_beginning(std::string& line) const;

  std::string path_;
  LineReaderOptions options_;
  std::optional<ByteSource> source_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // what is unread of `buffer_`
  std::size_t end_ = 0;
  Index line_ = 0;
};

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/data/line_reader.tpp>
#endif
