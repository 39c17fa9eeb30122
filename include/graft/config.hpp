// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Marks a non-template body that stands in a `.tpp` file. Header-only users get `inline`; the translation unit of
/// `graft::compiled` defines GRAFT_BUILDING_COMPILED, and the body becomes an ordinary symbol of that library.
#ifdef GRAFT_BUILDING_COMPILED
#define GRAFT_INLINE
#else
#define GRAFT_INLINE inline
#endif

/// Marks functors that `Backend::map` may run on a device.
#ifdef __CUDACC__
#define GRAFT_HOST_DEVICE __host__ __device__
#else
#define GRAFT_HOST_DEVICE
#endif
