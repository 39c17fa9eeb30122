// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>

#include <cstddef>
#include <map>
#include <string>

namespace graft::bench {

/// `--name value` and `--name` of a benchmark program's command line. Error: anything else, or a name not in `known`.
class Flags {
 public:
  Flags(int argc, char** argv, std::map<std::string, std::string> known) : values_(std::move(known)) {
    for (int i = 1; i < argc; ++i) {
      std::string const flag = argv[i], name = flag.starts_with("--") ? flag.substr(2) : "";
      require(values_.count(name) != 0, "bench", "there is no flag ", flag);
      bool const has_value = i + 1 < argc && !std::string(argv[i + 1]).starts_with("--");
      values_[name] = has_value ? argv[++i] : "1";
    }
  }
  [[nodiscard]] std::string const& text(std::string const& name) const { return values_.at(name); }
  [[nodiscard]] bool set(std::string const& name) const { return !text(name).empty() && text(name) != "0"; }
  [[nodiscard]] std::ptrdiff_t number(std::string const& name) const { return std::stol(text(name)); }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace graft::bench
