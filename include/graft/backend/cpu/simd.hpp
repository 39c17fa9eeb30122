// SPDX-License-Identifier: Apache-2.0
#pragma once

/// GRAFT_SIMD before a loop says that its iterations are independent; GRAFT_SIMD_SUM(x, …) that they only add into the
/// named variables, in any order. Without OpenMP the compiler decides.
#ifdef _OPENMP
#define GRAFT_PRAGMA(text) _Pragma(#text)
#define GRAFT_SIMD GRAFT_PRAGMA(omp simd)
#define GRAFT_SIMD_SUM(...) GRAFT_PRAGMA(omp simd reduction(+ : __VA_ARGS__))
#else
#define GRAFT_SIMD
#define GRAFT_SIMD_SUM(...)
#endif
