// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/parallel.hpp>
#include <graft/core/scalar.hpp>
#include <graft/quant/dynamic_map.hpp>
#include <graft/quant/host_tensor.hpp>
#include <graft/quant/scaled_decoders.hpp>
#include <graft/quant/torch_sum.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace graft {

/// How bitsandbytes' 4-bit formats are written: quant_type, blocksize and bnb_4bit_use_double_quant.
struct FourBit {
  Storage storage = Storage::nf4;
  Index block = 64;          ///< 32, 64, 128, … 4096
  bool double_quant = true;  ///< the scales in 8 bits

  friend bool operator==(FourBit const&, FourBit const&) = default;
};

namespace detail {

/// What an encoded tensor points to.
struct ScaledMemory {
  std::vector<std::byte> elements, codes;
  std::vector<float> absmax;
  BlockScales scales;
};

[[nodiscard]] inline HostTensor scaled_tensor(Storage storage, std::vector<Index> shape, std::shared_ptr<ScaledMemory> memory) {
  memory->scales.absmax = reinterpret_cast<std::byte const*>(memory->absmax.data());
  memory->scales.codes = memory->codes.empty() ? nullptr : memory->codes.data();
  std::shared_ptr<BlockScales const> scales(memory, &memory->scales);
  return {storage, std::move(shape), memory->elements.data(), std::move(memory), std::move(scales)};
}

[[nodiscard]] inline float largest_magnitude(std::span<float const> values) {
  std::uint32_t largest = 0;  // magnitudes are in the order of their bits, and compilers turn integers into vectors
  for (float const value : values) largest = std::max(largest, std::bit_cast<std::uint32_t>(value) & 0x7fffffffu);
  return std::bit_cast<float>(largest);
}

inline void require_finite(std::span<float const> values, Storage storage) {
  require(std::isfinite(largest_magnitude(values)), "quant", "a value that is not finite cannot be stored as ", name(storage));
}

/// Rounds to the nearest of 16 levels, to the lower of two, by counting the middles that lie below: for a piece of values at a
/// time, middle by middle, which compilers turn into vectors.
class LevelRounding {
 public:
  explicit LevelRounding(Storage storage) {
    auto const& levels = levels_of(storage);
    for (std::size_t i = 0; i < 16; ++i) order_[i] = static_cast<std::uint8_t>(i);
    std::stable_sort(order_.begin(), order_.end(), [&](auto a, auto b) { return levels[a] < levels[b]; });
    for (std::size_t i = 0; i < 15; ++i) middles_[i] = (levels[order_[i]] + levels[order_[i + 1]]) / 2.0f;
  }
  static constexpr std::size_t piece = 32;

  /// The codes of `piece` values.
  void operator()(float const* x, std::uint8_t* codes) const {
    std::array<std::int32_t, piece> below = {};
    for (float const middle : middles_) {
#ifdef _OPENMP
#pragma omp simd
#endif
      for (std::size_t i = 0; i < piece; ++i) below[i] += middle < x[i] ? 1 : 0;
    }
    for (std::size_t i = 0; i < piece; ++i) codes[i] = order_[static_cast<std::size_t>(below[i])];
  }

 private:
  std::array<std::uint8_t, 16> order_;
  std::array<float, 15> middles_;
};

/// The codes of a block, two a byte: of x·scale for a `whole` block, which is a multiple of a piece, else of x/scale.
inline void encode_levels(LevelRounding const& round, std::span<float const> block, float scale, bool whole, std::byte* out) {
  constexpr std::size_t piece = LevelRounding::piece;
  std::array<float, piece> scaled = {};
  std::array<std::uint8_t, piece> codes;
  for (std::size_t i = 0; i < block.size(); i += piece) {
    float const* const x = block.data() + i;
    std::size_t const count = std::min(piece, block.size() - i);
    if (whole)
      for (std::size_t k = 0; k < piece; ++k) scaled[k] = x[k] * scale;
    else
      for (std::size_t k = 0; k < count; ++k) scaled[k] = x[k] / scale;
    round(scaled.data(), codes.data());
    for (std::size_t k = 0; k < count; k += 2) out[(i + k) / 2] = static_cast<std::byte>(codes[k] << 4 | codes[k + 1]);
  }
}

/// Scales of blocks as codes. Their mean is taken off first, since all are positive.
inline void encode_scales(ScaledMemory& memory) {
  auto& scales = memory.scales;
  auto const& map = DynamicMap::with_sign();
  scales.map = map.values();
  scales.offset = torch_mean(memory.absmax);
  std::vector<float> values = std::exchange(memory.absmax, {});
  for (float& value : values) value -= scales.offset;
  memory.codes.resize(values.size());
  auto const count = static_cast<Index>(values.size());
  for (Index begin = 0; begin < count; begin += scales.nested_block)
    encode_dynamic(map, values.data() + begin, std::min(scales.nested_block, count - begin), memory.absmax.emplace_back(),
                   memory.codes.data() + begin);
}

}  // namespace detail

