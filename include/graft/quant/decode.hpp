// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>
#include <graft/core/view.hpp>
#include <graft/quant/block_decoders.hpp>
#include <graft/quant/few_bit_decoders.hpp>
#include <graft/quant/scaled_decoders.hpp>
#include <graft/quant/storage.hpp>
#include <graft/quant/stored_lanes.hpp>

#include <cassert>
#include <cstddef>
#include <cstring>

namespace graft {

/// What weights can be decoded to: the arithmetic types, and bf16 for matrix engines that take it.
template <class T>
concept DecodeTarget = Scalar<T> || std::same_as<T, bf16>;

namespace detail {

template <class Format, class T>
void decode_blocks(std::byte const* from, Index cols, T* out) noexcept {
  constexpr Index elements = Format::elements, bytes = Format::bytes;
  if constexpr (std::same_as<T, bf16> && requires(T* block) { decode_by_lanes<Format>(from, block); }) {
    for (Index c = 0; c < cols; c += elements, from += bytes, out += elements) decode_by_lanes<Format>(from, out);
  } else if constexpr (std::same_as<T, bf16>) {
    decode_by_floats(cols, out, [&](Index c, Index count, float* values) {
      decode_blocks<Format>(from + c / elements * bytes, count, values);
    });
  } else {
    for (Index c = 0; c < cols; c += elements, from += bytes, out += elements) {
      if constexpr (std::same_as<T, float> && requires { Format::has_minimum; })
        decode_by_lanes<Format>(from, out);
      else
        Format::block(from, out);
    }
  }
}

/// Rows of plain elements of type From, which need not be aligned.
template <class From, class T>
void decode_plain(std::byte const* from, Index cols, T* out) noexcept {
  if constexpr (std::same_as<From, T>) {
    // Pieces of fixed size stay vector moves; one large memcpy becomes `rep movsb`, which some machines run slowly.
    constexpr Index piece = 64 / static_cast<Index>(sizeof(T));
    Index j = 0;
    for (; j + piece <= cols; j += piece) std::memcpy(out + j, from + j * static_cast<Index>(sizeof(T)), 64);
    if (j < cols)
      std::memcpy(out + j, from + j * static_cast<Index>(sizeof(T)), static_cast<std::size_t>(cols - j) * sizeof(T));
  } else {
    for (Index j = 0; j < cols; ++j) {
      auto const value = load<From>(from + j * static_cast<Index>(sizeof(From)));
      if constexpr (std::same_as<From, float> || std::same_as<From, double>) {
        if constexpr (std::same_as<T, bf16>)
          out[j] = to_bf16(static_cast<float>(value));
        else
          out[j] = static_cast<T>(value);
      } else if constexpr (std::same_as<From, f16>) {
        store(out[j], widen_half(value.bits));
      } else {
        store(out[j], to_float(value));
      }
    }
  }
}

}  // namespace detail

/// Decodes one row of `cols` elements. The values are those of GGUF's reference decoder, bit for bit in float
/// (llama.cpp, `ggml-quants.c`; Python package `gguf`): every block element is an exact product plus at most one rounded
/// addition. `double` receives the same float values, bf16 the same rounded to nearest. `row` may be unaligned.
/// `cols` must be a multiple of the block (`row_bytes` checks that where shapes enter the program). Formats with scales
/// apart need `decode_rows`.
template <DecodeTarget T>
void decode_row(Storage storage, std::byte const* row, Index cols, T* out) noexcept {
  assert(cols % block_elements(storage) == 0 && !has_scales(storage));
  switch (storage) {
    case Storage::f64:
      return detail::decode_plain<double>(row, cols, out);
    case Storage::f32:
      return detail::decode_plain<float>(row, cols, out);
    case Storage::f16:
      return detail::decode_plain<f16>(row, cols, out);
    case Storage::bf16:
      return detail::decode_plain<bf16>(row, cols, out);
    case Storage::q8_0:
      return detail::decode_blocks<detail::LanesQ8_0>(row, cols, out);
    case Storage::q4_0:
      return detail::decode_blocks<detail::LanesQ4_0>(row, cols, out);
    case Storage::q4_1:
      return detail::decode_blocks<detail::LanesQ4_1>(row, cols, out);
    case Storage::q5_0:
      return detail::decode_blocks<detail::DecodeQ5_0>(row, cols, out);
    case Storage::q5_1:
      return detail::decode_blocks<detail::DecodeQ5_1>(row, cols, out);
    case Storage::q4_k:
      return detail::decode_blocks<detail::DecodeQ4K>(row, cols, out);
    case Storage::q5_k:
      return detail::decode_blocks<detail::DecodeQ5K>(row, cols, out);
    case Storage::q6_k:
      return detail::decode_blocks<detail::DecodeQ6K>(row, cols, out);
    case Storage::q2_k:
      return detail::decode_blocks<detail::DecodeQ2K>(row, cols, out);
    case Storage::q3_k:
      return detail::decode_blocks<detail::DecodeQ3K>(row, cols, out);
    case Storage::iq4_nl:
      return detail::decode_blocks<detail::DecodeIq4Nl>(row, cols, out);
    case Storage::iq4_xs:
      return detail::decode_blocks<detail::DecodeIq4Xs>(row, cols, out);
    case Storage::nf4:
    case Storage::fp4:
    case Storage::int8:
      return;
  }
}

/// Decodes rows [begin, end) of `matrix` into the rows of `out`, which has `end - begin` rows and the same columns. nf4,
/// fp4 and int8 give the values of bitsandbytes' dequantize_4bit and int8_vectorwise_dequant to float32, to the bit.
/// Runs on the calling thread: callers split the rows.
template <DecodeTarget T>
void decode_rows(StoredMatrix const& matrix, Index begin, Index end, MatrixView<T> out) {
  assert(0 <= begin && begin <= end && end <= matrix.rows);
  assert(out.rows == end - begin && out.cols == matrix.cols);
  if (has_scales(matrix.storage)) {
    for (Index r = begin; r < end; ++r) detail::decode_scaled_row(matrix, r, out.row(r - begin));
    return;
  }
  Index const stride = matrix.row_bytes();
  for (Index r = begin; r < end; ++r)
    decode_row(matrix.storage, matrix.data + r * stride, matrix.cols, out.row(r - begin));
}

}  // namespace graft
