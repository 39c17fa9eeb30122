// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/quant/encode_q4_k.hpp>
#include <graft/quant/encode_scale.hpp>
#include <graft/quant/storage.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace graft {

namespace detail {

inline void encode_q8_0(float const* x, std::byte* out) {
  float largest = 0;
  for (int j = 0; j < 32; ++j) largest = std::max(largest, std::abs(x[j]));
  float const d = largest / 127.0f, inverse = inverse_scale(d);
  f16 const half = encode_scale(d, Storage::q8_0);
  std::int8_t q[32];
  for (int j = 0; j < 32; ++j) q[j] = static_cast<std::int8_t>(std::round(x[j] * inverse));
  std::memcpy(out, &half, 2);
  std::memcpy(out + 2, q, 32);
}

/// Writes the low four bits of q as nibbles (j and j + 16 share a byte) and, for five-bit formats, the fifth bits before.
inline void pack_bits(std::uint8_t const (&q)[32], bool five, std::byte* out) {
  if (five) {
    std::uint32_t high = 0;
    for (unsigned j = 0; j < 32; ++j) high |= static_cast<std::uint32_t>(q[j] >> 4) << j;
    std::memcpy(out, &high, 4);
    out += 4;
  }
  for (int j = 0; j < 16; ++j) out[j] = static_cast<std::byte>((q[j] & 15) | (q[j + 16] & 15) << 4);
}

/// Q4_0 and Q5_0: d·(q − zero), zero = 8 or 16; the value of largest magnitude becomes q = 0 exactly.
inline void encode_symmetric(float const* x, int zero, Storage storage, std::byte* out) {
  float extreme = 0;
  for (int j = 0; j < 32; ++j)
    if (std::abs(x[j]) > std::abs(extreme)) extreme = x[j];
  float const d = extreme / static_cast<float>(-zero), inverse = inverse_scale(d);
  f16 const half = encode_scale(d, storage);
  std::uint8_t q[32];
  for (int j = 0; j < 32; ++j)
    q[j] = static_cast<std::uint8_t>(std::clamp(static_cast<int>(x[j] * inverse + static_cast<float>(zero) + 0.5f), 0, 2 * zero - 1));
  std::memcpy(out, &half, 2);
  pack_bits(q, zero == 16, out + 2);
}

/// Q4_1 and Q5_1: d·q + m, q in 0..levels, m the smallest value.
inline void encode_affine(float const* x, int levels, Storage storage, std::byte* out) {
  auto const [low, high] = std::minmax_element(x, x + 32);
  float const m = *low, d = (*high - m) / static_cast<float>(levels), inverse = inverse_scale(d);
  f16 const halves[2] = {encode_scale(d, storage), encode_scale(m, storage)};
  std::uint8_t q[32];
  for (int j = 0; j < 32; ++j)
    q[j] = static_cast<std::uint8_t>(std::clamp(static_cast<int>((x[j] - m) * inverse + 0.5f), 0, levels));
  std::memcpy(out, halves, 4);
  pack_bits(q, levels == 31, out + 4);
}

}  // namespace detail

/// True for the formats that `encode_row` writes. q5_k, q6_k and what follows them are only read; those whose scales lie apart are made of whole
/// tensors (`encode_4bit`, `encode_int8`).
[[nodiscard]] constexpr bool can_encode(Storage storage) {
  return storage < Storage::q5_k;
}

/// Encodes `cols` values into `row_bytes(storage, cols)` bytes at `out`, as GGUF's reference quantisers do (q4_k: by a search of
/// our own, see `encode_q4_k`).
/// Errors: a format that is only read; in block formats a value that is not finite or too large for a half's scale.
template <Scalar T>
void encode_row(Storage storage, T const* in, Index cols, std::byte* out) {
  require(can_encode(storage), "quant", "writing ", name(storage), " is not supported: use f32, f16, bf16 or q8_0");
  Index const elements = block_elements(storage), bytes = block_bytes(storage);
  (void)row_bytes(storage, cols);  // checks the number of columns
  for (Index block = 0; block < cols / elements; ++block, in += elements, out += bytes) {
    float x[256];
    for (Index j = 0; j < elements; ++j) x[j] = static_cast<float>(in[j]);
    if (is_quantized(storage))
      for (Index j = 0; j < elements; ++j)
        require(std::isfinite(x[j]), "quant", "a value that is not finite cannot be stored as ", name(storage));
    switch (storage) {
      case Storage::f64: {
        double const value = static_cast<double>(in[0]);
        std::memcpy(out, &value, 8);
        break;
      }
      case Storage::f32: std::memcpy(out, x, 4); break;
      case Storage::f16: {
        f16 const half = to_f16(x[0]);
        std::memcpy(out, &half, 2);
        break;
      }
      case Storage::bf16: {
        bf16 const half = to_bf16(x[0]);
        std::memcpy(out, &half, 2);
        break;
      }
      case Storage::q8_0: detail::encode_q8_0(x, out); break;
      case Storage::q4_0: detail::encode_symmetric(x, 8, storage, out); break;
      case Storage::q4_1: detail::encode_affine(x, 15, storage, out); break;
      case Storage::q5_0: detail::encode_symmetric(x, 16, storage, out); break;
      case Storage::q5_1: detail::encode_affine(x, 31, storage, out); break;
      case Storage::q4_k: detail::encode_q4_k(x, out); break;
      case Storage::q5_k:
      case Storage::q6_k:
      case Storage::q2_k:
      case Storage::q3_k:
      case Storage::iq4_nl:
      case Storage::iq4_xs:
      case Storage::nf4:
      case Storage::fp4:
      case Storage::int8: break;
    }
  }
}

}  // namespace graft
