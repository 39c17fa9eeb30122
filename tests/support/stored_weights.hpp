// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/rng.hpp>
#include <graft/quant/storage.hpp>

#include <cstddef>
#include <cstring>
#include <vector>

namespace graft::test {

inline constexpr Storage all_storages[] = {Storage::f64,  Storage::f32,  Storage::f16,  Storage::bf16,
                                           Storage::q8_0, Storage::q4_0, Storage::q4_1, Storage::q5_0,
                                           Storage::q5_1, Storage::q4_k, Storage::q5_k, Storage::q6_k,
                                           Storage::q2_k, Storage::q3_k, Storage::iq4_nl, Storage::iq4_xs};

/// A random weight in any storage: plain elements are normal; blocks have random quants and small random scales.
[[nodiscard]] inline std::vector<std::byte> stored_weights(Storage storage, Index rows, Index cols, Rng& rng) {
  auto const bytes = static_cast<std::size_t>(block_bytes(storage));
  std::vector<std::byte> data(static_cast<std::size_t>(rows * row_bytes(storage, cols)));
  auto const put = [](std::byte* to, auto value) { std::memcpy(to, &value, sizeof value); };
  for (std::size_t at = 0; at < data.size(); at += bytes) {
    std::byte* const block = data.data() + at;
    double const value = rng.normal();
    auto const scale = to_f16(static_cast<float>(0.02 * rng.uniform(0.1, 1))), minimum = to_f16(static_cast<float>(0.1 * rng.normal()));
    if (is_quantized(storage))
      for (std::size_t i = 0; i < bytes; ++i) block[i] = static_cast<std::byte>(rng.below(256));
    switch (storage) {
      case Storage::f64: put(block, value); break;
      case Storage::f32: put(block, static_cast<float>(value)); break;
      case Storage::f16: put(block, to_f16(static_cast<float>(value))); break;
      case Storage::bf16: put(block, to_bf16(static_cast<float>(value))); break;
      case Storage::q8_0:
      case Storage::q4_0:
      case Storage::q5_0: put(block, scale); break;
      case Storage::q4_1:
      case Storage::q5_1: put(block, scale), put(block + 2, minimum); break;
      case Storage::q4_k:
      case Storage::q5_k: put(block, to_f16(to_float(scale) / 30)), put(block + 2, to_f16(to_float(minimum) / 60)); break;
      case Storage::q6_k: put(block + 208, to_f16(to_float(scale) / 60)); break;
      case Storage::q2_k: put(block + 80, to_f16(to_float(scale) / 4)), put(block + 82, to_f16(to_float(minimum) / 30)); break;
      case Storage::q3_k: put(block + 108, to_f16(to_float(scale) / 16)); break;
      case Storage::iq4_nl: put(block, to_f16(to_float(scale) / 8)); break;
      case Storage::iq4_xs: put(block, to_f16(to_float(scale) / 200)); break;
      case Storage::nf4:
      case Storage::fp4:
      case Storage::int8: break;  // scales lie apart
    }
  }
  return data;
}

}  // namespace graft::test
