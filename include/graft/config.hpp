// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Marks a non-template body that stands in a `.tpp` file. Header-only users get `inline`. Where GRAFT_COMPILED is defined
/// the bodies are ordinary symbols of the library `graft::compiled`, and only its own translation units include them.
#ifdef GRAFT_COMPILED
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
