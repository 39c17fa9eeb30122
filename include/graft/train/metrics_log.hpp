// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/loss/metrics.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

/// What one optimizer step is recorded as.
struct MetricsRow {
  Index step = 0;        ///< the steps done, this one included: from 1
  double loss = 0;       ///< mean over the supervised tokens of the step
  double grad_norm = 0;  ///< before clipping
  double learning_rate = 0;
  Index supervised_tokens = 0;  ///< of this step
  Index tokens = 0;             ///< of this step, prompts included
  double seconds = 0;           ///< of this step
  double tokens_per_second = 0;
  Metrics metrics{};  ///< of the loss: after the fields above, under their own names

  friend bool operator==(MetricsRow const&, MetricsRow const&) = default;
  /// Calls f(name, field) in the order of the file.
  template <class Row, class F>
  static void visit(Row& row, F&& f) {
    f("step", row.step);
    f("loss", row.loss);
    f("grad_norm", row.grad_norm);
    f("learning_rate", row.learning_rate);
    f("supervised_tokens", row.supervised_tokens);
    f("tokens", row.tokens);
    f("seconds", row.seconds);
    f("tokens_per_second", row.tokens_per_second);
  }
};

/// What one evaluation on held-out records is recorded as, in a file of its own.
struct EvaluationRow {
  Index step = 0;   ///< optimizer steps done when it was made
  double loss = 0;  ///< mean over the supervised tokens
  Index supervised_tokens = 0;
  double seconds = 0;
  Metrics metrics{};

  friend bool operator==(EvaluationRow const&, EvaluationRow const&) = default;
  template <class Row, class F>
  static void visit(Row& row, F&& f) {
    f("step", row.step);
    f("loss", row.loss);
    f("supervised_tokens", row.supervised_tokens);
    f("seconds", row.seconds);
  }
};

namespace detail {

/// The shortest decimal that reads back as the same double; `empty` for what is not finite.
[[nodiscard]] std::string decimal(double value, char const* empty);
/// The named numbers of one JSON or CSV line, in the order of `keys`; null and an empty CSV cell are NaN. Nothing where
/// the line is not a whole row: broken off, or without one of the keys. `cells`: how many a CSV line has; the keys name
/// the first.
[[nodiscard]] std::optional<std::vector<double>> row_values(std::string const& line,
                                                            std::vector<std::string> const& keys, bool csv,
                                                            std::size_t cells);

template <class Row>
[[nodiscard]] std::vector<std::string> row_keys() {
  std::vector<std::string> keys;
  Row const row;
  Row::visit(row, [&](char const* name, auto const&) { keys.emplace_back(name); });
  return keys;
}

/// One line without its end: an object with all metrics, or cells in the order of the header, which ends with `columns`.
template <class Row>
[[nodiscard]] std::string row_text(Row const& row, bool csv, std::vector<std::string> const& columns = {}) {
  std::string line;
  auto const add = [&](std::string_view name, double value) {
    if (!line.empty()) line += csv ? "," : ", ";
    if (!csv) line.append("\"").append(name).append("\": ");
    line += decimal(value, csv ? "" : "null");
  };
  Row::visit(row, [&](char const* name, auto const& field) { add(name, static_cast<double>(field)); });
  if (csv)
    for (auto const& name : columns) add(name, row.metrics[name]);
  else
    for (Metric const& metric : row.metrics) add(metric.name, metric.value());
  return csv ? line : "{" + line + "}";
}

template <class Row>
[[nodiscard]] std::string csv_header(std::vector<std::string> const& columns = {}) {
  std::string line;
  for (auto const& key : row_keys<Row>()) line += (line.empty() ? "" : ",") + key;
  for (auto const& key : columns) line += "," + key;
  return line;
}

void replace_file(std::filesystem::path const& path, std::string const& content);

}  // namespace detail

