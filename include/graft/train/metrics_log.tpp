// SPDX-License-Identifier: Apache-2.0
#include <graft/io/atomic_file.hpp>
#include <graft/train/metrics_log.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace graft::detail {

GRAFT_INLINE std::string decimal(double value, char const* empty) {
  if (!std::isfinite(value)) return empty;
  std::array<char, 32> digits{};
  auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  std::string text(digits.data(), end);
  if (std::abs(value) < 1e15 && value == std::trunc(value)) text = std::to_string(static_cast<long long>(value));
  return text;
}

GRAFT_INLINE std::optional<std::vector<double>> row_values(std::string const& line,
                                                           std::vector<std::string> const& keys, bool csv,
                                                           std::size_t cells) {
  double constexpr nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> values;
  if (csv) {
    for (std::size_t begin = 0; begin <= line.size();) {
      std::size_t const end = std::min(line.find(',', begin), line.size());
      double value = nan;
      if (end > begin) {
        auto const [last, error] = std::from_chars(line.data() + begin, line.data() + end, value);
        if (error != std::errc{} || last != line.data() + end) return std::nullopt;
      }
      values.push_back(value);
      begin = end + 1;
    }
    if (values.size() != cells) return std::nullopt;
  } else {
    auto const object = nlohmann::json::parse(line, nullptr, false);
    if (!object.is_object()) return std::nullopt;
    for (auto const& key : keys) {
      auto const found = object.find(key);
      if (found == object.end() || !(found->is_number() || found->is_null())) return std::nullopt;
      values.push_back(found->is_null() ? nan : found->get<double>());
    }
  }
  if (!(values[0] >= 0 && values[0] < 9e15)) return std::nullopt;  // the step must fit an integer
  return values;
}

GRAFT_INLINE void replace_file(std::filesystem::path const& path, std::string const& content) {
  write_atomically(path, content);
}

}  // namespace graft::detail
