// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/text/nfc_tables.hpp>
#include <graft/text/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace graft::detail {

/// The tables of Unicode's canonical equivalence, with the arithmetic of Hangul (Unicode 16, section 3.12).
class CanonicalTables {
 public:
  CanonicalTables() {
    for (std::size_t i = 0; i < std::size(canonical_singletons); i += 2 + canonical_singletons[i + 1])
      for (std::uint32_t k = 0; k < canonical_singletons[i + 1]; ++k)
        decompositions_[canonical_singletons[i] + k] = {char32_t{canonical_singletons[i + 2 + k]}};
    for (std::size_t i = 0; i < std::size(canonical_exclusions); i += 2 + canonical_exclusions[i + 1])
      for (std::uint32_t k = 0; k < canonical_exclusions[i + 1]; ++k)
        decompositions_[canonical_exclusions[i]].push_back(canonical_exclusions[i + 2 + k]);
    for (std::size_t i = 0; i < std::size(canonical_pairs); i += 3) {
      char32_t const pair[] = {canonical_pairs[i + 1], canonical_pairs[i + 2]};
      decompositions_[canonical_pairs[i]].assign(pair, pair + 2);
      composites_[key(pair[0], pair[1])] = canonical_pairs[i];
      second_parts_.insert(pair[1]);
    }
    for (std::size_t i = 0; i < std::size(combining_class_ranges); i += 3)
      for (std::uint32_t c = combining_class_ranges[i]; c < combining_class_ranges[i + 1]; ++c)
        combining_classes_[c] = static_cast<std::uint8_t>(combining_class_ranges[i + 2]);
  }

  [[nodiscard]] std::uint8_t combining_class(char32_t c) const {
    if (c < 0x300) return 0;
    auto const found = combining_classes_.find(c);
    return found == combining_classes_.end() ? std::uint8_t{0} : found->second;
  }

  void decompose(char32_t c, std::u32string& out) const {
    if (c >= hangul && c < hangul + 11172) {
      char32_t const index = c - hangul;
      out.push_back(leading + index / 588);
      out.push_back(vowel + index % 588 / 28);
      if (index % 28 != 0) out.push_back(trailing + index % 28);
      return;
    }
    auto const found = c < 0xC0 ? decompositions_.end() : decompositions_.find(c);
    if (found == decompositions_.end()) {
      out.push_back(c);
      return;
    }
    for (char32_t const part : found->second) decompose(part, out);
  }

  /// True if nothing before `c` can change it or be joined with it: text may be normalized from here on by itself.
  [[nodiscard]] bool is_boundary(char32_t c) const {
    if (c < 0x300) return true;
    auto const found = decompositions_.find(c);
    if (found != decompositions_.end()) return is_boundary(found->second.front());
    bool const joins_hangul = c >= vowel && c < trailing + 28;
    return combining_class(c) == 0 && !joins_hangul && !second_parts_.contains(c);
  }

  /// The composite of two code points, 0 if there is none.
  [[nodiscard]] char32_t compose(char32_t first, char32_t second) const {
    if (first >= leading && first < leading + 19 && second >= vowel && second < vowel + 21)
      return hangul + (first - leading) * 588 + (second - vowel) * 28;
    if (first >= hangul && first < hangul + 11172 && (first - hangul) % 28 == 0 && second > trailing &&
        second < trailing + 28)
      return first + (second - trailing);
    auto const found = composites_.find(key(first, second));
    return found == composites_.end() ? U'\0' : found->second;
  }

 private:
  static constexpr char32_t hangul = 0xAC00, leading = 0x1100, vowel = 0x1161, trailing = 0x11A7;
  [[nodiscard]] static std::uint64_t key(char32_t first, char32_t second) {
    return std::uint64_t{first} << 32 | second;
  }

  std::unordered_map<char32_t, std::u32string> decompositions_;
  std::unordered_map<std::uint64_t, char32_t> composites_;
  std::unordered_map<char32_t, std::uint8_t> combining_classes_;
  std::unordered_set<char32_t> second_parts_;
};

/// Normal form C of valid UTF-8. `origin` gets, for every byte of the result, the offset in `text` of the character
/// sequence that it came from: normalization mixes the characters of one such sequence.
[[nodiscard]] inline std::string nfc(std::string_view text, std::vector<Index>& origin) {
  static CanonicalTables const tables;
  struct Mark {
    char32_t value;
    std::uint8_t combining_class;
  };
  auto const size = static_cast<Index>(text.size());
  std::string out;
  out.reserve(text.size());
  origin.clear();
  origin.reserve(text.size());
  std::u32string decomposed, composed;
  std::vector<Mark> sequence;
  for (Index begin = 0; begin < size;) {
    Index end = begin;
    decomposed.clear();
    do {
      Utf8Step const step = utf8_step(text, end);
      if (end > begin && tables.is_boundary(step.value)) break;
      tables.decompose(step.value, decomposed);
      end += step.length;
    } while (end < size);

    sequence.clear();
    for (char32_t const c : decomposed) sequence.push_back({c, tables.combining_class(c)});
    for (auto first = sequence.begin(); first != sequence.end();) {  // canonical order: sort runs of marks
      auto const last = std::find_if(first, sequence.end(), [](Mark const& m) { return m.combining_class == 0; });
      std::stable_sort(first, last,
                       [](Mark const& a, Mark const& b) { return a.combining_class < b.combining_class; });
      first = last == sequence.end() ? last : last + 1;
    }
    composed.clear();
    std::size_t starter = std::u32string::npos;
    int previous_class = 0;
    for (Mark const& mark : sequence) {
      if (starter != std::u32string::npos &&
          (composed.size() == starter + 1 || previous_class < static_cast<int>(mark.combining_class)))
        if (char32_t const joined = tables.compose(composed[starter], mark.value)) {
          composed[starter] = joined;
          continue;
        }
      if (mark.combining_class == 0) starter = composed.size();
      previous_class = mark.combining_class;
      composed.push_back(mark.value);
    }
    for (char32_t const c : composed) append_utf8(out, c);
    origin.resize(out.size(), begin);
    begin = end;
  }
  return out;
}

}  // namespace graft::detail
