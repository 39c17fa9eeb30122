// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace graft::test {

/// The folder of the fixtures; CMake defines GRAFT_FIXTURES_DIR.
#ifdef GRAFT_FIXTURES_DIR
inline std::filesystem::path const fixtures = GRAFT_FIXTURES_DIR;
#else
inline std::filesystem::path const fixtures = "fixtures";
#endif

/// A folder that lives as long as the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "graft-test-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  TemporaryDirectory(TemporaryDirectory const&) = delete;
  TemporaryDirectory& operator=(TemporaryDirectory const&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] std::filesystem::path const& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

[[nodiscard]] inline std::string read_file(std::filesystem::path const& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE_MESSAGE(file.good(), "cannot read ", path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_file(std::filesystem::path const& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  REQUIRE_MESSAGE(file.good(), "cannot write ", path.string());
}

/// The content of a file as elements of type T.
template <class T>
[[nodiscard]] std::vector<T> read_elements(std::filesystem::path const& path) {
  std::string const content = read_file(path);
  std::vector<T> elements(content.size() / sizeof(T));
  std::memcpy(elements.data(), content.data(), elements.size() * sizeof(T));
  return elements;
}

}  // namespace graft::test
