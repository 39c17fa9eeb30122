// SPDX-License-Identifier: Apache-2.0
#include <graft/core/scalar.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <limits>

using graft::bf16;
using graft::f16;
using graft::to_bf16;
using graft::to_f16;
using graft::to_float;

namespace {

/// The value of a half by the definition of the format, in double: nothing shared with the code under test.
double half_by_definition(unsigned bits) {
  int const exponent = static_cast<int>(bits >> 10 & 31u);
  double const fraction = static_cast<double>(bits & 1023u) / 1024.0;
  double const magnitude = exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1.0 + fraction, exponent - 15);
  return bits >> 15 ? -magnitude : magnitude;
}

float float_of(std::uint32_t bits) { return std::bit_cast<float>(bits); }
std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }
f16 half(unsigned bits) { return {static_cast<std::uint16_t>(bits)}; }
bf16 brain(unsigned bits) { return {static_cast<std::uint16_t>(bits)}; }

}  // namespace

TEST_CASE("scalar: every half converts to the float of its definition and back to the same bits") {
  int wrong_values = 0;
  int wrong_round_trips = 0;
  for (unsigned bits = 0; bits < 65536; ++bits) {
    float const value = to_float(half(bits));
    if ((bits & 0x7c00u) == 0x7c00u) {  // infinity and NaN
      bool const is_nan = (bits & 1023u) != 0;
      if (std::isnan(value) != is_nan || std::isinf(value) == is_nan) ++wrong_values;
      if (std::signbit(value) != (bits >> 15 != 0)) ++wrong_values;
      f16 const back = to_f16(value);
      if (is_nan ? !std::isnan(to_float(back)) : back.bits != bits) ++wrong_round_trips;
      continue;
    }
    if (static_cast<double>(value) != half_by_definition(bits) || std::signbit(value) != (bits >> 15 != 0)) ++wrong_values;
    if (to_f16(value).bits != bits) ++wrong_round_trips;
  }
  CHECK(wrong_values == 0);
  CHECK(wrong_round_trips == 0);
}

TEST_CASE("scalar: between any two neighbouring halves, floats round to the nearer and ties to the even one") {
  int wrong = 0;
  for (unsigned bits = 0; bits < 0x7bffu; ++bits) {
    // Neighbouring halves have at most 12 significant bits between them, so the midpoint is exact in float.
    float const low = to_float(half(bits));
    float const high = to_float(half(bits + 1));
    float const middle = low + (high - low) / 2;
    unsigned const even = bits % 2 == 0 ? bits : bits + 1;
    for (unsigned sign : {0u, 0x8000u}) {
      float const factor = sign != 0 ? -1.0f : 1.0f;
      if (to_f16(factor * middle).bits != (even | sign)) ++wrong;
      if (to_f16(factor * std::nextafter(middle, 0.0f)).bits != (bits | sign)) ++wrong;
      if (to_f16(factor * std::nextafter(middle, 1e9f)).bits != ((bits + 1) | sign)) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("scalar: half overflows to infinity from the midpoint above its largest value, and underflows to zero") {
  CHECK(to_f16(65504.0f) == half(0x7bff));
  CHECK(to_f16(65519.996f) == half(0x7bff));
  CHECK(to_f16(65520.0f) == half(0x7c00));
  CHECK(to_f16(-65520.0f) == half(0xfc00));
  CHECK(to_f16(std::numeric_limits<float>::max()) == half(0x7c00));
  CHECK(to_f16(std::numeric_limits<float>::infinity()) == half(0x7c00));
  CHECK(to_f16(0x1p-24f) == half(1));
  CHECK(to_f16(0x1p-25f) == half(0));               // a tie between 0 and the smallest subnormal
  CHECK(to_f16(0x1.000002p-25f) == half(1));
  CHECK(to_f16(-0x1p-26f) == half(0x8000));         // the sign survives
  CHECK(to_f16(std::numeric_limits<float>::denorm_min()) == half(0));
  CHECK(to_f16(-0.0f) == half(0x8000));
  CHECK(to_f16(0x1.ffcp-15f) == half(0x3ff + 1));   // rounds up out of the subnormals
}

TEST_CASE("scalar: every bf16 converts to the float with its bits on top and back to the same bits") {
  int wrong = 0;
  for (unsigned bits = 0; bits < 65536; ++bits) {
    float const value = to_float(brain(bits));
    if (std::isnan(value)) {
      if (!std::isnan(to_float(to_bf16(value)))) ++wrong;
    } else if (bits_of(value) != bits << 16 || to_bf16(value).bits != bits) {
      ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("scalar: bf16 rounds to nearest, ties to even, on both sides of every tie") {
  int wrong = 0;
  for (unsigned upper = 0; upper < 0x7f80u; ++upper) {
    for (unsigned sign : {0u, 0x8000u}) {
      unsigned const low = upper | sign;
      std::uint32_t const tie = low << 16 | 0x8000u;
      if (to_bf16(float_of(tie - 1)).bits != low) ++wrong;
      if (to_bf16(float_of(tie)).bits != (low % 2 == 0 ? low : low + 1)) ++wrong;
      if (to_bf16(float_of(tie + 1)).bits != low + 1) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("scalar: bf16 rounds the largest floats to infinity, and a NaN stays a NaN even with its payload in the low half") {
  CHECK(to_bf16(std::numeric_limits<float>::max()) == brain(0x7f80));
  CHECK(to_bf16(-std::numeric_limits<float>::infinity()) == brain(0xff80));
  CHECK(std::isnan(to_float(to_bf16(float_of(0x7f800001u)))));
  CHECK(std::isnan(to_float(to_bf16(float_of(0xffffffffu)))));
  CHECK(std::isnan(to_float(to_f16(float_of(0x7f800001u)))));
}

TEST_CASE("scalar: the storage types are two bytes, and only float and double are scalars") {
  CHECK(sizeof(bf16) == 2);
  CHECK(sizeof(f16) == 2);
  CHECK(graft::Scalar<float>);
  CHECK(graft::Scalar<double>);
  CHECK_FALSE(graft::Scalar<bf16>);
  CHECK_FALSE(graft::Scalar<long double>);
  CHECK_FALSE(graft::Scalar<int>);
  CHECK(std::signed_integral<graft::Index>);
}