namespace detail {

/// Calls f(row, line) for the rows of a metrics file; what it leaves out and refuses is said at `read_rows`.
template <class Row, class F>
void for_each_row(std::filesystem::path const& path, F&& f) {
  bool const csv = path.extension() == ".csv";
  std::ifstream file(path);
  require(file.good(), "metrics", "cannot read ", path.string());
  auto const keys = row_keys<Row>();
  auto const header = csv_header<Row>();
  std::size_t cells = keys.size();
  Index number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (csv && number == 1) {
      require(line == header || line.starts_with(header + ",") || file.eof(), "metrics", path.string(),
              ":1: the header must be ", header, " and what a loss adds");
      cells = static_cast<std::size_t>(std::count(line.begin(), line.end(), ',')) + 1;
      continue;
    }
    if (line.starts_with("{\"peak_rss_bytes\"")) continue;
    if (file.eof() || line.empty()) continue;
    auto const values = row_values(line, keys, csv, cells);
    require(values.has_value(), "metrics", path.string(), ":", number, ": not a row of metrics");
    Row row;
    std::size_t k = 0;
    Row::visit(row,
               [&](char const*, auto& field) { field = static_cast<std::decay_t<decltype(field)>>((*values)[k++]); });
    f(row, line);
  }
}

}  // namespace detail

/// The rows of a metrics file, CSV if its name ends in .csv and JSON lines otherwise, without what a loss added to them. A
/// last line that is broken off (the process died in it), empty lines and the closing line of a finished run are left
/// out; else a line that is no row is an error.
template <class Row = MetricsRow>
[[nodiscard]] std::vector<Row> read_rows(std::filesystem::path const& path) {
  std::vector<Row> rows;
  detail::for_each_row<Row>(path, [&](Row const& row, std::string const&) { rows.push_back(row); });
  return rows;
}

/// Writes rows to a file as they come, a whole line at a time and flushed, so that a killed run leaves all its lines.
/// CSV if the name ends in .csv, JSON lines otherwise; a value that is not finite is null, in CSV an empty cell. JSON lines
/// have all metrics of a row; CSV, whose header comes first, those that `columns` names.
template <class Row = MetricsRow>
class RowLog {
 public:
  /// Starts the file anew; with `resume_after` continues it, and drops what a run that was killed wrote after that step.
  explicit RowLog(std::filesystem::path path, std::optional<Index> resume_after = std::nullopt,
                  std::vector<std::string> columns = {})
      : path_(std::move(path)), csv_(path_.extension() == ".csv"), columns_(std::move(columns)) {
    std::string kept = csv_ ? detail::csv_header<Row>(columns_) + "\n" : "";
    if (resume_after && std::filesystem::exists(path_))
      detail::for_each_row<Row>(path_, [&](Row const& row, std::string const& line) {
        if (row.step <= *resume_after) kept += line + "\n";
      });
    detail::replace_file(path_, kept);
    file_.open(path_, std::ios::app);
    require(file_.good(), "metrics", "cannot write ", path_.string());
  }

  void write(Row const& row) { write_line(detail::row_text(row, csv_, columns_)); }

  /// The closing line of a run, {"peak_rss_bytes": n} and what else is to be said of the whole run; CSV has none.
  void finish(Index peak_rss_bytes, Metrics const& run = {}) {
    if (csv_) return;
    std::string line = "{\"peak_rss_bytes\": " + std::to_string(peak_rss_bytes);
    for (Metric const& metric : run) line.append(", \"").append(metric.name).append("\": ") += detail::decimal(metric.value(), "null");
    write_line(line + "}");
  }

 private:
  void write_line(std::string const& line) {
    file_ << line + "\n" << std::flush;
    require(file_.good(), "metrics", "cannot write to ", path_.string(), " (is the disk full?)");
  }

  std::filesystem::path path_;
  bool csv_ = false;
  std::vector<std::string> columns_;
  std::ofstream file_;
};

using MetricsLog = RowLog<MetricsRow>;
using EvaluationLog = RowLog<EvaluationRow>;

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/train/metrics_log.tpp>
#endif
