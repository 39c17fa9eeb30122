// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/data/line_errors.hpp>
#include <graft/data/line_reader.hpp>
#include <graft/data/record.hpp>

#include <string>
#include <utility>

namespace graft {

/// Reads the records of a JSONL file: f(line, record, line number) for each line that is not blank; counts lines and records in
/// `report`. Errors: one for all lines that `f` refused (at most 20), each with file, line and reason; a file without records.
template <class Report, class F>
void read_records(std::string const& path, LineReaderOptions const& options, Report& report, F&& f) {
  LineReader reader(path, options);
  LineErrors errors(path);
  std::string line;
  while (!errors.full() && reader.next(line)) {
    if (is_blank(line)) {
      ++report.blank_lines;
      continue;
    }
    Index const record = report.records++;
    try {
      f(std::as_const(line), record, reader.line_number());
    } catch (Error const& error) {
      errors.add(reader.line_number(), error);
    }
  }
  errors.report();
  require(report.records > 0, "data", path, " has no records");
}

}  // namespace graft
