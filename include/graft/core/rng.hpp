// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace graft {

/// Philox 4x32-10, a counter-based generator: the n-th block is a pure function of (key, n), so any thread may make any
/// part of a stream and the numbers do not depend on how the work was split.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
struct Philox {
  std::uint64_t key = 0;     ///< the seed
  std::uint64_t stream = 0;  ///< separates independent uses of one seed

  [[nodiscard]] std::array<std::uint32_t, 4> block(std::uint64_t n) const noexcept {
    auto c0 = static_cast<std::uint32_t>(n), c1 = static_cast<std::uint32_t>(n >> 32);
    auto c2 = static_cast<std::uint32_t>(stream), c3 = static_cast<std::uint32_t>(stream >> 32);
    auto k0 = static_cast<std::uint32_t>(key);
    auto k1 = static_cast<std::uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
      std::uint64_t const p0 = std::uint64_t{0xD2511F53u} * c0;
      std::uint64_t const p1 = std::uint64_t{0xCD9E8D57u} * c2;
      c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
      c1 = static_cast<std::uint32_t>(p1);
      c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
      c3 = static_cast<std::uint32_t>(p0);
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    return {c0, c1, c2, c3};
  }
  /// The n-th 32-bit word of the stream.
  [[nodiscard]] std::uint32_t word(std::uint64_t n) const noexcept { return block(n / 4)[n % 4]; }
};

/// A sequential reader of one Philox stream: uniform, normal and integer draws. Its whole state is (key, stream, position).
class Rng {
 public:
  explicit Rng(std::uint64_t seed, std::uint64_t stream = 0) : philox_{seed, stream} {}

  std::uint64_t next() {
    auto const words = philox_.block(position_ / 4);
    std::uint64_t const high = words[position_ % 4];
    std::uint64_t const low = position_ % 4 < 3 ? words[position_ % 4 + 1] : philox_.word(position_ + 1);
    position_ += 2;
    return high << 32 | low;
  }
  /// Uniform in [0, 1), with 53 random bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform in {0, …, n-1} without bias (rejection); n ≥ 1.
  std::uint64_t below(std::uint64_t n) {
    std::uint64_t const limit = ~std::uint64_t{0} - ~std::uint64_t{0} % n;
    std::uint64_t draw = next();
    while (draw >= limit) draw = next();
    return draw % n;
  }
  /// Standard normal (Box–Muller, one of the pair).
  double normal() {
    double const radius = std::sqrt(-2.0 * std::log1p(-uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

  [[nodiscard]] std::uint64_t position() const { return position_; }
  void seek(std::uint64_t position) { position_ = position; }

 private:
  Philox philox_;
  std::uint64_t position_ = 0;
};

/// Fisher–Yates with our own generator: the same order on every standard library.
template <class Container>
void shuffle(Container& items, Rng& rng) {
  using std::swap;
  for (auto n = items.size(); n > 1; --n) swap(items[n - 1], items[rng.below(n)]);
}

}  // namespace graft
