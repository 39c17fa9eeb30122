// SPDX-License-Identifier: Apache-2.0
// A user's program: compiles with all our warnings as errors, and calls into each library that graft::graft brings along.
#include <graft/core/error.hpp>
#include <graft/core/parallel.hpp>
#include <graft/core/rng.hpp>
#include <graft/text/byte_level_spec.hpp>
#include <graft/text/tokenizer.hpp>
#include <graft/version.hpp>

#include <Eigen/Core>
#include <nlohmann/json_fwd.hpp>
#include <zlib.h>

#include <iostream>
#include <string_view>
#include <vector>

#ifdef GRAFT_COMPILED
namespace graft {
char const* compiled_version() noexcept;
}
#endif

int main() {
  std::vector<int> hits(1000);
  graft::parallel_for(1000, [&](graft::Index i) { ++hits[static_cast<std::size_t>(i)]; });
  for (int n : hits) graft::require(n == 1, "consumer", "each index once: got ", n);

  graft::Tokenizer const tokenizer(graft::byte_level_spec());
  graft::require(tokenizer.encode("graft").size() == 5, "consumer", "five bytes are five tokens");
  Eigen::Vector2f const ones = Eigen::Vector2f::Ones();
  std::cout << "graft " << graft::version << ", zlib " << zlibVersion() << ", one and one is " << ones.sum() << '\n';
#ifdef GRAFT_COMPILED
  graft::require(std::string_view(graft::compiled_version()) == graft::version, "consumer",
                 "library and headers must be of one version: got ", graft::compiled_version(), " and ", graft::version);
#endif
}
