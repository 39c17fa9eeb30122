// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/view.hpp>

#include <type_traits>

namespace graft {

/// Parameters of a backend's operations that take no part in template argument deduction: the scalar type follows from
/// the output, and a writable view, or a literal, may be passed where an input stands.
template <Scalar T>
using InArg = std::type_identity_t<In<T>>;
template <Scalar T>
using ValueArg = std::type_identity_t<T>;
template <Scalar T>
using PointerArg = std::type_identity_t<T const*>;

}  // namespace graft
