// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/io/atomic_file.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace graft {

/// Makes a file of `count` lines, `chunk` at a time: calls produce(first, last) for the lines [first, last), which returns them
/// without their ends. After each chunk PATH.part holds the lines so far; at the end it becomes PATH. A run that died goes on
/// behind the last whole chunk, so that where `produce` is a function of its arguments the file has the same bits.
/// Returns false where PATH was there already. Errors: another number of lines; those of writing.
template <class F>
bool write_lines_in_chunks(std::filesystem::path const& path, Index count, Index chunk, F&& produce) {
  namespace fs = std::filesystem;
  require(chunk >= 1, "lines", "a chunk must have at least one line: got ", chunk);
  if (fs::exists(path)) return false;
  fs::path part = path;
  part += ".part";
  std::string content;
  Index done = 0;
  std::ifstream file(part, std::ios::binary);
  for (std::string line; done < count && std::getline(file, line) && !file.eof(); ++done) content += line + '\n';
  require(done == count || done % chunk == 0, "lines", part.string(), " has ", done, " lines, which is no number of chunks of ", chunk,
          ": remove it to begin again");
  while (done < count) {
    Index const last = std::min(count, done + chunk);
    std::vector<std::string> const lines = produce(done, last);
    require(static_cast<Index>(lines.size()) == last - done, "lines", "needs a line for each of ", last - done, " records: got ", lines.size());
    for (auto const& line : lines) content += line + '\n';
    write_atomically(part, content);
    done = last;
  }
  if (count == 0) write_atomically(part, content);
  fs::rename(part, path);
  detail::sync_directory(fs::absolute(path).parent_path());
  return true;
}

}  // namespace graft