/// Encodes a row-major tensor as NF4 or FP4, as bitsandbytes' `quantize_4bit` does on a CPU, to the bit (the mean of the
/// scales: as torch finds it on one thread). Each block is divided by its largest magnitude and rounded to the nearest level.
/// Errors: a block size that bitsandbytes does not have, rows of an odd number of columns, a value that is not finite.
[[nodiscard]] inline HostTensor encode_4bit(FourBit format, std::span<float const> values, std::vector<Index> shape) {
  constexpr std::array<Index, 8> sizes{32, 64, 128, 256, 512, 1024, 2048, 4096};
  require(format.storage == Storage::nf4 || format.storage == Storage::fp4, "quant", "encode_4bit writes nf4 and fp4: got ",
          name(format.storage));
  require(std::find(sizes.begin(), sizes.end(), format.block) != sizes.end(), "quant",
          "a block of nf4 or fp4 must have 32, 64, 128, … or 4096 elements: got ", format.block);
  (void)row_bytes(format.storage, shape.empty() ? 1 : shape.back());
  detail::require_finite(values, format.storage);
  auto memory = std::make_shared<detail::ScaledMemory>();
  auto const size = static_cast<Index>(values.size());
  memory->scales.block = format.block;
  memory->elements.resize(values.size() / 2);
  memory->absmax.resize(static_cast<std::size_t>(BlockScales::count(size, format.block)));
  detail::LevelRounding const round(format.storage);
  parallel_blocks(static_cast<Index>(memory->absmax.size()), 64, [&](Index first, Index last) {
    for (Index b = first; b < last; ++b) {
      Index const begin = b * format.block, end = std::min(size, begin + format.block);
      float absmax = detail::largest_magnitude(values.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
      float const divisor = std::max(absmax, 1e-38f), inverse = 1.0f / divisor;
      bool const whole = end - begin == format.block;
      if (!whole) absmax = divisor;
      memory->absmax[static_cast<std::size_t>(b)] = absmax;
      auto const block = values.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
      detail::encode_levels(round, block, whole ? inverse : divisor, whole, memory->elements.data() + begin / 2);
    }
  });
  if (format.double_quant) detail::encode_scales(*memory);
  return detail::scaled_tensor(format.storage, std::move(shape), std::move(memory));
}

/// Encodes a matrix (rows, cols) row by row in 8 bits, as bitsandbytes' `int8_vectorwise_quant`: q = round(x·((1/absmax)·127)).
/// A row of zeros becomes zeros. Error: a value that is not finite.
[[nodiscard]] inline HostTensor encode_int8(std::span<float const> values, std::vector<Index> shape) {
  detail::require_finite(values, Storage::int8);
  auto memory = std::make_shared<detail::ScaledMemory>();
  Index const cols = shape.empty() ? 1 : shape.back();
  Index const rows = cols == 0 ? 0 : static_cast<Index>(values.size()) / cols;
  memory->scales.block = cols;
  memory->elements.resize(values.size());
  memory->absmax.resize(static_cast<std::size_t>(rows));
  parallel_blocks(rows, 16, [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) {
      auto const row = values.subspan(static_cast<std::size_t>(r * cols), static_cast<std::size_t>(cols));
      float const absmax = detail::largest_magnitude(row), factor = absmax == 0 ? 0.0f : 1.0f / absmax * 127.0f;
      memory->absmax[static_cast<std::size_t>(r)] = absmax;
      for (std::size_t j = 0; j < row.size(); ++j)
        memory->elements[static_cast<std::size_t>(r * cols) + j] = static_cast<std::byte>(static_cast<std::int8_t>(std::nearbyint(row[j] * factor)));
    }
  });
  return detail::scaled_tensor(Storage::int8, std::move(shape), std::move(memory));
}

}  // namespace graft
