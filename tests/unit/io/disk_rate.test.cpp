// SPDX-License-Identifier: Apache-2.0
#include <graft/io/disk_rate.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>

#include <cmath>
#include <string>

namespace graft::test {

TEST_CASE("disk rate: a file that is too small, or is not there, says nothing; of a large one a rate, where its disk can tell") {
  TemporaryDirectory folder;
  write_file(folder / "small", "some bytes");
  CHECK(measured_disk_rate(folder / "small") == 0);
  CHECK(measured_disk_rate(folder / "nothing") == 0);
  write_file(folder / "large", std::string(std::size_t{16} << 20, 'x'));
  double const rate = measured_disk_rate(folder / "large");
  CHECK(std::isfinite(rate));
  CHECK(rate >= 0);
  CHECK((rate == 0 || rate > 1e5));
}

}  // namespace graft::test
